"""Scores and labels: how often an answer of a certain score was right.

Decides which output holds scores, what class a row is predicted to be, and when a label agrees.
Counts only; from counts to probabilities is ``statistics/accuracy.py``'s. Refuses to know files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stream_app.core.columns import Int64Array, Tensor
from stream_app.core.contract import Contract
from stream_app.core.drift.reference import SCORE_BINS, Float64Array, ScoreMap
from stream_app.core.drift.watch import are_probabilities

NO_SLOT = -1
"""In the place of a slot: the row has no score."""
_TWO = 2
_EVEN = 0.5
_WORDS = {"true": "1", "false": "0"}


@dataclass(frozen=True, slots=True)
class ScoreSource:
    """Where scores are found.

    Attributes:
        tensor: The model's output.
        classes: Numbers a row of it has; 1: the probability of the positive class alone.
        labels: What labels call the classes.
    """

    tensor: str
    classes: int
    labels: tuple[str, ...]


def find_scores(
    contract: Contract, outputs: Mapping[str, Tensor], names: Sequence[str] = ()
) -> ScoreSource | None:
    """The first of the outputs that are bound to predictions which holds probabilities.

    The classes are called what another bound output, the label, says where their probability is
    the greatest; or by their numbers.

    Args:
        contract: Binds outputs.
        outputs: Of typical rows.
        names: What labels call the classes, where the model does not say.

    Returns:
        ``None``: no output holds probabilities.

    Raises:
        ValueError: ``names`` are not as many as the classes.
    """
    for binding in contract.outputs:
        rows = outputs[binding.output].reshape(len(outputs[binding.output]), -1)
        if rows.shape[1] == 1:
            numbers = rows.astype(np.float64) if rows.dtype.kind == "f" else np.array([np.nan])
            is_score = bool(((numbers >= 0) & (numbers <= 1)).all())
        else:
            is_score = are_probabilities(rows)
        if is_score:
            classes = max(_TWO, rows.shape[1])
            if names and len(names) != classes:
                raise ValueError(f"expected {classes} names of classes, found {len(names)}")
            given = tuple(map(label_text, names))
            labels = given or _labels(contract, outputs, predicted_classes(rows), classes)
            return ScoreSource(binding.output, rows.shape[1], labels)
    return None


def _labels(
    contract: Contract, outputs: Mapping[str, Tensor], predicted: Int64Array, classes: int
) -> tuple[str, ...]:
    labels = [str(number) for number in range(classes)]
    for binding in contract.outputs:
        rows = outputs[binding.output].reshape(len(outputs[binding.output]), -1)
        if rows.shape[1] != 1 or np.issubdtype(rows.dtype, np.floating):
            continue
        texts = [label_text(value) for value in rows[:, 0].tolist()]
        for number in range(classes):
            said = {texts[row] for row in np.flatnonzero(predicted == number).tolist()}
            if len(said) == 1:
                labels[number] = said.pop()
        break
    return tuple(labels)


def predicted_classes(scores: Tensor) -> Int64Array:
    """The class with the greatest score; of one number a row, the second from a half on.

    Args:
        scores: Shape ``(k, classes)`` or ``(k, 1)``.
    """
    if scores.shape[1] == 1:
        return np.asarray(scores[:, 0].astype(np.float64) >= _EVEN, dtype=np.int64)
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def score_slots(scores: Tensor) -> Int64Array:
    """Where rows are counted: predicted class times ``SCORE_BINS``, plus the bin of its score.

    Args:
        scores: Shape ``(k, ...)``, flattened row by row.

    Returns:
        int64, shape ``(k,)``; ``NO_SLOT`` where the score is NaN.
    """
    rows = scores.reshape(len(scores), -1).astype(np.float64)
    predicted = predicted_classes(rows)
    if rows.shape[1] == 1:
        own: Float64Array = np.where(predicted == 1, rows[:, 0], 1.0 - rows[:, 0])
    else:
        own = rows[np.arange(len(rows)), predicted]
    known = ~np.isnan(own)
    bins = np.floor(np.where(known, own, 0.0) * SCORE_BINS).clip(0, SCORE_BINS - 1)
    return np.where(known, predicted * SCORE_BINS + bins.astype(np.int64), NO_SLOT)


def label_text(value: object) -> str:
    """A label as it is compared: ``True``, ``1``, ``1.0`` and ``"1.0"`` are the same class."""
    text = str(value).strip()
    word = _WORDS.get(text.lower())
    if word is not None:
        return word
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text


class ScoreTally:
    """Counts of rows and of right answers, by predicted class and bin of its score."""

    def __init__(self, source: ScoreSource) -> None:
        """Count nothing yet."""
        self._source = source
        self._number = {label: number for number, label in enumerate(source.labels)}
        size = len(source.labels) * SCORE_BINS
        self._counts = np.zeros(size, dtype=np.int64)
        self._right = np.zeros(size, dtype=np.int64)
        self.unlabelled = 0
        self.unknown: set[str] = set()

    def add(self, outputs: Mapping[str, Tensor], labels: Sequence[object]) -> None:
        """Count rows; those with no label, and those whose label is no class, apart.

        Args:
            outputs: Of the rows.
            labels: Of the rows; ``None``, or empty text, where there is none.
        """
        slots = score_slots(outputs[self._source.tensor])
        truth = np.fromiter(map(self._class_of, labels), dtype=np.int64, count=len(labels))
        known = (truth >= 0) & (slots >= 0)
        self.unlabelled += int(np.count_nonzero(~known))
        held, size = slots[known], len(self._counts)
        self._counts += np.bincount(held, minlength=size)
        right = held // SCORE_BINS == truth[known]
        self._right += np.bincount(held[right], minlength=size)

    @property
    def labels(self) -> tuple[str, ...]:
        """What labels call the classes."""
        return self._source.labels

    def counted(self) -> tuple[Int64Array, Int64Array]:
        """Rows, and those of them that were right; int64, shape ``(classes, SCORE_BINS)``."""
        shape = (len(self._source.labels), SCORE_BINS)
        return self._counts.reshape(shape), self._right.reshape(shape)

    def score_map(self, probability: Float64Array) -> ScoreMap:
        """What was counted, with the probabilities that follow from it."""
        counts, right = self.counted()
        source = self._source
        return ScoreMap(source.tensor, source.classes, source.labels, probability, counts, right)

    def _class_of(self, label: object) -> int:
        if label is None or label == "":
            return -1
        text = label_text(label)
        found = self._number.get(text, -1)
        if found < 0 and len(self.unknown) < SCORE_BINS:
            self.unknown.add(text)
        return found
