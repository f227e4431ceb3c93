"""Laws of the command: what is wrong ends it with its status, and is told."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stream_app.__main__ import main
from stream_app.bench.report import Report
from stream_app.cli import bench as command
from stream_app.errors import ExitStatus
from tests.bench_kit import REPORT


def ending_with(report: Report) -> object:
    return lambda *_: report


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_contender_whose_outcomes_are_wrong_fails_the_bench(
    form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = replace(REPORT, faults=["plain-loop, run 1: partition 0 has 3 inputs and 2 outcomes"])
    monkeypatch.setattr(command, "run_bench", ending_with(wrong))
    assert main(["bench", *form]) == ExitStatus.SOFTWARE
    shown = capsys.readouterr()
    assert "3 inputs and 2 outcomes" in shown.err
    assert "one outcome for each record" not in shown.out


def test_a_good_run_is_shown_in_tables_or_as_one_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_bench", ending_with(replace(REPORT, notes=["mind this"])))
    assert main(["bench", "--json"]) == ExitStatus.OK
    assert json.loads(capsys.readouterr().out)["notes"] == ["mind this"]
    assert main(["bench"]) == ExitStatus.OK
    shown = capsys.readouterr().out
    for word in ("stream-app-native", "4.00 x", "400,000", "p99.9", "note: mind this"):
        assert word in shown


def test_a_profile_without_py_spy_says_how_to_get_it_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> None:
        del name

    monkeypatch.setattr(shutil, "which", absent)
    assert main(["bench", "--profile", str(tmp_path / "flames.svg")]) == ExitStatus.USAGE
    assert "pip install py-spy" in capsys.readouterr().err
    assert main(["bench", "--profile", "x.svg", "--only", "echo"]) == ExitStatus.USAGE
    assert "which --only leaves out" in capsys.readouterr().err
