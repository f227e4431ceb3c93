"""Laws of a window's report: told numbers are those of the rows, and of the reference's own."""

from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest

from stream_app.core.columns import Int64Array
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.measures import alerting_tests
from stream_app.core.drift.reference import Calibration, Kind, Role
from stream_app.core.drift.report_window import WindowCounts, report_window
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.window_hash import window_hashes
from stream_app.core.drift.window_report import Status, WindowHead, WindowReport
from tests.aggregate_kit import STREAM, Events, counted_at_once, make_events, values_for
from tests.drift_kit import SMALL, small_reference


def calibrated() -> Layout:
    """The small reference, of which everything above .1 is drift."""
    reference = small_reference()
    moments = np.array([500, 0, 0, 500, 0, 500], dtype=np.int64)
    reference = replace(reference, co_moments=moments, co_rows=500)
    tests = alerting_tests(reference.columns, reference.correlated)
    sizes = np.array([10, 1_000], dtype=np.int64)
    tenth = np.full((len(tests), 2), 0.1)
    calibration = Calibration(
        tests, sizes, tenth, tenth / 2, tenth / 8, np.array([1.5, 1.5]), np.ones(len(tests)),
        0.01, 100, "iid",
    )  # fmt: skip
    return Layout(replace(reference, calibration=calibration))


LAYOUT = calibrated()


def of_rows(rows: int, seed: int = 1) -> tuple[Events, Int64Array]:
    """One window of plausible rows."""
    events = make_events(seed, rows, 1, span_ms=1, layout=LAYOUT, stream=STREAM)
    values, slots = values_for(LAYOUT, rows, seed)
    events = replace(events, dead=np.zeros(rows, dtype=np.bool_), values=values, slots=slots)
    return events, counted_at_once(events)[0].state


def report(state: Int64Array, rows: int, layout: Layout = LAYOUT) -> WindowReport:
    counts = WindowCounts(WindowHead(STREAM, 0, 1_000, 1, True, True, 1, rows, {}), state)
    return report_window(layout, counts, min_rows=30)


def test_moments_are_those_of_the_values() -> None:
    events, state = of_rows(400)
    found = report(state, 400)
    for at, column in enumerate(found.columns):
        kinds, numbers = events.values.kinds[:, at], events.values.numbers[:, at]
        valid = numbers[kinds == 0]
        moments = LAYOUT.reference.columns[at].moments
        assert column.valid == len(valid)
        assert sum(column.counts) == len(valid)
        if moments is None or not moments.sd:
            continue
        near = np.clip(valid, moments.clip_low, moments.clip_high)
        assert column.mean == pytest.approx(near.mean(), abs=1e-5)
        assert column.sd == pytest.approx(near.std(), rel=1e-4)


def test_the_reference_itself_has_no_distance() -> None:
    state = LAYOUT.empty(1)[0]
    state[0] = 500
    for own, section in zip(LAYOUT.reference.columns, LAYOUT.sections, strict=True):
        state[section.begin : section.apart] = own.counts
    found = report(state, 500)
    for column in found.columns:
        for measured in column.statistics:
            if measured.name != Statistic.WASSERSTEIN:
                assert measured.value == pytest.approx(0.0, abs=1e-12), measured
        assert column.top == ()
        assert all(defect.p > 0.1 for defect in column.defects)
    assert found.greatest < found.threshold


def test_the_worst_score_is_told_with_its_column_and_statistic() -> None:
    events, _ = of_rows(300)
    numbers = events.values.numbers.copy(order="F")
    numbers[:, 3] = 1e6
    moved = replace(events, values=replace(events.values, numbers=numbers))
    found = report(counted_at_once(moved)[0].state, 300)
    assert found.worst_column == "correlated"
    assert found.greatest > found.threshold
    scores = [m.score for c in found.columns for m in c.statistics if not isnan(m.score)]
    assert found.correlation is not None
    assert found.greatest == max([*scores, found.correlation.statistic.score])
    worst = found.columns[3]
    out = next(defect for defect in worst.defects if defect.name == "out_of_range")
    assert out.count == worst.valid
    assert out.p == 0.0
    assert worst.bars[worst.top[0]].current == worst.valid
    assert isnan(worst.bars[-1].high)


def test_bars_hold_every_valid_row_of_both_sides() -> None:
    _, state = of_rows(200)
    for column, own in zip(report(state, 200).columns, LAYOUT.reference.columns, strict=True):
        assert sum(bar.current for bar in column.bars) == column.valid
        assert sum(bar.reference for bar in column.bars) == own.valid
        edges = [bar.high for bar in column.bars[:-1]]
        if own.kind is Kind.NUMERIC:
            assert edges == sorted(edges)
            assert [bar.low for bar in column.bars[1:]] == edges
        else:
            assert [bar.name for bar in column.bars][-2:] == ["(other)", "(unseen)"]


@pytest.mark.parametrize(
    ("rows", "status"), [(0, Status.EMPTY), (29, Status.INSUFFICIENT), (30, Status.OK)]
)
def test_a_window_is_judged_by_its_rows(rows: int, status: Status) -> None:
    state = of_rows(rows)[1] if rows else LAYOUT.empty(1)[0]
    found = report(state, rows)
    assert found.status is status
    assert isnan(found.threshold) == (rows == 0)


def test_without_a_calibration_nothing_has_a_score() -> None:
    _, state = of_rows(100)
    found = report(state, 100, SMALL)
    assert (found.calibration, found.worst_column) == ("none", "")
    assert isnan(found.greatest)
    assert isnan(found.threshold)


def test_estimated_accuracy_is_the_mean_of_the_probabilities() -> None:
    _, state = of_rows(100)
    found = report(state, 100).accuracy
    assert found is not None
    assert found.rows == int(state[LAYOUT.scores :].sum())
    assert found.accuracy == pytest.approx(0.5)
    assert found.reference_accuracy == 1.0


def test_a_constant_column_has_a_mean_only_while_it_is_constant() -> None:
    events, _ = of_rows(50)
    numbers, kinds = np.nan_to_num(events.values.numbers), events.values.kinds * 0
    for value, mean, sd in ((7.0, 7.0, 0.0), (8.0, nan, nan)):
        numbers[:, 2] = value
        same = replace(events, values=replace(events.values, numbers=numbers, kinds=kinds))
        column = report(counted_at_once(same)[0].state, 50).columns[2]
        assert (column.mean, column.sd) == pytest.approx((mean, sd), nan_ok=True)


def test_each_hash_sees_its_own_side_and_all_of_it() -> None:
    columns = list(LAYOUT.reference.columns)
    last = columns[-1]
    columns[-1] = replace(last, origin=replace(last.origin, role=Role.OUTPUT))
    layout = Layout(replace(LAYOUT.reference, columns=tuple(columns)))
    state = layout.empty(1)[0]
    before = window_hashes(layout, state, 0, 1_000, 0, {})
    outputs = {*range(layout.sections[-1].begin, layout.sections[-1].end)}
    outputs |= {*range(layout.scores, layout.size)}
    for at in range(1, layout.size):
        state[at] += 1
        after = window_hashes(layout, state, 0, 1_000, 0, {})
        assert (after.inputs != before.inputs) == (at not in outputs), at
        assert (after.outputs != before.outputs) == (at in outputs), at
        state[at] -= 1
    others = [(1_000, 1_000, 0, {}), (0, 2_000, 0, {}), (0, 1_000, 1, {}), (0, 1_000, 0, {1: 1})]
    for other in others:
        assert window_hashes(layout, state, *other).inputs != before.inputs
    assert window_hashes(layout, state, 0, 1_000, 0, {1: 0}) == before
