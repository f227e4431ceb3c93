"""The report of all runs under faults: by fault, what was fired, and what came of it.

Decides what the table and the JSON say (``gate.py`` decides what is missing in it).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from stream_app.verify import Isolation, Promise, Report
from tests.fault.catalogue import BY_NAME, CATALOGUE, CONTROLS
from tests.fault.record import Asked

FINDINGS = tuple(Report(Promise.EXACTLY_ONCE, Isolation.READ_COMMITTED, 0, 0, {}).findings)
"""All kinds that the verifier knows."""

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
    ("other findings", 14),
    ("expected", 9),
)


@dataclass(frozen=True, slots=True)
class Line:
    """All runs of one fault.

    Attributes:
        findings: By kind, those that no run expected.
        expected: By kind, those that the fault itself brings with it: how many, and why.
    """

    fault: str
    runs: int
    failed: int
    seeds: tuple[int, ...]
    protocols: tuple[str, ...]
    clients: tuple[str, ...]
    fired: int
    least_lag: int | None
    events: int
    committed: int
    aborted: int
    aborted_outcomes: int
    findings: Mapping[str, int]
    expected: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, fault: str, runs: list[dict[str, Any]], failed: frozenset[str]) -> "Line":
        """From records as JSON has them."""
        fired = [each for run in runs for each in run["fired"]]
        reports = [run["report"] for run in runs]
        return cls(
            fault=fault,
            runs=len(runs),
            failed=sum(run["test"] in failed for run in runs),
            seeds=tuple(sorted({run["seed"] for run in runs if run["test"] not in failed})),
            protocols=tuple(sorted({run["protocol"] for run in runs})),
            clients=tuple(sorted({run["client"] for run in runs})),
            fired=len(fired),
            least_lag=min((each["lag"] for each in fired), default=None),
            events=sum(report.get("events", 0) for report in reports),
            committed=sum(run["committed"] for run in runs),
            aborted=sum(run["aborted"] for run in runs),
            aborted_outcomes=sum(run["aborted_outcomes"] for run in runs),
            findings={
                name: sum(run["report"].get(name, 0) for run in runs if name not in run["expected"])
                for name in FINDINGS
            },
            expected=_expected(runs),
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
            sum(n for name, n in self.findings.items() if name not in {"lost", "duplicated"}),
            sum(each["count"] for each in self.expected.values()),
        )


def _expected(runs: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        for name, why in run["expected"].items():
            count = run["report"].get(name, 0)
            if count:
                before = found.get(name, {"count": 0, "why": []})
                reasons = sorted({*before["why"], why})
                found[name] = {"count": before["count"] + count, "why": reasons}
    return found


@dataclass(frozen=True, slots=True)
class Summary:
    """Every run, by fault.

    Attributes:
        runs: Records as JSON has them.
        failed: Node ids of tests that failed.
        asked: Every test of a fault that was to run.
    """

    runs: tuple[dict[str, Any], ...]
    failed: frozenset[str]
    asked: tuple[Asked, ...] = ()

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
                    what = f"{run['protocol']}, {run['client']} client: {fired['what']}"
                    found.setdefault(what, []).append(fired["recovery_s"])
        return sorted(found.items())

    def skipped(self) -> list[Asked]:
        """Tests that this machine could not do, one a function and reason."""
        first = {
            (each.fault, each.function, each.reason): each
            for each in reversed(self.asked)
            if each.outcome == "skipped"
        }
        return [first[key] for key in sorted(first)]

    def to_json(self, of: Mapping[str, object]) -> dict[str, Any]:
        """Everything, for a script.

        Args:
            of: When and where it was, and whether it is whole.
        """
        return {
            **of,
            "failed": sorted(self.failed),
            "faults": [
                {name: getattr(line, name) for name in Line.__slots__} for line in self.lines()
            ],
            "not_run": [
                {"fault": f.name, "what": f.what, "reason": f.not_run, "partly": f.partly}
                for f in CATALOGUE
                if f.not_run
            ],
            "not_run_here": [asdict(each) for each in self.skipped()],
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
    for line in summary.lines():
        for name, found in line.expected.items():
            why = "; ".join(found["why"])
            write_line(f"expected, {line.fault}: {found['count']} {name}: {why}")
    write_line(summary.controls_line())
    for what, seconds in summary.recoveries():
        write_line(
            f"recovery, {what}: {len(seconds)} kills, p50 {median(seconds):.1f} s, "
            f"max {max(seconds):.1f} s"
        )
    for each in summary.skipped():
        write_line(f"not run here: {each.fault} {each.function}: because {each.reason}")
    for fault in CATALOGUE:
        if fault.not_run:
            part = "in part not run" if fault.partly else "not run"
            write_line(f"{part}: {fault.name} {fault.what}: {fault.not_run}")


def _row(cells: Iterable[object]) -> str:
    return " ".join(str(c).rjust(width) for c, (_, width) in zip(cells, _COLUMNS, strict=True))
