"""Past events and what a model answers to them, chunk by chunk.

Decides that rows are scored as on the live path, with its rules for those that fail. Refuses to
know what becomes of the answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stream_app.adapters.drift.event_reader import EventReader
from stream_app.core.columns import EventBatch, Int64Array, ScoreBatch
from stream_app.core.contract import Contract
from stream_app.ports import Model
from stream_app.scoring import ScoringRules, score

_BISECT_LIMIT = 64


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """Some rows of a file, scored.

    Attributes:
        events: All rows.
        batch: The answers to those that could be scored; faults of all.
        labels: Of the scored rows; empty where none were asked for.
        rows_read: Of the file, with these.
        share_read: Of the file, with these, from 0 to 1.
    """

    events: EventBatch
    batch: ScoreBatch
    labels: Sequence[Any]
    rows_read: int
    share_read: float

    @property
    def times_ms(self) -> Int64Array:
        """Of the scored rows."""
        return self.events.event_time_ms[self.batch.rows]


def score_events(reader: EventReader, model: Model, contract: Contract) -> Iterator[ScoredChunk]:
    """Score an open file.

    Args:
        reader: Closed when all was read, or when the iterator is.
        model: Scores.
        contract: Its own, which the reader has too.

    Raises:
        DataError: the file is broken.
        FatalError: the device is lost.
    """
    rules = ScoringRules(
        bisect_limit=_BISECT_LIMIT,
        on_non_finite_output=contract.on_non_finite_output,
        bound_outputs=tuple(binding.output for binding in contract.outputs),
    )
    with reader:
        for chunk in reader:
            batch = score(model, chunk.events, rules)
            labels = chunk.labels and [chunk.labels[row] for row in batch.rows.tolist()]
            yield ScoredChunk(chunk.events, batch, labels, reader.rows_read, reader.share_read)
