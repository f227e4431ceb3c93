"""The report of all runs under faults: by fault, what was fired, and what came of it.

Decides what the table and the JSON say, and which faults of the catalogue are missing in it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.fault.catalogue import BY_NAME, CATALOGUE, CONTROLS

_FINDINGS = ("lost", "duplicated", "reordered", "torn", "foreign", "hanging", "wrong_content")
_COLUMNS = (
    ("fault", 6),
    ("runs", 5),
    ("failed", 7),
    ("seeds", 6),
    ("fired", 6),
    ("least lag", 10),
    ("committed", 10),
    ("aborted", 8),
    ("lost", 5),
    ("twice", 6),
    ("recovery p50", 13),
    ("max", 7),
)


@dataclass(frozen=True, slots=True)
class Line:
    """All runs of one fault."""

    fault: str
    runs: int
    failed: int
    seeds: tuple[int, ...]
    protocols: tuple[str, ...]
    fired: int
    least_lag: int | None
    events: int
    committed: int
    aborted: int
    aborted_outcomes: int
    findings: Mapping[str, int]
    recovery_p50_s: float | None
    recovery_max_s: float | None

    @classmethod
    def of(cls, fault: str, runs: list[dict[str, Any]], failed: frozenset[str]) -> "Line":
        """From records as JSON has them."""
        fired = [each for run in runs for each in run["fired"]]
        recoveries = [each["recovery_s"] for each in fired if each["recovery_s"] is not None]
        reports = [run["report"] for run in runs]
        return cls(
            fault=fault,
            runs=len(runs),
            failed=sum(run["test"] in failed for run in runs),
            seeds=tuple(sorted({run["seed"] for run in runs if run["test"] not in failed})),
            protocols=tuple(sorted({run["protocol"] for run in runs})),
            fired=len(fired),
            least_lag=min((each["lag"] for each in fired), default=None),
            events=sum(report.get("events", 0) for report in reports),
            committed=sum(run["committed"] for run in runs),
            aborted=sum(run["aborted"] for run in runs),
            aborted_outcomes=sum(run["aborted_outcomes"] for run in runs),
            findings={name: sum(r.get(name, 0) for r in reports) for name in _FINDINGS},
            recovery_p50_s=median(recoveries) if recoveries else None,
            recovery_max_s=max(recoveries, default=None),
        )

    def cells(self) -> tuple[object, ...]:
        """As the table shows them."""
        return (
            self.fault,
            self.runs,
            self.failed or "",
            len(self.seeds),
            self.fired,
            "" if self.least_lag is None else self.least_lag,
            self.committed,
            self.aborted,
            self.findings["lost"],
            self.findings["duplicated"],
            "" if self.recovery_p50_s is None else f"{self.recovery_p50_s:.1f} s",
            "" if self.recovery_max_s is None else f"{self.recovery_max_s:.1f} s",
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Every run, by fault.

    Attributes:
        runs: Records as JSON has them.
        failed: Node ids of tests that failed.
    """

    runs: tuple[dict[str, Any], ...]
    failed: frozenset[str]

    def lines(self) -> list[Line]:
        """One a fault, in the order of the catalogue; other names behind."""
        by_fault: dict[str, list[dict[str, Any]]] = {}
        for run in self.runs:
            if run["fault"] != "controls":
                by_fault.setdefault(run["fault"], []).append(run)
        order = [fault.name for fault in CATALOGUE]
        names = sorted(by_fault, key=lambda n: (order.index(n) if n in BY_NAME else 99, n))
        return [Line.of(name, by_fault[name], self.failed) for name in names]

    def controls(self) -> dict[str, int]:
        """By way of being broken, with how many seeds it was found as what it is."""
        caught = {(run["control"], run["seed"]) for run in self.runs if self._passed(run)}
        return {way: sum(found == way for found, _ in caught) for way in CONTROLS}

    def controls_line(self) -> str:
        """What the table says of them; their lost and duplicated records are nobody's."""
        runs = [run for run in self.runs if run["fault"] == "controls"]
        passed = [run for run in runs if self._passed(run)]
        tried, caught = (sum(run["control"] != "" for run in some) for some in (runs, passed))
        good, all_ = len(passed) - caught, len(runs) - tried
        return (
            f"negative controls: caught {caught} of {tried}; "
            f"the same with nothing broken: good {good} of {all_}"
        )

    def _passed(self, run: Mapping[str, Any]) -> bool:
        return run["test"] not in self.failed

    def recoveries(self) -> list[tuple[str, list[float]]]:
        """Seconds to recover of the runs that measure just that, by what was done."""
        found: dict[str, list[float]] = {}
        for run in self.runs:
            for fired in run["fired"] if run["fault"] == "recovery" else ():
                if fired["recovery_s"] is not None:
                    what = f"{run['protocol']}: {fired['what']}"
                    found.setdefault(what, []).append(fired["recovery_s"])
        return sorted(found.items())

    def missing(self, seeds: int) -> list[str]:
        """Faults that this machine should have run with so many seeds, and did not."""
        seen = {line.fault: len(line.seeds) for line in self.lines()}
        faults = [
            f"{fault.name} ({fault.what}): {seen.get(fault.name, 0)} of {seeds} seeds"
            for fault in CATALOGUE
            if (not fault.not_run or fault.partly) and seen.get(fault.name, 0) < seeds
        ]
        controls = [
            f"negative control {way}: caught with {caught} of {seeds} seeds"
            for way, caught in self.controls().items()
            if caught < seeds
        ]
        return faults + controls

    def to_json(self, machine: Mapping[str, object]) -> dict[str, Any]:
        """Everything, for a script."""
        return {
            "machine": dict(machine),
            "failed": sorted(self.failed),
            "faults": [
                {name: getattr(line, name) for name in Line.__slots__} for line in self.lines()
            ],
            "not_run": [
                {"fault": f.name, "what": f.what, "reason": f.not_run, "partly": f.partly}
                for f in CATALOGUE
                if f.not_run
            ],
            "recoveries": dict(self.recoveries()),
            "controls": self.controls(),
            "runs": list(self.runs),
        }


def write_table(summary: Summary, write_line: Callable[[str], None]) -> None:
    """For people."""
    write_line("")
    write_line(_row(name for name, _ in _COLUMNS))
    for line in summary.lines():
        write_line(_row(line.cells()))
    write_line(summary.controls_line())
    for what, seconds in summary.recoveries():
        write_line(
            f"recovery, {what}: {len(seconds)} kills, p50 {median(seconds):.1f} s, "
            f"max {max(seconds):.1f} s"
        )
    for fault in CATALOGUE:
        if fault.not_run:
            part = "in part not run" if fault.partly else "not run"
            write_line(f"{part}: {fault.name} {fault.what}: {fault.not_run}")


def _row(cells: Iterable[object]) -> str:
    return " ".join(str(c).rjust(width) for c, (_, width) in zip(cells, _COLUMNS, strict=True))
