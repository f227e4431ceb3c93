"""Negative controls of the verifier: logs made by hand with one thing wrong, and it is found.

No cluster and no worker: whoever believes the runs under faults must first see that the judge
would have found something. Beside each is the same without the fault, which must be good.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stream_app.adapters.verifier.kafka import Ends
from stream_app.verify import Isolation, Kind, Outcome, Report, judge
from stream_app.verify.drift import judge_drift
from stream_app.verify.partials import PartialRecord, PartialSums
from tests.fault.seen import Seen, differences
from tests.verify_kit import (
    MODEL,
    dead_letter,
    found,
    logs,
    offsets,
    prediction,
    source,
    told_logs,
    told_partials,
)

pytestmark = pytest.mark.fault("controls", quick=True)

EVENTS = 20
DEAD = {7, 13}


def outcomes() -> list[Outcome]:
    """Of two partitions, in order."""
    return [
        dead_letter(partition, offset) if offset in DEAD else prediction(partition, offset)
        for offset in range(EVENTS)
        for partition in range(2)
    ]


def verdict(
    made: list[Outcome],
    *,
    committed: int = EVENTS,
    isolation: Isolation = Isolation.READ_COMMITTED,
    open_from: int | None = None,
    deleted_before: int = 0,
) -> Report:
    inputs = [source(partition, range(EVENTS), committed) for partition in range(2)]
    if deleted_before:
        end = max(EVENTS, deleted_before)
        inputs[1] = replace(
            inputs[1], begin=deleted_before, offsets=offsets([]), stable_end=end, end=end
        )
    outputs = logs(made, partitions=2)
    if open_from is not None:
        outputs[0] = replace(outputs[0], stable_end=open_from, end=open_from + 1)
    return judge(inputs, outputs, isolation=isolation)


def changed(change: Callable[[list[Outcome]], object]) -> list[Outcome]:
    made = outcomes()
    change(made)
    return made


def swap(made: list[Outcome]) -> None:
    one, other = made.index(prediction(0, 8)), made.index(prediction(0, 9))
    made[one], made[other] = made[other], made[one]


def test_the_logs_without_a_fault_are_good() -> None:
    assert verdict(outcomes()).ok
    assert found(verdict(outcomes())) == {}


@pytest.mark.parametrize(
    ("report", "finding"),
    [
        pytest.param(lambda: verdict(changed(lambda m: m.pop(4))), "lost", id="one lost"),
        pytest.param(
            lambda: verdict(changed(lambda m: m.remove(dead_letter(1, 13)))),
            "lost",
            id="one dead letter lost",
        ),
        pytest.param(
            lambda: verdict(changed(lambda m: m.append(prediction(1, 19)))),
            "duplicated",
            id="one duplicated",
        ),
        pytest.param(lambda: verdict(changed(swap)), "reordered", id="two swapped"),
        pytest.param(
            # Its transaction was aborted and its events scored again: who reads uncommitted
            # outcomes takes both.
            lambda: verdict(
                changed(lambda m: m.insert(0, prediction(0, 0))),
                isolation=Isolation.READ_UNCOMMITTED,
            ),
            "duplicated",
            id="one aborted, read uncommitted",
        ),
        pytest.param(
            # As above, and the events were never scored again: nothing of them can be seen.
            lambda: verdict(changed(lambda m: m.remove(prediction(0, 3)))),
            "lost",
            id="one aborted and never done again",
        ),
        pytest.param(
            lambda: verdict(changed(lambda m: m.__setitem__(0, replace(m[0], partition=1)))),
            "misplaced",
            id="one in another partition",
        ),
        pytest.param(
            lambda: verdict(outcomes(), deleted_before=EVENTS + 3),
            "deleted_unread",
            id="records deleted before they were read",
        ),
        pytest.param(
            lambda: verdict(outcomes(), committed=EVENTS + 3),
            "beyond_end",
            id="the input made anew, and shorter",
        ),
        pytest.param(lambda: verdict(outcomes(), committed=EVENTS - 1), "torn", id="torn"),
        pytest.param(lambda: verdict(outcomes(), open_from=40), "hanging", id="hanging"),
        pytest.param(
            lambda: verdict(changed(lambda m: m.append(prediction(1, EVENTS)))),
            "foreign",
            id="one of no event",
        ),
    ],
)
def test_a_fault_planted_in_a_log_is_found(report: Callable[[], Report], finding: str) -> None:
    made = report()
    assert found(made).keys() == {finding}
    assert not made.ok


def test_outcomes_that_nobody_committed_are_no_success() -> None:
    report = verdict(outcomes()[: 2 * 15], committed=15)
    assert found(report) == {}
    assert (report.uncommitted, report.ok) == (10, False)


def time_ms(partition: int, offset: int) -> int:
    return 100 * partition + 3 * offset


def drift_verdict(change: Callable[[list[PartialRecord]], object]) -> Report:
    told = told_partials(outcomes(), time_ms, size=4)
    change(told)
    inputs = [source(partition, range(EVENTS), EVENTS) for partition in range(2)]
    sums = PartialSums(dict.fromkeys(range(2), range(EVENTS)))
    for partial in told:
        sums.take(partial)
    outputs = told_logs(outcomes(), time_ms, lambda partition, offset: MODEL)
    return judge(inputs, outputs, drift=judge_drift(inputs, outputs, sums))


def test_partials_without_a_fault_are_good() -> None:
    report = drift_verdict(lambda told: None)
    assert report.ok
    assert found(report) == {}


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        pytest.param(lambda told: told.pop(2), {"drift_gaps"}, id="a partial dropped"),
        pytest.param(
            lambda told: told.append(told[2]),
            {"drift_overlaps", "drift_miscounted"},
            id="a partial doubled",
        ),
        pytest.param(
            lambda told: told.__setitem__(2, replace(told[2], rows={})),
            {"drift_miscounted"},
            id="counts lost, and the range kept",
        ),
    ],
)
def test_a_fault_planted_in_partials_is_found(
    change: Callable[[list[PartialRecord]], object], findings: set[str]
) -> None:
    report = drift_verdict(change)
    assert found(report).keys() == findings
    assert not report.ok


SEEN = range(6)


def seen(*places: int) -> Seen:
    made = Seen(Kind.PREDICTION)
    for place in places:
        made.offsets.append(place)
        made.prints.append(place + 100)
        made.source_partition.append(0)
        made.source_offset.append(place)
    return made


@pytest.mark.parametrize(
    ("live", "finding"),
    [
        ((0, 1, 2, 3, 4, 5, 6), "read live and not there now"),
        ((0, 1, 2, 4, 5), "there now and never read live"),
        ((0, 1, 2, 3, 3, 4, 5), "read twice"),
        ((0, 2, 1, 3, 4, 5), "read out of order"),
    ],
)
def test_what_a_live_reader_saw_otherwise_is_found(live: tuple[int, ...], finding: str) -> None:
    ends = Ends(0, 7, 7)
    assert differences(seen(*SEEN), seen(*SEEN), ends) == []
    assert any(finding in line for line in differences(seen(*live), seen(*SEEN), ends))
