"""``contract`` and ``model``: from a bare ONNX file to a version that is proved."""

import json
from pathlib import Path

import pytest

from stream_app.__main__ import main
from stream_app.errors import ExitStatus
from stream_app.resources import example_dir, schema_path

MODELS = example_dir("car_loan") / "models"
ONNX = MODELS / "car_loan" / "1" / "model.onnx"
CONTRACT = MODELS / "car_loan" / "1" / "contract.toml"


def init(*more: str) -> int:
    return main(
        ["contract", "init", "--model", str(ONNX), "--schema", str(schema_path("event")), *more]
    )


def pack(repository: Path, contract: Path, *more: str) -> int:
    files = ("--model", str(ONNX), "--contract", str(contract))
    place = ("--name", "loan", "--repository", str(repository))
    return main(["model", "pack", *files, *place, *more])


def test_a_drafted_contract_can_be_packed_and_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract, repository = tmp_path / "contract.toml", tmp_path / "models"
    assert init("--output", str(contract)) == ExitStatus.OK
    assert "check: salary_range: list its categories" in capsys.readouterr().err
    drafted = contract.read_text(encoding="utf-8")
    contract.write_text(drafted.replace('["replace", "these", "values"]', '["low", "high"]'))
    assert pack(repository, contract) == ExitStatus.OK
    assert pack(repository, contract) == ExitStatus.OK
    assert sorted(path.name for path in (repository / "loan").iterdir()) == ["1", "2"]
    capsys.readouterr()
    where = ["--set", f"model.repository={repository}"]
    assert main(["model", "verify", "loan", *where]) == ExitStatus.OK
    assert "loan version 2 (" in capsys.readouterr().out
    assert main(["model", "show", "--json", *where]) == ExitStatus.OK
    assert json.loads(capsys.readouterr().out) == {"loan": ["1", "2"]}


def test_a_draft_whose_categories_nobody_filled_in_is_not_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = tmp_path / "contract.toml"
    assert init("--output", str(contract)) == ExitStatus.OK
    capsys.readouterr()
    assert pack(tmp_path / "models", contract) == ExitStatus.CONFIG
    told = capsys.readouterr().err
    assert "salary_range: categories are still the draft's" in told
    assert "size_of_downpayment: categories are still the draft's" in told
    assert not (tmp_path / "models" / "loan" / "1").exists()


def test_a_draft_goes_to_standard_output_and_its_notes_do_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert init() == ExitStatus.OK
    shown = capsys.readouterr()
    assert shown.out.startswith("# ")
    assert "[event]" in shown.out
    assert "[event]" not in shown.err


def test_a_file_is_not_written_over_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "contract.toml"
    mine.write_text("mine", encoding="utf-8")
    assert init("--output", str(mine)) == ExitStatus.USAGE
    assert "--force" in capsys.readouterr().err
    assert mine.read_text(encoding="utf-8") == "mine"
    assert init("--output", str(mine), "--force") == ExitStatus.OK
    assert "[event]" in mine.read_text(encoding="utf-8")


def test_a_packed_version_never_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack(tmp_path, CONTRACT, "--version", "7") == ExitStatus.OK
    before = {path.name: path.read_bytes() for path in (tmp_path / "loan" / "7").iterdir()}
    assert pack(tmp_path, CONTRACT, "--version", "7") == ExitStatus.CONFIG
    assert "versions never change" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in (tmp_path / "loan" / "7").iterdir()} == before


def test_the_signature_and_the_contract_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--set", f"model.repository={MODELS}", "--set", "model.name=car_loan"]
    assert main(["model", "show", "--json", *where]) == ExitStatus.OK
    shown = json.loads(capsys.readouterr().out)
    assert {"side": "input", "name": "features", "type": "float32[?, 7]"} in shown["tensors"]
    assert shown["fields"][0] == {"field": "car_value", "input": "features", "type": "float32"}
    assert shown["sha256"] == shown["manifest"]["files"]["model.onnx"]["sha256"]
    assert main(["model", "show", *where]) == ExitStatus.OK
    assert "car_loan version 1" in capsys.readouterr().out


def test_a_flipped_bit_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack(tmp_path, CONTRACT) == ExitStatus.OK
    model = tmp_path / "loan" / "1" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    where = ["--set", f"model.repository={tmp_path}"]
    assert main(["model", "verify", "loan", *where]) == ExitStatus.CONFIG
    told = capsys.readouterr().err
    assert str(model) in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["model", "verify"],
        ["model", "verify", "nobody", "--set", f"model.repository={MODELS}"],
        ["model", "verify", "car_loan", "--version", "99", "--set", f"model.repository={MODELS}"],
        ["contract", "init", "--model", "absent.onnx", "--schema", "absent.avsc"],
        ["model", "pack", "--model", "absent.onnx", "--contract", "absent.toml", "--name", "x"],
    ],
)
def test_what_is_not_there_is_told(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitStatus.CONFIG
    told = capsys.readouterr().err
    assert told.startswith("stream-app: ")
    assert "Traceback" not in told


def test_samples_that_are_no_tensors_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = tmp_path / "samples.npz"
    samples.write_bytes(b"nothing")
    assert pack(tmp_path / "models", CONTRACT, "--samples", str(samples)) == ExitStatus.CONFIG
    assert "expected an .npz file" in capsys.readouterr().err
