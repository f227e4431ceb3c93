"""The table of docs/guarantees.md, from the reports of a whole run: ``python -m tests.fault.page``.

Decides which figures of ``make test-faults`` are kept in the repository (docs/faults.json) and how
they are shown, and refuses those of a run that was not whole. A test holds the page against them,
so that no figure is written by hand.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.fault.catalogue import CATALOGUE
from tests.fault.gate import Whole
from tests.fault.journal import others

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
KEPT = ROOT / "docs" / "faults.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PLACEHOLDER = (
    "No whole run is kept yet: `make test-faults` and then `python -m tests.fault.page` write it "
    "here."
)

_KEPT_OF_A_LINE = (
    "fault",
    "runs",
    "failed",
    "seeds",
    "protocols",
    "clients",
    "fired",
    "least_lag",
    "events",
    "committed",
    "aborted",
    "aborted_outcomes",
    "findings",
    "expected",
)


class NotWholeError(Exception):
    """The reports are not of one whole run of everything."""


def refuse_parts(faults: Mapping[str, Any], recovery: Mapping[str, Any]) -> None:
    """Let only whole runs without a failed test pass, both of one commit.

    Raises:
        NotWholeError: what is wrong.
    """
    for report, whole in ((faults, Whole.FAULTS), (recovery, Whole.RECOVERY)):
        if report["whole"] != whole:
            raise NotWholeError(f"not made with --whole={whole}: make test-faults does it")
        for lack in ("failed", "missing"):
            if report[lack]:
                raise NotWholeError(f"the report of {whole} has {lack}: {report[lack]}")
    if faults["commit"].endswith("-dirty"):
        raise NotWholeError(f"of files that are in no commit: {faults['commit']}")
    if faults["commit"] != recovery["commit"]:
        raise NotWholeError(f"of two commits: {faults['commit']} and {recovery['commit']}")


def kept(
    faults: Mapping[str, Any], recovery: Mapping[str, Any], taken_over: Mapping[str, int]
) -> dict[str, Any]:
    """What stays of the two reports: sums, not runs.

    Args:
        faults: The one.
        recovery: The other.
        taken_over: By commit, tests whose results are of there (``journal.py`` says which may be).
    """
    return {
        **{name: faults[name] for name in ("commit", "date", "machine", "missing")},
        "taken_over": dict(taken_over),
        "failed": sorted({*faults["failed"], *recovery["failed"]}),
        "controls": faults["controls"],
        "not_run_here": faults["not_run_here"],
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
    before = ", ".join(f"{count} at {at}" for at, count in figures["taken_over"].items())
    elsewhere = f" (of its tests {before}, before other tests were mended)" if before else ""
    told = (
        f"Measured by `make test-faults` on {figures['date']} at commit {figures['commit']}"
        f"{elsewhere}: "
        f"{machine['cores']} shared cores of {machine['processor']} ({machine['machine']}, "
        f"{machine['system']}), {machine['memory_gib']} GiB, Python {machine['python']}, "
        f"confluent-kafka {machine['confluent_kafka']}, ONNX Runtime {machine['onnxruntime']}, "
        f"{machine['at_a_time']} runs at a time. Lost, twice and wrong count what no test expects; "
        "what a fault brings with it stands in a column of its own, with the reason below."
    )
    return "\n".join(
        [
            told,
            "",
            *_faults(figures["faults"], figures["not_run_here"]),
            "",
            *_reasons(figures["faults"]),
            *_controls(figures["controls"]),
            "",
            *_recoveries(figures["recoveries"]),
        ]
    )


def _faults(
    lines: Iterable[Mapping[str, Any]], not_run_here: Iterable[Mapping[str, Any]]
) -> list[str]:
    by_name = {line["fault"]: line for line in lines}
    rows = [
        "| | Fault | Runs (seeds) | Fired, least lag | Events | Committed, aborted "
        "| Lost, twice, wrong otherwise | Expected | Not covered |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in CATALOGUE:
        line = by_name.get(fault.name)
        cells = _cells(line) if line is not None else ("0", "", "", "", "", "")
        here = sorted({e["reason"] for e in not_run_here if e["fault"] == fault.name})
        reasons = "; ".join([fault.not_run, *here] if fault.not_run else here)
        rows.append(f"| {fault.name} | {fault.what} | {' | '.join(cells)} | {reasons} |")
    return rows


def _cells(line: Mapping[str, Any]) -> tuple[str, ...]:
    findings = line["findings"]
    others = sum(n for name, n in findings.items() if name not in {"lost", "duplicated"})
    expected = ", ".join(f"{each['count']:,} {name}" for name, each in line["expected"].items())
    return (
        f"{line['runs']} ({', '.join(map(str, line['seeds']))})",
        f"{line['fired']}, {line['least_lag']}",
        f"{line['events']:,}",
        f"{line['committed']:,}, {line['aborted']:,}",
        f"{findings['lost']}, {findings['duplicated']}, {others}",
        expected,
    )


def _reasons(lines: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Why findings were expected, a line a fault."""
    for line in lines:
        why = sorted({why for each in line["expected"].values() for why in each["why"]})
        if why:
            yield f"Expected of {line['fault']}: {'; '.join(why)}."
            yield ""


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


def _taken_over(*reports: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for report in reports:
        commit = json.loads(report.read_text("utf-8"))["commit"]
        found.update(others(report.with_suffix(".journal.jsonl"), commit))
    return found


def main() -> None:
    """Read the reports, keep their sums, and write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=Path, default=ROOT / "build" / "faults.json")
    parser.add_argument("--recovery", type=Path, default=ROOT / "build" / "recovery.json")
    given = parser.parse_args()
    faults, recovery = (
        json.loads(path.read_text("utf-8")) for path in (given.faults, given.recovery)
    )
    try:
        refuse_parts(faults, recovery)
    except NotWholeError as exc:
        raise SystemExit(f"nothing is written: {exc}") from exc
    figures = kept(faults, recovery, _taken_over(given.faults, given.recovery))
    KEPT.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), figures), "utf-8")


if __name__ == "__main__":
    main()
