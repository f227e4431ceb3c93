"""What tests of Avro share: a store in memory, counted telemetry, events by hand and at random."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from stream_app.core.avro.canonical import canonical_form, fingerprint
from stream_app.core.avro.framing import SchemaKey, confluent_prefix, key_name, single_object_prefix
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.schema import Schema
from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import BytesColumn, Header, RecordBatch, TimestampType
from stream_app.core.contract import Contract, DType, Feature, InputTensor
from stream_app.core.faults import Fault
from stream_app.core.metrics import Metric

# How long an example takes says something about the machine, nothing about the law.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")

TOPIC = "events"
RECORD = "test.Event"


@dataclass(slots=True)
class HandClock:
    """Time that moves when told."""

    time_s: float = 100.0

    def now_s(self) -> float:
        return self.time_s

    def wall_ms(self) -> int:
        return int(self.time_s * 1000)


@dataclass(slots=True)
class CountedTelemetry:
    """Counters by metric name and labels."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    gauges: dict[str, float] = field(default_factory=dict)

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        self.counts[metric.name, *labels] += int(amount)

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        self.gauges[metric.name] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        raise AssertionError(f"{metric.name} is no histogram of Avro")

    def forget(self, metric: Metric, *labels: str) -> None:
        raise AssertionError(f"{metric.name} has no labels that end")


@dataclass(slots=True)
class MemoryStore:
    """Schemas by key; an answer may also be raised."""

    answers: dict[SchemaKey, WriterSchema | Rejection | Exception] = field(default_factory=dict)
    asked: list[SchemaKey] = field(default_factory=list)

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        self.asked.append(key)
        answer = self.answers.get(key)
        if isinstance(answer, Exception):
            raise answer
        return answer or Rejection(Fault.UNKNOWN_SCHEMA, f"no schema {key_name(key)}")


def record_schema(fields: Sequence[Mapping[str, Any]], name: str = RECORD) -> str:
    """A record's schema as text."""
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


def event_schema(*fields: Mapping[str, Any]) -> str:
    """A record with an ``id`` and these fields."""
    return record_schema([{"name": "id", "type": "string"}, *fields])


def admitted(text: str) -> Schema:
    """The schema, which the gates must let pass."""
    schema = admit(text)
    assert not isinstance(schema, Rejection), schema
    return schema


def written(text: str, value: object) -> bytes:
    """The bare bytes of ``value``, written by fastavro."""
    buffer = BytesIO()
    library = fastavro.parse_schema(json.loads(canonical_form(admitted(text))))
    fastavro.schemaless_writer(buffer, library, value)
    return buffer.getvalue()


def confluent(schema_id: int, payload: bytes) -> bytes:
    return confluent_prefix(schema_id) + payload


def single_object(text: str, payload: bytes) -> bytes:
    return single_object_prefix(fingerprint(admitted(text))) + payload


def batch(
    values: Sequence[bytes | None], headers: Mapping[int, Sequence[Header]] | None = None
) -> RecordBatch:
    """Records of one partition with these values."""
    count = len(values)
    return RecordBatch(
        topic=TOPIC,
        values=BytesColumn.of(values),
        keys=BytesColumn.all_null(count),
        partition=np.zeros(count, dtype=np.int32),
        offset=np.arange(count, dtype=np.int64),
        timestamp_ms=np.full(count, 1_000, dtype=np.int64),
        timestamp_type=np.full(count, TimestampType.CREATE_TIME, dtype=np.int8),
        headers=headers or {},
    )


def contract_of(
    *features: Feature,
    dtype: DType = DType.FLOAT32,
    time_field: str | None = None,
    record_names: tuple[str, ...] = (RECORD,),
    id_field: str = "id",
) -> Contract:
    """A contract with one input of these features, stacked."""
    width = sum(feature.width for feature in features)
    return Contract(
        record_names=record_names,
        id_field=id_field,
        time_field=time_field,
        inputs=(InputTensor("x", dtype, features, (width,)),),
        outputs=(),
    )


_PRIMITIVES: Mapping[str, Callable[[], st.SearchStrategy[Any]]] = {
    "null": st.none,
    "boolean": st.booleans,
    "int": lambda: st.integers(-(2**31), 2**31 - 1),
    "long": lambda: st.integers(-(2**63), 2**63 - 1),
    "float": lambda: st.floats(width=32),
    "double": st.floats,
    "bytes": lambda: st.binary(max_size=40),
    "string": lambda: st.text(max_size=40),
}


@st.composite
def schemas_with_values(draw: st.DrawFn) -> tuple[str, Any]:
    """A record's schema that the gates let pass, as text, and a value of it."""
    counter = iter(range(10_000))
    schema, values = draw(_records(counter, depth=3))
    return json.dumps(schema), draw(values)


Drawn = tuple[Any, st.SearchStrategy[Any]]


@st.composite
def _records(draw: st.DrawFn, counter: Any, depth: int) -> Drawn:
    drawn = [draw(_types(counter, depth - 1)) for _ in range(draw(st.integers(1, 5)))]
    fields = [{"name": f"f{i}", "type": schema} for i, (schema, _) in enumerate(drawn)]
    values = st.fixed_dictionaries({f"f{i}": value for i, (_, value) in enumerate(drawn)})
    return {"type": "record", "name": f"R{next(counter)}", "fields": fields}, values


@st.composite
def _types(draw: st.DrawFn, counter: Any, depth: int) -> Drawn:
    kinds = ["primitive", "enum", "fixed", "union"]
    kind = draw(st.sampled_from([*kinds, "array", "map", "record"] if depth > 0 else kinds))
    if kind == "primitive":
        name = draw(st.sampled_from(sorted(_PRIMITIVES)))
        return name, _PRIMITIVES[name]()
    if kind == "enum":
        symbols = [f"S{i}" for i in range(draw(st.integers(1, 5)))]
        schema = {"type": "enum", "name": f"E{next(counter)}", "symbols": symbols}
        return schema, st.sampled_from(symbols)
    if kind == "fixed":
        size = draw(st.integers(1, 20))
        fixed = {"type": "fixed", "name": f"F{next(counter)}", "size": size}
        return fixed, st.binary(min_size=size, max_size=size)
    if kind == "union":
        names = draw(st.lists(st.sampled_from(sorted(_PRIMITIVES)), min_size=1, unique=True))
        tagged = [st.tuples(st.just(name), _PRIMITIVES[name]()) for name in names]
        return names, st.one_of(tagged)
    if kind == "record":
        record: Drawn = draw(_records(counter, depth))
        return record
    item, values = draw(_types(counter, depth - 1).filter(lambda drawn: drawn[0] != "null"))
    if kind == "array":
        return {"type": "array", "items": item}, st.lists(values, max_size=4)
    return (
        {"type": "map", "values": item},
        st.dictionaries(st.text(max_size=5), values, max_size=4),
    )
