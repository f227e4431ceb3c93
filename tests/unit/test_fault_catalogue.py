"""The proof's own books: each fault has its tests or a reason, and the report hides nothing."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.catalogue import BESIDE, CATALOGUE
from tests.fault.summary import Summary, write_table
from tests.fault_kit import control, record

TESTS = Path(__file__).parents[1]


def marks(path: Path) -> Iterator[tuple[str, bool]]:
    """Of each test in the file: the fault, and whether it is quick."""
    body = ast.parse(path.read_text("utf-8")).body
    for_all = [node.value for node in body if isinstance(node, ast.Assign)]
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for call in (*node.decorator_list, *for_all):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault":
                    name = ast.literal_eval(call.args[0])
                    yield name, any(keyword.arg == "quick" for keyword in call.keywords)


MARKED = [mark for path in sorted(TESTS.rglob("test_*.py")) for mark in marks(path)]


def test_every_fault_has_as_many_tests_as_the_catalogue_says_or_a_reason() -> None:
    told = {fault.name: fault.tests for fault in (*CATALOGUE, *BESIDE) if fault.due}
    assert Counter(name for name, _ in MARKED) == told


def test_the_short_tier_has_as_many_tests_of_a_fault_as_the_catalogue_says() -> None:
    told = {fault.name: fault.quick for fault in (*CATALOGUE, *BESIDE) if fault.quick}
    assert Counter(name for name, quick in MARKED if quick) == told


def test_all_forty_six_are_listed_once() -> None:
    assert [fault.name for fault in CATALOGUE] == [f"F{number}" for number in range(1, 47)]


def test_the_table_adds_up_and_names_what_was_not_run() -> None:
    runs = (record("F1", 1, lost=2, duplicated=1), record("F1", 3, lost=1, wrongly_dead=4))
    lines: list[str] = []
    write_table(Summary(runs, frozenset()), lines.append)
    (row,) = [line for line in lines if line.split()[:1] == ["F1"]]
    assert row.split() == ["F1", "2", "2", "2", "7", "20", "2", "3", "1", "4", "0"]
    assert any(line.startswith("not run: F39 ") for line in lines)


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
    assert Summary(runs, frozenset()).recoveries() == [
        ("classic, public client: killed", [1.0, 2.0])
    ]


def test_what_a_fault_brings_with_it_is_told_apart_with_its_reason() -> None:
    told = record("F34", 1, duplicated=7, reordered=2) | {"expected": {"duplicated": "reread"}}
    runs = (told, record("F34", 2, duplicated=1))
    lines: list[str] = []
    summary = Summary(runs, frozenset())
    write_table(summary, lines.append)
    (line,) = summary.lines()
    assert (line.findings["duplicated"], line.findings["reordered"]) == (1, 2)
    assert line.expected == {"duplicated": {"count": 7, "why": ["reread"]}}
    assert "expected, F34: 7 duplicated: reread" in lines


@pytest.mark.parametrize("fault", [fault for fault in CATALOGUE if fault.not_run])
def test_a_reason_is_a_sentence(fault: object) -> None:
    assert len(str(getattr(fault, "not_run", "")).split()) >= 4
