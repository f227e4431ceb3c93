"""Laws of the encoders: lineage from the batch, outputs as bound, the same bytes from both."""

import json
import math
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.avro.compiled_encoder import CompiledEncoder
from stream_app.adapters.avro.fastavro_encoder import FastavroEncoder
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.avro.framing import confluent_prefix
from stream_app.core.columns import (
    NO_TIMESTAMP,
    BytesColumn,
    EventBatch,
    RecordBatch,
    ScoreBatch,
    Tensor,
)
from stream_app.core.contract import OutputBinding
from stream_app.errors import ConfigError
from tests.avro_kit import TOPIC, batch
from tests.prediction_kit import BINDINGS, OURS, changed, contract_with

PREFIX = confluent_prefix(9)
LABELS = {"type": "enum", "name": "L", "symbols": ["NO", "YES"]}


class Both:
    """The reference encoder and the compiled one, which must agree in every byte and word."""

    def __init__(self, reference: FastavroEncoder) -> None:
        self._reference = reference
        self._compiled = CompiledEncoder(reference)

    def encode(
        self, records: RecordBatch, events: EventBatch, scores: ScoreBatch
    ) -> tuple[BytesColumn, Mapping[int, str]]:
        expected, expected_details = self._reference.encode(records, events, scores)
        values, details = self._compiled.encode(records, events, scores)
        assert list(values) == list(expected)
        assert details == expected_details
        return values, details


def _encoder(text: str = OURS, *bindings: OutputBinding) -> Both:
    return Both(
        FastavroEncoder(
            contract_with(*(bindings or BINDINGS)),
            text,
            prefix=PREFIX,
            model_name="loans",
            model_version="3",
            model_hash="0123456789ab",
            telemetry=NullTelemetry(),
        )
    )


def _events(ids: list[bytes], times_ms: list[int]) -> EventBatch:
    count = len(ids)
    return EventBatch(
        tensors={},
        kinds=np.zeros((count, 0), dtype=np.uint8),
        event_time_ms=np.array(times_ms, dtype=np.int64),
        ids=BytesColumn.of(ids),
        schema=np.zeros(count, dtype=np.int32),
        schema_names=["1"],
        fault=np.zeros(count, dtype=np.uint16),
    )


def _scores(rows: list[int], count: int, **outputs: Tensor) -> ScoreBatch:
    fault = np.ones(count, dtype=np.uint16)
    fault[rows] = 0
    return ScoreBatch(np.array(rows, dtype=np.intp), outputs, fault)


def _records(count: int) -> RecordBatch:
    return batch([b"value"] * count)


def _read(value: bytes | None, text: str = OURS) -> dict[str, Any]:
    assert value is not None
    assert value.startswith(PREFIX)
    reader = BytesIO(value[len(PREFIX) :])
    schema = json.loads(text)
    for field in schema["fields"]:
        if field["name"] == "event_time":
            field["type"] = ["null", "long"]
    record = fastavro.schemaless_reader(reader, fastavro.parse_schema(schema), None)
    assert reader.read() == b""
    assert isinstance(record, dict)
    return record


def _one(text: str = OURS, bindings: tuple[OutputBinding, ...] = (), **outputs: Tensor) -> Any:
    """The only prediction, or what was wrong with it."""
    encoder = _encoder(text, *bindings)
    values, details = encoder.encode(_records(1), _events([b"a"], [5]), _scores([0], 1, **outputs))
    assert len(values) == 1
    return _read(values[0], text) if values[0] is not None else details[0]


PROBABILITIES = np.array([[0.25, 0.75]], dtype=np.float32)


def test_predictions_carry_lineage_and_outputs_of_their_own_row() -> None:
    scores = _scores(
        [2, 0],
        3,
        probabilities=np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32),
        label=np.array([1, 0], dtype=np.int64),
    )
    events = _events([b"a", b"b", "é".encode()], [5, 6, NO_TIMESTAMP])
    values, details = _encoder().encode(_records(3), events, scores)
    assert details == {}
    constant = {
        "model_name": "loans",
        "model_version": "3",
        "model_hash": "0123456789ab",
        "source_topic": TOPIC,
        "source_partition": 0,
    }
    assert [_read(value) for value in values] == [
        constant
        | {
            "event_id": "é",
            "event_time": None,
            "source_offset": 2,
            "scores": [0.25, 0.75],
            "label": 1,
        },
        constant
        | {
            "event_id": "a",
            "event_time": 5,
            "source_offset": 0,
            "scores": [1.0, 0.0],
            "label": 0,
        },
    ]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (np.array([2**40], dtype=np.int64), 2**40),
        (np.array([[3]], dtype=np.int32), 3),
        (np.array(["good"], dtype=object), "good"),
    ],
)
def test_labels_are_numbers_or_names(label: Tensor, expected: object) -> None:
    assert _one(probabilities=PROBABILITIES, label=label)["label"] == expected


@pytest.mark.parametrize(
    "label",
    [
        np.array([1.5], dtype=np.float32),
        np.array([True]),
        np.array([[1, 2]], dtype=np.int64),
        np.array([b"bytes"], dtype=object),
    ],
)
def test_outputs_that_do_not_fit_are_told_without_values(label: Tensor) -> None:
    detail = _one(probabilities=PROBABILITIES, label=label)
    assert isinstance(detail, str)
    assert detail.startswith("field 'label': ")
    assert "1.5" not in detail


def test_a_row_that_does_not_fit_leaves_the_others() -> None:
    scores = _scores(
        [0, 1, 2],
        3,
        probabilities=np.repeat(PROBABILITIES, 3, axis=0),
        label=np.array([1, 2.5, 3], dtype=object),
    )
    values, details = _encoder().encode(_records(3), _events([b"a"] * 3, [5] * 3), scores)
    assert [value is None for value in values] == [False, True, False]
    assert list(details) == [1]


def _with_field(schema: Any, **more: Any) -> str:
    return changed(lambda fields: fields.update(risk={"name": "risk", "type": schema} | more))


@pytest.mark.parametrize(
    ("schema", "output", "expected"),
    [
        ("double", np.array([[0.1, 0.2]]), 0.2),
        ("float", np.array([[0.1, 0.5]]), 0.5),
        ("double", np.array([[1, 2]]), 2.0),
        ("int", np.array([[1, 2]]), 2),
        ("boolean", np.array([[False, True]]), True),
        (["null", "boolean", "double"], np.array([[0.0, 1.0]]), 1.0),
        (LABELS, np.array([["NO", "YES"]]), "YES"),
        (
            ["null", {"type": "enum", "name": "L", "symbols": ["YES"]}],
            np.array([["", "YES"]]),
            "YES",
        ),
    ],
)
def test_columns_of_an_output_fill_fields_of_many_types(
    schema: Any, output: Tensor, expected: object
) -> None:
    bindings = (*BINDINGS, OutputBinding("risk", "risk", 1))
    label = np.array([1], dtype=np.int64)
    text = _with_field(schema)
    found = _one(text, bindings, probabilities=PROBABILITIES, label=label, risk=output)
    assert found["risk"] == expected


@pytest.mark.parametrize(
    ("schema", "output"),
    [
        ("int", np.array([[1, 2**31]])),
        ("float", np.array([[1, 1e308]])),
        ("double", np.array([[1.0]])),
        ({"type": "enum", "name": "L", "symbols": ["NO"]}, np.array([["NO", "YES"]])),
        ("long", np.array([[1, 2**64 - 1]], dtype=np.uint64)),
    ],
)
def test_values_beyond_their_field_are_told(schema: Any, output: Tensor) -> None:
    bindings = (*BINDINGS, OutputBinding("risk", "risk", 1))
    label = np.array([1], dtype=np.int64)
    text = _with_field(schema)
    found = _one(text, bindings, probabilities=PROBABILITIES, label=label, risk=output)
    assert str(found).startswith("field 'risk': ")


@pytest.mark.parametrize(
    ("schema", "default", "expected"),
    [
        ("double", 1, 1.0),
        ("double", "NaN", math.nan),
        ("string", "x", "x"),
        ("bytes", "\u00ff", b"\xff"),
        (["string", "null"], "x", "x"),
        (["null", "bytes"], "\u00ff", b"\xff"),
        ({"type": "array", "items": "float"}, [1], [1.0]),
        ({"type": "map", "values": ["null", "int"]}, {"a": 1, "b": None}, {"a": 1, "b": None}),
        ({"type": "fixed", "name": "F", "size": 2}, "\u0000\u00ff", b"\x00\xff"),
        ({"type": "enum", "name": "L", "symbols": ["NO"]}, "NO", "NO"),
        (
            {
                "type": "record",
                "name": "Sub",
                "fields": [
                    {"name": "a", "type": "int"},
                    {"name": "b", "type": "int", "default": 2},
                ],
            },
            {"a": 1},
            {"a": 1, "b": 2},
        ),
    ],
)
def test_fields_that_nothing_is_bound_to_hold_their_default(
    schema: Any, default: Any, expected: Any
) -> None:
    text = _with_field(schema, default=default)
    found = _one(text, probabilities=PROBABILITIES, label=np.array([1]))["risk"]
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=5),
    st.integers(-(2**63), 2**63 - 1),
    st.text(min_size=1),
    st.integers(0, 2**53),
)
def test_the_same_input_gives_the_same_bytes_and_they_read_back(
    scores: list[float], label: int, event_id: str, time_ms: int
) -> None:
    events = _events([event_id.encode()], [time_ms])
    batch_scores = _scores(
        [0],
        1,
        probabilities=np.array([scores], dtype=np.float32),
        label=np.array([label], dtype=np.int64),
    )
    values, _ = _encoder().encode(_records(1), events, batch_scores)
    again, _ = _encoder().encode(_records(1), events, batch_scores)
    assert values[0] == again[0]
    prediction = _read(values[0])
    np.testing.assert_array_equal(prediction["scores"], np.array(scores, dtype=np.float32))
    assert (prediction["label"], prediction["event_id"]) == (label, event_id)
    assert prediction["event_time"] == time_ms


def test_a_batch_without_good_rows_has_no_predictions() -> None:
    values, details = _encoder().encode(_records(1), _events([b"a"], [1]), _scores([], 1))
    assert (len(values), details) == (0, {})


def test_a_schema_that_does_not_fit_the_contract_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="'riks'"):
        _encoder(OURS, *BINDINGS, OutputBinding("riks", "x"))
