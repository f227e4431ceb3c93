"""What is told of one column of a window, beside its reference.

Decides which statistics, defects and bins a person is shown. The statistics that may raise an
alert come from outside, with what chance allows; those added here are information.
"""

from collections.abc import Iterator, Sequence
from math import nan, sqrt

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.layout import Layout, Sum
from stream_app.core.drift.reference import UNIT, Apart, Column, Kind
from stream_app.core.drift.statistics.binomial_tail import binomial_tail, smoothed_rate
from stream_app.core.drift.statistics.chi_square import chi_square
from stream_app.core.drift.statistics.groups import grouped
from stream_app.core.drift.statistics.hellinger import hellinger
from stream_app.core.drift.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_app.core.drift.statistics.l_infinity import l_infinity
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.statistics.psi import psi, psi_noise
from stream_app.core.drift.window_report import Bar, ColumnReport, Defect, Measured

_TOP_BINS = 3
_OTHER, _UNSEEN = "(other)", "(unseen)"


def report_column(
    layout: Layout, state: Int64Array, index: int, tested: Sequence[Measured], rows: int
) -> ColumnReport:
    """Tell of one column.

    Args:
        layout: Of the reference.
        state: int64, shape ``(size,)``.
        index: Of the column.
        tested: Its statistics that may raise an alert.
        rows: Of the window.
    """
    column, counts = layout.reference.columns[index], layout.counts(state, index)
    moments = column.moments
    mean, sd = mean_and_sd(layout, state, index)
    bars = tuple(_bars(column, counts))
    return ColumnReport(
        name=column.name,
        role=column.origin.role.value,
        kind=column.kind.value,
        valid=int(counts.sum()),
        mean=mean,
        sd=sd,
        reference_mean=nan if moments is None else moments.mean,
        reference_sd=nan if moments is None else moments.sd,
        statistics=(*tested, *_information(column, counts)),
        defects=tuple(_defects(layout, state, index, rows)),
        bars=bars,
        top=_top(bars),
        counts=tuple(counts.tolist()),
    )


def mean_and_sd(layout: Layout, state: Int64Array, index: int) -> tuple[float, float]:
    """Of a numeric column's valid values; NaN where they are not known.

    Sums are exact integers, so that this is the only place where anything is rounded.
    """
    column = layout.reference.columns[index]
    valid, sums, moments = int(layout.counts(state, index).sum()), layout.sums(state, index), None
    if column.kind is Kind.NUMERIC:
        moments = column.moments
    if moments is None or not valid:
        return nan, nan
    if not moments.sd:
        # One value in the reference has no scale: what lies outside cannot be told how far.
        counts = layout.counts(state, index)
        inside = not counts[0] and not counts[-1]
        return (moments.mean, 0.0) if inside else (nan, nan)
    total = int(sums[Sum.UNITS])
    squares = (int(sums[Sum.SQUARES_HIGH]) << 32) + int(sums[Sum.SQUARES_LOW])
    unit = moments.sd / UNIT
    spread = valid * squares - total * total
    return moments.mean + total / valid * unit, sqrt(max(0, spread)) / valid * unit


def outer_means(layout: Layout, state: Int64Array, index: int) -> tuple[float, float]:
    """Means of a numeric column's values below and above the reference's range; NaN: none is."""
    column, sums = layout.reference.columns[index], layout.sums(state, index)
    counts, moments = layout.counts(state, index), column.moments
    if moments is None or not moments.sd:
        return nan, nan

    def mean(total: int, count: int) -> float:
        return moments.mean + total / count * moments.sd / UNIT if count else nan

    below = mean(int(sums[Sum.BELOW]), int(counts[0]))
    return below, mean(int(sums[Sum.ABOVE]), int(counts[-1]))


def _information(column: Column, counts: Int64Array) -> Iterator[Measured]:
    reference = column.counts
    if column.kind is Kind.NUMERIC:
        old, new = grouped(reference, column.groups), grouped(counts, column.groups)
        noise = float(psi_noise(len(old), column.valid, int(counts.sum())))
        yield Measured(Statistic.PSI_16, float(psi(old, new)), noise=noise)
        yield Measured(Statistic.KOLMOGOROV_SMIRNOV, float(kolmogorov_smirnov(reference, counts)))
    else:
        noise = float(psi_noise(len(reference), column.valid, int(counts.sum())))
        yield Measured(Statistic.PSI, float(psi(reference, counts)), noise=noise)
        value, freedom = chi_square(reference, counts)
        # Without drift it is expected to be its degrees of freedom.
        yield Measured(Statistic.CHI_SQUARE, float(value), noise=float(freedom))
    yield Measured(Statistic.HELLINGER, float(hellinger(reference, counts)))
    yield Measured(Statistic.L_INFINITY, float(l_infinity(reference, counts)))


def _defects(layout: Layout, state: Int64Array, index: int, rows: int) -> Iterator[Defect]:
    column = layout.reference.columns[index]
    counts, apart = layout.counts(state, index), layout.apart(state, index)
    infinite = [Apart.POSITIVE_INFINITY, Apart.NEGATIVE_INFINITY]
    found = {
        "null": (apart[Apart.NULL], column.apart[Apart.NULL]),
        "nan": (apart[Apart.NAN], column.apart[Apart.NAN]),
        "infinite": (apart[infinite].sum(), column.apart[infinite].sum()),
    }
    if column.unseen is None:
        outer = [0, -1]
        found["clipped"] = apart[Apart.CLIPPED], column.apart[Apart.CLIPPED]
        found["out_of_range"] = counts[outer].sum(), column.counts[outer].sum()
    else:
        found["unseen"] = counts[column.unseen], column.counts[column.unseen]
    of = layout.reference.rows
    for name, (now, before) in found.items():
        count, known = int(now), int(before)
        yield Defect(
            name=name,
            count=count,
            share=count / rows if rows else nan,
            reference_share=known / of if of else nan,
            p=float(binomial_tail(count, rows, smoothed_rate(known, of))),
        )


def _bars(column: Column, counts: Int64Array) -> Iterator[Bar]:
    if column.kind is not Kind.NUMERIC:
        own = column.names if column.kind is Kind.CATEGORY else map(_number, column.values.tolist())
        names = [*own, _OTHER, _UNSEEN]
        for name, old, new in zip(names, column.counts.tolist(), counts.tolist(), strict=True):
            yield Bar(name, nan, nan, old, new)
        return
    edges = [nan, *column.edges.tolist(), nan]
    firsts = np.flatnonzero(np.diff(column.groups, prepend=-1)).tolist()
    old, new = grouped(column.counts, column.groups), grouped(counts, column.groups)
    for at, first in enumerate(firsts):
        after = firsts[at + 1] if at + 1 < len(firsts) else column.bins
        yield Bar("", edges[first], edges[after], int(old[at]), int(new[at]))


def _number(value: float) -> str:
    return f"{value:g}"


def _top(bars: Sequence[Bar]) -> tuple[int, ...]:
    old, new = sum(bar.reference for bar in bars), sum(bar.current for bar in bars)
    if not old or not new:
        return ()
    changes = [abs(bar.current / new - bar.reference / old) for bar in bars]
    order = sorted(range(len(bars)), key=lambda at: -changes[at])
    return tuple(at for at in order[:_TOP_BINS] if changes[at])
