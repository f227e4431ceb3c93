"""What the fuzzer does to records: damaged values, framings and writer schemas.

Decides the cases and the laws that they are held against: every record ends in exactly one
outcome; what the strict reader accepts the library decodes to the value that the specification
says; a schema is admitted, or refused with a fault.
"""

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from random import Random
from typing import Any

import fastavro

from stream_app.core.avro.canonical import canonical_form, fingerprint
from stream_app.core.avro.framing import HEADER_NAME, SchemaKey
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.schema import Schema
from stream_app.core.avro.store import WriterSchema
from stream_app.core.avro.wire import Walk, WireError
from stream_app.core.columns import Header, RecordBatch
from stream_app.core.contract import Contract, Feature, OnNull
from stream_app.settings import Framing
from tests.avro_kit import MemoryStore, batch, confluent, contract_of, event_schema
from tests.decoders import DECODERS, assert_agree
from tests.hostile import oracle
from tests.hostile.corpus import CORPUS
from tests.hostile.generate import Json, Schemas, Values, contract_for
from tests.hostile.mutate import Spans, damaged
from tests.hostile.the_path import BrokenLawError, ThePath

Answers = Mapping[SchemaKey, WriterSchema | Rejection | Exception]

_MAKE = DECODERS["compiled"]
"""What workers have; the reference decoder must say the same of every case."""


@dataclass(frozen=True)
class Writer:
    """A schema that the gates let pass, values of it, and a contract that reads it."""

    document: Json
    tree: Schema
    contract: Contract
    values: list[Spans] = field(compare=False)

    @classmethod
    def at_random(cls, chance: Random) -> "Writer":
        """One that reads events."""
        while True:
            document = Schemas(chance).event()
            tree = admit(json.dumps(document))
            if not isinstance(tree, Rejection):
                values = Values(chance, document)
                contract = contract_for(chance, document, tree)
                return cls(document, tree, contract, [values.one() for _ in range(8)])


class ValueTarget:
    """Damaged values of one schema a batch, through the path and against the second reader."""

    name = "values"
    batch = 500

    def cases(self, chance: Random) -> Sequence[tuple[Writer, bytes]]:
        """Pairs of a writer, always the same, and bytes."""
        writer = Writer.at_random(chance)
        return [
            (writer, damaged(chance, chance.choice(writer.values), writer.values))
            for _ in range(self.batch)
        ]

    def run(self, cases: Sequence[tuple[Writer, bytes]]) -> Counter[str]:
        """Outcomes by code."""
        writer = cases[0][0]
        text = json.dumps(writer.document)
        path = ThePath(_MAKE, writer.contract, MemoryStore({1: WriterSchema(text)}))
        records = batch([confluent(1, data) for _, data in cases])
        found = path.outcomes(records).codes
        _both_agree(writer.contract, {1: WriterSchema(text)}, Framing.CONFLUENT, records)
        self._compare(writer, [data for _, data in cases])
        return Counter(found)

    def _compare(self, writer: Writer, values: Sequence[bytes]) -> None:
        walk = Walk(writer.tree)
        library = fastavro.parse_schema(json.loads(canonical_form(writer.tree)))
        for data in values:
            try:
                expected = oracle.read(writer.document, data)
            except oracle.NotAValueError:
                expected = oracle.NotAValueError
            try:
                walk.check(data, 0)
            except WireError:
                if expected is not oracle.NotAValueError:
                    raise BrokenLawError("the strict reader refuses a value") from None
                continue
            if expected is oracle.NotAValueError:
                raise BrokenLawError("the strict reader accepts what is no value")
            found = fastavro.schemaless_reader(BytesIO(data), library, None)
            if repr(found) != repr(expected):
                raise BrokenLawError("the library reads another value than the specification says")


def _both_agree(
    contract: Contract, schemas: Answers, framing: Framing, records: RecordBatch
) -> None:
    """Let both decoders read; they must say the same of every row."""
    compiled, reference = (
        DECODERS[name](contract, MemoryStore(dict(schemas)), framing).decode(records)
        for name in ("compiled", "fastavro")
    )
    try:
        assert_agree(compiled, reference)
    except AssertionError as exc:
        raise BrokenLawError(f"the decoders do not agree: {exc}") from None


@dataclass(frozen=True, slots=True)
class Framed:
    """A value as it comes, with its headers."""

    framing: Framing
    value: bytes | None
    headers: tuple[Header, ...]


_TEXT = event_schema({"name": "f", "type": "double"})
_GOOD = b"\x02a" + bytes(8)
_GUID = str(uuid.UUID(int=7))


class FramingTarget:
    """What stands before and beside a value: prefixes, headers, lengths."""

    name = "framing"
    batch = 1_000

    def __init__(self) -> None:
        tree = admit(_TEXT)
        assert not isinstance(tree, Rejection)
        self._print = fingerprint(tree)
        self._answers: Answers = {key: WriterSchema(_TEXT) for key in (1, _GUID, self._print)}
        self._paths = {
            framing: ThePath(
                _MAKE, contract_of(Feature("f")), MemoryStore(dict(self._answers)), framing
            )
            for framing in Framing
        }

    def cases(self, chance: Random) -> Sequence[Framed]:
        """Of one framing a batch."""
        framing = chance.choice(list(Framing))
        return [self._case(chance, framing) for _ in range(self.batch)]

    def _case(self, chance: Random, framing: Framing) -> Framed:
        prefix = chance.choice((confluent(1, b""), b"\xc3\x01" + self._print, b""))
        value: bytes | None = damaged(chance, Spans(bytearray(prefix + _GOOD)), ())
        if chance.random() < 0.3:
            value = prefix + _GOOD
        if chance.random() < 0.02:
            value = None
        headers: list[Header] = []
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            content = chance.choice((b"\x01" + uuid.UUID(_GUID).bytes, b"\x00\x00\x00\x00\x01"))
            name = chance.choice((HEADER_NAME, HEADER_NAME, "trace", "err.attempt", "err.code"))
            bad = damaged(chance, Spans(bytearray(content)), ())
            headers.append((name, chance.choice((content, bad, None))))
        return Framed(framing, value, tuple(headers))

    def run(self, cases: Sequence[Framed]) -> Counter[str]:
        """Outcomes by code."""
        headers = {row: case.headers for row, case in enumerate(cases) if case.headers}
        framing = cases[0].framing
        records = batch([case.value for case in cases], headers)
        _both_agree(contract_of(Feature("f")), self._answers, framing, records)
        return Counter(self._paths[framing].outcomes(records).codes)


class SchemaTarget:
    """Writer schemas changed in their JSON and in their text."""

    name = "schemas"
    batch = 100

    def __init__(self) -> None:
        texts = {hostile.schema for hostile in CORPUS.values() if len(hostile.schema) < 12_000}
        self._hostile = sorted(text for text in texts if _is_object(text))

    def cases(self, chance: Random) -> Sequence[str]:
        """Texts."""
        base = json.dumps(Schemas(chance).event())
        if chance.random() < 0.3:
            base = chance.choice(self._hostile)
        return [self._text(chance, base) for _ in range(self.batch)]

    def _text(self, chance: Random, base: str) -> str:
        if chance.random() < 0.3:
            return damaged(chance, Spans(bytearray(base.encode())), ()).decode(
                errors="surrogateescape"
            )
        document = json.loads(base)
        for _ in range(chance.choice((1, 1, 1, 2))):
            document = _changed(chance, document)
        return json.dumps(document)

    def run(self, cases: Sequence[str]) -> Counter[str]:
        """Faults by name, or what an admitted schema's rows became."""
        contract = contract_of(Feature("absent", on_null=OnNull.NAN), record_names=())
        store = MemoryStore({key: WriterSchema(text) for key, text in enumerate(cases)})
        payloads = (b"\x02a", bytes(30), b"\x02a\x00" + b"\xff" * 9)
        rows = [confluent(key, data) for key in range(len(cases)) for data in payloads]
        found = ThePath(_MAKE, contract, store).outcomes(batch(rows)).codes
        for key, text in enumerate(cases):
            tree = admit(text)
            own = set(found[key * len(payloads) : (key + 1) * len(payloads)])
            if isinstance(tree, Rejection) and own != {tree.fault.name}:
                raise BrokenLawError("rows of a refused schema have another fault")
        return Counter(found[:: len(payloads)])


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


_SCALARS: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2**31, 2**63, 10**400, 1e999, -0.5, "", "null", "string", "int"),
    *("record", "enum", "array", "map", "fixed", "a.b", ".", "\ud800", "x" * 3_000, RecursionError),
    *({}, [], ["null"], ["null", "null"], {"type": "array", "items": "null"}, "test.Event", "N1"),
    *({"type": {"type": {"type": "int"}}}, {"type": "bytes", "logicalType": "decimal"}),
    {"type": "bytes", "logicalType": "decimal", "precision": 10**12},
    {"type": "fixed", "name": "Huge", "size": 10**12},
    {"type": "fixed", "name": "Nothing", "size": 0},
    {"type": "long", "logicalType": "\ud800"},
    {"type": "map", "values": {"type": "array", "items": ["null"]}},
)
_KEYS = ("type", "name", "namespace", "fields", "items", "values", "symbols", "size", "default")
_MORE_KEYS = ("aliases", "logicalType", "precision", "scale", "doc", "order", "x")


def _changed(chance: Random, document: Any) -> Any:
    """One node of the document put elsewhere, removed, doubled, renamed or nested."""
    nodes: list[tuple[Any, Any]] = []
    _collect(document, nodes)
    if not nodes:
        return chance.choice(_SCALARS[:-9])
    parent, key = chance.choice(nodes)
    roll = chance.random()
    if roll < 0.45:
        value = chance.choice(_SCALARS)
        parent[key] = "" if value is RecursionError else json.loads(json.dumps(value))
    elif roll < 0.6:
        other, place = chance.choice(nodes)
        parent[key] = json.loads(json.dumps(other[place]))
    elif roll < 0.7:
        for _ in range(chance.choice((1, 3, 40, 200))):
            parent[key] = chance.choice(({"type": "array", "items": parent[key]}, [parent[key]]))
    elif roll < 0.85 and isinstance(parent, dict):
        name = chance.choice(_KEYS + _MORE_KEYS)
        parent[name] = json.loads(json.dumps(chance.choice(nodes)[0]))
    elif isinstance(parent, dict):
        del parent[key]
    else:
        parent.insert(key, json.loads(json.dumps(parent[key])))
    return document


def _collect(node: Any, into: list[tuple[Any, Any]]) -> None:
    waiting = [node]
    while waiting:
        here = waiting.pop()
        keys = here.keys() if isinstance(here, dict) else range(len(here))
        for key in keys:
            into.append((here, key))
            if isinstance(here[key], dict | list):
                waiting.append(here[key])
