"""The scorer without Kafka: chunks of a file in, what it tells of drift out.

Decides that a row of a file fares as a live event does: it is scored, encoded and counted by the
very scorer, and dies where a live one would. What only a cluster knows no file tells: an event's
time is not held against its record's, and no prediction is too large for a broker.
"""

from collections.abc import Sequence

import numpy as np

from stream_app import __version__
from stream_app.adapters.avro.parts import build_encoder
from stream_app.adapters.drift.partial_codec import PartialCodec
from stream_app.adapters.drift.parts import build_tally
from stream_app.adapters.drift.reference_file import StoredReference
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.breaker import Breaker, BreakerLimits
from stream_app.core.columns import NO_TIMESTAMP, BytesColumn, EventBatch, RecordBatch
from stream_app.core.contract import Contract
from stream_app.core.dead_letters import Origin
from stream_app.core.drift.partial import Partial
from stream_app.errors import FatalError
from stream_app.ports import Encoder, Model
from stream_app.scorer import Scorer, ScorerConfig
from stream_app.scoring import ScoringRules
from stream_app.settings import Framing, Settings

_NEVER = BreakerLimits(share=2.0, records=1 << 62, run=1 << 62)
"""A file with many bad rows comes to its end: nothing would be saved by stopping before."""

_INSTANCE = "drift run"


class FileScorer:
    """A scorer whose transactions are chunks of a file.

    Args:
        settings: Of the live job: limits, window length, prediction schema.
        contract: The model's.
        model: Scores.
        stored: The reference of the same version.
        compiled: Encode and count with kernels, which are ready.

    Raises:
        ConfigError: the prediction schema does not fit the contract.
    """

    def __init__(
        self,
        settings: Settings,
        contract: Contract,
        model: Model,
        stored: StoredReference,
        *,
        compiled: bool,
    ) -> None:
        clock, telemetry = SystemClock(), NullTelemetry()
        self._decoder = _HandedOver()
        self._codec = PartialCodec()
        self._scorer = Scorer(
            _config(settings, contract, model),
            self._decoder,
            model,
            _encoder(settings, contract, model, compiled=compiled),
            Breaker(_NEVER),
            clock,
            telemetry,
            build_tally(settings, stored, _INSTANCE, clock, telemetry, compiled=compiled),
        )

    def score(self, events: EventBatch, first: int) -> Sequence[Partial]:
        """Score a chunk.

        Args:
            events: Of its rows.
            first: Number of its first row in the file, from 0.

        Returns:
            What the transaction would have told, in one part or more.

        Raises:
            FatalError: the device is lost.
        """
        self._decoder.events = events
        self._scorer.process(_records(len(events), first))
        told = [self._codec.decode(batch.values) for batch in self._scorer.conclude()]
        self._scorer.committed()
        partials = [partial for batch in told for partial in batch]
        if not all(isinstance(partial, Partial) for partial in partials):
            raise FatalError("our own counts cannot be read again; please report this")
        return [partial for partial in partials if isinstance(partial, Partial)]


class _HandedOver:
    """In the decoder's place: the file's reader has decoded the chunk already."""

    def __init__(self) -> None:
        self.events = EventBatch.undecoded(np.empty(0, dtype=np.uint16), {})

    def decode(self, records: RecordBatch) -> EventBatch:
        """See ``Decoder``."""
        del records
        return self.events


def _config(settings: Settings, contract: Contract, model: Model) -> ScorerConfig:
    return ScorerConfig(
        predictions_topic="",
        origin=Origin(
            topic="",
            group="",
            app_version=__version__,
            instance=_INSTANCE,
            model_name=model.name,
            model_version=model.version,
            max_record_bytes=settings.output.max_record_bytes,
        ),
        rules=ScoringRules(
            bisect_limit=settings.dead_letters.bisect_limit,
            on_non_finite_output=contract.on_non_finite_output,
            bound_outputs=tuple(sorted({binding.output for binding in contract.outputs})),
        ),
    )


def _encoder(settings: Settings, contract: Contract, model: Model, *, compiled: bool) -> Encoder:
    """Which rows cannot be encoded depends on the schema alone: no registry is asked for its id."""
    output = settings.output.model_copy(update={"framing": Framing.SINGLE_OBJECT})
    settings = settings.model_copy(update={"output": output})
    return build_encoder(settings, contract, model, NullTelemetry(), compiled=compiled)


def _records(count: int, first: int) -> RecordBatch:
    """The rows as if they had come from one partition."""
    return RecordBatch(
        topic="",
        values=BytesColumn.all_null(count),
        keys=BytesColumn.all_null(count),
        partition=np.zeros(count, dtype=np.int32),
        offset=np.arange(first, first + count, dtype=np.int64),
        timestamp_ms=np.full(count, NO_TIMESTAMP, dtype=np.int64),
        timestamp_type=np.zeros(count, dtype=np.int8),
    )
