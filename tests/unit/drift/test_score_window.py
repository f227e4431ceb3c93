"""Laws of scores: as calibrated, or by how rare so many defects are; false alarms as promised."""

from dataclasses import replace
from math import isnan, log, nan, sqrt

import numpy as np
import pytest

from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import (
    CORRELATION_COLUMN,
    DISTRIBUTION,
    QUALITY,
    window_scores,
)
from stream_app.core.drift.window_report import Defect, Status
from stream_app.core.drift.window_scores import Score
from tests.unit.drift.reports import column, defect, report, statistic

SORTS = ("null", "nan", "infinite", "clipped", "out_of_range")


def test_calibrated_statistics_are_judged_as_they_are_and_others_are_not() -> None:
    measured = statistic(2.0, noise=0.05, spread=0.01)
    information = statistic(nan)
    scores = window_scores(report(column("x", [measured, information])), DISTRIBUTION)
    assert scores.scores == (Score("x", "w", measured.value, 2.0, True, 0.05, 0.01),)
    assert (scores.threshold, scores.n, scores.revision) == (1.3, 1_000, 1)


def test_correlation_is_a_column_of_its_own_whichever_the_pair() -> None:
    found = window_scores(report(correlation=statistic(1.0)), DISTRIBUTION).scores
    assert [score.column for score in found] == [CORRELATION_COLUMN]
    assert window_scores(report(correlation=statistic(nan)), DISTRIBUTION).scores == ()


@pytest.mark.parametrize("status", Status)
def test_a_window_is_judged_by_its_status_in_both_families(status: Status) -> None:
    for rule in (DISTRIBUTION, QUALITY):
        assert window_scores(report(status=status), rule).status is status


def quality(*defects: Defect, rows: int = 1_000, of: int = 50_000) -> tuple[Score, ...]:
    return window_scores(report(column("x", (), defects), rows=rows, of=of), QUALITY).scores


def test_a_defect_is_above_the_limit_when_its_tail_is_below_its_share_of_one_percent() -> None:
    pair = [defect(name, 30, 1_000, 500, 50_000) for name in ("null", "unseen")]
    for p, above in ((0.0049, True), (0.0051, False)):
        # So many rows of the reference that its own doubt does not show.
        (first, _) = quality(*(replace(one, p=p) for one in pair), of=10**12)
        assert (first.score > 1) is above
    (first, _) = quality(*pair)
    assert first.score == pytest.approx(sqrt(log(pair[0].p) / log(0.005)) / sqrt(1 + 1 / 50))


def test_clipped_values_are_out_of_range_and_not_counted_twice() -> None:
    assert quality(*(defect(name, 9, 1_000, 0, 50_000) for name in ("clipped",))) == ()
    names = [s.statistic for s in quality(*(defect(n, 9, 1_000, 0, 50_000) for n in SORTS))]
    assert names == ["null", "nan", "infinite", "out_of_range"]


def test_a_column_without_defects_is_quiet_by_one_score() -> None:
    (score,) = quality(*(defect(name, 0, 1_000, 40, 50_000) for name in SORTS))
    assert (score.score, score.value, score.large) == (0.0, 0.0, False)


def test_a_rise_of_less_than_half_a_point_is_not_large_however_certain() -> None:
    rows = of = 100_000_000
    for rise, large in ((0.0049, False), (0.0051, True)):
        (score,) = quality(defect("null", int(rows * (0.1 + rise)), rows, of // 10, of), of=of)
        assert score.large is large


def test_what_is_less_than_a_double_can_hold_is_far_and_no_error() -> None:
    (score,) = quality(Defect("null", 1_000, 1.0, 0.0, 0.0))
    assert score.score > 3
    (score,) = quality(Defect("null", 1, nan, 0.0, nan))
    assert isnan(score.score)


def test_without_rows_nothing_is_scored() -> None:
    assert quality(defect("null", 0, 0, 1, 10), rows=0) == ()


@pytest.mark.parametrize("n", [50, 1_000, 20_000])
@pytest.mark.parametrize("m", [5_000, 50_000])
def test_windows_as_the_reference_seldom_alarm(n: int, m: int) -> None:
    """At most one in a hundred, and alerts of sums hardly ever; over common and rare defects."""
    rng = np.random.default_rng(n + m)
    rates = np.repeat([0.0, 1e-4, 1e-3, 0.01, 0.1, 0.5], 4)
    windows, alarms, raised = 1_000, 0, 0
    for _ in range(4):  # references, whose own chance is part of it
        known = rng.binomial(m, rates)
        counts = rng.binomial(n, rates, (windows // 4, len(rates)))
        scores = [
            window_scores(
                report(
                    *(
                        column(f"x{at}", (), [defect("null", int(c), n, int(k), m)])
                        for at, (c, k) in enumerate(zip(row, known, strict=True))
                    ),
                    at=at,
                    rows=n,
                    of=m,
                ),
                QUALITY,
            )
            for at, row in enumerate(counts)
        ]
        alarms += sum(any(s.large and s.score > 1 for s in w.scores) for w in scores)
        raised += sum(a.level > 1 and a.sequence == 0 for a in judge("m", QUALITY, scores).alerts)
    assert alarms / windows <= 0.015
    assert raised <= 2


def test_more_missing_values_than_ever_are_told_of_at_once() -> None:
    (score,) = quality(defect("null", 60, 1_000, 500, 50_000))
    assert score.large
    assert score.score > 3
