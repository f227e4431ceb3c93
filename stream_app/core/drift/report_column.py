"""What is told of one column of a window, beside its reference.

Decides which statistics, defects and bins a person is shown. The statistics that may raise an
alert come from outside, with what chance allows; those added here are information.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import nan, sqrt

from stream_app.core.columns import Int64Array
from stream_app.core.drift.column_counts import ColumnCounts
from stream_app.core.drift.layout import Layout, Sum
from stream_app.core.drift.reference import UNIT, Apart, Column, Kind
from stream_app.core.drift.statistics.binomial_tail import binomial_tail, smoothed_rate
from stream_app.core.drift.statistics.chi_square import chi_square
from stream_app.core.drift.statistics.hellinger import hellinger
from stream_app.core.drift.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_app.core.drift.statistics.l_infinity import l_infinity
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.statistics.psi import psi, psi_noise
from stream_app.core.drift.window_report import Bar, ColumnReport, Defect, Measured

_TOP_BINS = 3
_OTHER, _UNSEEN = "(other)", "(unseen)"


@dataclass(frozen=True, slots=True)
class Side:
    """What every report of a column needs of the reference.

    Attributes:
        column: It.
        counts: Its.
        bars: Of each bar its name, where it begins and ends, and the reference's rows.
        defects: Of each defect its name, the reference's share of rows, and their rate, smoothed.
    """

    column: Column
    counts: ColumnCounts
    bars: tuple[tuple[str, float, float, int], ...]
    defects: tuple[tuple[str, float, float], ...]


@lru_cache(maxsize=64)
def sides_of(layout: Layout) -> tuple[Side, ...]:
    """Of all columns, computed once."""
    reference = layout.reference
    return tuple(_side(column, reference.rows) for column in reference.columns)


def _side(column: Column, rows: int) -> Side:
    counts = ColumnCounts(column, column.counts)
    known = _counted_defects(column, column.counts, column.apart.tolist())
    return Side(
        column,
        counts,
        tuple(_bars(column, counts)),
        tuple(
            (name, count / rows if rows else nan, smoothed_rate(count, rows))
            for name, count in known
        ),
    )


def report_column(
    layout: Layout,
    state: Int64Array,
    index: int,
    counts: ColumnCounts,
    tested: Sequence[Measured],
    rows: int,
) -> ColumnReport:
    """Tell of one column.

    Args:
        layout: Of the reference.
        state: int64, shape ``(size,)``.
        index: Of the column.
        counts: The column's in this state.
        tested: Its statistics that may raise an alert.
        rows: Of the window.
    """
    side = sides_of(layout)[index]
    column, moments = side.column, side.column.moments
    mean, sd = mean_and_sd(layout, state, index)
    shown = counts.bins if column.kind is not Kind.NUMERIC else counts.groups
    bars = tuple(
        Bar(name, low, high, old, new)
        for (name, low, high, old), new in zip(side.bars, shown.bins.tolist(), strict=True)
    )
    return ColumnReport(
        name=column.name,
        role=column.origin.role.value,
        kind=column.kind.value,
        valid=counts.rows,
        mean=mean,
        sd=sd,
        reference_mean=nan if moments is None else moments.mean,
        reference_sd=nan if moments is None else moments.sd,
        statistics=(*tested, *_information(side, counts)),
        defects=tuple(_defects(side, counts, layout.apart(state, index).tolist(), rows)),
        bars=bars,
        top=_top(bars),
        counts=tuple(counts.bins.bins.tolist()),
        is_stuck=_is_stuck(side.counts, counts),
    )


def _is_stuck(known: ColumnCounts, counts: ColumnCounts) -> bool:
    was_spread = 2 * int(known.bins.bins.max()) < known.rows
    return was_spread and counts.rows > 0 and 100 * int(counts.bins.bins.max()) >= 99 * counts.rows


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


def _information(side: Side, current: ColumnCounts) -> Iterator[Measured]:
    reference = side.counts
    if side.column.kind is Kind.NUMERIC:
        noise = float(psi_noise(len(side.bars), reference.rows, current.rows))
        yield Measured(Statistic.PSI_16, float(psi(reference.groups, current.groups)), noise=noise)
        apart = kolmogorov_smirnov(reference.bins, current.bins)
        yield Measured(Statistic.KOLMOGOROV_SMIRNOV, float(apart))
    else:
        noise = float(psi_noise(len(side.bars), reference.rows, current.rows))
        yield Measured(Statistic.PSI, float(psi(reference.bins, current.bins)), noise=noise)
        value, freedom = chi_square(side.column.counts, current.bins.bins)
        # Without drift it is expected to be its degrees of freedom.
        yield Measured(Statistic.CHI_SQUARE, float(value), noise=float(freedom))
    yield Measured(Statistic.HELLINGER, float(hellinger(reference.bins, current.bins)))
    yield Measured(Statistic.L_INFINITY, float(l_infinity(reference.bins, current.bins)))


def _counted_defects(
    column: Column, counts: Int64Array, apart: Sequence[int]
) -> Iterator[tuple[str, int]]:
    yield "null", apart[Apart.NULL]
    yield "nan", apart[Apart.NAN]
    yield "infinite", apart[Apart.POSITIVE_INFINITY] + apart[Apart.NEGATIVE_INFINITY]
    if column.unseen is None:
        yield "clipped", apart[Apart.CLIPPED]
        yield "out_of_range", int(counts[0]) + int(counts[-1])
    else:
        yield "unseen", int(counts[column.unseen])


def _defects(side: Side, counts: ColumnCounts, apart: Sequence[int], rows: int) -> Iterator[Defect]:
    found = _counted_defects(side.column, counts.bins.bins, apart)
    for (name, count), (_, known, rate) in zip(found, side.defects, strict=True):
        yield Defect(
            name=name,
            count=count,
            share=count / rows if rows else nan,
            reference_share=known,
            p=float(binomial_tail(count, rows, rate)),
        )


def _bars(column: Column, counts: ColumnCounts) -> Iterator[tuple[str, float, float, int]]:
    if column.kind is not Kind.NUMERIC:
        own = column.names if column.kind is Kind.CATEGORY else map(_number, column.values.tolist())
        names = [*own, _OTHER, _UNSEEN]
        for name, old in zip(names, column.counts.tolist(), strict=True):
            yield name, nan, nan, old
        return
    edges, firsts = [nan, *column.edges.tolist(), nan], [*counts.firsts.tolist(), column.bins]
    for first, after, old in zip(firsts, firsts[1:], counts.groups.bins.tolist(), strict=False):
        yield "", edges[first], edges[after], old


def _number(value: float) -> str:
    return f"{value:g}"


def _top(bars: Sequence[Bar]) -> tuple[int, ...]:
    old, new = sum(bar.reference for bar in bars), sum(bar.current for bar in bars)
    if not old or not new:
        return ()
    changes = [abs(bar.current / new - bar.reference / old) for bar in bars]
    order = sorted(range(len(bars)), key=lambda at: -changes[at])
    return tuple(at for at in order[:_TOP_BINS] if changes[at])
