"""How fast events are decoded, beside fastavro: ``python -m tests.bench.decode``.

Decides what counts as decoding: from the values as a client hands them over (one ``bytes`` a
record) to the model's tensors, with joining them, faults, ids and times. fastavro is only asked for
a dictionary a record, and by hand for its tensors too; the events are the example's.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from statistics import median
from typing import Any

import fastavro
import numpy as np
import typer

from stream_app.adapters.avro.parts import build_decoder, build_store
from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.bench.plain_codec import PlainDecoder
from stream_app.adapters.demo.events import read_events
from stream_app.adapters.model.repository import ModelRepository
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.logs import configure_logging
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.bench.machine import describe_machine, versions
from stream_app.core.avro.framing import SINGLE_OBJECT_BYTES
from stream_app.core.columns import BytesColumn, RecordBatch
from stream_app.resources import example_dir, schema_path
from stream_app.settings import load_settings

EXAMPLE = "car_loan"


def main() -> None:
    """Measure, and print a line each; with ``--json`` all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=40_960, help="in a round")
    parser.add_argument("--batch", type=int, default=4_096, help="records at a time")
    parser.add_argument("--rounds", type=int, default=7, help="of which the median counts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    configure_logging("error", "json")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warm_kernels(lambda _: None, native=False)
    ways = _ways(given.records, given.batch)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        # In turns, so that nobody has the quiet minute for himself.
        for name, way in ways.items():
            begun_s = time.perf_counter()
            way()
            taken[name].append(1e6 * (time.perf_counter() - begun_s) / given.records)
    figures = {name: median(us) for name, us in taken.items()}
    ours = figures["compiled, to tensors"]
    if given.json:
        typer.echo(
            json.dumps(
                {
                    "microseconds_per_record": figures,
                    "times_compiled": {name: us / ours for name, us in figures.items()},
                    "batch": given.batch,
                    "machine": describe_machine(),
                    "versions": versions("none"),
                }
            )
        )
        return
    for name, us in figures.items():
        typer.echo(f"{name:32} {us:8.3f} us a record  {us / ours:6.1f} x the compiled")


def _ways(records: int, batch: int) -> dict[str, Callable[[], object]]:
    events, writer = read_events(example_dir(EXAMPLE) / "stream.avro")
    values = [writer.encode(events[row % len(events)]) for row in range(records)]
    settings = load_settings(
        None,
        {
            "input.topic": "events",
            "input.framing": "single-object",
            "input.schema_dir": str(schema_path("event").parent),
        },
    )
    repository = ModelRepository(example_dir(EXAMPLE) / "models")
    contract = repository.open(EXAMPLE).contract
    clock, telemetry = SystemClock(), NullTelemetry()
    decoders = {
        kind: build_decoder(settings, contract, clock, telemetry, compiled=kind == "compiled")
        for kind in ("compiled", "strict")
    }
    store = build_store(settings, clock, telemetry)
    plain = PlainDecoder(contract, store, settings.input.framing)
    schema = fastavro.parse_schema(json.loads(schema_path("event").read_text("utf-8")))
    parts = [values[first : first + batch] for first in range(0, records, batch)]

    def to_tensors(kind: str) -> None:
        for part in parts:
            decoded = decoders[kind].decode(_records(part))
            if decoded.fault.any():
                raise SystemExit(f"{kind}: events of the example have faults")

    def by_hand() -> None:
        for part in parts:
            found = [event for value in part if (event := plain.decode(value)) is not None]
            plain.tensors(found)

    return {
        "fastavro, a dictionary a record": lambda: [_read(value, schema) for value in values],
        "fastavro by hand, to tensors": by_hand,
        "strict (fastavro), to tensors": lambda: to_tensors("strict"),
        "compiled, to tensors": lambda: to_tensors("compiled"),
    }


def _read(value: bytes, schema: Any) -> Any:
    body = BytesIO(value)
    body.seek(SINGLE_OBJECT_BYTES)
    return fastavro.schemaless_reader(body, schema, None)


def _records(values: Sequence[bytes]) -> RecordBatch:
    count = len(values)
    return RecordBatch(
        topic="events",
        values=BytesColumn.of(values),
        keys=BytesColumn.all_null(count),
        partition=np.zeros(count, dtype=np.int32),
        offset=np.arange(count, dtype=np.int64),
        timestamp_ms=np.zeros(count, dtype=np.int64),
        timestamp_type=np.ones(count, dtype=np.int8),
    )


if __name__ == "__main__":
    main()
