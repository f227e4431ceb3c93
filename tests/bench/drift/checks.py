"""Our numbers held against those of other tools, where both mean the same formula.

Decides what is compared, and how close it must be. Distances of categories and the accuracy that is
expected without labels are nannyml's; the index of stability is evidently's, which adds nothing to
empty bins: of 2 c + 1 rows it is what ours is of c, which adds half a row to each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import SCORE_BINS, Float64Array
from stream_app.core.drift.score_map import ScoreSource, ScoreTally, score_slots
from stream_app.core.drift.statistics.accuracy import (
    estimated_accuracy,
    estimated_confusion,
    estimated_roc_auc,
    isotonic,
)
from stream_app.core.drift.statistics.chi_square import chi_square
from stream_app.core.drift.statistics.hellinger import hellinger
from stream_app.core.drift.statistics.jensen_shannon import jensen_shannon
from stream_app.core.drift.statistics.psi import psi
from tests.drift_claims.claims import table
from tests.drift_claims.loans import Scored
from tests.drift_claims.rows import Field, Rows, reference_of, reports

CHECKS: Final = "checks"
CHUNK: Final = 5_000
_PAIRS: Final = 40
_SAME: Final = 1e-9
_ALIKE: Final = 1e-4
"""Of what is expected of scores by one map: ours are in 256 bins, nannyml's are as they are."""
_BY_CLASS: Final = 5e-4
"""Of the product's two maps, one for each predicted class: nannyml's one map makes scores on both
sides of a half equal where labels do not rise with them."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison.

    Attributes:
        what: Is compared.
        oracle: Whose number is right.
        count: How many numbers were compared.
        furthest: The greatest difference of any.
        most: That may be.
    """

    what: str
    oracle: str
    count: int
    furthest: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether all are close enough."""
        return self.furthest <= self.most


def hand_over(evidently: Path, nannyml: Path) -> list[Int64Array]:
    """Write the counts that are compared, for each in a folder of its own.

    Returns:
        Pairs of counts, int64, shape ``(2, bins)``.
    """
    generator = np.random.default_rng(3)
    pairs = []
    for _ in range(_PAIRS):
        shares = generator.dirichlet(np.ones(8), size=2)
        pairs.append(np.array([generator.multinomial(1_000, share) for share in shares]))
    for folder, counts in ((evidently, 2 * np.array(pairs) + 1), (nannyml, np.array(pairs))):
        folder.mkdir(parents=True)
        np.save(folder / "counts.npy", counts)
    return pairs


def check(
    pairs: Sequence[Int64Array],
    evidently: Mapping[str, Any],
    nannyml: Mapping[str, Any],
    history: Scored,
    analysis: Scored,
) -> list[Check]:
    """Hold ours against theirs.

    Args:
        pairs: As they were handed over.
        evidently: Its answer.
        nannyml: Its answer.
        history: Scores of the car-loan data with labels.
        analysis: Without.
    """
    found = [
        _check("Jensen-Shannon distance of categories", "nannyml", _of(jensen_shannon, pairs),
               nannyml["jensen_shannon"], _SAME),
        _check("Hellinger distance of categories", "nannyml", _of(hellinger, pairs),
               nannyml["hellinger"], _SAME),
        _check("population stability index of categories", "evidently", _of(psi, pairs),
               evidently["psi"], _SAME),
    ]  # fmt: skip
    own, one = _maps(history)
    for probability, which, most in ((one, "one map", _ALIKE), (own, "as told", _BY_CLASS)):
        expected = _expected(probability, analysis)
        for metric, name in (("accuracy", "accuracy"), ("roc_auc", "ROC AUC"), ("f1", "F1")):
            what = f"{name} expected without labels, {which}, chunks of {CHUNK:,}"
            theirs = nannyml["expected"][metric]
            found.append(_check(what, "nannyml", expected[metric], theirs, most))
    return found


def checks_table(checks: Sequence[Check]) -> list[str]:
    """As lines of Markdown."""
    return table(
        ("compared", "with", "numbers", "furthest apart", "may be", ""),
        (
            (one.what, one.oracle, f"{one.count}", f"{one.furthest:.1e}", f"{one.most:.0e}",
             "" if one.holds else "**too far**")
            for one in checks
        ),
        numbers=range(2, 5),
    )  # fmt: skip


def facts(evidently: Mapping[str, Any]) -> list[str]:
    """What one odd row does to a statistic, theirs and ours, as lines of Markdown."""
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(10_000, 1))
    layout = reference_of(Rows((Field("x"),), rows), in_time_order=False, repeats=100)
    shifted = generator.normal(3.0, 1.0, size=(1_000, 1))
    outlier = np.vstack([shifted[1:], [[1e6]]])
    ours = []
    for values in (shifted, outlier):
        (report,) = reports(layout, Rows((Field("x"),), values).values(), len(values))
        ours.append({one.name: one.value for one in report.columns[0].statistics})
    first, second = ours
    unseen = chi_square(np.array([500, 500, 0]), np.array([500, 499, 1]))
    return table(
        ("1,000 rows", "evidently", "stream-app"),
        (
            ("shifted by three sd: PSI", f"{evidently['shifted']:.2f}", f"{first[_PSI]:.2f}"),
            (
                "the same with one value of 1,000,000: PSI",
                f"{evidently['shifted and an outlier']:.3f}",
                f"{second[_PSI]:.2f}",
            ),
            (
                "one unseen category: chi-square",
                f"p = {evidently['one unseen']:.2g}",
                f"{float(unseen[0]):.2f} at {int(unseen[1])} degrees of freedom",
            ),
        ),
        numbers=(1, 2),
    )


_PSI: Final = "psi_natural_log_plus_half_groups_16"


def _of(statistic: Any, pairs: Sequence[Int64Array]) -> list[float]:
    return [float(statistic(old, new)) for old, new in pairs]


def _check(
    what: str, oracle: str, ours: Sequence[float], theirs: Sequence[float], most: float
) -> Check:
    differences = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    return Check(what, oracle, len(differences), max(differences), most)


def _maps(history: Scored) -> tuple[Float64Array, Float64Array]:
    """From scores to the probability of being right: one of each class, and one of both."""
    tally = ScoreTally(ScoreSource("scores", 1, ("0", "1")))
    tally.add({"scores": history.scores[:, None]}, history.labels)
    counts, right = tally.counted()
    own = [isotonic(*of_class) for of_class in zip(counts, right, strict=True)]
    # Of the first class scores are its own: turned round they are those of the second.
    rows, positive = counts[0, ::-1] + counts[1], (counts - right)[0, ::-1] + right[1]
    both = isotonic(rows, positive)
    return np.stack(own), np.stack([1.0 - both[::-1], both])


def _expected(probability: Float64Array, analysis: Scored) -> dict[str, list[float]]:
    """Of each chunk, as a window says it."""
    slots = score_slots(analysis.scores[:, None])
    found: dict[str, list[float]] = {"accuracy": [], "roc_auc": [], "f1": []}
    for begin in range(0, len(slots), CHUNK):
        held = np.bincount(slots[begin : begin + CHUNK], minlength=2 * SCORE_BINS)
        window = held.reshape(2, SCORE_BINS)
        found["accuracy"].append(float(estimated_accuracy(window, probability)))
        found["roc_auc"].append(float(estimated_roc_auc(window, probability)))
        found["f1"].append(float(estimated_confusion(window, probability).f1))
    return found
