"""The proof's own books: each fault has a test or a reason, and the report hides nothing."""

import json
import re
from pathlib import Path

import pytest

from tests.fault.catalogue import BY_NAME, CATALOGUE, CONTROLS
from tests.fault.record import Fired, RunRecord
from tests.fault.summary import Summary, write_table

TESTS = Path(__file__).parents[1]
BESIDE = {"controls", "fuzz", "recovery"}
"""Names of runs that are no fault of the catalogue."""


def marked() -> set[str]:
    return {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"mark\.fault\(\s*\"(\w+)\"", path.read_text("utf-8"))
    }


def record(fault: str, seed: int, test: str = "", **report: int) -> dict[str, object]:
    made = RunRecord(fault, test or f"{fault}-{seed}", seed, "classic")
    made.fired.append(Fired("killed", lag=7, recovery_s=float(seed)))
    made.report = dict(report)
    made.committed, made.aborted = 10, 1
    plain: dict[str, object] = json.loads(json.dumps(made.to_json()))
    return plain


def everything(seeds: int) -> list[dict[str, object]]:
    due = [fault.name for fault in CATALOGUE if not fault.not_run or fault.partly]
    runs = [record(name, seed) for name in due for seed in range(1, seeds + 1)]
    return runs + [control(way, seed) for way in CONTROLS for seed in range(1, seeds + 1)]


def control(way: str, seed: int) -> dict[str, object]:
    """A run of a worker that loses, as it was broken to; without a way, of its unbroken twin."""
    made = record("controls", seed, f"{way or 'unbroken'}-{seed}", lost=5 if way else 0)
    return made | {"control": way}


def test_every_fault_has_a_test_or_a_reason() -> None:
    due = {fault.name for fault in CATALOGUE if not fault.not_run or fault.partly}
    assert due - marked() == set()


def test_no_test_names_a_fault_that_is_not_in_the_catalogue() -> None:
    assert marked() - set(BY_NAME) - BESIDE == set()


def test_all_forty_five_are_listed_once() -> None:
    assert [fault.name for fault in CATALOGUE] == [f"F{number}" for number in range(1, 46)]


def test_nothing_is_missing_when_everything_ran() -> None:
    assert Summary(tuple(everything(5)), frozenset()).missing(5) == []


def test_a_fault_that_did_not_run_is_missed() -> None:
    runs = tuple(run for run in everything(5) if run["fault"] != "F29")
    assert [line.split()[0] for line in Summary(runs, frozenset()).missing(5)] == ["F29"]


def test_a_seed_that_did_not_run_is_missed() -> None:
    runs = tuple(r for r in everything(5) if (r["fault"], r["seed"]) != ("F3", 4))
    assert Summary(runs, frozenset()).missing(5) == [
        "F3 (SIGTERM in the middle of a batch): 4 of 5 seeds"
    ]


def test_a_seed_whose_test_failed_does_not_count() -> None:
    failed = frozenset({"F3-2"})
    assert len(Summary(tuple(everything(5)), failed).missing(5)) == 1


def test_the_table_adds_up_and_names_what_was_not_run() -> None:
    runs = (record("F1", 1, lost=2, duplicated=1), record("F1", 3, lost=1))
    lines: list[str] = []
    write_table(Summary(runs, frozenset()), lines.append)
    (row,) = [line for line in lines if line.split()[:1] == ["F1"]]
    assert row.split() == ["F1", "2", "2", "2", "7", "20", "2", "3", "1", "2.0", "s", "3.0", "s"]
    assert any(line.startswith("not run: F39 ") for line in lines)


def test_a_control_that_was_not_caught_is_missed() -> None:
    failed = frozenset({"auto_commit-2"})
    assert Summary(tuple(everything(5)), failed).missing(5) == [
        "negative control auto_commit: caught with 4 of 5 seeds"
    ]


def test_what_broken_workers_lose_is_not_counted_as_lost() -> None:
    runs = (record("F1", 1), control("no_rewind", 1), control("auto_commit", 1), control("", 1))
    lines: list[str] = []
    summary = Summary(runs, frozenset({"auto_commit-1"}))
    write_table(summary, lines.append)
    assert [line.fault for line in summary.lines()] == ["F1"]
    assert summary.lines()[0].findings["lost"] == 0
    told = "negative controls: caught 1 of 2; the same with nothing broken: good 1 of 1"
    assert told in lines


def test_recoveries_are_told_by_what_was_done() -> None:
    runs = (record("recovery", 1), record("recovery", 2), record("F1", 3))
    assert Summary(runs, frozenset()).recoveries() == [("classic: killed", [1.0, 2.0])]


@pytest.mark.parametrize("fault", [fault for fault in CATALOGUE if fault.not_run])
def test_a_reason_is_a_sentence(fault: object) -> None:
    assert len(str(getattr(fault, "not_run", "")).split()) >= 4
