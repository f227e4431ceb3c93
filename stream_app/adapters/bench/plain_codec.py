"""Avro a record at a time, as an engineer would write it by hand with fastavro.

Decides what the yardstick "plain loop" may leave out (gates, strictness, nested fields) and what
it may not: nulls, categories, values that are not finite, records that are broken. Schemas are
parsed once, fields picked by ``itemgetter``, numbers that need nothing go to numpy in one piece:
a yardstick that was slow on purpose would flatter whoever is measured by it.
"""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from operator import itemgetter
from typing import Any

import fastavro
import numpy as np
import numpy.typing as npt

from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.framing import Misframed, SchemaKey, read_confluent, read_single_object
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.store import SchemaStore
from stream_app.core.columns import Tensor
from stream_app.core.contract import Contract, DType, Encoding, Feature, InputTensor, OnNull
from stream_app.errors import ConfigError, FatalError
from stream_app.settings import Framing

Event = Mapping[str, Any]

_FLOATS = (DType.FLOAT32, DType.FLOAT64)


class PlainDecoder:
    """From values to events, and from events to tensors."""

    def __init__(self, contract: Contract, store: SchemaStore, framing: Framing) -> None:
        """Refuse what a plain loop would need more than a plain loop for.

        Raises:
            ConfigError: the contract asks for more.
        """
        _refuse(contract)
        self._contract = contract
        self._store = store
        self._single_object = framing is Framing.SINGLE_OBJECT
        self.wants_headers = not self._single_object
        self._schemas: dict[SchemaKey, Any] = {}
        self._inputs = [(tensor.name, _Matrix(tensor)) for tensor in contract.inputs]

    def decode(self, value: bytes | None, headers: Any = ()) -> Event | None:
        """One event; ``None`` when it cannot be read."""
        if value is None:
            return None
        framed = (
            read_single_object(value) if self._single_object else read_confluent(value, headers)
        )
        if isinstance(framed, Misframed):
            return None
        schema = self._schemas.get(framed.key) or self._learn(framed.key)
        try:
            body = BytesIO(value)
            body.seek(framed.start)
            event: Any = fastavro.schemaless_reader(body, schema, None)
        except Exception:  # noqa: BLE001  # fastavro does not list what it raises
            return None
        return event  # type: ignore[no-any-return]  # a record, by its schema

    def tensors(self, events: Sequence[Event]) -> tuple[dict[str, Tensor], npt.NDArray[np.bool_]]:
        """The model's inputs, and which rows may be scored."""
        good = np.ones(len(events), dtype=np.bool_)
        found: dict[str, Tensor] = {}
        for name, matrix in self._inputs:
            found[name], fine = matrix.fill(events)
            good &= fine
        return found, good

    def _learn(self, key: SchemaKey) -> Any:
        found = self._store.get(key)
        if isinstance(found, Rejection):
            raise FatalError(f"plain loop: schema {key!r} is not known: {found.detail}")
        schema = admit(found.text, found.references)
        if isinstance(schema, Rejection):
            raise FatalError(f"plain loop: schema {key!r}: {schema.detail}")
        # Without logical types: a timestamp stays a number.
        self._schemas[key] = fastavro.parse_schema(json.loads(canonical_form(schema)))
        return self._schemas[key]


class _Matrix:
    """One input of the model."""

    def __init__(self, tensor: InputTensor) -> None:
        features = tensor.features
        self._tensor = tensor
        self._dtype = tensor.dtype.numpy
        self._numbers = [i for i, f in enumerate(features) if f.categories is None]
        self._codes = [
            (i, f.field, {c: code for code, c in enumerate(f.categories)}, len(f.categories))
            for i, f in enumerate(features)
            if f.categories is not None
        ]
        names = [features[i].field for i in self._numbers]
        self._pick: Any = itemgetter(*names) if len(names) > 1 else lambda event: (event[names[0]],)
        self._defaults = [
            (i, at, features[i].default)
            for at, i in enumerate(self._numbers)
            if features[i].on_null is OnNull.DEFAULT
        ]
        self._may_be_nan = [i for i, f in enumerate(features) if f.on_null is OnNull.NAN]

    def fill(self, events: Sequence[Event]) -> tuple[Tensor, npt.NDArray[np.bool_]]:
        rows = list(map(self._pick, events)) if self._numbers else []
        matrix = np.empty((len(events), len(self._tensor.features)), dtype=self._dtype)
        if rows:
            matrix[:, self._numbers] = np.array(rows, dtype=np.float64)  # a null becomes NaN
        for column, at, default in self._defaults:
            nulls = [row[at] is None for row in rows]
            matrix[nulls, column] = default
        for column, field, codes, unseen in self._codes:
            matrix[:, column] = [codes.get(event[field], unseen) for event in events]
        finite: npt.NDArray[np.bool_] = np.isfinite(matrix)
        finite[:, self._may_be_nan] = True
        good: npt.NDArray[np.bool_] = np.all(finite, axis=1)
        return matrix.reshape(len(events), *self._tensor.shape), good


class PlainEncoder:
    """From scores to predictions of the job's own schema."""

    def __init__(
        self, contract: Contract, schema: str, prefix: bytes, constants: Mapping[str, str]
    ) -> None:
        admitted = admit(schema)
        if isinstance(admitted, Rejection):
            raise ConfigError(f"output.prediction_schema: {admitted.detail}")
        document = json.loads(canonical_form(admitted))
        self._schema = fastavro.parse_schema(document)
        self._defaults = {
            each["name"]: each["default"]
            for each in json.loads(schema)["fields"]
            if "default" in each
        }
        arrays = {each["name"] for each in document["fields"] if _is_array(each["type"])}
        self._bindings = [
            (b.field, b.output, b.column, b.field in arrays and b.column is None)
            for b in contract.outputs
        ]
        self._prefix = prefix
        self._constants = {**self._defaults, **constants}
        self._id, self._time = contract.id_field, contract.time_field

    def outputs(self, tensors: Mapping[str, Tensor]) -> list[Mapping[str, Any]]:
        """By row, the fields that the model fills."""
        columns: list[list[Any]] = []
        for _, output, column, whole in self._bindings:
            rows = tensors[output].reshape(len(tensors[output]), -1).tolist()
            columns.append(rows if whole else [row[column or 0] for row in rows])
        names = [binding[0] for binding in self._bindings]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def encode(self, event: Event, outputs: Mapping[str, Any], source: Mapping[str, Any]) -> bytes:
        """One prediction."""
        out = BytesIO()
        out.write(self._prefix)
        prediction = {
            **self._constants,
            "event_id": str(event[self._id]),
            "event_time": None if self._time is None else event[self._time],
            **source,
            **outputs,
        }
        fastavro.schemaless_writer(out, self._schema, prediction)
        return out.getvalue()


def _is_array(kind: Any) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(each, dict) and each.get("type") == "array" for each in kinds)


def _refuse(contract: Contract) -> None:
    named = [contract.id_field, contract.time_field or "", *contract.feature_names]
    hard = [name for name in named if "." in name]
    hard += [f.field for f in contract.features if _is_hard(f)]
    hard += [tensor.name for tensor in contract.inputs if tensor.dtype not in _FLOATS]
    if hard:
        raise ConfigError(
            "the yardstick plain-loop makes floats of flat fields and categories; it cannot do "
            f"{', '.join(dict.fromkeys(hard))}: choose the others with --only"
        )


def _is_hard(feature: Feature) -> bool:
    has_default_code = feature.categories is not None and feature.on_null is not OnNull.DEAD_LETTER
    return (
        bool(feature.shape)
        or bool(feature.aliases)
        or feature.encoding is Encoding.RAW
        or has_default_code
    )
