"""The five-minute tour by its commands: topics, produce, score, verify, on Kafka and a registry."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream_app.adapters.verifier.reader import verify
from tests.car_loan import EXAMPLE, answers, difference, stream
from tests.kafka_fixtures import RealKafka
from tests.worker import ROOT, Job, Workers, car_loan_job

EVENTS = 3_000


def stream_app(job: Job, *arguments: str, status: int = 0) -> str:
    """Run one command with the job's settings; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "stream_app", *arguments],
        env=job.environment({}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_the_tour_with_a_registry_ends_with_every_event_scored(
    kafka: RealKafka, registry_url: str, tmp_path: Path
) -> None:
    job = car_loan_job(
        kafka,
        tmp_path,
        create_topics=False,
        input__framing="confluent",
        registry__url=registry_url,
    )
    schema = str(ROOT / "schemas" / "event.avsc")
    stream_app(
        job,
        *("topics", "create", "--with-input", "--keep-forever"),
        *("--register-schemas", "--event-schema", schema),
    )
    stream_app(
        job,
        *("produce", str(EXAMPLE / "stream.avro"), "--limit", str(EVENTS)),
        *("--key-field", "application_id"),
    )

    # Nobody has scored yet: the same command that will be content must not be so now.
    before = json.loads(stream_app(job, "verify", "--json", status=65))
    assert (before["ok"], before["uncommitted"], before["lost"]) == (False, EVENTS, 0)
    assert json.loads(stream_app(job, "verify", "--json", "--no-committed", status=65))["lost"] == (
        EVENTS
    )

    with Workers(job) as workers:
        workers.start()
        told = json.loads(stream_app(job, "verify", "--wait", "60", "--json"))
    assert told["ok"]
    assert (told["events"], told["predictions"], told["dead_letters"]) == (EVENTS, EVENTS, {})
    assert "every event has its outcome exactly once" in stream_app(job, "verify")

    sent = stream()[:EVENTS]
    by_id = {answer.event_id: answer for answer in answers(sent)}

    def expected(prediction: Mapping[str, Any]) -> str | None:
        return difference(prediction, by_id[prediction["event_id"]])

    assert verify(job.settings, expected=expected).ok
