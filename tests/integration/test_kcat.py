"""A client of another make reads what we write: kcat, on librdkafka but none of our code."""

import re
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from stream_app.adapters.kafka.columns import UNREADABLE_HEADERS, headers_of
from stream_app.core.columns import Header
from tests.car_loan import Feed, assert_exactly_once
from tests.kafka_fixtures import MockKafka, RealKafka, unavailable
from tests.worker import Job, Workers, car_loan_job, until

pytestmark = pytest.mark.kcat

SEPARATOR = "\x1f"


@pytest.fixture
def kcat() -> str:
    path = shutil.which("kcat")
    if path is None:
        unavailable("kcat is not on the PATH; install it (Debian: apt-get install kcat)")
    assert path is not None
    return path


def read(kcat: str, job: Job, topic: str, fields: str, isolation: str) -> list[list[str]]:
    """Every record that kcat sees, as these fields of its format string."""
    where = ["-b", job.overrides["kafka.bootstrap_servers"], "-t", topic]
    how = ["-o", "beginning", "-X", f"isolation.level={isolation}"]
    done = subprocess.run(
        [kcat, "-C", "-q", "-e", *where, *how, "-f", fields.replace(" ", SEPARATOR) + "\n"],
        check=True,
        capture_output=True,
        timeout=60,
        text=True,
        errors="replace",
    )
    return [line.split(SEPARATOR) for line in done.stdout.split("\n") if line]


def header(headers: str, name: str) -> str:
    found = re.search(rf"(?:^|,){re.escape(name)}=([^,]*)", headers)
    assert found, f"{name} is not among {headers}"
    return found[1]


def test_kcat_sees_what_was_committed_and_nothing_that_was_aborted(
    kafka: RealKafka, tmp_path: Path, kcat: str
) -> None:
    job = car_loan_job(kafka, tmp_path, batch__max_records="128", batch__transaction_records="1000")
    feed = Feed(job, share_broken=0.02)
    feed.send(8_000)
    with Workers(job) as workers:
        victim = workers.start(failpoint="after_deliver:3:sleep=0.5,before_commit:3:kill")
        assert victim.wait_exit(within_s=60) == -signal.SIGKILL
        workers.start()
        assert_exactly_once(feed)
    predictions, dlq = job.settings.predictions_topic, job.settings.dlq_topic
    dead = feed.codes.total()

    seen = read(kcat, job, predictions, "%p %o %k %T", "read_committed")
    assert len(seen) == feed.sent - dead
    assert len(read(kcat, job, predictions, "%p %o", "read_uncommitted")) > len(seen)
    assert len({key for _, _, key, _ in seen}) == len(seen)

    letters = read(kcat, job, dlq, "%p %k %T %S %h", "read_committed")
    assert len(letters) == dead
    headers = [letter[4] for letter in letters]
    assert Counter(header(h, "err.code") for h in headers) == feed.codes
    assert [header(h, "err.partition") for h in headers] == [letter[0] for letter in letters]
    sizes = {
        header(h, "err.code"): int(letter[3]) for h, letter in zip(headers, letters, strict=True)
    }
    assert sizes["TOMBSTONE"] == -1
    assert sizes["TOO_SHORT"] == 10

    # Keys, timestamps and partitions are those of the events.
    events = {
        (partition, key): timestamp
        for partition, key, timestamp in read(
            kcat, job, job.settings.input.topic, "%p %k %T", "read_committed"
        )
    }
    outcomes = [(p, k, t) for p, _, k, t in seen] + [(p, k, t) for p, k, t, *_ in letters]
    assert len(outcomes) == len(events) == feed.sent
    assert all(events[partition, key] == timestamp for partition, key, timestamp in outcomes)


PLAIN = 300


def test_a_header_whose_name_is_no_text_costs_the_headers_and_nothing_else(
    mock_kafka: MockKafka, kcat: str
) -> None:
    topic = mock_kafka.topic("headers")
    where = ["-b", mock_kafka.bootstrap_servers, "-t", topic, "-p", "0"]
    # First many that are as they should be: an interpreter that has specialised the call no longer
    # notices that the client returned and raised at once.
    plain = b"".join(b"record %d\n" % number for number in range(PLAIN))
    subprocess.run([kcat, "-P", *where], input=plain, check=True, timeout=30)
    subprocess.run(
        [kcat, "-P", *where, "-H", b"\xff\xfe=value"], input=b"hello", check=True, timeout=30
    )
    consumer = Consumer({"bootstrap.servers": mock_kafka.bootstrap_servers, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[Header, ...]] = []

    def came() -> bool:
        found.extend(headers_of(message) for message in consumer.consume(100, 0.2))
        return len(found) > PLAIN

    try:
        until("the record came", came, 30)
    finally:
        consumer.close()
    assert found == [()] * PLAIN + [(UNREADABLE_HEADERS,)]
