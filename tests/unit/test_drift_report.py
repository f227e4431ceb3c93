"""Laws of the verdict over many windows."""

from dataclasses import replace
from math import nan

from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.drift.report_alerts import computed_alerts
from stream_app.core.drift.alerts import State
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import DISTRIBUTION, window_scores
from stream_app.core.drift.window_report import Status, WindowReport
from stream_app.drift_report import DriftReport, Verdict, cells_of, is_judged
from stream_app.drift_words import facts, verdict_lines
from tests.drift_windows import WINDOW_MS, car_loan_windows, told_again


def report(windows: list[WindowReport]) -> DriftReport:
    return DriftReport(windows[0].head.stream, WINDOW_MS, tuple(windows))


def whole() -> DriftReport:
    return report(list(car_loan_windows()))


def quiet_windows() -> list[WindowReport]:
    return list(car_loan_windows()[1:46])


def test_the_half_that_drifts_has_drift_and_the_other_has_none() -> None:
    found = whole()
    assert sorted(found.drifted) == list(range(46, 92))
    assert found.verdict is Verdict.DRIFT
    assert found.probability < 1e-50
    assert report(quiet_windows()).verdict is Verdict.NONE


def test_the_worst_column_comes_first() -> None:
    ranks = whole().ranks
    assert [rank.name for rank in ranks[:2]] == ["car_value", "repaid_loan_on_prev_car"]
    assert [rank.drifted for rank in ranks] == sorted((r.drifted for r in ranks), reverse=True)
    assert ranks[0].statistic == "wasserstein_1_in_reference_sd"
    greatest = max(car_loan_windows(), key=lambda window: window.greatest)
    assert ranks[0].start_ms == greatest.head.start_ms
    assert ranks[0].ratio == greatest.greatest / greatest.threshold


@given(st.lists(st.sampled_from(range(92)), min_size=1, max_size=6, unique=True))
def test_what_has_drift_is_what_rules_call_loud(places: list[int]) -> None:
    """A window alone opens an alert of exactly the columns that are loud in it."""
    windows = [car_loan_windows()[at] for at in places]
    for window, cells in zip(windows, report(windows).cells, strict=True):
        alerts = judge("s", DISTRIBUTION, [window_scores(window, DISTRIBUTION)]).alerts
        assert {name for name, cell in cells.items() if cell.is_loud} == {a.column for a in alerts}


def nearly(window: WindowReport, times: float) -> WindowReport:
    """A quiet window whose worst score is so many times its threshold."""
    columns = list(window.columns)
    first = columns[0].statistics[0]
    loud = replace(first, score=times * window.threshold, is_large=True)
    columns[0] = replace(columns[0], statistics=(loud, *columns[0].statistics[1:]))
    return replace(window, columns=tuple(columns), greatest=loud.score, worst_column="car_value")


def test_one_window_of_many_is_no_more_than_chance_gives() -> None:
    windows = quiet_windows()
    found = report([*windows[:7], nearly(windows[7], 1.5), *windows[8:]])
    assert len(found.drifted) == 1
    assert found.verdict is Verdict.BY_CHANCE
    assert "no more than chance may give" in verdict_lines(found)[0]


def test_one_window_that_is_far_off_is_drift_however_many_are_quiet() -> None:
    windows = quiet_windows()
    assert report([nearly(windows[0], 3.1), *windows[1:]]).verdict is Verdict.DRIFT
    assert report([nearly(windows[0], 2.9), *windows[1:]]).verdict is Verdict.BY_CHANCE


def test_the_only_window_is_believed() -> None:
    assert report([nearly(quiet_windows()[0], 1.5)]).verdict is Verdict.DRIFT


def test_what_is_certain_but_small_is_no_drift() -> None:
    window = car_loan_windows()[60]
    columns = tuple(
        replace(c, statistics=tuple(replace(m, is_large=False) for m in c.statistics))
        for c in window.columns
    )
    small = replace(window, columns=columns, correlation=None)
    assert not report([small]).drifted
    assert max(cell.ratio for cell in cells_of(small, DISTRIBUTION).values()) > 4


def test_windows_that_cannot_be_judged_count_neither_way() -> None:
    window = car_loan_windows()[60]
    few = replace(window, status=Status.INSUFFICIENT)
    plain = replace(window, threshold=nan, calibration="none")
    assert not is_judged(few)
    assert not is_judged(plain)
    for each in (few, plain):
        found = report([each])
        assert (found.judged, found.drifted) == ((), frozenset())
        assert found.verdict is Verdict.NOT_JUDGED
        assert {rank.judged for rank in found.ranks} == {0}
    assert "not calibrated" in verdict_lines(report([plain]))[0]
    assert "rows enough." in verdict_lines(report([few]))[0]
    hours = replace(report([few]), length_ms=3_600_000)
    assert "--roll-up adds hours or days up" in verdict_lines(hours)[0]


def test_defects_are_told_beside_drift() -> None:
    window = quiet_windows()[0]
    column = window.columns[6]
    missing = [replace(d, count=99, share=0.3, p=1e-60) for d in column.defects if d.name == "null"]
    kept = [defect for defect in column.defects if defect.name != "null"]
    columns = (*window.columns[:6], replace(column, defects=(*missing, *kept)), *window.columns[7:])
    found = report([replace(window, columns=columns), *quiet_windows()[1:]])
    assert found.defective == {0}
    assert found.verdict is Verdict.NONE
    assert (found.ranks[0].name, found.ranks[0].defective) == ("driver_tenure", 1)
    assert any("most of all in driver_tenure" in line for line in verdict_lines(found))


def test_facts_are_sums_of_the_windows() -> None:
    windows = [
        told_again(w, letters={21: 2, 24: 1}, is_final=False) for w in car_loan_windows()[:3]
    ]
    told = dict(facts(report(windows)))
    rows = sum(window.head.rows for window in windows)
    assert told["rows"] == f"{rows:,}"
    assert told["dead letters"] == f"9 ({9 / (9 + rows):.2%})"
    assert told["still open"] == "3"
    assert told["windows"] == "3 of 2 days"
    assert told["time"] == "2018-12-29 to 2019-01-04 UTC"


def test_open_alerts_are_told_and_come_first() -> None:
    found = computed_alerts(whole())
    over = replace(found.last_alerts[0], state=State.CLOSED)
    mixed = replace(found, alerts=(over, *found.last_alerts[1:]))
    assert mixed.last_alerts[-1] is over
    levels = [alert.level for alert in mixed.open_alerts]
    assert levels == sorted(levels, reverse=True)
    assert over not in mixed.open_alerts
    told = f"{len(levels)} alerts are open, the worst of {mixed.open_alerts[0].column} (critical)."
    assert told in verdict_lines(mixed)
    one = replace(found, alerts=(over, mixed.open_alerts[0]))
    assert any(line.startswith("An alert is open: of ") for line in verdict_lines(one))
    assert not any("open" in line for line in verdict_lines(replace(found, alerts=(over,))))


def test_what_limits_the_verdict_is_told() -> None:
    windows = [told_again(window, exact=False) for window in quiet_windows()]
    lines = verdict_lines(replace(report(windows), left_out=12))
    assert any("counted twice" in line for line in lines)
    assert any("12 older ones" in line and "--since" in line for line in lines)
