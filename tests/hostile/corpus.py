"""Hostile records by name: the bytes, the schema they claim to be of, the contract that reads them.

Decides the bytes only; what must become of each stands in the table of ``test_records.py``. All of
them run on every decoder. Whatever the fuzzer or a reader of the code finds gets its place here.
"""

import json
import math
import struct
import uuid
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from stream_app.core.avro.framing import HEADER_NAME, guid_header
from stream_app.core.columns import Header
from stream_app.core.contract import DType, Encoding, Feature, OnNull, OnUnseen
from stream_app.settings import Framing
from tests.avro_kit import confluent, event_schema, record_schema, written
from tests.decoders import CODED, COLORS, DECIMAL, MAX_VALUE_BYTES, TIME, UUID
from tests.hostile.mutate import zigzag

SCHEMA_ID = 1
GUID = str(uuid.UUID(int=7))
F = Feature("f")


@dataclass(frozen=True, slots=True)
class Hostile:
    """One record.

    Attributes:
        value: As it lies in the topic, framing included.
        schema: The writer schema behind ``SCHEMA_ID``, ``GUID`` and its fingerprint.
        features: Of the contract.
        dtype: Of the model's input.
        headers: Of the record.
        framing: That the contract's topic has.
        time_field: Of the contract.
    """

    value: bytes | None
    schema: str
    features: tuple[Feature, ...] = (F,)
    dtype: DType = DType.FLOAT32
    headers: tuple[Header, ...] = ()
    framing: Framing = Framing.CONFLUENT
    time_field: str | None = None
    key: bytes | None = field(default=b"key")


def _of(kind: Any) -> str:
    return event_schema({"name": "f", "type": kind})


def _f(kind: Any, content: bytes, feature: Feature = F, dtype: DType = DType.FLOAT32) -> Hostile:
    """An event whose field ``f`` of this type has this content."""
    return Hostile(confluent(SCHEMA_ID, b"\x02a" + content), _of(kind), (feature,), dtype)


def _schema(text: str, content: bytes = b"\x00" * 30) -> Hostile:
    """Any bytes that claim to be of this schema."""
    return Hostile(confluent(SCHEMA_ID, b"\x02a" + content), text)


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _record(name: str, *types: Any) -> dict[str, Any]:
    fields = [{"name": f"g{i}", "type": kind} for i, kind in enumerate(types)]
    return {"type": "record", "name": name, "fields": fields}


def _around(levels: int, inner: Any, kind: str) -> Any:
    """``inner`` inside so many arrays or records."""
    for level in range(levels):
        inner = _array(inner) if kind == "array" else _record(f"L{level}", inner)
    return inner


def _doubled(levels: int) -> Any:
    """Records that have the one before twice: 2^levels fields in a short text."""
    schema: Any = _record("D0", "int", "int")
    for below, level in pairwise(range(levels)):
        schema = _record(f"D{level}", schema, f"D{below}")
    return schema


def _ambiguous_default(levels: int) -> str:
    """A default that misfits in 2^levels ways."""
    fields: list[dict[str, Any]] = []
    branches: Any = "int"
    for level in range(levels):
        fields += [{"name": f"{s}{level}", "type": _record(f"{s}{level}", branches)} for s in "AB"]
        branches = [f"A{level}", f"B{level}"]
    default: Any = "no int"
    for _ in range(levels):
        default = {"g0": default}
    return event_schema(*fields, {"name": "last", "type": branches, "default": default})


def _decimal(precision: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision}


_DOUBLE = _of("double")
_GOOD = written(_DOUBLE, {"id": "a", "f": 1.0})
_WHOLE = confluent(SCHEMA_ID, _GOOD)
_BAD_DEFAULT = {"name": "g", "type": "int", "default": "none"}
_BY_ID: Header = (HEADER_NAME, b"\x00" + SCHEMA_ID.to_bytes(4, "big"))

CORPUS: dict[str, Hostile] = {
    # Framing.
    "a tombstone": Hostile(None, _DOUBLE),
    "an empty value": Hostile(b"", _DOUBLE),
    "five bytes": Hostile(_WHOLE[:5], _DOUBLE),
    "the marker and the fingerprint alone": Hostile(
        b"\xc3\x01" + bytes(8), _DOUBLE, framing=Framing.SINGLE_OBJECT
    ),
    "a wrong magic byte": Hostile(b"\x02" + _WHOLE[1:], _DOUBLE),
    "the other framing": Hostile(_WHOLE + bytes(9), _DOUBLE, framing=Framing.SINGLE_OBJECT),
    "schema id 0": Hostile(confluent(0, _GOOD), _DOUBLE),
    "an unknown schema id": Hostile(confluent(2**32 - 1, _GOOD), _DOUBLE),
    "an unknown fingerprint": Hostile(
        b"\xc3\x01" + b"\xff" * 8 + _GOOD, _DOUBLE, framing=Framing.SINGLE_OBJECT
    ),
    "another record's schema": Hostile(
        _WHOLE,
        record_schema([{"name": "id", "type": "string"}, {"name": "f", "type": "double"}], "b.C"),
    ),
    "an id in the header": Hostile(_GOOD, _DOUBLE, headers=(_BY_ID,)),
    "a GUID in the header": Hostile(_GOOD, _DOUBLE, headers=(guid_header(GUID),)),
    "a header of 16 bytes": Hostile(_GOOD, _DOUBLE, headers=((HEADER_NAME, b"\x01" + bytes(15)),)),
    "an empty header": Hostile(_GOOD, _DOUBLE, headers=((HEADER_NAME, b""),)),
    "an unknown GUID in the header": Hostile(
        _GOOD, _DOUBLE, headers=(guid_header(str(uuid.UUID(int=0))),)
    ),
    "a null header before the one that counts": Hostile(
        _GOOD, _DOUBLE, headers=((HEADER_NAME, None), _BY_ID)
    ),
    # Bytes.
    "truncated": Hostile(_WHOLE[:-1], _DOUBLE),
    "truncated after its framing": Hostile(_WHOLE[:6], _DOUBLE),
    "a length of 2^40": _f("string", zigzag(2**40), CODED),
    "a length of 2^62": _f("bytes", zigzag(2**62), F, DType.STRING),
    "a negative length": _f("string", zigzag(-1), CODED),
    "an array of 2^62 items": _f(_array("int"), zigzag(2**62), Feature("f", shape=(2,))),
    "an array of -2^63 items": _f(
        _array("int"), zigzag(-(2**63)) + zigzag(0), Feature("f", shape=(2,))
    ),
    "a block of a negative size": _f(
        _array("int"), zigzag(-1) + zigzag(-5) + b"\x02\x00", Feature("f", shape=(1,))
    ),
    "one byte left over": Hostile(_WHOLE + b"\x00", _DOUBLE),
    "two records in one": Hostile(_WHOLE + _GOOD, _DOUBLE),
    "invalid UTF-8": _f("string", b"\x02\xff", CODED),
    "a surrogate in UTF-8": _f("string", b"\x06\xed\xa0\x80", CODED),
    "an overlong NUL in UTF-8": _f("string", b"\x04\xc0\x80", CODED),
    "a map's key that is no UTF-8": _f(
        [{"type": "map", "values": "int"}, "double"], b"\x00\x02\x02\xff\x00\x00"
    ),
    "a union's index beyond its branches": _f(["null", "int"], b"\x04\x02"),
    "a union's index of -1": _f(["null", "int"], b"\x01\x02"),
    "an enum's index beyond its symbols": _f(COLORS, b"\x04", CODED),
    "an enum's index of -1": _f(COLORS, b"\x01", CODED),
    "an int of 33 bits": _f("int", b"\x80\x80\x80\x80\x10"),
    "an int of 6 bytes": _f("int", b"\x80" * 5 + b"\x00"),
    "a long of 65 bits": _f("long", b"\xff" * 9 + b"\x02"),
    "a varint of 20 bytes": _f("long", b"\x80" * 19 + b"\x00"),
    "a boolean of 7": _f("boolean", b"\x07"),
    "a decimal over its precision": _f(DECIMAL, b"\x04\x27\x10"),
    # Values.
    "a timestamp of 2^62": _f(TIME, zigzag(2**62)),
    "an event time of 2^62": Hostile(
        confluent(SCHEMA_ID, b"\x02a" + zigzag(2**62)), _of(TIME), (), time_field="f"
    ),
    "a uuid that is none": _f(UUID, b"\x06abc", F, DType.STRING),
    "an id that is no uuid": Hostile(
        confluent(SCHEMA_ID, b"\x06abc"), record_schema([{"name": "id", "type": UUID}]), ()
    ),
    "an empty id": Hostile(confluent(SCHEMA_ID, b"\x00" + bytes(8)), _DOUBLE),
    "NaN": _f("double", struct.pack("<d", math.nan)),
    "infinity": _f("float", struct.pack("<f", -math.inf)),
    "1e308 into float32": _f("double", struct.pack("<d", 1e308)),
    "a decimal beyond float64": _f(_decimal(1_000), zigzag(400) + b"\x7f" * 400, F, DType.FLOAT64),
    "a required feature that is null": _f(["null", "double"], b"\x00"),
    "another branch of a union": _f(["double", "string"], b"\x02\x02x"),
    "an array of another size": _f(_array("int"), b"\x02\x02\x00", Feature("f", shape=(2,))),
    "raw bytes of another size": _f(
        "bytes", b"\x02\x00", Feature("f", shape=(2,), encoding=Encoding.RAW)
    ),
    "a category that is not listed": _f(
        "string", b"\x08BLUE", Feature("f", categories=("RED",), on_unseen=OnUnseen.DEAD_LETTER)
    ),
    "300 into uint8": _f("int", zigzag(300), F, DType.UINT8),
    "a field too many": Hostile(
        confluent(SCHEMA_ID, _GOOD + b"\x02x"),
        event_schema({"name": "f", "type": "double"}, {"name": "more", "type": "string"}),
    ),
    # Schemas.
    "a required field that the schema has not": _schema(event_schema()),
    "a field of a type that does not fit": _schema(_of("string")),
    "a schema that contains itself": _schema(_of(["null", "test.Event"]), b"\x02" * 900),
    "a schema that contains itself through others": _schema(
        _of(_record("B", _array(_record("C", ["null", "test.Event"]))))
    ),
    "an array of 5e7 nulls": _f(_array("null"), zigzag(50_000_000) + b"\x00"),
    "an array of 2e7 empty records": _f(_array(_record("E")), zigzag(20_000_000) + b"\x00"),
    "a map of empty fixed": _schema(
        _of({"type": "map", "values": {"type": "fixed", "name": "Z", "size": 0}})
    ),
    "a schema of 300 KB": _schema(event_schema({"name": "f", "type": "int", "doc": "x" * 300_000})),
    "a schema 33 levels deep": _schema(_of(_around(32, "int", "array"))),
    "a schema of 10,000 brackets": _schema("[" * 10_000),
    "a schema of 5,001 fields": _schema(
        event_schema(*({"name": f"f{i}", "type": "int"} for i in range(5_000)))
    ),
    "a schema of a million fields in 2 KB": _schema(_of(_doubled(20))),
    "a default of another type": _schema(event_schema(_BAD_DEFAULT)),
    "no JSON": _schema("{"),
    "half a surrogate pair": _schema('"\ud800"'),
    "an unknown type": _schema(_of("unknown")),
    # Size.
    "one byte over the limit": Hostile(_WHOLE + bytes(MAX_VALUE_BYTES + 1 - len(_WHOLE)), _DOUBLE),
    "a value at the limit": Hostile(
        confluent(SCHEMA_ID, written(_DOUBLE, {"id": "a" * (MAX_VALUE_BYTES - 15), "f": 1.0})),
        _DOUBLE,
    ),
    "1,000 headers": Hostile(_WHOLE, _DOUBLE, headers=tuple((f"h{i}", b"x") for i in range(1_000))),
    "1,000 headers on a bad record": Hostile(
        b"\x02" + _WHOLE, _DOUBLE, headers=tuple((f"h{i}", b"x") for i in range(1_000))
    ),
    "a binary key": Hostile(_WHOLE, _DOUBLE, key=bytes(range(256))),
    "a binary key of a bad record": Hostile(b"\x02" + _WHOLE, _DOUBLE, key=bytes(range(256))),
    # Found while these tests were made: each ended or stalled a worker once.
    "bytes annotated as a uuid": _f(
        {"type": "bytes", "logicalType": "uuid"}, b"\x02\xff", F, DType.STRING
    ),
    "a logical type that is no text": _schema(
        json.dumps(json.loads(_of({"type": "string", "logicalType": "\ud800"})))
    ),
    "a decimal of 10^9 digits": _f(_decimal(10**9), b"\x02\x01"),
    "a default that misfits in 2^40 ways": _schema(_ambiguous_default(40)),
    "28 records in one another for each byte": _f(
        _array(_around(28, "boolean", "record")), zigzag(900) + bytes(901)
    ),
    # Boundaries: the last that is good.
    "an id of one byte": Hostile(_WHOLE, _DOUBLE),
    "the greatest int": _f("int", zigzag(2**31 - 1)),
    "the least long": _f("long", zigzag(-(2**63)), F, DType.INT64),
    "an overlong zero of 10 bytes": _f("long", b"\x80" * 9 + b"\x00"),
    "the last time of the year 9999": _f(TIME, zigzag(253_402_300_799_999)),
    "a decimal of all its digits": _f(DECIMAL, b"\x04\x27\x0f"),
    "a decimal of no bytes": _f(DECIMAL, b"\x00"),
    "a decimal of 1,000 digits": _f(_decimal(1_000), zigzag(2) + b"\x7f\xff", F, DType.FLOAT64),
    "a schema 32 levels deep": Hostile(
        confluent(SCHEMA_ID, _GOOD + b"\x00"),
        event_schema(
            {"name": "f", "type": "double"}, {"name": "g", "type": _around(30, "int", "array")}
        ),
    ),
    "blocks with sizes that are wrong": _f(
        _array("int"), zigzag(-1) + zigzag(99) + b"\x02\x00", Feature("f", shape=(1,))
    ),
    "an array in three blocks": _f(
        _array("int"), b"\x02\x02" + b"\x01\x02\x04" + b"\x02\x06\x00", Feature("f", shape=(3,))
    ),
    "a null that may be one": _f(
        ["null", "double"], b"\x00", Feature("f", on_null=OnNull.DEFAULT, default=1.0)
    ),
    "a NUL in a string": _f("string", b"\x02\x00", F, DType.STRING),
}
