"""What is found in drift partials made by hand: every fault planted once, and then none."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.verify import InputLog, Kind, Outcome, Promise, Report, judge
from stream_app.verify.drift import judge_drift
from stream_app.verify.logs import NO_TIME, UNKNOWN_TIME
from stream_app.verify.partials import PartialRecord, PartialSums
from stream_app.verify.report import Drift, Finding
from tests.verify_kit import MODEL, dead_letter, found, offsets, prediction, source, told_logs

WINDOW_MS = 10
SIZE = 4
"""Records of a transaction."""

Plant = Callable[[list[PartialRecord]], object]

INPUTS = [source(0, range(20), committed=20), source(1, range(12), committed=12)]
DEAD = {(0, 3): "BAD_MAGIC", (1, 7): "NON_FINITE_OUTPUT"}


def time_ms(partition: int, offset: int) -> int:
    return 100 * partition + 3 * offset


def outcomes() -> list[Outcome]:
    return [
        dead_letter(partition, offset, DEAD[partition, offset])
        if (partition, offset) in DEAD
        else prediction(partition, offset)
        for partition, end in ((0, 20), (1, 12))
        for offset in range(end)
    ]


def partial(
    partition: int, first: int, last: int, model: tuple[str, str] = MODEL, width: int = WINDOW_MS
) -> PartialRecord:
    """As a scorer would tell of these records."""
    rows: dict[int, int] = {}
    letters: dict[str, int] = {}
    for offset in range(first, last + 1):
        code = DEAD.get((partition, offset))
        if code is not None:
            letters[code] = letters.get(code, 0) + 1
        else:
            start = time_ms(partition, offset) // width * width
            rows[start] = rows.get(start, 0) + 1
    return PartialRecord(model, "primary", width, 0, ((partition, first, last),), rows, 0, letters)


def partials() -> list[PartialRecord]:
    return [
        partial(partition, first, first + SIZE - 1)
        for partition, end in ((0, 20), (1, 12))
        for first in range(0, end, SIZE)
    ]


def verdict(
    plant: Plant = lambda told: None,
    *,
    inputs: list[InputLog] | None = None,
    made: Iterable[Outcome] | None = None,
    times: Callable[[int, int], int] = time_ms,
    model: Callable[[int, int], tuple[str, str]] = lambda partition, offset: MODEL,
    promise: Promise = Promise.EXACTLY_ONCE,
) -> Report:
    inputs = INPUTS if inputs is None else inputs
    told = partials()
    plant(told)
    sums = PartialSums({log.partition: range(log.begin, log.due) for log in inputs})
    for each in told:
        sums.take(each)
    outputs = told_logs(outcomes() if made is None else made, times, model)
    drift = judge_drift(inputs, outputs, sums)
    return judge(inputs, outputs, promise=promise, drift=drift)


def test_counts_that_add_up_have_no_findings() -> None:
    report = verdict()
    assert found(report) == {}
    assert report.ok
    assert report.drift is not None
    assert (report.drift.partials, report.drift.rows, report.drift.dead_letters) == (8, 30, 2)
    assert report.drift.models == ("car_loan/1",)
    assert (report.drift.before, report.drift.windows) == (0, 10)


def one_dropped(told: list[PartialRecord]) -> None:
    told.pop(2)


def one_doubled(told: list[PartialRecord]) -> None:
    told.append(told[2])


def the_last_dropped(told: list[PartialRecord]) -> None:
    told.pop()


def a_row_too_many(told: list[PartialRecord]) -> None:
    told[1] = replace(told[1], rows={**told[1].rows, 10: told[1].rows[10] + 1})


def a_row_in_another_window(told: list[PartialRecord]) -> None:
    rows = dict(told[1].rows)
    rows[10], rows[20] = rows[10] - 1, rows[20] + 1
    told[1] = replace(told[1], rows=rows)


def a_row_in_no_window(told: list[PartialRecord]) -> None:
    told[1] = replace(told[1], rows={**told[1].rows, 10: told[1].rows[10] - 1}, rows_without_time=1)


def another_code(told: list[PartialRecord]) -> None:
    told[0] = replace(told[0], letters={"TOO_SHORT": 1})


def a_range_too_far(told: list[PartialRecord]) -> None:
    told[1] = replace(told[1], ranges=((0, 4, 8),))


def a_range_too_short(told: list[PartialRecord]) -> None:
    told[1] = replace(told[1], ranges=((0, 4, 6),))


def a_further_part_lost(told: list[PartialRecord]) -> None:
    rows = told[1].rows
    told[1] = replace(told[1], rows={10: rows[10]})


@pytest.mark.parametrize(
    ("plant", "expected", "place"),
    [
        (one_dropped, {"drift_gaps": 4}, "input[0]@8"),
        (the_last_dropped, {"drift_gaps": 4}, "input[1]@8"),
        (one_doubled, {"drift_overlaps": 4, "drift_miscounted": 2}, "input[0]@8"),
        (
            a_row_too_many,
            {"drift_miscounted": 1},
            "car_loan/1 window 1970-01-01T00:00:00Z: 4 counted, 3 predictions",
        ),
        (a_row_in_another_window, {"drift_miscounted": 2}, ""),
        (
            a_row_in_no_window,
            {"drift_miscounted": 2},
            "car_loan/1 in no window: 1 counted, 0 predictions",
        ),
        (
            another_code,
            {"drift_miscounted": 2},
            "car_loan/1 BAD_MAGIC: 0 counted, 1 dead letters",
        ),
        (a_range_too_far, {"drift_overlaps": 1}, "input[0]@8"),
        (a_range_too_short, {"drift_gaps": 1, "drift_miscounted": 1}, "input[0]@7"),
        (a_further_part_lost, {"drift_miscounted": 1}, ""),
    ],
)
def test_a_planted_fault_is_found(plant: Plant, expected: dict[str, int], place: str) -> None:
    report = verdict(plant)
    assert found(report) == expected
    assert not report.ok
    assert report.findings[next(iter(expected))].first[0].startswith(place)
    document = json.loads(json.dumps(report.to_json()))
    assert {name: document[name] for name in expected} == expected
    assert document["drift"]["partials"] == report.drift.partials if report.drift else False


def test_parts_of_a_transaction_cover_it_once() -> None:
    def in_two_parts(told: list[PartialRecord]) -> None:
        whole = told[1]
        first, *rest = sorted(whole.rows)
        told[1] = replace(whole, rows={first: whole.rows[first]}, letters={})
        told.append(replace(whole, part=1, rows={start: whole.rows[start] for start in rest}))

    assert found(verdict(in_two_parts)) == {}


def test_parts_without_their_first_are_missed_as_the_gap_that_it_leaves() -> None:
    def only_the_second(told: list[PartialRecord]) -> None:
        told[1] = replace(told[1], part=1)

    assert found(verdict(only_the_second)) == {"drift_gaps": 4}


def test_idle_partitions_cover_nothing() -> None:
    idle = PartialRecord(MODEL, "primary", WINDOW_MS, 0, (), {}, 0, {})
    assert found(verdict(lambda told: told.append(idle))) == {}


def test_partials_ahead_of_what_is_committed_are_torn_and_not_compared() -> None:
    inputs = [replace(INPUTS[0], committed=14, committed_after=14), INPUTS[1]]
    made = [o for o in outcomes() if o.source_partition == 1 or o.source_offset < 14]
    report = verdict(inputs=inputs, made=made)
    assert found(report) == {"drift_torn": 2}
    assert report.findings["drift_torn"].first == ("input[0]@12-15", "input[0]@16-19")


def test_a_group_that_goes_on_is_judged_by_what_was_committed_before_and_after() -> None:
    inputs = [replace(INPUTS[0], committed=14, committed_after=20), INPUTS[1]]
    for seen in (12, 16, 20):
        made = [o for o in outcomes() if o.source_partition == 1 or o.source_offset < seen]
        report = verdict(inputs=inputs, made=made)
        assert {name for name in found(report) if name.startswith("drift")} == set()


def test_what_was_deleted_of_the_input_is_not_compared() -> None:
    cut = replace(source(0, range(6, 20), committed=20), begin=6)
    # Outcomes of what is gone may be gone too.
    made = [o for o in outcomes() if o.source_partition == 1 or o.source_offset >= 5]
    assert found(verdict(inputs=[cut, INPUTS[1]], made=made)) == {}
    report = verdict(one_dropped, inputs=[cut, INPUTS[1]], made=made)
    assert found(report) == {"drift_gaps": 4}


def test_records_from_before_counting_began_are_told_and_no_fault() -> None:
    report = verdict(lambda told: told.pop(0))
    assert found(report) == {}
    assert report.drift is not None
    assert report.drift.before == 4


def test_a_model_without_a_reference_is_not_counted() -> None:
    def version(partition: int, offset: int) -> tuple[str, str]:
        return ("car_loan", "2") if partition == 0 and 8 <= offset < 12 else MODEL

    assert found(verdict(one_dropped, model=version)) == {}
    # Counted as another model's, they are missed in both.
    wrong = verdict(model=version)
    assert set(found(wrong)) == {"drift_miscounted"}


def test_windows_of_two_lengths_are_compared_by_the_longer() -> None:
    def changed(told: list[PartialRecord]) -> None:
        told[2:4] = [partial(0, 8, 11, width=20), partial(0, 12, 15, width=20)]

    report = verdict(changed)
    assert found(report) == {}
    assert report.drift is not None
    assert report.drift.windows < 10

    def and_one_dropped(told: list[PartialRecord]) -> None:
        changed(told)
        told.pop(3)

    assert found(verdict(and_one_dropped)) == {"drift_gaps": 4}


def test_windows_that_fit_into_no_other_are_compared_as_totals() -> None:
    def changed(told: list[PartialRecord]) -> None:
        told[2] = partial(0, 8, 11, width=7)

    assert found(verdict(changed)) == {}

    def and_one_more(told: list[PartialRecord]) -> None:
        changed(told)
        a_row_too_many(told)

    assert found(verdict(and_one_more)) == {"drift_miscounted": 1}


def test_without_times_in_predictions_totals_are_compared() -> None:
    assert found(verdict(times=lambda partition, offset: UNKNOWN_TIME)) == {}
    wrong = verdict(a_row_too_many, times=lambda partition, offset: UNKNOWN_TIME)
    assert found(wrong) == {"drift_miscounted": 1}
    assert "drift_miscounted" in found(verdict(times=lambda partition, offset: NO_TIME))


def test_rows_in_no_window_are_predictions_without_a_time() -> None:
    def none_has_one(told: list[PartialRecord]) -> None:
        told[:] = [
            replace(each, rows={}, rows_without_time=sum(each.rows.values())) for each in told
        ]

    assert found(verdict(none_has_one, times=lambda partition, offset: NO_TIME)) == {}


def test_partials_of_other_roles_are_told_and_not_judged() -> None:
    report = verdict(lambda told: told.append(replace(told[0], role="shadow")))
    assert found(report) == {}
    assert report.drift is not None
    assert report.drift.other_roles == {"shadow": 1}


def test_at_least_once_forgives_what_is_counted_twice_and_no_gap() -> None:
    once = Promise.AT_LEAST_ONCE
    assert verdict(one_doubled, promise=once).ok
    assert verdict(one_doubled, promise=once).drift_overlaps.count == 4
    assert not verdict(one_dropped, promise=once).ok


def test_what_keeps_drift_from_being_judged_stands_in_the_report() -> None:
    outputs = told_logs(outcomes(), time_ms, lambda partition, offset: MODEL)
    report = judge(INPUTS, outputs, drift=Drift(skipped="drift.counting is off"))
    assert report.ok
    assert report.to_json()["drift"] == {"skipped": "drift.counting is off"}


def test_an_open_transaction_of_partials_and_what_is_none_are_faults() -> None:
    one = Finding(1, ("partials[0]@3",))
    report = judge(
        INPUTS, told_logs(outcomes(), time_ms, lambda p, o: MODEL), drift=Drift(hanging=one)
    )
    assert found(report) == {"hanging": 1}
    report = judge(
        INPUTS, told_logs(outcomes(), time_ms, lambda p, o: MODEL), drift=Drift(unreadable=one)
    )
    assert found(report) == {"drift_unreadable": 1}


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 5)), max_size=12))
def test_coverage_agrees_with_counting_one_by_one(spans: list[tuple[int, int]]) -> None:
    ranges = [(first, min(19, first + more)) for first, more in spans]
    sums = PartialSums({0: range(20)})
    for first, last in ranges:
        sums.take(replace(partial(0, first, last), part=0))
    outputs = told_logs(
        [prediction(0, offset) for offset in range(20)], time_ms, lambda p, o: MODEL
    )
    drift = judge_drift([source(0, range(20), committed=20)], outputs, sums)
    times = [sum(first <= offset <= last for first, last in ranges) for offset in range(20)]
    begun = min((first for first, _ in ranges), default=20)
    assert drift.overlaps.count == sum(max(0, count - 1) for count in times)
    assert drift.gaps.count == sum(
        count == 0 and offset > begun for offset, count in enumerate(times)
    )
    assert drift.before == (begun if ranges else 0)
    told, there = Counter[int](), Counter[int]()
    for offset, count in enumerate(times):
        start = time_ms(0, offset) // WINDOW_MS * WINDOW_MS
        dead = (0, offset) in DEAD
        told[start] += 0 if dead else count
        # Here the dead one has a prediction too.
        there[start] += count > 0
    letters = int(times[3] > 0)
    assert drift.miscounted.count == letters + sum(told[start] != there[start] for start in told)


def test_a_log_says_of_each_outcome_what_it_is_of() -> None:
    log, *_ = told_logs([prediction(0, 1)], time_ms, lambda p, o: MODEL)
    assert (log.kind, log.group_names) == (Kind.PREDICTION, (MODEL,))
    assert log.time_ms.tolist() == offsets([3]).tolist()
