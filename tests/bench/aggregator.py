"""What an aggregator can do: ``python -m tests.bench.aggregator``.

Decides what is measured, on a real Kafka and the real process: how many partials a second it
drains, what its memory is as windows come and go by the ten thousand, and how long a successor
takes to restore them. Partials are those of scorers that commit every twenty events, which is what
makes them many and small.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from confluent_kafka import Producer

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.drift.partial_codec import encode_partial
from stream_app.adapters.drift.reference_file import read_reference
from stream_app.adapters.local_kafka import LocalKafka
from stream_app.bench.machine import describe_machine, versions
from stream_app.core.drift import plain
from stream_app.core.drift.counter import Arithmetic, WindowCounter
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Coverage, Partial, Stream, WindowDelta
from tests.aggregate_kit import make_events
from tests.aggregator_feed import aggregator_job
from tests.drift_kit import sources_of
from tests.job import ROOT, Job
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, Workers

ROWS = 20
"""Of a partial."""

TEMPLATES = 200
WINDOW_MS = 60_000
COMMAND = ("drift", "aggregate")
PARTIALS_METRIC = "stream_app_drift_partials_total"
WINDOWS_METRIC = "stream_app_drift_windows_total"
_SETTLED = 0.1
"""Of the partials, left out at both ends of the drain."""

_LOOK_S = 0.1
_WITHIN_S = 900.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent.

    Attributes:
        partials: How many.
        windows: Over how many windows they are spread, in order.
        kept: How many windows the retention keeps.
    """

    partials: int
    windows: int
    kept: int


def main() -> int:
    """Measure; a table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partials", type=int, default=200_000, help="to drain")
    parser.add_argument("--windows", type=int, default=10_000, help="to look at memory")
    parser.add_argument("--json", type=Path, help="write all of it there")
    given = parser.parse_args()
    warm_kernels(_say)
    with tempfile.TemporaryDirectory() as folder, LocalKafka(progress=_say) as local:
        kafka = RealKafka(local.bootstrap_servers, None)
        found: dict[str, Any] = {
            "machine": describe_machine(),
            "versions": versions("real"),
            "drain": _drain(kafka, Path(folder) / "drain", given.partials),
            "memory": _memory(kafka, Path(folder) / "memory", given.windows),
        }
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    drain, memory = found["drain"], found["memory"]
    _say(f"drained {drain['per_second']:,.0f} partials/s, {drain['cpu_us']:.0f} us of CPU each")
    for windows, mib in memory["rss_mib"]:
        _say(f"after {windows:>6,} windows: {mib:,.0f} MiB")
    _say(f"restored {memory['restored_windows']:,} windows in {memory['restored_s']:.1f} s")
    return 0


def _drain(kafka: RealKafka, folder: Path, partials: int) -> dict[str, float]:
    job = _job(kafka, folder)
    _send(job, Plan(partials, windows=50, kept=1_000))
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND).wait_ready()
        points: list[tuple[float, float, float]] = []
        while not points or points[-1][1] < partials:
            points.append((time.monotonic(), worker.metric(PARTIALS_METRIC), _cpu_s(worker.pid)))
            _alive(worker, points[0][0])
        worker.stop()
    low, high = _SETTLED * partials, (1.0 - _SETTLED) * partials
    inside = [point for point in points if low <= point[1] <= high]
    (begin_s, first, begin_cpu_s), (end_s, last, end_cpu_s) = inside[0], inside[-1]
    count = last - first
    return {
        "partials": partials,
        "rows_each": ROWS,
        "per_second": count / (end_s - begin_s),
        "cpu_us": 1e6 * (end_cpu_s - begin_cpu_s) / count,
    }


def _memory(kafka: RealKafka, folder: Path, windows: int) -> dict[str, Any]:
    kept = windows // 10
    job = _job(kafka, folder, drift__retention_s=str(kept * WINDOW_MS // 1000))
    plan = Plan(10 * windows, windows, kept)
    _send(job, plan)
    looks: list[tuple[int, float]] = []
    step = max(1, windows // 10)
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND).wait_ready()
        begun_s, told = time.monotonic(), 0.0
        while told < windows - kept:
            told = worker.metric(WINDOWS_METRIC)
            if told >= step * (len(looks) + 1):
                looks.append((int(told), _rss_mib(worker.pid)))
            _alive(worker, begun_s)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait_exit(10)
        after = workers.start(command=COMMAND)
        restored = after.wait_for("drift_state_restored", 120)
        owned = after.events("rebalance")[0]
        after.stop()
    return {
        "windows": windows,
        "kept": kept,
        "rss_mib": looks,
        "restored_windows": restored["windows"],
        "restored_s": (_moment(restored) - _moment(owned)).total_seconds(),
    }


def _job(kafka: RealKafka, folder: Path, **overrides: str) -> Job:
    folder.mkdir()
    overrides = {"batch__max_records": "4096", "batch__transaction_records": "100000"} | overrides
    return aggregator_job(kafka, folder, inputs=1, **overrides)


def _send(job: Job, plan: Plan) -> None:
    """All of it, sent as if over time: each window is a minute, and so is what lies between."""
    settings = job.settings
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "compression.type": "lz4",
            "linger.ms": 20,
            "partitioner": "murmur2_random",
        }
    )
    for number, partial in enumerate(_partials(plan)):
        key, value = partial.stream.to_key().encode(), encode_partial(partial)
        sent_ms = partial.coverage[0].greatest_ms
        while True:
            try:
                producer.produce(settings.partials_topic, value, key, timestamp=sent_ms)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0


def _partials(plan: Plan) -> Iterator[Partial]:
    path = ROOT / "examples" / "car_loan" / "models" / "car_loan" / "1" / "reference.avro"
    stored = read_reference(path)
    layout, way = Layout(stored.reference), cast(Arithmetic, plain)
    stream = Stream("car_loan", "1", "primary", stored.id, WINDOW_MS)
    templates: list[WindowDelta] = []
    for seed in range(TEMPLATES):
        events = make_events(seed, ROWS, 1, 1, layout=layout, stream=stream)
        counter = WindowCounter(layout, WINDOW_MS, way)
        sources = sources_of(events.values, layout.reference)
        counter.add(counter.cells(sources, events.slots, np.zeros(ROWS, dtype=np.int64)))
        templates += counter.take()
    begin_ms = 1_700_000_040_000
    each = plan.partials // plan.windows
    for number in range(plan.partials):
        window, place = divmod(number, each)
        start_ms = begin_ms + window * WINDOW_MS
        delta = templates[number % TEMPLATES]
        greatest_ms = start_ms + place * WINDOW_MS // each
        coverage = Coverage(0, number * ROWS, number * ROWS + ROWS - 1, greatest_ms, is_idle=False)
        moved = WindowDelta(start_ms, delta.rows, delta.letters, delta.form, delta.counts)
        yield Partial(stream, "bench", 0, 1, (coverage,), (moved,), 0, {})


def _alive(worker: Worker, begun_s: float) -> None:
    if worker.exit_status is not None or time.monotonic() > begun_s + _WITHIN_S:
        sys.exit(f"the aggregator does not get on:\n{worker.log()[-2_000:]}")
    time.sleep(_LOOK_S)


def _rss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _moment(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
