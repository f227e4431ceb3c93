"""When a prediction is what the model says of its event, and when it is not."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_app.adapters.verifier.model import Model, Models
from stream_app.errors import ConfigError
from stream_app.settings import ModelSettings
from stream_app.verify.compare import Answer, difference, unusable_output
from stream_app.verify.contract import read_contract
from stream_app.verify.event import Event
from stream_app.verify.refused import RefusedError
from tests.onnx_models import CONTRACT, linear, lookup, model, node, pack

CONTRACT_TWO = CONTRACT + b'[[outputs]]\nfield = "label"\noutput = "labels"\ncolumn = 0\n'
TWO = read_contract(CONTRACT_TWO, "contract.toml")
ANSWER = Answer("a", 1_500, {"y": [0.25, 2_000.0], "labels": [3]})
GOOD: Mapping[str, Any] = {
    "event_id": "a",
    "event_time": datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC),
    "scores": [0.25, 2_000.0],
    "label": 3,
}


def told(**changes: Any) -> str | None:
    return difference({**GOOD, **changes}, ANSWER, TWO.outputs, 1e-5)


def test_an_equal_prediction_and_one_within_the_tolerance_are_right() -> None:
    assert told() is None
    assert told(scores=[0.25 + 9e-6, 2_000.0 + 0.019]) is None
    assert told(event_time=1_500) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"event_id": "b"}, "event_id differs"),
        ({"event_time": None}, "event_time differs"),
        ({"event_time": 1_501}, "event_time differs"),
        ({"scores": [0.2502, 2_000.0]}, "scores differs by 0.0002 (tolerance 1e-05)"),
        ({"scores": [0.25, 2_000.1]}, "scores differs by 5e-05 (tolerance 1e-05)"),
        ({"scores": [math.nan, 2_000.0]}, "scores differs by inf (tolerance 1e-05)"),
        ({"scores": [2_000.0, 0.25]}, "scores differs by 2e+03 (tolerance 1e-05)"),
        ({"scores": [0.25]}, "scores has 1 elements, not 2"),
        ({"scores": None}, "scores has 1 elements, not 2"),
        ({"scores": ["0.25", 2_000.0]}, "scores differs"),
        ({"label": 4}, "label differs"),
        ({"label": "3"}, "label differs"),
        ({"label": True}, "label differs"),
        ({"label": None}, "label differs"),
    ],
)
def test_a_planted_difference_is_told_without_values(
    changes: Mapping[str, Any], expected: str
) -> None:
    assert told(**changes) == expected


def test_outputs_that_are_not_finite_become_predictions_only_where_the_contract_keeps_them() -> (
    None
):
    assert unusable_output(TWO, {"y": [math.nan], "labels": [1]}) == "output 'y' is not finite"
    assert unusable_output(TWO, {"y": [0.5], "labels": [1]}) is None
    keeping = CONTRACT_TWO + b'[policy]\non_non_finite_output = "keep"\n'
    kept = read_contract(keeping, "contract.toml")
    assert unusable_output(kept, {"y": [math.nan], "labels": [1]}) is None
    answer = Answer("a", None, {"y": [math.nan], "labels": [3]})
    prediction = {"event_id": "a", "event_time": None, "scores": [math.nan], "label": 3}
    assert difference(prediction, answer, kept.outputs, 0.0) is None


def event(*row: float) -> Event:
    return Event("a", None, (list(row),))


def settings(repository: Path, name: str = "model") -> ModelSettings:
    return ModelSettings(repository=repository, name=name)


def loaded(tmp_path: Path, content: bytes) -> Model:
    pack(tmp_path, content)
    found = Models(settings(tmp_path)).get("model", "1")
    assert found is not None
    return found


def test_the_model_is_asked_anew(tmp_path: Path) -> None:
    (answer,) = loaded(tmp_path, linear()).answers([event(1.0, 0.5)])
    assert isinstance(answer, Answer)
    assert answer.outputs["y"] == pytest.approx([1 / (1 + math.exp(-3.5))], abs=1e-6)


def test_a_row_that_makes_the_model_fail_spares_its_neighbours(tmp_path: Path) -> None:
    contract = CONTRACT.replace(b'on_null = "nan"\n', b"")
    # Packing runs the model on golden rows, which must not fail.
    folder = pack(tmp_path, linear(), contract=contract)
    (folder / "model.onnx").write_bytes(lookup())
    found = Models(settings(tmp_path)).get("model", "1")
    assert found is not None
    answers = found.answers([event(0, 1), event(7, 7), event(3, 2)])
    assert [isinstance(answer, Answer) for answer in answers] == [True, False, True]
    failed = answers[1]
    assert isinstance(failed, RefusedError)
    assert not failed.certain


def test_an_output_that_is_not_finite_is_no_prediction(tmp_path: Path) -> None:
    infinite = model(
        [node("Div", ["x", "zero"], ["y"])], constants={"zero": np.zeros((1, 2), dtype=np.float32)}
    )
    folder = pack(tmp_path, linear())
    (folder / "model.onnx").write_bytes(infinite)
    found = Models(settings(tmp_path)).get("model", "1")
    assert found is not None
    (answer,) = found.answers([event(1.0, 1.0)])
    assert isinstance(answer, RefusedError)
    assert answer.certain


def test_only_versions_inside_the_repository_are_opened(tmp_path: Path) -> None:
    pack(tmp_path / "inside", linear())
    pack(tmp_path, linear())
    models = Models(settings(tmp_path / "inside"))
    assert models.get("model", "1") is not None
    assert models.get("model", "2") is None
    assert models.get("", "") is None
    assert models.get("..", "model") is None
    assert models.get("../model", "1") is None
    assert models.get("model", "../../model/1") is None


def test_a_model_that_cannot_be_had_is_told_with_the_remedy(tmp_path: Path) -> None:
    for name in ("", "other"):
        with pytest.raises(ConfigError, match=r"needs the model: expected the folder .*--no-con"):
            Models(settings(tmp_path, name))
    folder = pack(tmp_path, linear())
    (folder / "model.onnx").write_bytes(b"noise")
    with pytest.raises(ConfigError, match=r"model.onnx: ONNX Runtime cannot load it"):
        Models(settings(tmp_path)).get("model", "1")
    (folder / "model.onnx").unlink()
    with pytest.raises(ConfigError, match=r"model.onnx: cannot be read .*--no-content"):
        Models(settings(tmp_path)).get("model", "1")
