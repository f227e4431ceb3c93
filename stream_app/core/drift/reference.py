"""The reference: what columns looked like at training, in bins that never change again.

Decides the vocabulary of everything that compares a window with training. Refuses to know how one
is made (``profile.py``, ``calibrate.py``), kept (``adapters/drift/reference_file.py``) or counted
(``state.py``).

Terms: a *column* is one number a row that is watched: a scalar feature as the model receives it,
one element of a short array, the mean of a long one, an output of the model, or a number derived
from outputs. Its *bins* are fixed by the reference. A *valid* value is one that falls into a bin;
null, NaN and infinities are counted apart.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array

Float64Array = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
Int16Array = npt.NDArray[np.int16]

ALL_ELEMENTS = -1
"""In the place of an element: the mean of all of them."""

UNIT = 1 << 20
"""Sums are of values in reference standard deviations from its mean, times this, as integers."""

MOST_UNITS = (1 << 31) - 1
"""Of one value, which so fits 32 bits: further away is clipped, and counted as such."""

COARSE_UNIT = 1 << 8
COARSE_MOST = 8 * COARSE_UNIT
"""Of one value in co-moments: eight standard deviations; more says nothing about correlation. The
products of 256 rows add up in 32 bits, which kernels make use of."""

SCORE_BINS = 256
"""Of a score between 0 and 1, for the estimate of accuracy."""


class Kind(StrEnum):
    """How a column's values become bins."""

    NUMERIC = "numeric"
    """Ranges between edges; the first bin is below the reference's range, the last above it."""
    DISCRETE = "discrete"
    """Few distinct numbers, a bin each; then OTHER, which stays empty, and UNSEEN."""
    CATEGORY = "category"
    """Names, a bin each; then OTHER (in the reference, not in the list) and UNSEEN."""


class Role(StrEnum):
    """Where a column comes from."""

    INPUT = "input"
    OUTPUT = "output"


class Derived(StrEnum):
    """What is computed from an output of one number a class before it is watched."""

    NONE = ""
    ENTROPY = "entropy"
    """In bits, of the row divided by its sum."""
    GREATEST = "greatest"


class Apart(IntEnum):
    """Values that are in no bin; the order of their counters in every state."""

    NULL = 0
    NAN = 1
    POSITIVE_INFINITY = 2
    NEGATIVE_INFINITY = 3
    CLIPPED = 4
    """Counted in its bin too: moved to the nearest value that sums take."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column's values are found.

    Attributes:
        role: Among inputs or outputs.
        tensor: The model's input or output.
        element: In a row of it, flattened; ``ALL_ELEMENTS``: the mean of ``span`` from ``first``.
        first: Of a feature's elements, the first; only for the mean.
        span: How many they are; only for the mean.
        feature: For inputs: the place among the contract's features, which are the columns of
            ``EventBatch.kinds``; -1 for outputs.
        derived: For outputs: what is computed from the whole row.
    """

    role: Role
    tensor: str
    element: int
    first: int = 0
    span: int = 1
    feature: int = -1
    derived: Derived = Derived.NONE


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the reference's valid values; only of numeric columns.

    Attributes:
        mean: Their mean.
        sd: Their standard deviation (of the population); 0: the column is constant.
        least: The smallest.
        greatest: The greatest.
        clip_low: Values below are taken for this in sums: one row must not alarm alone.
        clip_high: Values above, likewise.
    """

    mean: float
    sd: float
    least: float
    greatest: float
    clip_low: float
    clip_high: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the reference.

    Attributes:
        name: A field's dotted path, ``path[3]`` for an element of an array, ``mean(path)``; for
            outputs the prediction's field, likewise, or ``entropy(field)``, ``greatest(field)``.
        origin: Where its values are found.
        kind: How they become bins.
        counts: int64, shape ``(bins,)``: the reference's rows in each bin.
        apart: int64, shape ``(5,)``, by :class:`Apart`.
        edges: float64, shape ``(bins - 1,)``, increasing; numeric only: a value x is in bin
            ``searchsorted(edges, x, side="left")``.
        means: float64, shape ``(bins,)``; numeric only: mean of the reference's values in each
            bin; of the two outer ones, which are empty, the reference's least and greatest.
        groups: int64, shape ``(bins,)``; numeric only: the group of neighbouring bins that each
            belongs to, from 0, at most 16 and the outer two.
        moments: Numeric only, else ``None``.
        values: float64, increasing: of discrete columns, the value of each bin but the last two.
        names: Of category columns, the name of each bin but the last two.
        bin_of_code: int64: of category columns whose tensor holds the contract's codes, the bin of
            each code; empty where the tensor holds strings, which are looked up in ``names``.
    """

    name: str
    origin: Origin
    kind: Kind
    counts: Int64Array
    apart: Int64Array
    edges: Float64Array
    means: Float64Array
    groups: Int64Array
    moments: Moments | None
    values: Float64Array
    names: tuple[str, ...]
    bin_of_code: Int64Array

    @property
    def bins(self) -> int:
        """How many."""
        return len(self.counts)

    @property
    def valid(self) -> int:
        """The reference's rows that are in a bin."""
        return int(self.counts.sum())

    @property
    def unseen(self) -> int | None:
        """The bin of values that the reference does not have; ``None`` for numeric columns."""
        return None if self.kind is Kind.NUMERIC else self.bins - 1


class CoMoments(NamedTuple):
    """Of some columns' coarse values, over the rows in which all of these columns are valid.

    A value has 12 bits, so that of 2^40 rows nothing is too large, of 2^31 nothing for a double.

    Attributes:
        products: int64, shape ``(..., c * (c + 1) // 2)``: sums of products of two values, the
            upper triangle row by row.
        sums: int64, shape ``(..., c)``: of values.
        rows: int64, shape ``(...)``: how many.
    """

    products: Int64Array
    sums: Int64Array
    rows: Int64Array


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """From a score to the probability that the answer is right, learned where labels are known.

    Attributes:
        tensor: The output that holds the scores.
        classes: How many numbers a row of it has; 1: the probability of the positive class alone.
        labels: The classes' names, as labels have them.
        probability: float64, shape ``(groups, SCORE_BINS)``: of each predicted class and bin of
            its score, the share of labels that agree, made monotonous.
        counts: int64, likewise: the reference's rows.
        right: int64, likewise: of them, those whose label agrees.
    """

    tensor: str
    classes: int
    labels: tuple[str, ...]
    probability: Float64Array
    counts: Int64Array
    right: Int64Array


@dataclass(frozen=True, slots=True)
class Test:
    """One of the statistics that may raise an alert, in the order of a calibration's rows.

    Attributes:
        column: Its place in the reference; -1: the statistic is of all columns (correlation).
        statistic: Its name, as in window records.
    """

    column: int
    statistic: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How large each statistic gets by chance alone, by the size of a window.

    Attributes:
        tests: What was calibrated.
        sizes: int64, shape ``(g,)``, increasing: of windows.
        q99: float64, shape ``(tests, g)``: each statistic's 99 % quantile without drift.
        mean: float64, shape ``(tests, g)``: each statistic's mean without drift, and
        sd: its standard deviation, for sums over windows. Other than ``q99`` they are of windows of
            neighbouring rows, where those were measured.
        threshold: float64, shape ``(g,)``: the quantile at ``1 - target`` of the greatest
            ``statistic / q99`` of a window.
        kappa: float64, shape ``(tests,)``, at least 1: how much more neighbouring rows vary than
            independent ones.
        target: The share of windows without drift that may alert.
        repeats: Windows drawn for each size.
        kind: ``contiguous`` where ``kappa`` was measured, else ``iid``.
    """

    tests: tuple[Test, ...]
    sizes: Int64Array
    q99: Float64Array
    mean: Float64Array
    sd: Float64Array
    threshold: Float64Array
    kappa: Float64Array
    target: float
    repeats: int
    kind: str


@dataclass(frozen=True, slots=True)
class Reference:
    """All that a window is compared with.

    Attributes:
        model_name: Whose.
        model_version: Whose.
        rows: Of the reference data.
        columns: Inputs first, in the contract's order, then outputs.
        correlated: Indexes of the columns whose correlation is watched: numeric inputs, at most
            64; empty: none is.
        co_moments: int64, shape ``(c * (c + 1) // 2,)`` with ``c = len(correlated)``: sums over
            rows of products of coarse values, the upper triangle row by row;
        co_sums: int64, shape ``(c,)``: sums over the same rows of the values themselves; and
        co_rows: over how many rows: those in which all of these columns are valid.
        scores: For the estimate of accuracy; ``None``: no labels were given.
        calibration: ``None``: of a reference that is being made.
    """

    model_name: str
    model_version: str
    rows: int
    columns: tuple[Column, ...]
    correlated: tuple[int, ...]
    co_moments: Int64Array
    co_sums: Int64Array
    co_rows: int
    scores: ScoreMap | None
    calibration: Calibration | None

    @property
    def together(self) -> CoMoments:
        """Of the correlated columns."""
        return CoMoments(self.co_moments, self.co_sums, np.array(self.co_rows))
