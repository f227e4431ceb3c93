"""The prediction encoder: one Avro value for each scored row, with fastavro.

Decides the values of a prediction's fields: lineage from the batch, the rest from the outputs
that the contract binds. Knows no clock and no order but the rows', so that the same input gives
the same bytes.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro

from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.gates import admit
from stream_app.core.avro.outgoing import MisfitError, default_value, fitter
from stream_app.core.avro.prediction import LINEAGE, check_prediction_schema
from stream_app.core.avro.schema import Record
from stream_app.core.columns import (
    NO_TIMESTAMP,
    BytesColumn,
    EventBatch,
    RecordBatch,
    ScoreBatch,
    Tensor,
)
from stream_app.core.contract import Contract
from stream_app.core.metrics import ENCODER_FALLBACKS
from stream_app.errors import ConfigError
from stream_app.ports import Telemetry

__all__ = ["FastavroEncoder", "check_prediction_schema"]


class FastavroEncoder:
    """Fulfils ``ports.Encoder``."""

    def __init__(
        self,
        contract: Contract,
        schema: str,
        *,
        prefix: bytes,
        model_name: str,
        model_version: str,
        model_hash: str,
        telemetry: Telemetry,
    ) -> None:
        """Check the schema against the contract.

        Args:
            contract: Its outputs are used.
            schema: The prediction schema's JSON.
            prefix: What stands before every value (``core/avro/framing.py``).
            model_name: Lineage.
            model_version: Lineage.
            model_hash: Lineage.
            telemetry: For counts.

        Raises:
            ConfigError: the schema does not fit the contract.
        """
        problems = check_prediction_schema(contract, schema)
        self._telemetry = telemetry
        record = admit(schema)
        if problems or not isinstance(record, Record):
            raise ConfigError("; ".join(problems))
        self.record = record
        self.prefix = prefix
        self.bindings = contract.outputs
        fields = {field.name: field.schema for field in record.fields}
        self._bindings = [
            (binding.field, binding.output, fitter(fields[binding.field], binding.column))
            for binding in contract.outputs
        ]
        bound = {binding.field for binding in contract.outputs}
        self._constants: dict[str, Any] = {
            field.name: default_value(field.default, field.schema)
            for field in record.fields
            if field.name not in LINEAGE and field.name not in bound
        }
        self._constants |= {
            "model_name": model_name,
            "model_version": model_version,
            "model_hash": model_hash,
        }
        self._parsed = fastavro.parse_schema(json.loads(canonical_form(record)))

    def encode(
        self, records: RecordBatch, events: EventBatch, scores: ScoreBatch
    ) -> tuple[BytesColumn, Mapping[int, str]]:
        """See ``ports.Encoder``."""
        if not len(scores.rows):
            return BytesColumn.of([]), {}
        self._telemetry.count(ENCODER_FALLBACKS, len(scores.rows))
        outputs = {name: _rows(scores.outputs[name]) for _, name, _ in self._bindings}
        values: list[bytes | None] = []
        details: dict[int, str] = {}
        for position, row in enumerate(scores.rows.tolist()):
            try:
                prediction = self._lineage(records, events, row)
                for field, name, fit in self._bindings:
                    prediction[field] = _fitted(field, fit, outputs[name][position])
                values.append(self._written(prediction))
            except MisfitError as exc:
                values.append(None)
                details[position] = str(exc)
            except (ValueError, TypeError, OverflowError) as exc:
                values.append(None)
                details[position] = f"{type(exc).__name__} from the Avro library"
        return BytesColumn.of(values), details

    def constant_bytes(self) -> dict[str, bytes]:
        """By field, the bytes of those that are the same in every prediction."""
        fields = {field.name: field.schema for field in self.record.fields}
        found = {}
        for name, value in self._constants.items():
            buffer = BytesIO()
            parsed = fastavro.parse_schema(json.loads(canonical_form(fields[name])))
            fastavro.schemaless_writer(buffer, parsed, value)
            found[name] = buffer.getvalue()
        return found

    def _lineage(self, records: RecordBatch, events: EventBatch, row: int) -> dict[str, Any]:
        time_ms = int(events.event_time_ms[row])
        return self._constants | {
            "event_id": (events.ids[row] or b"").decode(),
            "event_time": None if time_ms == NO_TIMESTAMP else time_ms,
            "source_topic": records.topic,
            "source_partition": int(records.partition[row]),
            "source_offset": int(records.offset[row]),
        }

    def _written(self, prediction: dict[str, Any]) -> bytes:
        buffer = BytesIO()
        buffer.write(self.prefix)
        fastavro.schemaless_writer(buffer, self._parsed, prediction)
        return buffer.getvalue()


def _rows(output: Tensor) -> list[list[object]]:
    """Each row's elements as Python values, in C order."""
    rows: list[list[object]] = output.reshape(len(output), -1).tolist()
    return rows


def _fitted(field: str, fit: Any, row: list[object]) -> Any:
    try:
        return fit(row)
    except MisfitError as exc:
        raise MisfitError(f"field {field!r}: {exc}") from exc
