"""The table of docs/guarantees.md, from the reports of a whole run: ``python -m tests.fault.page``.

Decides which figures of ``make test-faults`` are kept in the repository (docs/faults.json) and how
they are shown. A test holds the page against them, so that no figure is written by hand.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.fault.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
KEPT = ROOT / "docs" / "faults.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

_KEPT_OF_A_LINE = (
    "fault",
    "runs",
    "failed",
    "seeds",
    "protocols",
    "fired",
    "least_lag",
    "events",
    "committed",
    "aborted",
    "aborted_outcomes",
    "findings",
    "recovery_p50_s",
    "recovery_max_s",
)


def kept(faults: Mapping[str, Any], recovery: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of the two reports: sums, not runs."""
    return {
        "machine": faults["machine"],
        "failed": sorted({*faults["failed"], *recovery["failed"]}),
        "controls": faults["controls"],
        "faults": [{name: line[name] for name in _KEPT_OF_A_LINE} for line in faults["faults"]],
        "recoveries": {
            what: {
                "kills": len(seconds),
                "p50_s": round(median(seconds), 1),
                "max_s": round(max(seconds), 1),
            }
            for what, seconds in recovery["recoveries"].items()
        },
    }


def tables(figures: Mapping[str, Any]) -> str:
    """What stands between the marks of the page."""
    machine = figures["machine"]
    told = (
        f"Measured by `make test-faults` on {machine['cores']} shared cores ({machine['machine']}, "
        f"{machine['system']}), Python {machine['python']}, confluent-kafka "
        f"{machine['confluent_kafka']}, two runs at a time."
    )
    return "\n".join(
        [
            told,
            "",
            *_faults(figures["faults"]),
            "",
            *_controls(figures["controls"]),
            "",
            *_recoveries(figures["recoveries"]),
        ]
    )


def _faults(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    by_name = {line["fault"]: line for line in lines}
    rows = [
        "| | Fault | Runs (seeds) | Fired, least lag | Events | Committed, aborted | Lost, twice "
        "| Recovery p50, max | Not covered |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in CATALOGUE:
        line = by_name.get(fault.name)
        cells = _cells(line) if line is not None else ("0", "", "", "", "", "")
        rows.append(f"| {fault.name} | {fault.what} | {' | '.join(cells)} | {fault.not_run} |")
    return rows


def _cells(line: Mapping[str, Any]) -> tuple[str, ...]:
    findings = line["findings"]
    recovery = ""
    if line["recovery_p50_s"] is not None:
        recovery = f"{line['recovery_p50_s']:.1f} s, {line['recovery_max_s']:.1f} s"
    return (
        f"{line['runs']} ({len(line['seeds'])})",
        f"{line['fired']}, {line['least_lag']}",
        f"{line['events']:,}",
        f"{line['committed']:,}, {line['aborted']:,}",
        f"{findings['lost']}, {findings['duplicated']}",
        recovery,
    )


def _controls(controls: Mapping[str, int]) -> list[str]:
    found = ", ".join(f"{way.replace('_', ' ')} {count}" for way, count in controls.items())
    return [f"Negative controls, with how many seeds each was found: {found}."]


def _recoveries(recoveries: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    yield "| Recovery after SIGKILL of one of three workers under load | Kills | p50 | max |"
    yield "|---|---|---|---|"
    for what, seen in recoveries.items():
        yield f"| {what} | {seen['kills']} | {seen['p50_s']} s | {seen['max_s']} s |"


def with_tables(page: str, figures: Mapping[str, Any]) -> str:
    """The page with its measured part made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(figures)}\n{END}{after}"


def main() -> None:
    """Read the reports, keep their sums, and write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=Path, default=ROOT / "build" / "faults.json")
    parser.add_argument("--recovery", type=Path, default=ROOT / "build" / "recovery.json")
    given = parser.parse_args()
    faults, recovery = (
        json.loads(path.read_text("utf-8")) for path in (given.faults, given.recovery)
    )
    figures = kept(faults, recovery)
    KEPT.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), figures), "utf-8")


if __name__ == "__main__":
    main()
