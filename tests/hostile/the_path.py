"""The path of a record without Kafka: value bytes in, one outcome out, everything between real.

Decides how a test drives decoder, model, encoder and dead letters, and holds the first law of the
path against every batch: one record, exactly one outcome. The model is an ONNX graph that passes
its input on, so that whatever a decoder makes of a record reaches a prediction.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from onnx import TensorProto

from stream_app.adapters.avro.compiled_encoder import CompiledEncoder
from stream_app.adapters.avro.fastavro_encoder import FastavroEncoder
from stream_app.adapters.model.onnx_session import Session, open_session
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.avro.store import SchemaStore
from stream_app.core.breaker import Breaker, BreakerLimits
from stream_app.core.columns import Header, OutputBatch, RecordBatch, Tensor
from stream_app.core.contract import Contract, DType, OnNonFinite, OutputBinding
from stream_app.core.dead_letters import Origin
from stream_app.core.faults import Fault
from stream_app.scorer import Scorer, ScorerConfig
from stream_app.scoring import ScoringRules
from stream_app.settings import Framing, ModelSettings
from tests.avro_kit import record_schema
from tests.decoders import Maker
from tests.onnx_models import model, node, value

PREDICTION = "a prediction"
MAX_RECORD_BYTES = 100_000

_ONNX_TYPES = {
    DType.FLOAT32: TensorProto.FLOAT,
    DType.FLOAT64: TensorProto.DOUBLE,
    DType.INT64: TensorProto.INT64,
    DType.BOOL: TensorProto.BOOL,
    DType.UINT8: TensorProto.UINT8,
    DType.STRING: TensorProto.STRING,
}
_PREDICTION_SCHEMA = record_schema(
    [
        {"name": "event_id", "type": "string"},
        {
            "name": "event_time",
            "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}],
        },
        {"name": "model_name", "type": "string"},
        {"name": "model_version", "type": "string"},
        {"name": "model_hash", "type": "string"},
        {"name": "source_topic", "type": "string"},
        {"name": "source_partition", "type": "int"},
        {"name": "source_offset", "type": "long"},
        {
            "name": "scores",
            "type": {"type": "array", "items": ["boolean", "long", "double", "string"]},
        },
    ],
    "test.Prediction",
)
# No batch of only bad records may stop a run that is about bad records.
_NEVER = BreakerLimits(share=2.0, records=1_000, run=10**15)


class BrokenLawError(AssertionError):
    """A record has no outcome, or more than one, or a dead letter is not the record that died."""


@dataclass(frozen=True, slots=True)
class SessionModel:
    """A session as the path's model."""

    session: Session
    name: str = "model"
    version: str = "1"
    content_hash: str = "0" * 12

    def run(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See ``ports.Model``."""
        return self.session.run(tensors)


@cache
def identity(dtype: DType) -> SessionModel:
    """``y = x``, for rows of any width."""
    kind = _ONNX_TYPES[dtype]
    content = model(
        [node("Identity", ["x"], ["y"])],
        inputs=[value("x", kind, ["N", None])],
        outputs=[value("y", kind, ["N", None])],
    )
    return SessionModel(open_session(content, "identity", ModelSettings()).session)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of a batch's records: a fault's name each, or ``PREDICTION``."""

    codes: tuple[str, ...]
    letters: OutputBatch | None

    def letter_headers(self, position: int) -> dict[str, bytes | None]:
        """Headers of a dead letter, by name."""
        assert self.letters is not None
        return dict(self.letters.headers[position])


class ThePath:
    """A scorer for one contract, with one input named ``x``."""

    def __init__(
        self,
        make: Maker,
        contract: Contract,
        store: SchemaStore,
        framing: Framing = Framing.CONFLUENT,
        *,
        scorer_model: SessionModel | None = None,
    ) -> None:
        bound = replace(contract, outputs=(OutputBinding("scores", "y"),))
        encoder = FastavroEncoder(
            bound,
            _PREDICTION_SCHEMA,
            prefix=b"",
            model_name="model",
            model_version="1",
            model_hash="0",
            telemetry=NullTelemetry(),
        )
        rules = ScoringRules(200, OnNonFinite.DEAD_LETTER, ("y",))
        origin = Origin("letters", "group", "1", "host", "model", "1", MAX_RECORD_BYTES)
        self._scorer = Scorer(
            ScorerConfig("predictions", origin, rules),
            make(bound, store, framing),
            scorer_model or identity(bound.inputs[0].dtype),
            CompiledEncoder(encoder),
            Breaker(_NEVER),
            SystemClock(),
            NullTelemetry(),
        )

    def outcomes(self, records: RecordBatch) -> Outcomes:
        """Run a batch.

        Raises:
            BrokenLawError: one record, one outcome does not hold.
        """
        outputs = {output.topic: output for output in self._scorer.process(records)}
        self._scorer.committed()
        letters = outputs.get("letters")
        seen = np.zeros(len(records), dtype=np.int64)
        for output in outputs.values():
            np.add.at(seen, output.rows, 1)
        if not (seen == 1).all():
            counts = dict(Counter(seen.tolist()))
            raise BrokenLawError(f"records by their number of outcomes: {counts}")
        codes = [PREDICTION] * len(records)
        if letters is not None:
            for position, row in enumerate(letters.rows.tolist()):
                codes[row] = _judged(letters, position, records, row)
        return Outcomes(tuple(codes), letters)


def _judged(letters: OutputBatch, position: int, records: RecordBatch, row: int) -> str:
    """The code of a dead letter that is the record, untouched, with its reason beside it."""
    headers: Sequence[Header] = letters.headers[position]
    ours = dict(headers)
    if "err.truncated" not in ours and (
        letters.values[position] != records.values[row]
        or letters.keys[position] != records.keys[row]
    ):
        raise BrokenLawError("a dead letter has another key or value than its record")
    if (
        letters.timestamp_ms[position] != records.timestamp_ms[row]
        or letters.partition[position] != records.partition[row]
    ):
        raise BrokenLawError("a dead letter has another timestamp or partition than its record")
    code = (ours.get("err.code") or b"").decode()
    if code not in Fault.__members__ or code == Fault.NONE.name:
        raise BrokenLawError(f"a dead letter's code is {code!r}")
    size = sum(len(name.encode()) + len(content or b"") for name, content in headers)
    if size > MAX_RECORD_BYTES:
        raise BrokenLawError(f"a dead letter's headers have {size} bytes")
    return code
