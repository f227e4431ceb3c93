"""Laws of estimated accuracy: the fit is scipy's, the estimate what labels would have said."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import SCORE_BINS, Float64Array
from stream_app.core.drift.statistics.accuracy import (
    estimated_accuracy,
    estimated_confusion,
    estimated_roc_auc,
    isotonic,
)

LABELLED = st.lists(
    st.integers(1, 50).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, rows))),
    min_size=1,
    max_size=80,
)


@given(LABELLED)
def test_the_fit_is_that_of_scipy(labelled: list[tuple[int, int]]) -> None:
    counts, right = np.array(labelled).T
    expected = optimize.isotonic_regression(right / counts, weights=counts).x
    assert isotonic(counts, right) == pytest.approx(expected, abs=1e-12)


@given(LABELLED, st.data())
def test_bins_without_rows_change_nothing_and_lie_between_their_neighbours(
    labelled: list[tuple[int, int]], data: st.DataObject
) -> None:
    counts, right = np.array(labelled).T
    gaps = data.draw(st.lists(st.integers(0, len(counts)), max_size=9).map(sorted))
    wide = isotonic(np.insert(counts, gaps, 0), np.insert(right, gaps, 0))
    filled = np.insert(counts, gaps, 0) > 0
    assert wide[filled] == pytest.approx(isotonic(counts, right))
    assert (np.diff(wide) >= -1e-12).all()
    assert wide.min() >= 0
    assert wide.max() <= 1


def test_without_any_label_a_score_is_its_own_probability() -> None:
    nothing = np.zeros(4, np.int64)
    assert isotonic(nothing, nothing).tolist() == [0.125, 0.375, 0.625, 0.875]


class Scored:
    """Rows of two classes with scores that are too sure of themselves, and their labels."""

    def __init__(self, seed: int, rows: int, shift: float) -> None:
        generator = np.random.default_rng(seed)
        logits = generator.normal(shift, 1.5, rows)
        self.positive = generator.random(rows) < 1 / (1 + np.exp(-logits))
        self.score: Float64Array = 1 / (1 + np.exp(-2.0 * logits))
        self.predicted = self.score >= 0.5
        own = np.where(self.predicted, self.score, 1 - self.score)
        self.bins = np.minimum((own * SCORE_BINS).astype(int), SCORE_BINS - 1)

    def counted(self, rows: Float64Array) -> Int64Array:
        """By predicted class and bin, those of ``rows``."""
        flat = np.bincount(self.predicted * SCORE_BINS + self.bins, rows, 2 * SCORE_BINS)
        return flat.astype(np.int64).reshape(2, SCORE_BINS)

    @property
    def counts(self) -> Int64Array:
        return self.counted(np.ones(len(self.bins)))

    @property
    def right(self) -> Int64Array:
        return self.counted((self.predicted == self.positive).astype(float))


def learned() -> Float64Array:
    reference = Scored(1, 50_000, 0.0)
    return np.stack([isotonic(*of) for of in zip(reference.counts, reference.right, strict=True)])


@pytest.mark.parametrize("shift", [0.0, -1.0, 1.0])
def test_under_other_inputs_the_estimate_is_what_labels_say(shift: float) -> None:
    probability = learned()
    window = Scored(2, 50_000, shift)
    counts = window.counts
    realised = float((window.predicted == window.positive).mean())
    assert estimated_accuracy(counts, probability) == pytest.approx(realised, abs=0.006)
    ranks = stats.rankdata(window.score)[window.positive].sum()
    yes, no = window.positive.sum(), (~window.positive).sum()
    area = (ranks - yes * (yes + 1) / 2) / (yes * no)
    assert estimated_roc_auc(counts, probability) == pytest.approx(area, abs=0.006)
    confusion = estimated_confusion(counts, probability)
    hits = (window.predicted & window.positive).sum()
    assert confusion.precision == pytest.approx(hits / window.predicted.sum(), abs=0.01)
    assert confusion.recall == pytest.approx(hits / yes, abs=0.01)
    assert confusion.f1 == pytest.approx(2 * hits / (window.predicted.sum() + yes), abs=0.01)


def test_scores_that_are_not_calibrated_would_say_something_else() -> None:
    window = Scored(2, 50_000, 0.0)
    own = np.tile((np.arange(SCORE_BINS) + 0.5) / SCORE_BINS, (2, 1))
    realised = float((window.predicted == window.positive).mean())
    assert estimated_accuracy(window.counts, own) > realised + 0.03


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    generator = np.random.default_rng(3)
    counts = generator.integers(0, 5, (2, 6))
    probability = generator.random((2, 6))
    yes = [(5 - k, counts[0, k] * (1 - probability[0, k])) for k in range(6)]
    no = [(5 - k, counts[0, k] * probability[0, k]) for k in range(6)]
    yes += [(k, counts[1, k] * probability[1, k]) for k in range(6)]
    no += [(k, counts[1, k] * (1 - probability[1, k])) for k in range(6)]
    order = sum(a * b * ((x > y) + (x == y) / 2) for x, a in yes for y, b in no)
    pairs = sum(a for _, a in yes) * sum(b for _, b in no)
    assert estimated_roc_auc(counts, probability) == pytest.approx(order / pairs)


def test_many_windows_at_once_are_each_alone_and_none_without_rows_is_a_number() -> None:
    probability = learned()
    full = Scored(4, 1_000, 0.0).counts
    windows = np.stack([full, np.zeros_like(full), 3 * full])
    for estimate in (estimated_accuracy, estimated_roc_auc):
        first, empty, third = estimate(windows, probability)
        assert first == pytest.approx(float(estimate(full, probability)))
        assert third == pytest.approx(first)
        assert isnan(empty)
    precision, empty, _ = estimated_confusion(windows, probability).precision
    assert 0 < precision < 1
    assert isnan(empty)
