"""The gate as pytest runs it: what is missing in a whole run is an exit status, not only a line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fault.catalogue import BESIDE, CATALOGUE, CONTROLS, Fault
from tests.fault.gate import WITHOUT_RUNS

ROOT = Path(__file__).parents[2]

# The faults are made up, and so are the runs: what counts is who is asked, and who answers.
PREFACE = """
import pytest
from tests.fault.record import Fired, RunRecord

def fires(bench, ways=("",)):
    for way in ways:
        of = (bench.fault, bench.test, bench.seed, bench.protocol, bench.client)
        made = RunRecord(*of, control=way)
        made.fired.append(Fired("made up", lag=1, recovery_s=1.0))
        bench.records.append(made)
"""
ALL = (*CATALOGUE, *BESIDE)


def text_of(fault: Fault, number: int) -> str:
    name = f"test_{fault.name}_{number}"
    quick = ", quick=True" if number < fault.quick else ""
    each = ", ways='each'" if fault.name == "recovery" else ""
    mark = f"@pytest.mark.fault({fault.name!r}{quick}{each})\n"
    if fault.name in WITHOUT_RUNS:
        return f"{mark}def {name}(): pass\n"
    if fault.name == "recovery":
        mark = f"@pytest.mark.alone\n{mark}"
    ways = repr(CONTROLS if (fault.name, number) == ("controls", 0) else ("",))
    return f"{mark}def {name}(bench): fires(bench, {ways})\n"


WHOLE = {
    f"test_{fault.name}_{number}": text_of(fault, number)
    for fault in ALL
    if fault.due
    for number in range(fault.tests)
}


def run(
    folder: Path, tests: dict[str, str], *arguments: str
) -> tuple[int, str, dict[str, Any] | None]:
    """Exit status, output and report of pytest over these tests."""
    (folder / "made_up").mkdir()
    (folder / "made_up" / "test_all.py").write_text(PREFACE + "\n".join(tests.values()), "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = made_up\n", "utf-8")
    return again(folder, *arguments)


def again(folder: Path, *arguments: str) -> tuple[int, str, dict[str, Any] | None]:
    """As :func:`run`, with the tests that are there."""
    report = folder / "report.json"
    plugins = ["-p", "tests.fault.plugin", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, f"--fault-report={report}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(report.read_text("utf-8")) if report.exists() else None
    return ran.returncode, ran.stdout + ran.stderr, told


@pytest.mark.parametrize(
    ("whole", "beside"),
    [("quick", ()), ("faults", ()), ("faults", ("-n", "2")), ("recovery", ())],
)
def test_a_whole_run_passes_and_one_without_a_test_fails(
    tmp_path: Path, whole: str, beside: tuple[str, ...]
) -> None:
    for name in ("all", "less"):
        (tmp_path / name).mkdir()
    status, told, report = run(tmp_path / "all", WHOLE, f"--whole={whole}", *beside)
    assert (status, "MISSING" in told) == (0, False), told
    assert report is not None
    assert (report["whole"], report["missing"]) == (whole, [])
    gone = "test_recovery_0" if whole == "recovery" else "test_F3_0"
    less = {name: text for name, text in WHOLE.items() if name != gone}
    status, told, report = run(tmp_path / "less", less, f"--whole={whole}", *beside)
    assert status == 1, told
    assert "!!! MISSING: " + gone.split("_")[1] in told
    assert report is not None
    assert report["missing"]


def test_a_fault_that_does_not_fire_fails_a_whole_run(tmp_path: Path) -> None:
    mute = WHOLE["test_F3_0"].replace("fires(bench, ('',))", "pass")
    assert mute != WHOLE["test_F3_0"]
    status, told, _ = run(tmp_path, WHOLE | {"test_F3_0": mute}, "--whole=faults")
    assert status == 1
    assert "test_F3_0[public-classic-seed1]: passed, and no fault fired" in told


def test_a_fault_that_a_machine_cannot_do_is_listed_with_the_reason(tmp_path: Path) -> None:
    left = "@pytest.mark.skip(reason='no network namespace')\n" + WHOLE["test_F26_0"]
    status, told, report = run(tmp_path, WHOLE | {"test_F26_0": left}, "--whole=faults")
    assert (status, "MISSING" in told) == (0, False), told
    assert "not run here: F26 " in told
    assert "because no network namespace" in told
    assert report is not None
    assert [each["fault"] for each in report["not_run_here"]] == ["F26"]


@pytest.mark.parametrize("beside", [(), ("-n", "2")])
def test_a_failure_is_written_down_before_the_run_is_over(
    tmp_path: Path, beside: tuple[str, ...]
) -> None:
    kept = tmp_path / "report.failures.txt"
    kept.write_text("of another run", "utf-8")
    fails = {"fails": "def test_1(): raise ValueError('why it failed')\n"}
    status, _, _ = run(tmp_path, fails, *beside)
    assert status == 1
    told = kept.read_text("utf-8")
    assert told.startswith("=== made_up/test_all.py::test_1 (call)\n")
    assert "why it failed" in told


@pytest.mark.parametrize("narrowing", ["-k=F3", "--seed=1", "made_up"])
def test_a_whole_run_is_not_narrowed(tmp_path: Path, narrowing: str) -> None:
    status, told, _ = run(tmp_path, {}, "--whole=faults", narrowing)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "--whole runs everything" in told


@pytest.mark.parametrize("whole", ["quick", "faults", "recovery"])
def test_the_makefile_asks_for_whole_runs(whole: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"--whole={whole}" in makefile


RESUMED = {
    name: text for name, text in WHOLE.items() if name in {"test_recovery_0", "test_recovery_1"}
}
FAILING = RESUMED["test_recovery_1"].replace("fires(bench, ('',))", "raise ValueError")


@pytest.mark.parametrize("beside", [(), ("-n", "2")])
def test_a_run_cut_short_is_gone_on_with_and_does_nothing_twice(
    tmp_path: Path, beside: tuple[str, ...]
) -> None:
    journal = tmp_path / "report.journal.jsonl"
    assert run(tmp_path, RESUMED, "--whole=recovery", *beside)[0] == 0
    lines = journal.read_text("utf-8").splitlines()
    of_one = "test_recovery_1[native-consumer-seed1]"
    journal.write_text("".join(f"{line}\n" for line in lines if of_one not in line), "utf-8")
    status, told, report = again(tmp_path, "--whole=recovery", "--resume", *beside)
    assert (status, "1 passed" in told) == (0, True), told
    assert report is not None
    assert (len(report["runs"]), report["missing"]) == (4, [])
    status, told, report = again(tmp_path, "--whole=recovery", "--resume", *beside)
    assert status == 0, told
    assert report is not None
    assert len(report["runs"]) == 4


def test_what_failed_is_given_no_second_chance(tmp_path: Path) -> None:
    fails = RESUMED | {"test_recovery_1": FAILING}
    assert run(tmp_path, fails, "--whole=recovery")[0] == 1
    (tmp_path / "made_up" / "test_all.py").write_text(PREFACE + "\n".join(RESUMED.values()))
    status, _, report = again(tmp_path, "--whole=recovery", "--resume")
    assert status == 1
    assert report is not None
    assert len(report["failed"]) == 2


def test_a_run_of_another_commit_is_not_gone_on_with(tmp_path: Path) -> None:
    assert run(tmp_path, RESUMED, "--whole=recovery")[0] == 0
    journal = tmp_path / "report.journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    lines[0]["commit"] = "0c0ffee"
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    status, told, _ = again(tmp_path, "--whole=recovery", "--resume")
    assert (status, "of commit 0c0ffee" in told) == (4, True), told
