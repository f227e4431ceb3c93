"""From a window's record to the scores that rules judge, one family of rules at a time.

Decides what counts as how far. Refuses to know what windows before it said (``rules.py``) and how a
record was computed (``report_window.py``).

* **distribution**: the calibrated statistics of each column, as the record has them. The greatest
  change of correlation is a column of its own: which pair it is differs from window to window.
* **quality**: how many values are missing, not a number, infinite, unseen or out of range. Of each
  sort and column the record has the probability ``p`` of so many or more, were they as rare as in
  the reference. With ``k`` sorts in all columns together, one window in a hundred may alarm without
  cause, so a single one may with ``a = 0.01 / k`` (Bonferroni). The score is

      sqrt(log p / log a) / sqrt(1 + n / m)

  above 1 there are too many. By the root it grows like a distance, as the other family's do: three
  times the score is about three times as many standard deviations. The last term is there because
  the reference's ``m`` rows know the rate no better than the window's ``n`` do. And the share must
  have risen by half a percentage point: at a million rows everything is significant.
"""

from collections.abc import Iterator
from math import inf, isnan, log, nan, sqrt
from typing import Final

from stream_app.core.drift.window_report import ColumnReport, Defect, Measured, WindowReport
from stream_app.core.drift.window_scores import Score, WindowScores

DISTRIBUTION: Final = "distribution"
QUALITY: Final = "quality"
RULES: Final = (DISTRIBUTION, QUALITY)
"""In the order in which they are judged."""

CORRELATION_COLUMN: Final = "(correlation)"
"""No column of a contract has such a name."""

LEAST_RISE: Final = 0.005
"""Of a defect's share of the rows; less is not told of, however certain it is."""

_RATE: Final = 0.01
_LIMIT: Final = 1.0
_NEVER: Final = "clipped"
"""A sort of defect that is out of range too, and counted there."""

_LEAST_EXPECTED: Final = 10.0
"""Defects in a window, from which on their number is about normal, so that it may be summed up."""

_DOUBT: Final = 3.0
"""Standard deviations by which the reference may be wrong."""

_SMALLEST_LOG: Final = log(5e-324)
"""Of a probability that is less than a double can hold."""


def window_scores(report: WindowReport, rule: str) -> WindowScores:
    """What the rules of this family are to judge."""
    quality = rule == QUALITY
    found = _quality(report) if quality else _distribution(report)
    return WindowScores(
        window_start=report.head.start_ms,
        revision=report.head.revision,
        n=report.head.rows,
        status=report.status,
        threshold=_LIMIT if quality else report.threshold,
        scores=tuple(found),
    )


def _distribution(report: WindowReport) -> Iterator[Score]:
    for column in report.columns:
        for measured in column.statistics:
            if not isnan(measured.score):
                yield _calibrated(column.name, measured)
    if report.correlation is not None and not isnan(report.correlation.statistic.score):
        yield _calibrated(CORRELATION_COLUMN, report.correlation.statistic)


def _calibrated(column: str, measured: Measured) -> Score:
    return Score(
        column=column,
        statistic=measured.name,
        value=measured.value,
        score=measured.score,
        large=measured.is_large,
        mean=measured.noise,
        sd=measured.spread,
    )


def _quality(report: WindowReport) -> Iterator[Score]:
    n, m = report.head.rows, report.reference_rows
    tested = {column.name: list(_tested(column)) for column in report.columns}
    count = sum(len(defects) for defects in tested.values())
    if not (n and m and count):
        return
    limit, widened = log(_RATE / count), sqrt(1.0 + n / m)
    for column, defects in tested.items():
        # One score stands for all sorts of which there is nothing: most windows have nothing else.
        some = [defect for defect in defects if defect.count]
        for defect in some or defects[:1]:
            score = sqrt(_log(defect.p) / limit) / widened
            mean, sd = _expected(defect, n, m)
            large = defect.share - defect.reference_share >= LEAST_RISE
            yield Score(column, defect.name, defect.share, score, large, mean, sd)


def _tested(column: ColumnReport) -> Iterator[Defect]:
    return (defect for defect in column.defects if defect.name != _NEVER)


def _log(p: float) -> float:
    """Never above 0: the probability's digits end somewhere."""
    if isnan(p):
        return nan
    return min(0.0, max(_SMALLEST_LOG, log(p) if p > 0 else -inf))


def _expected(defect: Defect, n: int, m: int) -> tuple[float, float]:
    """The share without drift and its standard deviation; NaN where so few are no sum's matter.

    The reference's own error is the same in all windows and would add up: it is granted.
    """
    variance = defect.reference_share * (1.0 - defect.reference_share)
    if n * variance < _LEAST_EXPECTED or m * variance < _LEAST_EXPECTED:
        return nan, nan
    return defect.reference_share + _DOUBT * sqrt(variance / m), sqrt(variance / n)
