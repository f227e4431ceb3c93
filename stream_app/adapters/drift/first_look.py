"""What is noted of data beside its values, while it is read the first time: faults, times, labels.

Decides when data is too bad, or too little, to be compared with.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from stream_app.adapters.drift.reference_record import Times
from stream_app.adapters.drift.scored_events import ScoredChunk
from stream_app.core.columns import NO_TIMESTAMP, Int64Array, Tensor
from stream_app.core.contract import Contract
from stream_app.core.drift.reference import ScoreMap
from stream_app.core.drift.score_map import ScoreTally, find_scores
from stream_app.core.drift.statistics.accuracy import isotonic
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, DataError
from stream_app.scoring import Outputs

LEAST_ROWS = 200
MOST_FAULTY = 0.1
_FEW = 5


class FirstLook:
    """Note every chunk once, then ask.

    Attributes:
        rows: That were scored.
    """

    def __init__(
        self, contract: Contract, typical: Outputs, label: str | None, classes: Sequence[str]
    ) -> None:
        """Note nothing yet.

        Args:
            contract: Binds outputs to predictions.
            typical: Outputs of some rows, which tell scores from other numbers.
            label: The field with the right answer.
            classes: What labels call the classes, where the model does not say.
        """
        self._contract, self._typical = contract, typical
        self._label, self._classes = label, classes
        self.rows = 0
        self._faults: Counter[int] = Counter()
        self._scores: ScoreTally | None = None
        self._times = _TimesSeen()

    def note(self, chunk: ScoredChunk) -> None:
        """See the next rows.

        Raises:
            ConfigError: there is a label, and no score that it could belong to.
        """
        batch = chunk.batch
        self.rows += len(batch.rows)
        self._faults.update(batch.fault[batch.fault != 0].tolist())
        if not len(batch.rows):
            return
        self._times.add(chunk.times_ms)
        if self._label is not None:
            if self._scores is None:
                self._scores = self._score_tally(batch.outputs)
            self._scores.add(batch.outputs, chunk.labels)

    def require_enough(self, name: str) -> None:
        """Refuse data that says too little; ``name`` is the file's.

        Raises:
            ConfigError: there are too few rows.
            DataError: too many rows are faulty.
        """
        faulty = self._faults.total()
        if faulty > MOST_FAULTY * (faulty + self.rows):
            told = ", ".join(
                f"{Fault.of(code).name} {rows}" for code, rows in self._faults.most_common()
            )
            raise DataError(
                f"{name}: {faulty} of {faulty + self.rows} rows cannot be scored ({told}); at most "
                f"{MOST_FAULTY:.0%} may, since what is left would not be typical; correct the "
                "data, or the contract"
            )
        if self.rows < LEAST_ROWS:
            raise ConfigError(
                f"{name}: {self.rows} rows that can be scored; a reference needs {LEAST_ROWS}, and "
                "is good from some ten thousand on"
            )

    @property
    def faults(self) -> dict[str, int]:
        """Rows that could not be scored, by the fault's code."""
        return {Fault.of(code).name: rows for code, rows in self._faults.items()}

    def times(self) -> Times | None:
        """The events' times; ``None`` unless all have one."""
        return self._times.found()

    def score_map(self) -> ScoreMap | None:
        """From scores to accuracy; ``None`` without labels.

        Raises:
            ConfigError: no label is a class of the model.
        """
        if self._scores is None:
            return None
        counts, right = self._scores.counted()
        if not counts.any():
            told = ", ".join(sorted(self._scores.unknown)[:_FEW]) or "nothing"
            raise ConfigError(
                f"--label {self._label}: holds no class of the model, which has "
                f"{', '.join(self._scores.labels)}; it holds {told}; say with --classes what it "
                "calls them"
            )
        probability = [isotonic(*each) for each in zip(counts, right, strict=True)]
        return self._scores.score_map(np.stack(probability))

    def _score_tally(self, outputs: Outputs) -> ScoreTally:
        rows: dict[str, Tensor] = {
            name: np.concatenate([typical, outputs[name]])
            for name, typical in self._typical.items()
        }
        try:
            source = find_scores(self._contract, rows, self._classes)
        except ValueError as exc:
            raise ConfigError(f"--classes: {exc}") from exc
        if source is None:
            raise ConfigError(
                f"--label {self._label}: the model has no output that is a probability, so there "
                "is no score to compare labels with; leave --label out"
            )
        return ScoreTally(source)


class _TimesSeen:
    """The earliest and the latest time, and whether any came before the one before it."""

    def __init__(self) -> None:
        self._first_ms = np.iinfo(np.int64).max
        self._last_ms = self._newest_ms = np.iinfo(np.int64).min
        self._all_known, self._in_order = True, True

    def add(self, times_ms: Int64Array) -> None:
        self._all_known &= not (times_ms == NO_TIMESTAMP).any()
        self._in_order &= int(times_ms[0]) >= self._newest_ms
        self._in_order &= bool((times_ms[1:] >= times_ms[:-1]).all())
        self._newest_ms = int(times_ms[-1])
        self._first_ms = min(self._first_ms, int(times_ms.min()))
        self._last_ms = max(self._last_ms, int(times_ms.max()))

    def found(self) -> Times | None:
        if not self._all_known:
            return None
        return Times(self._first_ms, self._last_ms, self._in_order)
