"""What every reference must keep to: shapes, orders and sums, whoever wrote it.

Decides what is wrong, one readable line each. What reads a reference may then index without
looking. Refuses to know files.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from stream_app.core.drift.bins import MOST_NAMES
from stream_app.core.drift.reference import (
    COARSE_MOST,
    SCORE_BINS,
    Apart,
    Calibration,
    Column,
    Kind,
    Moments,
    Reference,
    Role,
    ScoreMap,
)
from stream_app.core.drift.statistics.groups import MOST_GROUPS

_OUTER = 2
_LEAST_NUMERIC = 3
_LEAST_SCORES = 2


def check_reference(reference: Reference) -> list[str]:
    """All faults, one line each; empty when it is sound."""
    return list(_faults(reference))


def _faults(reference: Reference) -> Iterator[str]:
    if reference.rows < 1:
        yield f"rows: expected some, found {reference.rows}"
    if not reference.columns:
        yield "columns: there are none"
    names = [column.name for column in reference.columns]
    if len(set(names)) < len(names):
        yield "columns: a name is there twice"
    roles = [column.origin.role for column in reference.columns]
    if roles != sorted(roles, key=list(Role).index):
        yield "columns: an output comes before an input"
    for column in reference.columns:
        for fault in _column_faults(column, reference.rows):
            yield f"column {column.name!r}: {fault}"
    yield from _correlation_faults(reference)
    if reference.scores is not None:
        yield from (f"scores: {fault}" for fault in _score_faults(reference.scores, reference.rows))
    if reference.calibration is not None:
        found = _calibration_faults(reference.calibration, len(reference.columns))
        yield from (f"calibration: {fault}" for fault in found)


def _column_faults(column: Column, rows: int) -> Iterator[str]:
    if (column.counts < 0).any() or (column.apart < 0).any():
        yield "a count is negative"
    if len(column.apart) != len(Apart):
        yield f"expected {len(Apart)} counters apart, found {len(column.apart)}"
        return
    # Clipped values are in their bin, too.
    found = column.valid + int(column.apart[: Apart.CLIPPED].sum())
    if found != rows:
        yield f"counts of {found} rows, the reference has {rows}"
    if column.kind is Kind.NUMERIC:
        yield from _numeric_faults(column)
        return
    if len(column.edges) or len(column.means) or len(column.groups) or column.moments is not None:
        yield f"a {column.kind} column has no edges, means, groups and moments"
    listed = len(column.values if column.kind is Kind.DISCRETE else column.names)
    if column.bins != listed + _OUTER:
        yield f"expected {listed} bins and two for the rest, found {column.bins}"
    if column.kind is Kind.DISCRETE:
        if not _is_increasing(column.values):
            yield "values do not increase"
        return
    if len(set(column.names)) < listed or listed > MOST_NAMES:
        yield f"names: expected at most {MOST_NAMES} different ones"
    codes = column.bin_of_code
    if len(codes) and (
        ((codes < 0) | (codes >= column.bins)).any() or codes[-1] != column.bins - 1
    ):
        yield "bin_of_code: a bin that there is not, or a code for unseen categories that is seen"


def _numeric_faults(column: Column) -> Iterator[str]:
    bins, moments = column.bins, column.moments
    lengths = {len(column.edges) + 1, len(column.means), len(column.groups)}
    if bins < _LEAST_NUMERIC or lengths != {bins} or moments is None:
        yield f"expected edges, means, groups and moments of {max(bins, _LEAST_NUMERIC)} bins"
        return
    if column.counts[0] or column.counts[-1]:
        yield "rows outside of the reference's own range"
    if not _is_increasing(column.edges):
        yield "edges do not increase"
    if not np.isfinite(column.means).all() or (np.diff(column.means) < 0).any():
        yield "means of bins fall"
    steps = np.diff(column.groups)
    is_dense = column.groups[0] == 0 and ((steps == 0) | (steps == 1)).all()
    if not is_dense or steps[0] != 1 or steps[-1] != 1 or column.groups[-1] > MOST_GROUPS + 1:
        yield f"groups: expected neighbours, at most {MOST_GROUPS} and the outer two"
    if not _are_moments(moments):
        yield "moments: expected clip_low <= least <= mean <= greatest <= clip_high, and sd >= 0"


def _are_moments(moments: Moments) -> bool:
    ordered = (
        moments.clip_low,
        moments.least,
        moments.mean,
        moments.greatest,
        moments.clip_high,
    )
    return (
        bool(np.isfinite(ordered[1:4]).all())
        and sorted(ordered) == list(ordered)
        and (0 <= moments.sd < np.inf)
    )


def _correlation_faults(reference: Reference) -> Iterator[str]:
    known = range(len(reference.columns))
    chosen = reference.correlated
    if not _is_increasing(np.array(chosen)) or not all(
        index in known and reference.columns[index].kind is Kind.NUMERIC for index in chosen
    ):
        yield "correlated: expected numeric columns, each once, in order"
    pairs = len(chosen) * (len(chosen) + 1) // 2
    if len(reference.co_sums) != len(chosen):
        yield f"co_sums: expected {len(chosen)}, found {len(reference.co_sums)}"
    elif (np.abs(reference.co_sums) > COARSE_MOST * reference.co_rows).any():
        yield f"co_sums: more than {COARSE_MOST} a row"
    if len(reference.co_moments) != pairs:
        yield f"co_moments: expected {pairs}, found {len(reference.co_moments)}"
    if not 0 <= reference.co_rows <= reference.rows:
        yield f"co_rows: expected at most {reference.rows}, found {reference.co_rows}"


def _score_faults(scores: ScoreMap, rows: int) -> Iterator[str]:
    groups = max(_LEAST_SCORES, scores.classes)
    shapes = {scores.probability.shape, scores.counts.shape, scores.right.shape}
    if scores.classes < 1 or len(scores.labels) != groups or shapes != {(groups, SCORE_BINS)}:
        yield f"expected {groups} classes by {SCORE_BINS} bins"
        return
    if len(set(scores.labels)) < groups:
        yield "two classes have one label"
    if (scores.right < 0).any() or (scores.right > scores.counts).any():
        yield "more right answers than rows"
    if scores.counts.sum() > rows:
        yield "more rows than the reference has"
    known = (scores.probability >= 0) & (scores.probability <= 1)
    if not known.all() or (np.diff(scores.probability, axis=1) < 0).any():
        yield "probabilities that fall, or are none"


def _calibration_faults(calibration: Calibration, columns: int) -> Iterator[str]:
    tests, sizes = len(calibration.tests), len(calibration.sizes)
    shape_is_right = (
        {each.shape for each in (calibration.q99, calibration.mean, calibration.sd)}
        == {(tests, sizes)}
        and calibration.threshold.shape == (sizes,)
        and calibration.kappa.shape == (tests,)
    )
    if not shape_is_right or not sizes:
        yield f"expected {tests} tests by {sizes} sizes, at least one"
        return
    if not _is_increasing(calibration.sizes) or calibration.sizes[0] < 1:
        yield "sizes do not increase"
    if not all(-1 <= test.column < columns for test in calibration.tests):
        yield "a test of a column that there is not"
    kappa = calibration.kappa - 1.0
    numbers = (calibration.q99, calibration.mean, calibration.sd, calibration.threshold, kappa)
    if not all(np.isfinite(each).all() and (each >= 0).all() for each in numbers):
        yield "q99, mean, sd, threshold or kappa: expected finite numbers, kappa at least 1"
    if not 0 < calibration.target < 1 or calibration.repeats < 1:
        yield "target or repeats: expected a share, and some windows"


def _is_increasing(numbers: "npt.NDArray[np.generic] | Sequence[float]") -> bool:
    # NaN is not greater than anything, and so found too.
    array = np.asarray(numbers, dtype=np.float64)
    return bool((array[1:] > array[:-1]).all()) and not np.isnan(array).any()
