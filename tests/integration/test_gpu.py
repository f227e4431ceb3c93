"""Laws of scoring on a GPU: it is really the GPU, its scores are the CPU's, its limits are told.

Needs onnxruntime-gpu in place of onnxruntime, CUDA, cuDNN and a device.
"""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.onnx_session import CUDA, open_session
from stream_app.adapters.model.repository import ModelRepository
from stream_app.errors import ConfigError, DeviceOutOfMemoryError
from stream_app.settings import ModelSettings
from tests.onnx_models import FLOAT, STRING, model, node, pack, value

HIDDEN = 256
MEBIBYTE = 1 << 20

on_gpu = pytest.mark.skipif(
    CUDA not in ort.get_available_providers(),
    reason=f"!!! NO GPU TEST RAN: this ONNX Runtime has no {CUDA} (it has "
    f"{', '.join(ort.get_available_providers())}); install onnxruntime-gpu instead",
)


def gpu(limit_bytes: int = 0) -> ModelSettings:
    return ModelSettings(execution_provider=CUDA, gpu_memory_limit_bytes=limit_bytes)


def network() -> bytes:
    """Two layers that a GPU has kernels for."""
    random = np.random.default_rng(3)
    return model(
        [
            node("MatMul", ["x", "first"], ["hidden"]),
            node("Tanh", ["hidden"], ["active"]),
            node("MatMul", ["active", "second"], ["z"]),
            node("Sigmoid", ["z"], ["y"]),
        ],
        outputs=[value("y", FLOAT, ["N", 1])],
        constants={
            "first": random.normal(size=(2, HIDDEN)).astype(np.float32),
            "second": random.normal(size=(HIDDEN, 1)).astype(np.float32) / HIDDEN,
        },
    )


@on_gpu
def test_the_gpu_is_obtained_and_no_node_is_left_to_the_cpu(tmp_path: Path) -> None:
    pack(tmp_path, network())
    scorer = load_model(ModelRepository(tmp_path).open("model"), gpu(), (1, 512))
    assert scorer.execution_provider == CUDA
    assert scorer.warnings == ()
    assert scorer.curve.run_s(512) > 0


@on_gpu
def test_scores_on_the_gpu_are_those_of_the_cpu(tmp_path: Path) -> None:
    pack(tmp_path, network())
    files = ModelRepository(tmp_path).open("model")
    rows = np.random.default_rng(4).normal(size=(1000, 2)).astype(np.float32)
    found = load_model(files, gpu()).run({"x": rows})["y"].astype(np.float64)
    expected = load_model(files, ModelSettings()).run({"x": rows})["y"].astype(np.float64)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


@on_gpu
def test_too_many_rows_are_told_and_half_of_them_until_they_fit_are_scored() -> None:
    """With 64 MiB for the arena, one layer of 2^20 rows alone would take 1 GiB."""
    session = open_session(network(), "m", gpu(64 * MEBIBYTE)).session
    rows = np.ones((1 << 20, 2), dtype=np.float32)
    with pytest.raises(DeviceOutOfMemoryError, match=r"raise model\.gpu_memory_limit_bytes"):
        session.run({"x": rows})
    while len(rows) > 1:
        rows = rows[: len(rows) // 2]
        try:
            scores = session.run({"x": rows})["y"]
        except DeviceOutOfMemoryError:
            continue
        break
    assert 1 < len(rows) < 1 << 20
    assert scores.shape == (len(rows), 1)
    assert np.isfinite(scores.astype(np.float64)).all()


@on_gpu
def test_a_model_without_kernels_on_the_gpu_is_warned_about(tmp_path: Path) -> None:
    through_text = [
        node("Cast", ["x"], ["text"], to=STRING),
        node("Cast", ["text"], ["y"], to=FLOAT),
    ]
    pack(tmp_path, model(through_text))
    scorer = load_model(ModelRepository(tmp_path).open("model"), gpu())
    assert "nodes: they run on the CPU" in " ".join(scorer.warnings)


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this ONNX Runtime has CUDA")
def test_without_cuda_the_setting_is_an_error_with_its_remedy() -> None:
    with pytest.raises(ConfigError, match=r"expected CUDAExecutionProvider.*onnxruntime-gpu"):
        open_session(network(), "m", gpu())
