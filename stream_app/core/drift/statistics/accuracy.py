"""Accuracy without labels: a calibrated score says how often it is right, so its counts do too.

Convention: rows are counted by predicted class and by bin of that class' score; the reference's
labels say of each how often it was right, made monotonous in the score. Right only while scores
stay calibrated: it sees other inputs, and is blind to a changed meaning of the same inputs.

Source: J. Bialek et al., Estimating model performance under covariate shift without labels (2024);
the fit: M. Ayer et al., Ann. Math. Stat. 26 (1955).
"""

from typing import NamedTuple

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array


class Confusion(NamedTuple):
    """Expected counts of two classes, float64, shape ``(...)``; the second class is positive."""

    true_positive: Float64Array
    false_positive: Float64Array
    true_negative: Float64Array
    false_negative: Float64Array

    @property
    def precision(self) -> Float64Array:
        """NaN where nothing was predicted positive."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> Float64Array:
        """NaN where no positive is expected."""
        return _share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> Float64Array:
        """NaN where there is no positive of either sort."""
        wrong = self.false_positive + self.false_negative
        return _share(2 * self.true_positive, 2 * self.true_positive + wrong)


def isotonic(counts: Int64Array, right: Int64Array) -> Float64Array:
    """From scores to probabilities: the closest shares that do not fall while the score rises.

    >>> import numpy as np
    >>> isotonic(np.array([4, 4, 0, 4]), np.array([2, 1, 0, 4])).tolist()
    [0.375, 0.375, 0.6875, 1.0]

    Args:
        counts: int64, shape ``(bins,)``: rows by their score.
        right: int64, likewise: of them, those whose label agrees.

    Returns:
        float64, shape ``(bins,)``, not decreasing, in [0, 1]. A bin without rows lies on the line
        between its neighbours; without any row a score is taken for its own probability.
    """
    bins = np.arange(len(counts))
    filled = np.flatnonzero(counts)
    if not len(filled):
        return (bins + 0.5) / len(counts)
    blocks: list[tuple[int, int, int]] = []  # right, rows, bins
    for at in filled:
        good, rows, width = int(right[at]), int(counts[at]), 1
        # Compared without dividing: integers decide alike everywhere.
        while blocks and blocks[-1][0] * rows >= good * blocks[-1][1]:
            before = blocks.pop()
            good, rows, width = good + before[0], rows + before[1], width + before[2]
        blocks.append((good, rows, width))
    fitted = [good / rows for good, rows, width in blocks for _ in range(width)]
    probabilities: Float64Array = np.interp(bins, filled, fitted)
    return probabilities


def estimated_accuracy(counts: Int64Array, probability: Float64Array) -> Float64Array:
    """The share of right predictions to expect.

    Args:
        counts: int64, shape ``(..., groups, bins)``: rows by predicted class and its score.
        probability: float64, shape ``(groups, bins)``: that such a prediction is right.

    Returns:
        float64, shape ``(...)``; NaN without rows.
    """
    return _share((counts * probability).sum(axis=(-2, -1)), counts.sum(axis=(-2, -1)))


def estimated_confusion(counts: Int64Array, probability: Float64Array) -> Confusion:
    """The confusion matrix to expect; arguments as :func:`estimated_accuracy`, of two groups."""
    right = (counts * probability).sum(axis=-1)
    wrong = (counts * (1.0 - probability)).sum(axis=-1)
    return Confusion(right[..., 1], wrong[..., 1], right[..., 0], wrong[..., 0])


def estimated_roc_auc(counts: Int64Array, probability: Float64Array) -> Float64Array:
    """The area under the ROC curve to expect; arguments as :func:`estimated_accuracy`, of two.

    Rows are ordered by the score of the positive class, which for those predicted negative is 1
    less their own. Rows of one bin are equal, and count for half.

    Returns:
        float64, shape ``(...)``; NaN where one of the classes is not expected at all.
    """
    positive = _by_score(counts * np.stack([1.0 - probability[0], probability[1]]))
    negative = _by_score(counts * np.stack([probability[0], 1.0 - probability[1]]))
    below = negative.cumsum(axis=-1) - negative / 2
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return _share((positive * below).sum(axis=-1), pairs)


def _by_score(expected: Float64Array) -> Float64Array:
    """Both groups on one scale, the score of the positive class."""
    flipped: Float64Array = expected[..., 0, ::-1] + expected[..., 1, :]
    return flipped


def _share(part: Float64Array, whole: Float64Array | Int64Array) -> Float64Array:
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is wanted
        share: Float64Array = np.divide(part, whole)
    return share
