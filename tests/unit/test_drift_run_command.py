"""Laws of ``stream-app drift run``: what is told of windows, and of what keeps them from being."""

import json
import shutil
from pathlib import Path

import fastavro
import pytest

from stream_app.__main__ import main
from stream_app.errors import ExitStatus
from tests.car_loan import event
from tests.drift_run_kit import WINDOW_S, avro_file, events
from tests.reference_kit import EXAMPLE, write_csv


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return avro_file(tmp_path_factory.mktemp("data"), events(300))


def drift_run(*more: str, repository: Path = EXAMPLE / "models") -> int:
    where = ["--repository", str(repository), "--window-s", str(WINDOW_S)]
    return main(["drift", "run", "car_loan", *where, *more])


def test_windows_are_told_in_a_table_and_as_lines_of_json(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drift_run("--data", str(data), "--json") == ExitStatus.OK
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {window["length_ms"] for window in told} == {1000 * WINDOW_S, 86_400_000}
    assert sum(w["rows"] for w in told if w["length_ms"] == 1000 * WINDOW_S) == 300
    first = told[0]
    assert first["stream"].startswith("car_loan/1/primary/")
    assert first["start"] == "2018-12-30T06:00:00Z"
    assert (first["status"], first["dead_letters"]) == ("ok", {})
    assert not first["drift"] or first["greatest_score"] > first["threshold"]
    assert drift_run("--data", str(data)) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert all(window["input_hash"][:12] in shown for window in told)
    assert f"300 rows, 300 counted as predictions and 0 as dead letters; {len(told)} windows" in (
        shown
    )
    lines = [line for line in shown.splitlines() if "2018-12-30T" in line]
    assert [line.split()[1:3] for line in lines][-1] == ["1", "d"], "a day is behind its parts"


def test_drift_and_defects_are_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [event(number) for number in (*range(100), *range(26_300, 26_400))]
    rows += [{**event(number), "driver_tenure": None} for number in range(10_000, 10_100)]
    path = avro_file(tmp_path, rows)
    weeks = ("--data", str(path), "--window-s", "604800")
    assert drift_run(*weeks, "--json") == ExitStatus.OK
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    marks = {window["start"][:7]: (window["drift"], window["defects"]) for window in told}
    assert marks == {"2018-12": (False, False), "2019-02": (False, True), "2019-06": (True, False)}
    assert drift_run(*weeks) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert shown.count(" defects ") == shown.count(" drift ") == 1
    assert "1 with drift" in shown


def test_the_windows_of_a_job_are_those_of_its_settings(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "job.toml"
    config.write_text(
        f"[model]\nrepository = '{EXAMPLE / 'models'}'\nname = 'car_loan'\n"
        "[drift]\nwindow_s = 86400\nmin_rows = 100000\n[input]\nmax_time_difference_s = 60.0\n",
        encoding="utf-8",
    )
    asked = ["drift", "run", "--config", str(config), "--data", str(data), "--json"]
    assert main(asked) == ExitStatus.OK
    shown = capsys.readouterr()
    told = [json.loads(line) for line in shown.out.splitlines()]
    assert {w["length_ms"] for w in told} == {86_400_000}
    assert {w["status"] for w in told} == {"insufficient"}
    assert not any(w["drift"] for w in told)
    assert "max_time_difference_s is set" in shown.err


def test_the_file_of_windows_says_the_same(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "windows.avro"
    asked = ["--data", str(data), "--to", str(target)]
    assert drift_run(*asked, "--json") == ExitStatus.OK
    told = [json.loads(line)["input_hash"] for line in capsys.readouterr().out.splitlines()]
    with target.open("rb") as file:
        records = [dict(record) for record in fastavro.reader(file) if isinstance(record, dict)]
    assert [record["input_hash"] for record in records] == told
    assert drift_run(*asked) == ExitStatus.CONFIG
    assert "give --force to replace it" in capsys.readouterr().err
    assert drift_run(*asked, "--force") == ExitStatus.OK
    assert f"wrote {target}" in capsys.readouterr().out


def test_a_span_without_windows_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift_run("--data", str(data), "--since", "2031-01-01") == ExitStatus.OK
    assert "no window lies in what was asked for" in capsys.readouterr().err
    assert drift_run("--data", str(data), "--until", "2019-01-01T00:00", "--json") == ExitStatus.OK
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert max(window["start"] for window in told) == "2018-12-31T18:00:00Z"


def test_what_is_in_no_window_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = events(40)
    rows[5]["application_id"] = ""
    assert drift_run("--data", str(avro_file(tmp_path, rows))) == ExitStatus.OK
    shown = capsys.readouterr()
    assert "39 counted as predictions and 1 as dead letters (MISSING_ID 1)" in shown.out
    assert "in no window, as live" in shown.err


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--data", "absent.avro"), ExitStatus.CONFIG, "absent.avro"),
        (("--data", "absent.xlsx"), ExitStatus.CONFIG, "cannot tell its format"),
        (("--data", "x.avro", "--since", "soon"), ExitStatus.USAGE, "expected a time such as"),
        (("--data", "x.avro", "--to", "x.csv"), ExitStatus.USAGE, "end its name in .avro"),
        (("--data", "x.avro", "--window-s", "7"), ExitStatus.CONFIG, "does not divide a day"),
        (("--data", "x.avro", "--version", "9"), ExitStatus.CONFIG, "9"),
        ((), ExitStatus.USAGE, "--data"),
    ],
)
def test_what_cannot_be_is_told(
    more: tuple[str, ...],
    status: ExitStatus,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert drift_run(*more) == status
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_a_model_without_a_reference_says_how_to_make_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLE / "models", tmp_path / "models")
    (tmp_path / "models" / "car_loan" / "1" / "reference.avro").unlink()
    asked = ["--data", str(data), "--to", str(tmp_path / "windows.avro")]
    assert drift_run(*asked, repository=tmp_path / "models") == ExitStatus.CONFIG
    assert "stream-app model reference build car_loan --data FILE" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.avro"))


def test_a_file_without_times_names_the_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{k: v for k, v in row.items() if k != "timestamp"} for row in events(5)]
    assert drift_run("--data", str(write_csv(tmp_path / "x.csv", rows))) == ExitStatus.CONFIG
    assert "has no 'timestamp', the contract's time" in capsys.readouterr().err


def test_too_many_open_windows_are_an_end_with_65(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drift_run("--data", str(data), "--max-windows", "2") == ExitStatus.DATA
    assert "sort it by time" in capsys.readouterr().err
