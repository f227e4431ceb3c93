"""Laws of the plain loop: written by hand, it says what the product says, bytes and all."""

from dataclasses import replace

import numpy as np
import pytest

from stream_app.adapters.avro.fastavro_encoder import FastavroEncoder
from stream_app.adapters.avro.parts import build_decoder, build_store, prediction_prefix
from stream_app.adapters.bench.plain_codec import PlainDecoder, PlainEncoder
from stream_app.adapters.bench.plain_model import PlainModel
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.bench.events import make_readings
from stream_app.core.columns import RecordBatch
from stream_app.core.contract import Contract, DType, Feature, OnNull
from stream_app.errors import ConfigError
from stream_app.resources import example_dir, schema_path
from stream_app.scoring import ScoringRules, score
from stream_app.settings import Framing, ModelSettings, Settings, load_settings

ROWS = 200
EXAMPLE = example_dir("bench")
FILES = ModelRepository(EXAMPLE / "models").open("mlp")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(
        None,
        {
            "input.topic": "readings",
            "input.framing": "single-object",
            "input.schema_dir": str(EXAMPLE / "schemas"),
        },
    )


@pytest.fixture(scope="module")
def records() -> RecordBatch:
    made = make_readings(0, ROWS, 1_790_000_000_000)
    return RecordBatch(
        topic="readings",
        values=made.values,
        keys=made.keys,
        partition=np.full(ROWS, 3, dtype=np.int32),
        offset=np.arange(ROWS) + 7,
        timestamp_ms=made.timestamp_ms,
        timestamp_type=np.zeros(ROWS, dtype=np.int8),
    )


def plain_decoder(settings: Settings, contract: Contract = FILES.contract) -> PlainDecoder:
    store = build_store(settings, SystemClock(), NullTelemetry())
    return PlainDecoder(contract, store, Framing.SINGLE_OBJECT)


def test_it_makes_the_tensors_that_the_product_makes(
    settings: Settings, records: RecordBatch
) -> None:
    clock, telemetry = SystemClock(), NullTelemetry()
    decoder = build_decoder(settings, FILES.contract, clock, telemetry, compiled=False)
    theirs = decoder.decode(records).tensors["features"]
    plain = plain_decoder(settings)
    events = [event for value in records.values if (event := plain.decode(value)) is not None]
    mine, good = plain.tensors(events)
    assert good.all()
    assert mine["features"].dtype == theirs.dtype
    assert np.array_equal(mine["features"], theirs)


def test_it_writes_the_bytes_that_the_product_writes(
    settings: Settings, records: RecordBatch
) -> None:
    text = schema_path("prediction").read_text(encoding="utf-8")
    prefix = prediction_prefix(settings, text)
    lineage = {"model_name": "m", "model_version": "1", "model_hash": "h"}
    plain, decoder = PlainEncoder(FILES.contract, text, prefix, lineage), plain_decoder(settings)
    product = FastavroEncoder(
        FILES.contract, text, prefix=prefix, telemetry=NullTelemetry(), **lineage
    )
    rules = ScoringRules(10, FILES.contract.on_non_finite_output, ("scores",))
    model = load_model(FILES, ModelSettings())
    events = build_decoder(
        settings, FILES.contract, SystemClock(), NullTelemetry(), compiled=False
    ).decode(records)
    theirs, faults = product.encode(records, events, score(model, events, rules))
    read = [event for value in records.values if (event := decoder.decode(value)) is not None]
    outputs = PlainModel(FILES.folder / "model.onnx", 1).run(decoder.tensors(read)[0])
    assert faults == {}
    for row, filled in enumerate(plain.outputs(outputs)):
        source = {"source_topic": "readings", "source_partition": 3, "source_offset": 7 + row}
        assert plain.encode(read[row], filled, source) == theirs[row]


@pytest.mark.parametrize("value", [None, b"", b"\xc3\x01", b"nonsense that is long enough"])
def test_what_cannot_be_read_is_no_event(value: bytes | None, settings: Settings) -> None:
    assert plain_decoder(settings).decode(value) is None


def test_a_record_cut_short_is_no_event(settings: Settings, records: RecordBatch) -> None:
    assert plain_decoder(settings).decode((records.values[0] or b"")[:-3]) is None


def with_feature(feature: Feature, dtype: DType = DType.FLOAT32) -> Contract:
    (tensor,) = FILES.contract.inputs
    changed = replace(tensor, features=(*tensor.features, feature), shape=(13,), dtype=dtype)
    return replace(FILES.contract, inputs=(changed,))


@pytest.mark.parametrize(
    "contract",
    [
        with_feature(Feature("customer.age")),
        with_feature(Feature("window", shape=(1,))),
        with_feature(Feature("kind", categories=("a",), on_null=OnNull.DEFAULT, default="a")),
        with_feature(Feature("count"), DType.INT64),
    ],
)
def test_what_is_not_plain_is_refused_with_a_way_out(
    contract: Contract, settings: Settings
) -> None:
    with pytest.raises(ConfigError, match="--only"):
        plain_decoder(settings, contract)


def test_a_value_that_is_not_finite_is_not_scored(settings: Settings) -> None:
    event: dict[str, object] = dict.fromkeys(FILES.contract.feature_names, 1.0)
    event["mode"] = "IDLE"
    events = [event, event | {"channel_2": float("inf")}, event | {"vibration": None}]
    tensors, good = plain_decoder(settings).tensors(events)
    assert good.tolist() == [True, False, True]
    assert tensors["features"][2, 10] == 2.0


def test_a_batch_of_nothing_but_broken_records_has_no_rows(settings: Settings) -> None:
    tensors, good = plain_decoder(settings).tensors([])
    assert tensors["features"].shape == (0, 12)
    assert good.tolist() == []
