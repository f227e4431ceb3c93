"""What came out, as a value: the numbers of ``--summary``, and what is wrong with them.

Decides when a demo has failed. The verdict on lost and repeated records is the verifier's; here
it is held against what was really sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_app.demo.drift import DriftVerdict
from stream_app.verify import Report


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured while it ran; ``None`` where there was too little to measure.

    Attributes:
        latency_p50_s: From sending an event to seeing its committed prediction, at a steady rate.
        latency_p99_s: The same.
        latency_records: Of how many events.
        records_per_second: Outcomes in the burst, from the first to the last one.
        records_per_second_before_kill: The same, up to the moment of the kill.
        take_over_s: From the kill until every partition had a living owner again.
    """

    latency_p50_s: float | None = None
    latency_p99_s: float | None = None
    latency_records: int = 0
    records_per_second: float | None = None
    records_per_second_before_kill: float | None = None
    take_over_s: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A run.

    Attributes:
        kafka: Which cluster.
        delivery: What was promised.
        workers: Scorer processes.
        acknowledged: Events that the cluster has taken.
        planted: Dead letters that must be there, by code.
        killed: What was killed, in words.
        seconds: From start to verdict.
        measured: While it ran.
        report: The verifier's verdict.
        drift: That on windows of drift.
        faults_seen: What else went wrong on the way, one line each.
        examples: Some predictions, decoded.
        reasons: What the first dead letter of each code says.
        versions: Of what took part.
    """

    kafka: str
    delivery: str
    workers: int
    acknowledged: int
    planted: Mapping[str, int]
    killed: tuple[str, ...]
    seconds: float
    measured: Measured
    report: Report
    drift: DriftVerdict
    faults_seen: tuple[str, ...]
    examples: tuple[Mapping[str, Any], ...]
    reasons: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def faults(self) -> list[str]:
        """All that is wrong; empty for a good run."""
        report = self.report
        found = list(self.faults_seen)
        for name, finding in report.findings.items():
            if finding.count and (not report.sound or name == "duplicated"):
                where = f", first {', '.join(finding.first)}" if finding.first else ""
                found.append(f"{name}: {finding.count}{where}")
        if report.uncommitted:
            found.append(f"{report.uncommitted} events were never committed by the workers")
        if report.events != self.acknowledged:
            found.append(
                f"the cluster took {self.acknowledged} events, and {report.events} were found "
                "when the input was read again"
            )
        outcomes = report.predictions + sum(report.dead_letters.values())
        if outcomes != report.events:
            found.append(f"{report.events} events have {outcomes} outcomes, expected one for each")
        if dict(report.dead_letters) != dict(self.planted):
            found.append(
                f"dead letters by code are {_told(report.dead_letters)}, expected those of the "
                f"events broken on purpose: {_told(self.planted)}"
            )
        return found + self.drift.faults

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.faults

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dumps``."""
        measured, report = self.measured, self.report
        return {
            "ok": self.ok,
            "faults": self.faults,
            "kafka": self.kafka,
            "delivery": self.delivery,
            "workers": self.workers,
            "killed": list(self.killed),
            "events": report.events,
            "predictions": report.predictions,
            "dead_letters": dict(sorted(report.dead_letters.items())),
            "malformed_on_purpose": dict(sorted(self.planted.items())),
            "lost": report.lost.count,
            "duplicated": report.duplicated.count,
            "records_per_second": _rounded(measured.records_per_second, 1),
            "records_per_second_before_kill": _rounded(measured.records_per_second_before_kill, 1),
            "latency_p50_s": _rounded(measured.latency_p50_s, 6),
            "latency_p99_s": _rounded(measured.latency_p99_s, 6),
            "latency_records": measured.latency_records,
            "take_over_s": _rounded(measured.take_over_s, 3),
            "seconds": round(self.seconds, 3),
            "drift": self.drift.to_json(),
            "versions": dict(self.versions),
            "verdict": report.to_json(),
        }


def _told(codes: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(codes.items())) or "none"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
