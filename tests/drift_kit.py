"""References and values for tests of drift, small and odd: atoms, constants, few bins."""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.bins import Binner
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.reference import (
    MOST_UNITS,
    SCORE_BINS,
    UNIT,
    Column,
    Kind,
    Moments,
    Origin,
    Reference,
    Role,
    ScoreMap,
)
from stream_app.core.drift.sources import Source
from stream_app.core.drift.watch import Values

NOTHING = np.empty(0, dtype=np.int64)


def numeric(name: str, place: int, sample: np.ndarray) -> Column:
    """A column with bins at eighths of the sample."""
    inner = np.quantile(sample, np.arange(1, 8) / 8)
    ends = [np.nextafter(sample.min(), -np.inf), sample.max()]
    edges = np.unique(np.concatenate([ends, inner]))
    bins = np.searchsorted(edges, sample, side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1).astype(np.int64)
    sums = np.bincount(bins, weights=sample, minlength=len(counts))
    means = np.where(counts > 0, sums / np.maximum(counts, 1), 0.0)
    means[0], means[-1] = sample.min(), sample.max()
    mean, sd = float(sample.mean()), float(sample.std())
    span, most = float(np.ptp(sample)), sd * MOST_UNITS / UNIT
    moments = Moments(
        mean, sd, float(sample.min()), float(sample.max()),
        max(float(sample.min()) - span, mean - most),
        min(float(sample.max()) + span, mean + most),
    )  # fmt: skip
    return Column(
        name=name,
        origin=Origin(Role.INPUT, "x", place, feature=place),
        kind=Kind.NUMERIC,
        counts=counts,
        apart=np.zeros(5, dtype=np.int64),
        edges=edges,
        means=means,
        groups=np.arange(len(counts)),
        moments=moments,
        values=np.empty(0),
        names=(),
        bin_of_code=NOTHING,
    )


def discrete(name: str, place: int, values: tuple[float, ...]) -> Column:
    """A column of few numbers."""
    return Column(
        name=name,
        origin=Origin(Role.INPUT, "x", place, feature=place),
        kind=Kind.DISCRETE,
        counts=np.array([*([10] * len(values)), 0, 0], dtype=np.int64),
        apart=np.zeros(5, dtype=np.int64),
        edges=np.empty(0),
        means=np.empty(0),
        groups=NOTHING,
        moments=None,
        values=np.array(values),
        names=(),
        bin_of_code=NOTHING,
    )


def category(name: str, place: int, codes: tuple[int, ...]) -> Column:
    """A column whose codes fall into these bins; the greatest of them is OTHER."""
    listed = max(codes)
    return Column(
        name=name,
        origin=Origin(Role.INPUT, "x", place, feature=place),
        kind=Kind.CATEGORY,
        counts=np.array([*([10] * listed), 5, 0], dtype=np.int64),
        apart=np.zeros(5, dtype=np.int64),
        edges=np.empty(0),
        means=np.empty(0),
        groups=NOTHING,
        moments=None,
        values=np.empty(0),
        names=tuple(f"name {index}" for index in range(listed)),
        bin_of_code=np.array(codes, dtype=np.int64),
    )


def small_reference() -> Reference:
    """Of six columns: four numeric (one with an atom, one constant), one discrete, one of names."""
    rng = np.random.default_rng(1)
    normal = rng.normal(10.0, 3.0, 500).astype(np.float32).astype(np.float64)
    atoms = np.where(rng.random(500) < 0.4, 0.0, rng.exponential(5.0, 500))
    columns = (
        numeric("normal", 0, normal),
        numeric("atoms", 1, atoms),
        numeric("constant", 2, np.full(500, 7.0)),
        numeric("correlated", 3, normal + rng.normal(size=500)),
        discrete("discrete", 4, (-1.0, 0.0, 2.0)),
        category("category", 5, (1, 0, 2, 2)),
    )
    scores = ScoreMap(
        tensor="y",
        classes=2,
        labels=("no", "yes"),
        probability=np.full((2, SCORE_BINS), 0.5),
        counts=np.ones((2, SCORE_BINS), dtype=np.int64),
        right=np.ones((2, SCORE_BINS), dtype=np.int64),
    )
    correlated = (0, 1, 3)
    sums = np.zeros(len(correlated), dtype=np.int64)
    pairs = np.zeros(len(correlated) * (len(correlated) + 1) // 2, dtype=np.int64)
    return Reference("model", "1", 500, columns, correlated, pairs, sums, 0, scores, None)


def odd_values(rows: int, seed: int) -> tuple[Values, Int64Array]:
    """Values for :func:`small_reference`, with everything that may happen in them; and slots."""
    rng = np.random.default_rng(seed)
    numbers = np.zeros((rows, 6), order="F")
    numbers[:, 0] = rng.normal(10.0, 3.0, rows)
    numbers[:, 1] = rng.choice([0.0, -0.0, 1.5, -3.0, 1e30, -1e30, 5.0], rows)
    numbers[:, 2] = rng.choice([7.0, 7.0, 6.5, 8.0], rows)
    numbers[:, 3] = rng.normal(10.0, 30.0, rows)
    numbers[:, 4] = rng.choice([-1.0, 0.0, 2.0, 1.0, 0.5], rows)
    numbers[:, 5] = rng.integers(0, 6, rows)
    kinds = np.zeros((rows, 6), dtype=np.uint8, order="F")
    odd = rng.random((rows, 6)) < 0.1
    kinds[odd] = rng.integers(Cell.NULL, Cell.NEGATIVE_INFINITY + 1, int(odd.sum()))
    kinds[rng.random(rows) < 0.1, 5] = Cell.UNSEEN
    numbers[kinds == Cell.NAN] = np.nan
    slots = rng.integers(-1, 2 * SCORE_BINS, rows)
    return Values(numbers, kinds, {}), slots


def sources_of(values: Values, reference: Reference | None = None) -> list[Source]:
    """Values as the one tensor that they could have been read from; of a small reference, or so."""
    columns = (reference or small_reference()).columns
    numbers = np.array(values.numbers, order="C")
    for column, texts in values.texts.items():
        numbers[:, column] = Binner(columns).of_texts(column, texts)
    which = np.repeat(np.arange(len(columns)), 3).reshape(-1, 3)
    return [Source(numbers, np.ascontiguousarray(values.kinds), which)]


SMALL = Layout(small_reference())
