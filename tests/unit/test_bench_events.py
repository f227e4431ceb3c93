"""Laws of the bench's own load: what is sent says what the models were made for."""

import io
import json

import fastavro
import numpy as np
import pytest

from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.bench.events import KEY_BYTES, MODES, make_readings, prefix, schema_text
from stream_app.core.avro.gates import admit
from stream_app.core.avro.plan import Plan
from stream_app.core.avro.resolve import resolve
from stream_app.resources import example_dir
from stream_app.settings import ModelSettings

NOW_MS = 1_790_000_000_000
MODELS = ("mlp", "trees", "cnn")


def decoded(first: int, count: int) -> list[dict[str, object]]:
    schema = fastavro.parse_schema(json.loads(schema_text()))
    events = []
    for value in make_readings(first, count, NOW_MS).values:
        assert value is not None
        assert value.startswith(prefix())
        body = io.BytesIO(value[len(prefix()) :])
        event = fastavro.schemaless_reader(body, schema, None)
        assert not body.read(1)
        assert isinstance(event, dict)
        events.append(event)
    return events


def test_what_an_avro_library_reads_is_what_was_meant() -> None:
    made = make_readings(990, 300, NOW_MS)
    symbols = json.loads(schema_text())["fields"][-2]["type"]["symbols"]
    assert len(symbols) == MODES
    for row, event in enumerate(decoded(990, 300)):
        assert event["reading_id"] == f"reading-{990 + row:011d}"
        assert made.keys[row] == f"{990 + row:0{KEY_BYTES}d}".encode()
        assert event["mode"] == symbols[int(made.fields["mode"][row])]
        vibration = made.fields["vibration"][row]
        assert event["vibration"] == (None if np.isnan(vibration) else vibration)
        for name in ("channel_1", "channel_8", "cycles"):
            assert event[name] == made.fields[name][row]
        assert event["measured_at"].timestamp() * 1000 == made.timestamp_ms[row]  # type: ignore[attr-defined]  # a datetime


def test_the_same_numbers_give_the_same_events_and_others_others() -> None:
    one, again, other = (make_readings(first, 50, NOW_MS) for first in (0, 0, 50))
    assert one.values.data == again.values.data
    assert one.values.data != other.values.data
    assert len(set(one.keys) | set(other.keys)) == 100


def test_about_a_fifth_have_a_null() -> None:
    vibration = make_readings(0, 5_000, NOW_MS).fields["vibration"]
    assert np.isnan(vibration).mean() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("begin_ms", [0, 2**41 - 10, -5])
def test_a_time_of_another_length_is_refused(begin_ms: int) -> None:
    with pytest.raises(ValueError, match="no time between"):
        make_readings(0, 20, begin_ms)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_is_what_its_manifest_says_and_reads_the_events(name: str) -> None:
    files = ModelRepository(example_dir("bench") / "models").open(name)
    model = load_model(files, ModelSettings(name=name))
    assert isinstance(resolve(model.contract, admit(schema_text())), Plan)  # type: ignore[arg-type]  # admitted
    scores = model.run(files.golden.inputs)["scores"]
    assert len(np.unique(scores)) > len(scores) // 2, "drawn weights that answer nothing"
