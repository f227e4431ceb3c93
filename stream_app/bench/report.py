"""What came out, as a value: what ``--json`` prints, and whether it may be believed.

Decides nothing; holds all figures of a run beside what they were measured on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from stream_app.bench.advice import Advice
from stream_app.bench.figures import (
    CurvePoint,
    Figures,
    Latencies,
    PartialBytes,
    Result,
    Spread,
)
from stream_app.bench.options import COUNTED, Contender

FORMAT: Final = 1
PERCENTILES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True, slots=True)
class Report:
    """A bench.

    Attributes:
        date: When it ended, UTC.
        kafka: Which cluster.
        model: What was scored with.
        records: In the input.
        partitions: Of the input.
        rounds: Runs of each contender.
        settings: In effect, that the figures depend on.
        machine: See ``machine.py``.
        versions: Of all that took part.
        pinned: Whether who was measured had a core alone.
        results: By contender.
        curve: Of the model.
        latencies: By the way's name.
        advice: What to set.
        partials: What telling of drift took, by run.
        compared: Predictions held against another contender's.
        notes: What a reader must know.
        faults: Why no figure may be believed; empty for a good run.
    """

    date: str
    kafka: str
    model: str
    records: int
    partitions: int
    rounds: int
    settings: Mapping[str, object]
    machine: Mapping[str, object]
    versions: Mapping[str, str]
    pinned: bool
    results: Mapping[Contender, Result]
    curve: Sequence[CurvePoint] = ()
    latencies: Mapping[str, Latencies] = field(default_factory=dict)
    advice: Sequence[Advice] = ()
    partials: Sequence[PartialBytes] = ()
    compared: int = 0
    notes: Sequence[str] = ()
    faults: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.faults

    def ratio(self, contender: Contender, to: Contender) -> float | None:
        """How many times as fast as another, by medians; ``None`` when either is missing."""
        if contender not in self.results or to not in self.results:
            return None
        mine, theirs = self.results[contender].per_second, self.results[to].per_second
        return mine.median / theirs.median

    def drift_cost(self, contender: Contender) -> float | None:
        """The share of throughput that counting drift costs; ``None`` when not measured."""
        without = {counted: other for other, counted in COUNTED.items()}.get(contender)
        ratio = self.ratio(contender, without) if without is not None else None
        return None if ratio is None else 1.0 - ratio

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dumps``."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "faults": list(self.faults),
            "notes": list(self.notes),
            "date": self.date,
            "machine": dict(self.machine),
            "pinned": self.pinned,
            "versions": dict(self.versions),
            "kafka": self.kafka,
            "model": self.model,
            "records": self.records,
            "partitions": self.partitions,
            "rounds": self.rounds,
            "settings": dict(self.settings),
            "predictions_compared": self.compared,
            "contenders": {c.value: self._contender(c) for c in self.results},
            "model_cost": [asdict(point) for point in self.curve],
            "latency": {name: _latency(found) for name, found in self.latencies.items()},
            "drift": {
                "cost": {
                    contender.value: _rounded(self.drift_cost(contender), 4)
                    for contender in COUNTED.values()
                    if contender in self.results
                },
                "partials": [asdict(each) for each in self.partials],
            },
            "recommendations": [asdict(each) for each in self.advice],
        }

    def _contender(self, contender: Contender) -> dict[str, object]:
        result = self.results[contender]
        return {
            "records_per_second": result.per_second.to_json(0),
            "of_plain_loop": _rounded(self.ratio(contender, Contender.PLAIN_LOOP), 3),
            "of_onnx": _rounded(self.ratio(contender, Contender.ONNX), 3),
            "cpu_us_per_record": result.cpu_us.to_json(3),
            "thread_cpu_us_per_record": result.thread_cpu_us.to_json(3),
            "cores_used": round(result.cores, 2),
            "step_shares": {name: round(share, 4) for name, share in result.shares().items()},
            "commit_seconds": round(result.commit_s, 6),
            "peak_rss_bytes": result.peak_rss_bytes,
            "runs": [_run(run) for run in result.runs],
        }


def _run(run: Figures) -> dict[str, object]:
    return {
        **asdict(run),
        "steps": {name: round(seconds, 6) for name, seconds in run.steps.items()},
        "records_per_second": round(run.per_second),
    }


def _latency(found: Latencies) -> dict[str, object]:
    return {
        "rate": round(found.rate, 1),
        "sent": found.sent,
        "unanswered": found.unanswered,
        **{f"{name}_s": _seconds(found.at(share)) for name, share in PERCENTILES.items()},
        "greatest_s": _seconds(found.at(1.0)),
    }


def _seconds(found: Spread | None) -> dict[str, float] | None:
    return None if found is None else found.to_json(6)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
