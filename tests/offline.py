"""The events of a topic in a file, and what ``stream-app drift run`` says of them.

Decides which records are events: those that are whole under the example's schema, read with
fastavro, so that whoever compares the result with live windows trusts nothing of the live path.
"""

import io
import json
import subprocess
import sys
from functools import cache
from typing import Any

import fastavro

from stream_app.adapters.kafka.reader import read_records
from stream_app.adapters.verifier.kafka import VerifyKafka
from tests.car_loan import Event, encoded, event
from tests.job import Job
from tests.reference_kit import event_schema, write_avro

Place = tuple[int, int]
"""Length and start of a window."""


def events_in(job: Job) -> list[Event]:
    """The committed records of the job's input that are events, partition by partition."""
    values = _values(job, job.settings.input.topic)
    return [found for value in values if (found := _decoded(value)) is not None]


def partial_values(job: Job) -> list[bytes]:
    """The committed records of the job's partials topic."""
    return [value or b"" for value in _values(job, job.settings.partials_topic)]


def told_of_events(job: Job, rows: list[Event]) -> dict[Place, dict[str, Any]]:
    """What is said of a file of these events, by a process of its own with the job's settings."""
    path = write_avro(job.folder / "events.avro", rows)
    asked = [sys.executable, "-m", "stream_app", "drift", "run", "--data", str(path), "--json"]
    done = subprocess.run(
        asked, capture_output=True, text=True, check=False, env=job.environment({})
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    found = {(window["length_ms"], window["start_ms"]): window for window in told}
    assert len(found) == len(told)
    return found


def _values(job: Job, topic: str) -> list[bytes | None]:
    kafka = VerifyKafka(job.settings.kafka, read_committed=True)
    try:
        ends = kafka.ends(topic, kafka.partitions(topic))
    finally:
        kafka.close()
    stable = {partition: end.stable for partition, end in ends.items()}
    records = read_records(job.settings.kafka, topic, dict.fromkeys(stable, 0), stable)
    return [record.value for record in records]


def _decoded(value: bytes | None) -> Event | None:
    schema, framing = _form()
    if value is None or not value.startswith(framing):
        return None
    body = io.BytesIO(value[len(framing) :])
    try:
        found = fastavro.schemaless_reader(body, schema, None)
    except (EOFError, IndexError, OverflowError, UnicodeDecodeError, ValueError):
        return None
    return found if isinstance(found, dict) and not body.read(1) else None


@cache
def _form() -> tuple[Any, bytes]:
    """The schema of events, and the ten bytes before each."""
    return fastavro.parse_schema(event_schema()), encoded(event(0))[:10]
