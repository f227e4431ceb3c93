"""Bad records, all of them: what each must become, on every decoder and through the whole path.

``TABLE`` is the specification's: a class of records, and for each record of it the code of its
dead letter. The bytes are in ``corpus.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from stream_app.adapters.model.onnx_session import open_session
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import BytesColumn
from stream_app.core.contract import Contract, Feature, OnNull
from stream_app.core.faults import Fault
from stream_app.settings import ModelSettings
from tests.avro_kit import MemoryStore, batch, confluent, contract_of, event_schema, written
from tests.decoders import Maker, each_decoder
from tests.hostile.corpus import CORPUS, GUID, SCHEMA_ID, Hostile
from tests.hostile.the_path import PREDICTION, Outcomes, SessionModel, ThePath
from tests.onnx_models import lookup, model, node


@dataclass(frozen=True, slots=True)
class Row:
    """A class of records: the code of each of them, and the tests that need more than bytes."""

    what: str
    codes: Mapping[str, str]
    elsewhere: str = ""


TABLE = (
    Row(
        "null; empty; framing alone",
        {
            "a tombstone": "TOMBSTONE",
            "an empty value": "TOO_SHORT",
            "five bytes": "TOO_SHORT",
            "the marker and the fingerprint alone": "TOO_SHORT",
        },
    ),
    Row(
        "wrong magic byte; schema id 0, unknown, of another record; id in a header",
        {
            "a wrong magic byte": "BAD_MAGIC",
            "the other framing": "BAD_MAGIC",
            "schema id 0": "UNKNOWN_SCHEMA",
            "an unknown schema id": "UNKNOWN_SCHEMA",
            "an unknown fingerprint": "UNKNOWN_SCHEMA",
            "another record's schema": "SCHEMA_NOT_ALLOWED",
            "an id in the header": PREDICTION,
            "a GUID in the header": PREDICTION,
            "a header of 16 bytes": "BAD_MAGIC",
            "an empty header": "BAD_MAGIC",
            "an unknown GUID in the header": "UNKNOWN_SCHEMA",
            "a null header before the one that counts": PREDICTION,
        },
        elsewhere="of another subject: tests/integration/test_registry_store.py",
    ),
    Row(
        "truncated; length 2^40 or 2^62; negative length",
        {
            "truncated": "DECODE_ERROR",
            "truncated after its framing": "DECODE_ERROR",
            "a length of 2^40": "DECODE_ERROR",
            "a length of 2^62": "DECODE_ERROR",
            "a negative length": "DECODE_ERROR",
            "an array of 2^62 items": "DECODE_ERROR",
            "an array of -2^63 items": "DECODE_ERROR",
            "a block of a negative size": "DECODE_ERROR",
        },
    ),
    Row(
        "bytes after the record",
        {"one byte left over": "TRAILING_BYTES", "two records in one": "TRAILING_BYTES"},
    ),
    Row(
        "recursive schema",
        {
            "a schema that contains itself": "SCHEMA_RECURSIVE",
            "a schema that contains itself through others": "SCHEMA_RECURSIVE",
        },
    ),
    Row(
        "array of null or of empty records",
        {
            "an array of 5e7 nulls": "SCHEMA_ZERO_WIDTH_ITEMS",
            "an array of 2e7 empty records": "SCHEMA_ZERO_WIDTH_ITEMS",
            "a map of empty fixed": "SCHEMA_ZERO_WIDTH_ITEMS",
        },
    ),
    Row(
        "invalid UTF-8; bad union or enum index; enum -1",
        {
            "invalid UTF-8": "DECODE_ERROR",
            "a surrogate in UTF-8": "DECODE_ERROR",
            "an overlong NUL in UTF-8": "DECODE_ERROR",
            "a map's key that is no UTF-8": "DECODE_ERROR",
            "a union's index beyond its branches": "DECODE_ERROR",
            "a union's index of -1": "DECODE_ERROR",
            "an enum's index beyond its symbols": "BAD_ENUM",
            "an enum's index of -1": "BAD_ENUM",
        },
    ),
    Row(
        "int over 32 bits, varint of 20 bytes, boolean 7, decimal over precision",
        {
            "an int of 33 bits": "OUT_OF_RANGE",
            "an int of 6 bytes": "OUT_OF_RANGE",
            "a long of 65 bits": "OUT_OF_RANGE",
            "a varint of 20 bytes": "OUT_OF_RANGE",
            "a boolean of 7": "OUT_OF_RANGE",
            "a decimal over its precision": "OUT_OF_RANGE",
            "300 into uint8": "OUT_OF_RANGE",
        },
    ),
    Row(
        "timestamp 2^62; bad uuid",
        {
            "a timestamp of 2^62": "BAD_LOGICAL_VALUE",
            "an event time of 2^62": "BAD_LOGICAL_VALUE",
            "a uuid that is none": "BAD_LOGICAL_VALUE",
            "an id that is no uuid": "BAD_LOGICAL_VALUE",
        },
    ),
    Row(
        "NaN, infinity, null required feature, missing or extra field, wrong type, 1e308",
        {
            "NaN": "NON_FINITE",
            "infinity": "NON_FINITE",
            "1e308 into float32": "NON_FINITE",
            "a decimal beyond float64": "NON_FINITE",
            "a required feature that is null": "MISSING_FEATURE",
            "a required field that the schema has not": "SCHEMA_INCOMPATIBLE",
            "a field too many": PREDICTION,
            "another branch of a union": "WRONG_TYPE",
            "a field of a type that does not fit": "SCHEMA_INCOMPATIBLE",
            "an array of another size": "WRONG_SHAPE",
            "raw bytes of another size": "WRONG_SHAPE",
            "a category that is not listed": "UNSEEN_CATEGORY",
            "an empty id": "MISSING_ID",
        },
        elsewhere="outputs that are not finite, rows that fail in the model: below",
    ),
    Row(
        "schema over 256 KiB, 32 levels or 5,000 fields; bad defaults; incompatible",
        {
            "a schema of 300 KB": "SCHEMA_LIMIT",
            "a schema 33 levels deep": "SCHEMA_LIMIT",
            "a schema of 10,000 brackets": "SCHEMA_LIMIT",
            "a schema of 5,001 fields": "SCHEMA_LIMIT",
            "a schema of a million fields in 2 KB": "SCHEMA_LIMIT",
            "a default of another type": "SCHEMA_INCOMPATIBLE",
            "no JSON": "SCHEMA_INCOMPATIBLE",
            "half a surrogate pair": "SCHEMA_INCOMPATIBLE",
            "an unknown type": "SCHEMA_INCOMPATIBLE",
        },
    ),
    Row(
        "value, headers or key at the limit; 1,000 headers; binary key; duplicate ids",
        {
            "one byte over the limit": "TOO_LARGE",
            "a value at the limit": PREDICTION,
            "1,000 headers": PREDICTION,
            "1,000 headers on a bad record": "BAD_MAGIC",
            "a binary key": PREDICTION,
            "a binary key of a bad record": "BAD_MAGIC",
        },
        elsewhere="test_records_on_kafka.py; headers that are no UTF-8: test_kafka_columns.py",
    ),
    Row(
        "prediction or dead letter larger than the topic accepts",
        {},
        elsewhere="tests/integration/test_troubles.py, tests/unit/test_dead_letters.py",
    ),
    Row(
        "what once ended or stalled a worker",
        {
            "bytes annotated as a uuid": "WRONG_TYPE",
            "a logical type that is no text": "SCHEMA_INCOMPATIBLE",
            "a decimal of 10^9 digits": "SCHEMA_LIMIT",
            "a default that misfits in 2^40 ways": "SCHEMA_LIMIT",
            "28 records in one another for each byte": "SCHEMA_ZERO_WIDTH_ITEMS",
        },
    ),
    Row(
        "the last that is good",
        dict.fromkeys(
            (
                "an id of one byte",
                "the greatest int",
                "the least long",
                "an overlong zero of 10 bytes",
                "the last time of the year 9999",
                "a decimal of all its digits",
                "a decimal of no bytes",
                "a decimal of 1,000 digits",
                "a schema 32 levels deep",
                "blocks with sizes that are wrong",
                "an array in three blocks",
                "a null that may be one",
                "a NUL in a string",
            ),
            PREDICTION,
        ),
    ),
)
CODES = {name: code for row in TABLE for name, code in row.codes.items()}


def contract(hostile: Hostile) -> Contract:
    features = hostile.features or (Feature("absent", on_null=OnNull.DEFAULT, default=0.0),)
    return contract_of(*features, dtype=hostile.dtype, time_field=hostile.time_field)


def path_for(make: Maker, hostile: Hostile) -> ThePath:
    writer = WriterSchema(hostile.schema)
    store = MemoryStore({SCHEMA_ID: writer, GUID: writer})
    tree = admit(hostile.schema)
    if not isinstance(tree, Rejection):
        store.answers[fingerprint(tree)] = writer
    return ThePath(make, contract(hostile), store, hostile.framing)


def outcome(make: Maker, hostile: Hostile) -> Outcomes:
    """Of the record, between two of its like."""
    records = replace(
        batch([hostile.value] * 3, {row: hostile.headers for row in range(3) if hostile.headers}),
        keys=BytesColumn.of([hostile.key] * 3),
    )
    found = path_for(make, hostile).outcomes(records)
    assert len(set(found.codes)) == 1, found.codes
    return found


def test_the_table_and_the_corpus_have_the_same_records() -> None:
    assert sorted(CODES) == sorted(CORPUS)
    assert len(CODES) == sum(len(row.codes) for row in TABLE), "a record stands in two rows"
    assert all(row.codes or row.elsewhere for row in TABLE)


@each_decoder
@pytest.mark.parametrize("name", CORPUS)
def test_every_record_has_the_outcome_of_the_table(make: Maker, name: str) -> None:
    assert outcome(make, CORPUS[name]).codes[0] == CODES[name]


def test_every_fault_that_bytes_can_have_is_in_the_table() -> None:
    # What a time beside its record's timestamp, the model, the output or a death of the process
    # makes of a good record; and what becomes of drift partials alone.
    elsewhere = {"NONE", "TIME_OUT_OF_RANGE", "MODEL_FAILED", "NON_FINITE_OUTPUT"}
    elsewhere |= {"ENCODE_ERROR", "OUTPUT_TOO_LARGE", "PROCESS_CRASHED", "UNKNOWN_REFERENCE"}
    assert set(CODES.values()) - {PREDICTION} == set(Fault.__members__) - elsewhere


@each_decoder
def test_all_of_the_corpus_in_one_batch_is_as_each_alone(make: Maker) -> None:
    """As far as they share a contract: no neighbour changes an outcome."""
    shared = {
        name: hostile
        for name, hostile in CORPUS.items()
        if hostile.features == CORPUS["NaN"].features
        and (hostile.dtype, hostile.framing) == (CORPUS["NaN"].dtype, CORPUS["NaN"].framing)
        and not hostile.headers
        and (hostile.value or b"").startswith(confluent(SCHEMA_ID, b""))
    }
    assert len(shared) > 30
    store = MemoryStore(
        {100 + key: WriterSchema(hostile.schema) for key, hostile in enumerate(shared.values())}
    )
    values = [
        confluent(100 + key, (hostile.value or b"")[5:])
        for key, hostile in enumerate(shared.values())
    ]
    found = ThePath(make, contract_of(*CORPUS["NaN"].features), store).outcomes(batch(values))
    assert dict(zip(shared, found.codes, strict=True)) == {name: CODES[name] for name in shared}


@each_decoder
@pytest.mark.parametrize("name", [name for name, code in CODES.items() if code != PREDICTION][::3])
def test_a_dead_letter_is_the_record_with_its_reason(make: Maker, name: str) -> None:
    hostile, found = CORPUS[name], outcome(make, CORPUS[name])
    assert found.letters is not None
    assert list(found.letters.values) == [hostile.value] * 3
    assert list(found.letters.keys) == [hostile.key] * 3
    given = list(found.letters.headers[1])
    assert tuple(given[: len(hostile.headers)]) == hostile.headers
    headers = {name: (content or b"").decode() for name, content in given}
    fault = Fault[CODES[name]]
    expected = {
        "err.code": fault.name,
        "err.stage": fault.stage.value,
        "err.topic": "events",
        "err.partition": "0",
        "err.offset": "1",
        "err.timestamp": "1000",
        "err.timestamp_type": "CreateTime",
        "err.group": "group",
        "err.app": "stream-app",
        "err.version": "1",
        "err.instance": "host",
        "err.model": "model",
        "err.model_version": "1",
        "err.attempt": "1",
        "__connect.errors.topic": "events",
        "__connect.errors.partition": "0",
        "__connect.errors.offset": "1",
        "__connect.errors.connector.name": "group",
        "__connect.errors.task.id": "host",
        "__connect.errors.stage": fault.stage.value.upper(),
        "__connect.errors.exception.class.name": fault.name,
        "__connect.errors.exception.message": headers["err.message"],
    }
    assert {name: headers[name] for name in expected} == expected
    assert 0 < len(headers["err.message"].encode()) <= 1024


@each_decoder
@pytest.mark.parametrize(
    ("content", "bad", "code"),
    [
        (model([node("Sqrt", ["x"], ["y"])]), -1.0, "NON_FINITE_OUTPUT"),
        (lookup(), 777.0, "MODEL_FAILED"),
    ],
)
def test_what_the_model_makes_of_a_row_is_that_rows_fault_alone(
    make: Maker, content: bytes, bad: float, code: str
) -> None:
    text = event_schema({"name": "f", "type": "double"}, {"name": "g", "type": "double"})
    rows = [
        confluent(1, written(text, {"id": "a", "f": f, "g": 1.0})) for f in (1.0, bad, 2.0, 3.0)
    ]
    path = ThePath(
        make,
        contract_of(Feature("f"), Feature("g")),
        MemoryStore({1: WriterSchema(text)}),
        scorer_model=SessionModel(open_session(content, "model", ModelSettings()).session),
    )
    expected = (PREDICTION, code, PREDICTION, PREDICTION)
    assert path.outcomes(batch(rows)).codes == expected
