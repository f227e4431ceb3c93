"""The figures on the guarantees page are those of the report that is kept beside it."""

import json
from typing import Any

import pytest

from tests.fault.catalogue import CATALOGUE, CONTROLS
from tests.fault.circumstances import circumstances
from tests.fault.gate import SEEDS
from tests.fault.page import (
    KEPT,
    PAGE,
    PLACEHOLDER,
    NotWholeError,
    kept,
    refuse_parts,
    tables,
    with_tables,
)
from tests.fault.summary import FINDINGS, Summary
from tests.fault_kit import everything, record


def report(summary: Summary, whole: str) -> dict[str, Any]:
    of = {"whole": whole, "missing": [], **circumstances(at_a_time=2), "commit": "0c0ffee"}
    told: dict[str, Any] = json.loads(json.dumps(summary.to_json(of)))
    return told


RECOVERY = report(Summary((record("recovery", 1),), frozenset()), "recovery")


def test_the_page_shows_the_report_that_is_kept_or_that_there_is_none() -> None:
    page = PAGE.read_text("utf-8")
    if KEPT.exists():
        assert with_tables(page, json.loads(KEPT.read_text("utf-8"))) == page
    else:
        assert PLACEHOLDER in page


def test_a_report_that_is_kept_is_of_a_whole_run_without_a_finding() -> None:
    figures = kept(report(everything(), "faults"), RECOVERY, {})
    if KEPT.exists():
        figures = json.loads(KEPT.read_text("utf-8"))
    lines = {line["fault"]: line for line in figures["faults"]}
    assert figures["failed"] == figures["missing"] == []
    here = {each["fault"] for each in figures["not_run_here"]}
    for name in {fault.name for fault in CATALOGUE if fault.due} - here:
        assert len(lines[name]["seeds"]) >= SEEDS, name
        assert lines[name]["least_lag"] > 0, name
    for name, line in lines.items():
        # A kept report may be older than a kind of finding.
        assert line["findings"].keys() <= set(FINDINGS), name
        assert not any(line["findings"].values()), name
        assert all(each["why"] for each in line["expected"].values()), name
    assert all(figures["controls"][way] >= SEEDS for way in CONTROLS)
    assert figures["recoveries"]
    assert figures["commit"]
    assert figures["date"]


def test_findings_that_a_fault_brings_with_it_stand_apart_with_the_reason() -> None:
    told = record("F34", 1, duplicated=7) | {"expected": {"duplicated": "the operator said so"}}
    shown = tables(kept(report(Summary((told,), frozenset()), "faults"), RECOVERY, {}))
    (row,) = [line for line in shown.splitlines() if line.startswith("| F34 |")]
    assert "| 0, 0, 0 | 7 duplicated |" in row
    assert "Expected of F34: the operator said so." in shown


@pytest.mark.parametrize(
    ("faults", "recovery"),
    [
        pytest.param({"whole": None}, {}, id="a part of the faults"),
        pytest.param({}, {"whole": "faults"}, id="no recovery"),
        pytest.param({"missing": ["F3"]}, {}, id="a fault is missing"),
        pytest.param({"failed": ["a test"]}, {}, id="a test failed"),
        pytest.param({}, {"failed": ["a test"]}, id="a measurement failed"),
        pytest.param({"commit": "another"}, {}, id="of two commits"),
        pytest.param({"commit": "a-dirty"}, {"commit": "a-dirty"}, id="of no commit"),
    ],
)
def test_reports_that_are_not_whole_are_refused(
    faults: dict[str, object], recovery: dict[str, object]
) -> None:
    whole = report(everything(), "faults")
    refuse_parts(whole, RECOVERY)
    with pytest.raises(NotWholeError):
        refuse_parts(whole | faults, RECOVERY | recovery)
