"""Laws of ``stream-app drift report``, from a file: what it prints, writes and refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from stream_app.__main__ import main
from stream_app.adapters.drift.report_source import FEWEST_WINDOWS, MOST_CELLS, MOST_WINDOWS
from stream_app.errors import ExitStatus
from tests.drift_windows import WINDOW_MS, car_loan_windows, lifelike, told_again, write_windows


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_windows(tmp_path_factory.mktemp("windows") / "windows.avro", lifelike())


def tell(*arguments: object) -> int:
    return main(["drift", "report", *map(str, arguments)])


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_person_is_told_the_verdict_first(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("--from", file) == ExitStatus.OK
    told = capsys.readouterr()
    assert told.out.startswith("Drift: 45 of the 87 windows that could be judged have it (0.87 to")
    lines = told.out.splitlines()
    columns = lines[lines.index("columns, the worst first") :]
    assert next(line for line in columns if "x threshold" in line).split()[0] == "car_value"
    assert "2 with too few rows" in told.out
    assert told.err == ""


def test_json_keeps_its_shape(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("--from", file, "--json") == ExitStatus.OK
    found = document(capsys)
    assert found["format"] == 1
    assert list(found) == [
        "format", "stream", "length_ms", "start_ms", "end_ms", "verdict", "summary", "columns",
        "windows", "alerts", "other_streams",
    ]  # fmt: skip
    assert list(found["stream"]) == ["model", "version", "role", "reference_id", "window_ms"]
    assert list(found["summary"]) == [
        "windows", "judged", "insufficient", "empty", "not_final", "not_exact", "left_out",
        "with_drift", "with_defects", "expected_by_chance", "probability_by_chance",
        "newest_judged_ms", "newest_judged_has_drift", "rows", "reference_rows", "calibration",
        "dead_letters",
    ]  # fmt: skip
    assert list(found["columns"][0]) == [
        "name", "role", "windows_with_drift", "windows_judged", "windows_with_defects",
        "greatest_ratio", "statistic", "start_ms",
    ]  # fmt: skip
    assert list(found["windows"][0]) == [
        "start_ms", "length_ms", "revision", "is_final", "exact", "rows", "dead_letters",
        "status", "has_drift", "has_defects", "threshold", "greatest_score", "worst_column",
        "worst_statistic", "input_hash", "output_hash", "columns", "correlation", "accuracy",
    ]  # fmt: skip
    assert list(found["windows"][0]["columns"][0]) == [
        "name", "role", "kind", "valid", "has_drift", "has_defects", "mean", "sd",
        "reference_mean", "reference_sd", "statistics", "defects", "bars",
    ]  # fmt: skip
    assert list(found["alerts"][0]) == [
        "id", "sequence", "state", "level", "reason", "rule", "column", "statistic", "value",
        "score", "threshold", "opened_ms", "windows",
    ]  # fmt: skip


def test_json_has_the_numbers_of_the_records(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("--from", file, "--json") == ExitStatus.OK
    found = document(capsys)
    by_start = {window["start_ms"]: window for window in found["windows"]}
    assert len(by_start) == len(found["windows"]) == 89
    window = car_loan_windows()[40]
    shown = by_start[window.head.start_ms]
    assert shown["rows"] == window.head.rows
    assert shown["threshold"] == window.threshold
    assert shown["input_hash"] == window.hashes.inputs
    for mine, theirs in zip(shown["columns"], window.columns, strict=True):
        assert mine["mean"] == (None if isnan(theirs.mean) else theirs.mean)
        for each in theirs.statistics:
            assert mine["statistics"][each.name]["value"] == each.value
    revised = car_loan_windows()[30]
    assert by_start[revised.head.start_ms]["revision"] == 2
    assert by_start[revised.head.start_ms]["rows"] == revised.head.rows
    assert found["summary"]["rows"] == sum(window["rows"] for window in found["windows"])
    assert found["summary"]["dead_letters"] == {
        "MISSING_FEATURE": 20,
        "UNSEEN_CATEGORY": 5 + 60 + 61 + 62 + 63,
    }
    assert {alert["column"] for alert in found["alerts"]} >= {"car_value", "salary_range"}


def test_a_span_of_time_is_cut_at_its_ends(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--since", "2019-04-10", "--until", "2019-04-20T00:00:00+00:00")
    assert tell("--from", file, "--json", *span) == ExitStatus.OK
    starts = [window["start_ms"] for window in document(capsys)["windows"]]
    assert starts == [1_554_854_400_000 + k * WINDOW_MS for k in range(5)]


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--since", "yesterday"), ExitStatus.USAGE, "--since 'yesterday': expected a time such"),
        (("--since", "2020-01-01"), ExitStatus.DATA, "in that time; see --since and --until"),
        (("--model", "other"), ExitStatus.DATA, "of that model, version and role, but of car_loan"),
        (("--roll-up", "day"), ExitStatus.DATA, "no roll-ups of that length yet"),
        (("--roll-up", "week"), ExitStatus.USAGE, "week"),
    ],
)
def test_what_is_not_there_is_told(
    more: tuple[str, ...],
    status: ExitStatus,
    message: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tell("--from", file, "--json", *more) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert message in " ".join(told.err.replace("│", " ").split())
    assert "Traceback" not in told.err


def test_an_empty_file_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_windows(tmp_path / "windows.avro", [])
    page = tmp_path / "report.html"
    assert tell("--from", path, "--html", page) == ExitStatus.DATA
    assert f"{path} holds no windows; they are told of by `stream-app drift" in (
        capsys.readouterr().err
    )
    assert not page.exists()


def test_other_streams_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    windows = list(car_loan_windows()[:4])
    stream = replace(windows[0].head.stream, model_version="2")
    others = [told_again(window, stream=stream) for window in windows[:2]]
    path = write_windows(tmp_path / "windows.avro", [*windows, *others])
    assert tell("--from", path, "--json") == ExitStatus.OK
    told = capsys.readouterr()
    (other,) = json.loads(told.out)["other_streams"]
    assert (other["version"], other["windows"]) == ("2", 2)
    assert "not in this report: 2 windows of car_loan version 2 (primary" in told.err


def test_a_page_is_written_beside_the_answer(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert tell("--from", file, "--html", page, "--json") == ExitStatus.OK
    assert document(capsys)["verdict"] == "drift"
    assert "car_value" in page.read_text(encoding="utf-8")
    assert tell("--from", file, "--html", page) == ExitStatus.OK
    assert capsys.readouterr().out.endswith(f"wrote {page}\n")


def test_a_page_that_cannot_be_written_is_told(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("--from", file, "--html", tmp_path / "absent" / "p.html") == ExitStatus.CONFIG
    assert "cannot be written" in capsys.readouterr().err


def test_without_its_library_the_page_names_the_extra_and_the_rest_works(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    page = tmp_path / "page.html"
    assert tell("--from", file, "--html", page) == ExitStatus.CONFIG
    assert "pip install 'stream-app[reports]'" in capsys.readouterr().err
    assert not page.exists()
    assert tell("--from", file) == ExitStatus.OK


def test_a_topic_needs_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell() == ExitStatus.CONFIG
    assert "input.topic" in capsys.readouterr().err


def test_the_help_says_what_is_bounded_and_what_it_ends_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tell("--help") == ExitStatus.OK
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert (
        f"At most the newest {MOST_WINDOWS:,} windows are told of; of models of many columns "
        f"{MOST_CELLS:,} by the columns, but no fewer than {FEWEST_WINDOWS}." in told
    )
    assert "Exit status: 0 told, whatever it says; 65 there are no such windows" in told
    assert "pip install 'stream-app[reports]'" in told


def test_plots_are_not_imported_before_they_are_wanted() -> None:
    code = (
        "import sys\n"
        "import stream_app.cli.drift_report\n"
        "heavy = {'plotly', 'pyarrow', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
