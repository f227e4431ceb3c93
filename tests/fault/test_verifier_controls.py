"""Negative controls of the verifier: logs made by hand with one thing wrong, and it is found.

No cluster and no worker: whoever believes the runs under faults must first see that the judge
would have found something. Beside each is the same without the fault, which must be good.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import pytest

from stream_app.adapters.verifier.check import ContentCheck, EventRecord, OutcomeRecord
from stream_app.adapters.verifier.kafka import Ends
from stream_app.settings import Settings, load_settings
from stream_app.verify import Content, Isolation, Kind, Outcome, Report, judge
from stream_app.verify.compare import TOLERANCE
from tests.car_loan import BROKEN, ROOT, answers, encoded, event
from tests.fault.seen import Seen, differences
from tests.verify_kit import dead_letter, found, logs, prediction, source

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
) -> Report:
    inputs = [source(partition, range(EVENTS), committed) for partition in range(2)]
    outputs = logs(made)
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


# -- contents ---------------------------------------------------------------------------------


def settings() -> Settings:
    return load_settings(
        overrides={
            "input.topic": "loans",
            "input.framing": "single-object",
            "input.schema_dir": str(ROOT / "schemas"),
            "model.repository": str(ROOT / "examples" / "car_loan" / "models"),
            "model.name": "car_loan",
        }
    )


@cache
def _prediction_schema() -> tuple[Any, bytes]:
    schema = fastavro.schema.load_schema(Path(ROOT / "schemas" / "prediction.avsc"))
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return schema, b"\xc3\x01" + fingerprint


def predicted(number: int, **changes: Any) -> OutcomeRecord:
    (answer,) = answers([event(number)])
    record: Mapping[str, Any] = {
        "event_id": answer.event_id,
        "event_time": answer.event_time,
        "model_name": "car_loan",
        "model_version": "1",
        "model_hash": "fb0d21bec87a",
        "source_topic": "loans",
        "source_partition": 0,
        "source_offset": number,
        "scores": list(answer.scores),
        "label": answer.label,
        **changes,
    }
    schema, prefix = _prediction_schema()
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, record)
    return OutcomeRecord(f"out[0]@{number}", Kind.PREDICTION, prefix + body.getvalue(), ())


def buried(number: int, code: str) -> OutcomeRecord:
    headers = {
        "err.topic": "loans",
        "err.partition": "0",
        "err.offset": str(number),
        "err.code": code,
        "err.model": "car_loan",
        "err.model_version": "1",
    }
    told = [(name, value.encode()) for name, value in headers.items()]
    return OutcomeRecord(f"out.dlq[0]@{number}", Kind.DEAD_LETTER, b"?", told)


def contents(*third: OutcomeRecord, value: bytes | None = None) -> Content:
    """Five good events and their predictions, but for the third's."""
    check = ContentCheck(settings(), TOLERANCE)
    check.judge(
        [
            EventRecord(
                (0, number),
                value if number == 3 and value is not None else encoded(event(number)),
                (),
                list(third) if number == 3 else [predicted(number)],
            )
            for number in range(5)
        ]
    )
    return check.content()


def test_the_contents_without_a_fault_are_right() -> None:
    content = contents(predicted(3))
    assert (content.compared, content.not_compared) == (5, {})
    assert content == Content(TOLERANCE, 5)
    broken = BROKEN["cut off"][1](event(3))
    assert contents(buried(3, "DECODE_ERROR"), value=broken) == Content(TOLERANCE, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": [0.5, 0.5]},
        {"label": 9},
        {"event_id": "test-0000004"},
        {"event_time": None},
        {"model_hash": "0" * 12},
    ],
)
def test_a_wrong_content_is_found(changes: Mapping[str, Any]) -> None:
    content = contents(predicted(3, **changes))
    assert (content.compared, content.wrong_content.count) == (5, 1)
    assert content.wrong_content.first[0].startswith("out[0]@3 (input[0]@3): ")


@pytest.mark.parametrize("way", ["cut off", "bytes left over", "an infinite feature", "no id"])
def test_a_prediction_of_a_broken_event_is_found(way: str) -> None:
    assert contents(predicted(3), value=BROKEN[way][1](event(3))).wrongly_scored.count == 1


def test_a_dead_letter_of_a_good_event_is_found() -> None:
    assert contents(buried(3, "NON_FINITE")).wrongly_dead.count == 1
