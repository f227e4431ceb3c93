"""Bad model files: each ends the start with status 78 and says what is wrong where.

``stream-app model verify`` loads each as a scorer would, and ``stream-app check`` beside whatever
else it finds: topics that are not there, which alone would be another status.
"""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from stream_app.__main__ import main
from stream_app.adapters.model.manifest_file import MODEL_FILE
from stream_app.errors import ExitStatus
from tests.hostile.bad_models import TABLE, Row
from tests.kafka_fixtures import MockKafka
from tests.onnx_models import exchange, linear, model, node, pack

EXIT_STATUS = ExitStatus.CONFIG
JOB = {
    "input.topic": "events-of-nobody",
    "input.framing": "single-object",
    "model.name": "model",
}
each_row = pytest.mark.parametrize("row", TABLE, ids=[row.what for row in TABLE])


def said(row: Row, tmp_path: Path, arguments: list[str]) -> list[str]:
    """The command's arguments with the settings of a row."""
    there = onnxruntime.get_available_providers()
    if any(setting.endswith(tuple(there)) for setting in row.settings):
        pytest.skip("the provider that must be missing is there")
    settings = [f"model.repository={tmp_path}", *row.settings]
    return [*arguments, *(part for setting in settings for part in ("--set", setting))]


@pytest.fixture
def checked(mock_kafka: MockKafka, tmp_path: Path) -> list[str]:
    """``check`` of a job that has no topics."""
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    brokers = mock_kafka.bootstrap_servers
    told = {**JOB, "kafka.bootstrap_servers": brokers, "input.schema_dir": str(schemas)}
    return ["check", *(part for item in told.items() for part in ("--set", "=".join(item)))]


@each_row
def test_a_bad_model_ends_the_start_and_is_explained(
    row: Row, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    version = pack(tmp_path, linear())
    row.damage(version)
    status = main(said(row, tmp_path, ["model", "verify", "model"]))
    told = capfd.readouterr()
    assert status == EXIT_STATUS, told.err
    assert row.file in told.err
    assert str(version) in told.err or row.file.startswith("model.")
    for words in row.told:
        assert words in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


@each_row
def test_a_bad_model_is_a_fault_of_the_check_before_a_start(
    row: Row, tmp_path: Path, checked: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    row.damage(pack(tmp_path, linear()))
    status = main(said(row, tmp_path, checked))
    told = capfd.readouterr()
    text = " ".join((told.out + told.err).split())
    assert status == EXIT_STATUS, text
    assert row.file in text
    for words in row.told:
        assert words in text
    assert "events-of-nobody does not exist" in text, "everything is told at once"
    assert "Traceback" not in text


def test_a_good_model_leaves_the_check_with_what_else_it_found(
    tmp_path: Path, checked: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    pack(tmp_path, linear())
    where = ["--set", f"model.repository={tmp_path}"]
    assert main([*checked, *where]) == ExitStatus.UNAVAILABLE, capfd.readouterr()


def test_a_good_model_passes_the_same_way(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pack(tmp_path, linear())
    where = f"model.repository={tmp_path}"
    assert main(["model", "verify", "model", "--set", where]) == ExitStatus.OK
    assert "is sound on CPUExecutionProvider" in capfd.readouterr().out


def test_a_model_that_wants_a_terabyte_is_refused_within_a_limit_of_memory(tmp_path: Path) -> None:
    """In a process of its own: without a limit it is the kernel that decides who dies."""
    huge = [
        node("ConstantOfShape", ["huge"], ["zeros"]),
        node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        node("Add", ["x", "sum"], ["y"]),
    ]
    version = pack(tmp_path, linear())
    content = model(huge, constants={"huge": np.array([1 << 38], dtype=np.int64)})
    exchange(version, MODEL_FILE, content)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    verify = ("model", "verify", "model")
    result = subprocess.run(
        [sys.executable, "-m", "stream_app", *verify, "--set", f"model.repository={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=limit,
    )
    assert result.returncode == EXIT_STATUS, result.stderr
    assert str(version / MODEL_FILE) in result.stderr
    assert "Traceback" not in result.stderr
