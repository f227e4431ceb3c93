"""Laws of ``stream-app model reference``: what is made is told, and what is told is right."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stream_app.__main__ import main
from stream_app.errors import ExitStatus
from tests.reference_kit import EXAMPLE, open_loans, write_avro


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_avro(tmp_path_factory.mktemp("data") / "events.avro", open_loans(400).rows)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE / "models", tmp_path / "models")
    (tmp_path / "models" / "car_loan" / "1" / "reference.avro").unlink()
    return tmp_path / "models"


def reference(command: str, models: Path, *more: str) -> int:
    where = ["--set", f"model.repository={models}"]
    return main(["model", "reference", command, "car_loan", *more, *where])


def test_a_reference_is_made_shown_and_verified(
    models: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference("build", models, "--data", str(data), "--json") == ExitStatus.OK
    made = json.loads(capsys.readouterr().out)
    assert made["rows"] == 400
    assert made["file"] == str(models / "car_loan" / "1" / "reference.avro")
    assert reference("show", models, "--json") == ExitStatus.OK
    assert json.loads(capsys.readouterr().out) == made
    assert reference("show", models) == ExitStatus.OK
    shown = capsys.readouterr()
    assert f"reference {made['id']} of car_loan version 1: 400 rows" in shown.out
    assert "debt_to_income_ratio" in shown.out
    assert "a window of n rows has drift from" in shown.out
    assert "400 rows are few" in shown.err
    assert main(["model", "verify", "car_loan", "--set", f"model.repository={models}"]) == 0
    assert f"its reference {made['id']} of 400 rows is sound" in capsys.readouterr().out


def test_an_existing_one_is_told_before_anything_is_read(
    models: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = models / "car_loan" / "1" / "reference.avro"
    path.write_bytes(b"mine")
    assert reference("build", models, "--data", "absent.avro") == ExitStatus.CONFIG
    assert "give --force to replace it" in capsys.readouterr().err
    assert path.read_bytes() == b"mine"
    assert reference("build", models, "--data", str(data), "--force", "--json") == ExitStatus.OK


def test_a_damaged_one_fails_the_verification(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (models / "car_loan" / "1" / "reference.avro").write_bytes(b"nothing")
    where = ["--set", f"model.repository={models}"]
    assert main(["model", "verify", "car_loan", *where]) == ExitStatus.CONFIG
    assert "no Avro container file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--data", "absent.avro"), ExitStatus.CONFIG, "absent.avro"),
        (("--data", "absent.xlsx"), ExitStatus.CONFIG, "cannot tell its format"),
        ((), ExitStatus.USAGE, "--data"),
    ],
)
def test_what_cannot_be_read_is_told(
    more: tuple[str, ...],
    status: ExitStatus,
    message: str,
    models: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert reference("build", models, *more) == status
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not (models / "car_loan" / "1" / "reference.avro").exists()


def test_a_model_without_one_says_how_to_make_it(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference("show", models) == ExitStatus.CONFIG
    assert "stream-app model reference build car_loan --data FILE" in capsys.readouterr().err


def test_without_its_library_the_page_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    page = tmp_path / "page.html"
    assert reference("show", EXAMPLE / "models", "--html", str(page)) == ExitStatus.CONFIG
    assert "pip install 'stream-app[reports]'" in capsys.readouterr().err
    assert not page.exists()


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    offline = pytest.importorskip("plotly.offline")
    page = tmp_path / "page.html"
    assert reference("show", EXAMPLE / "models", "--html", str(page)) == ExitStatus.OK
    text = page.read_text(encoding="utf-8").replace(offline.get_plotlyjs(), "")
    assert "car_value" in text
    assert "://" not in text
    assert "default-src 'none'" in text
    assert text.count("Plotly.newPlot") == 12, "ten columns, the correlation and the scores"


def test_neither_plots_nor_parquet_are_imported_before_they_are_wanted() -> None:
    code = (
        "import sys\n"
        "import stream_app.cli.model_reference\n"
        "heavy = {'plotly', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
