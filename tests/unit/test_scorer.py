"""Laws of the path, with a decoder that finds every record bad."""

from collections.abc import Mapping

import numpy as np
import pytest

from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.breaker import Breaker, BreakerLimits
from stream_app.core.columns import BytesColumn, EventBatch, RecordBatch, ScoreBatch, Tensor
from stream_app.core.contract import OnNonFinite
from stream_app.core.dead_letters import Origin
from stream_app.core.faults import Fault
from stream_app.errors import DataError
from stream_app.scorer import Scorer, ScorerConfig
from stream_app.scoring import ScoringRules
from tests.fakes import FakeClock, records

ORIGIN = Origin("letters", "group", "1", "host", "model", "1", 100_000)


class AllBad:
    """A decoder, and the model and the encoder that nothing reaches."""

    name = "model"
    version = "1"
    content_hash = "0"

    def decode(self, batch: RecordBatch) -> EventBatch:
        count = len(batch)
        return EventBatch(
            tensors={},
            kinds=np.zeros((count, 0), dtype=np.uint8),
            event_time_ms=np.zeros(count, dtype=np.int64),
            ids=BytesColumn.all_null(count),
            schema=np.full(count, -1, dtype=np.int32),
            schema_names=(),
            fault=np.full(count, Fault.TOO_SHORT, dtype=np.uint16),
        )

    def run(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        raise AssertionError(tensors)

    def encode(
        self, batch: RecordBatch, events: EventBatch, scores: ScoreBatch
    ) -> tuple[BytesColumn, Mapping[int, str]]:
        del batch, events
        assert not len(scores.rows)
        return BytesColumn.of([]), {}


def scorer(*, run: int) -> Scorer:
    parts = AllBad()
    return Scorer(
        ScorerConfig("predictions", ORIGIN, ScoringRules(9, OnNonFinite.DEAD_LETTER, ())),
        parts,
        parts,
        parts,
        Breaker(BreakerLimits(share=1.0, records=1_000, run=run)),
        FakeClock(),
        NullTelemetry(),
    )


BATCH = records([(0, offset) for offset in range(10)])


def test_records_that_come_again_do_not_open_the_breaker() -> None:
    made = scorer(run=25)
    made.process(BATCH)
    made.committed()
    for _ in range(5):
        made.process(BATCH)
        made.rolled_back()
    made.process(BATCH)


def test_a_run_of_bad_records_over_several_units_opens_it() -> None:
    made = scorer(run=25)
    for _ in range(2):
        made.process(BATCH)
        made.committed()
    with pytest.raises(DataError, match="circuit breaker"):
        made.process(BATCH)


def test_every_bad_record_has_one_dead_letter() -> None:
    (letters,) = scorer(run=25).process(BATCH)
    assert letters.topic == "letters"
    assert letters.rows.tolist() == list(range(10))
