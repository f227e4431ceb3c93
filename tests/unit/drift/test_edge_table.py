"""Laws of the edges: too few rows, none, constants, ruined values; as windows tell of them.

What a statistic alone makes of them is in ``test_statistics.py``.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import isnan, nan, sqrt

import numpy as np
import pytest

from stream_app.core.columns import Int64Array
from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.aggregate_state import PartitionState
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.report_window import WindowCounts, report_window
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import DISTRIBUTION, window_scores
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.watch import Values
from stream_app.core.drift.window_report import Status, WindowHead, WindowReport
from tests.aggregate_kit import STREAM, WAY, make_events, transaction
from tests.drift_claims.rows import MIN_ROWS, Field, Rows, reference_of, reports
from tests.drift_kit import SMALL

FIELDS = (Field("smooth"), Field("constant"), Field("name", ("a", "b", "c")), Field("other"))
SMOOTH, CONSTANT, NAME, OTHER = range(4)
REFERENCE_ROWS = 4_000


def data(rows: int, seed: int) -> Float64Array:
    """Rows without drift."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, len(FIELDS)))
    values[:, CONSTANT] = 7.0
    values[:, NAME] = generator.choice([0, 0, 1], rows)
    return values


@cache
def layout() -> Layout:
    made = Rows(FIELDS, data(REFERENCE_ROWS, 1))
    return reference_of(made, in_time_order=False, sizes=(30, 100, 300, 1_000), repeats=400)


def told(values: Values | Float64Array) -> WindowReport:
    """Of one window."""
    if not isinstance(values, Values):
        values = Rows(FIELDS, values).values()
    (report,) = reports(layout(), values, len(values))
    return report


def with_cells(column: int, rows: slice, kind: Cell, seed: int = 2, count: int = 200) -> Values:
    """Rows without drift, but for some cells of one column."""
    values = Rows(FIELDS, data(count, seed)).values()
    values.kinds[rows, column] = kind
    values.numbers[rows, column] = {
        Cell.POSITIVE_INFINITY: np.inf, Cell.NEGATIVE_INFINITY: -np.inf, Cell.NAN: nan,
    }.get(kind, 0.0)  # fmt: skip
    return values


def statistic(report: WindowReport, column: int, name: Statistic) -> float:
    return next(one.value for one in report.columns[column].statistics if one.name == name)


def defect(report: WindowReport, column: int, name: str) -> tuple[int, float]:
    """How many there are, and how probable so many are."""
    found = next(one for one in report.columns[column].defects if one.name == name)
    return found.count, found.p


def all_statistics(report: WindowReport, column: int) -> Iterator[float]:
    return (one.value for one in report.columns[column].statistics)


def test_with_too_few_rows_statistics_are_told_and_nothing_alerts() -> None:
    values = data(MIN_ROWS - 1, 2)
    values[:, SMOOTH] += 50.0
    report = told(values)
    assert report.status is Status.INSUFFICIENT
    assert report.greatest > 3 * report.threshold
    assert not any(isnan(value) for value in all_statistics(report, SMOOTH))
    assert judge("s", "r", [window_scores(report, DISTRIBUTION)]).alerts == ()
    enough = told(np.vstack([values, values[:1]]))
    assert enough.status is Status.OK
    assert len(judge("s", "r", [window_scores(enough, DISTRIBUTION)]).alerts) == 1


def test_windows_with_too_few_rows_add_up_to_one_that_is_judged() -> None:
    rows = Rows(FIELDS, data(40, 3)).values()
    halves = list(reports(layout(), rows, 20))
    assert {half.status for half in halves} == {Status.INSUFFICIENT}
    whole = told(rows)
    assert whole.status is Status.OK
    for at, column in enumerate(whole.columns):
        parts = [half.columns[at].counts for half in halves]
        assert tuple(map(sum, zip(*parts, strict=True))) == column.counts


def test_without_rows_a_window_is_empty_and_nothing_has_a_value() -> None:
    state: Int64Array = layout().empty(1)[0]
    head = WindowHead(STREAM, 0, 1_000, 1, True, True, 1, 0, {})
    report = report_window(layout(), WindowCounts(head, state), MIN_ROWS)
    assert report.status is Status.EMPTY
    assert all(isnan(value) for at in range(4) for value in all_statistics(report, at))
    assert isnan(report.greatest)
    assert judge("s", "r", [window_scores(report, DISTRIBUTION)]).alerts == ()


def test_of_a_column_that_is_all_null_only_the_share_of_nulls_speaks() -> None:
    report = told(with_cells(SMOOTH, slice(None), Cell.NULL))
    assert all(isnan(value) for value in all_statistics(report, SMOOTH))
    assert report.columns[SMOOTH].valid == 0
    count, p = defect(report, SMOOTH, "null")
    assert count == 200
    assert p < 1e-300
    assert report.worst_column != "smooth"
    assert not isnan(report.greatest), "the other columns have theirs"


def test_a_constant_that_stays_is_at_no_distance_and_one_that_changed_at_1() -> None:
    js = Statistic.JENSEN_SHANNON_16
    same, values = told(data(200, 4)), data(200, 4)
    values[:, CONSTANT] = 8.0
    other = told(values)
    assert statistic(same, CONSTANT, js) == 0
    assert statistic(other, CONSTANT, js) == 1
    assert other.worst_column == "constant"
    assert other.greatest > other.threshold
    for report in (same, other):
        names = {one.name for one in report.columns[CONSTANT].statistics}
        assert Statistic.WASSERSTEIN not in names, "there is no spread to measure it by"


def test_a_column_that_got_stuck_is_an_ordinary_drift_and_called_stuck() -> None:
    values = data(200, 5)
    values[:, SMOOTH] = 0.25
    report = told(values)
    assert all(0 < value < np.inf for value in all_statistics(report, SMOOTH))
    assert report.columns[SMOOTH].sd == pytest.approx(0.0, abs=1e-5)
    assert report.columns[SMOOTH].mean == pytest.approx(0.25, abs=1e-5)
    assert report.worst_column == "smooth"
    assert report.greatest > 3 * report.threshold
    # The constant one always was so, and is not called that.
    assert [column.name for column in report.columns if column.is_stuck] == ["smooth"]


@pytest.mark.parametrize("times", [1, 4])
def test_a_window_larger_than_the_reference_is_allowed_what_the_reference_may_be_off(
    times: int,
) -> None:
    report = told(data(times * REFERENCE_ROWS, 6))
    calibration = layout().reference.calibration
    assert calibration is not None
    tests = [(test.column, test.statistic) for test in calibration.tests]
    row = calibration.q99[tests.index((SMOOTH, Statistic.WASSERSTEIN))]
    slope = np.log(row[-1] / row[-2]) / np.log(calibration.sizes[-1] / calibration.sizes[-2])
    alone = row[-1] * (times * REFERENCE_ROWS / calibration.sizes[-1]) ** slope
    found = next(
        one for one in report.columns[SMOOTH].statistics if one.name == Statistic.WASSERSTEIN
    )
    assert found.q99 == pytest.approx(alone * sqrt(1 + times), rel=1e-9)
    assert report.greatest < report.threshold


def test_windows_of_different_references_are_never_added_up() -> None:
    events = make_events(7, 30, 1)
    (partial,) = transaction(events, {0: (0, 30)})
    other = replace(partial, stream=replace(STREAM, reference_id="f" * 16))
    state = PartitionState()
    for each in (partial, other):
        state.of(each.stream).apply(each, SMALL, WAY, 0, 0)
    first, second = state.streams.values()
    assert len(state.streams) == 2
    assert first.stream.reference_id != second.stream.reference_id
    for start, window in first.windows.items():
        assert window.rows == second.windows[start].rows
    assert sum(window.rows for window in first.windows.values()) == int((~events.dead).sum())


@pytest.mark.parametrize(
    "kind", [Cell.NULL, Cell.NAN, Cell.POSITIVE_INFINITY, Cell.NEGATIVE_INFINITY]
)
def test_what_is_no_number_is_counted_and_moves_no_statistic(kind: Cell) -> None:
    report, without = told(with_cells(SMOOTH, slice(0, 20), kind)), told(data(200, 2)[20:])
    name = {Cell.NULL: "null", Cell.NAN: "nan"}.get(kind, "infinite")
    count, p = defect(report, SMOOTH, name)
    assert count == 20
    assert p < 1e-9
    assert report.columns[SMOOTH].valid == 180
    found, expected = all_statistics(report, SMOOTH), all_statistics(without, SMOOTH)
    assert list(found) == list(expected)
    assert defect(without, SMOOTH, name)[0] == 0


@pytest.mark.parametrize("value", [1e30, -1e30, 1e6])
def test_one_corrupt_row_in_a_thousand_alarms_nobody_and_is_told(value: float) -> None:
    values = data(1_000, 8)
    quiet = told(values)
    values[500, SMOOTH] = value
    report = told(values)
    assert quiet.greatest < quiet.threshold
    assert report.greatest < report.threshold
    assert defect(report, SMOOTH, "clipped")[0] == 1
    assert defect(report, SMOOTH, "out_of_range")[0] == 1


def test_a_category_that_the_reference_lacks_is_unseen_and_one_row_of_it_is_no_drift() -> None:
    one, many = (with_cells(NAME, slice(0, rows), Cell.UNSEEN, seed=9) for rows in (1, 40))
    few, lots = told(one), told(many)
    assert defect(few, NAME, "unseen")[0] == 1
    assert few.greatest < few.threshold
    count, p = defect(lots, NAME, "unseen")
    assert count == 40
    assert p < 1e-9
    assert lots.worst_column == "name"
    assert lots.greatest > lots.threshold


def test_a_window_tells_what_its_statistics_are_without_drift() -> None:
    """Sums over windows live on it."""
    scores = window_scores(told(data(200, 2)), DISTRIBUTION).scores
    assert scores
    for score in scores:
        assert 0 < score.sd < score.mean
        assert score.mean < 1
