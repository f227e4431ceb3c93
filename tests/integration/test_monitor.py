"""The drift monitor on a real Kafka: the same alerts, whatever happens to it."""

import json
from pathlib import Path

import pytest

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.offsets import committed_offsets
from stream_app.adapters.kafka.topic_plan import DRIFT_PARTITIONS
from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.core.drift.alerts import State
from stream_app.errors import ExitStatus
from tests.job import Job
from tests.kafka_fixtures import RealKafka
from tests.monitor_feed import (
    COMMAND,
    WindowFeed,
    encoded,
    expected_records,
    monitor_job,
    planted,
)
from tests.webhook_server import webhook_server
from tests.worker import Worker, Workers, group_members, until

pytestmark = pytest.mark.kafka

PARTITIONS = DRIFT_PARTITIONS
ALLOWED = 3 * PARTITIONS
"""The marker after the last record, and after that an aborted record and its marker."""


def test_alerts_are_those_that_the_rules_find_and_nothing_of_aborted_windows(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(8, 30))
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND).wait_ready()
        feed.send()
        assert feed.poison > 10
        seen = feed.wait_all_told()
        assert max(feed.check(seen).values()) == 1, "undisturbed, each is written once"
        assert {a.state for a in expected_records(feed.sent).values()} == set(State)
        until("commits keep up with transactions", lambda: lag(job) <= ALLOWED, 20)
        status, body = worker.get("/drift")
        assert status == 200
        shown = json.loads(body)
        assert {one["role"] for one in shown["series"]} == {"primary", "canary", "shadow"}
        assert all(one["windows"][0]["start"] == "1970-01-01T00:29:00Z" for one in shown["series"])
        assert worker.metric("stream_app_monitor_alerts_total") == len(seen)
        assert worker.stop() == 0
    alerts = worker.events("drift_alert")
    assert len(alerts) == len(seen)
    assert all(line.startswith("{") for line in worker.log().splitlines()), "JSON lines only"


def lag(job: Job) -> int:
    """Records of the windows topic that are not committed; a marker after the last counts too."""
    settings = job.settings
    admin, topic = KafkaAdmin(settings.kafka), settings.windows_topic
    kafka = VerifyKafka(settings.kafka, read_committed=True)
    try:
        ends = kafka.ends(topic, range(PARTITIONS))
    finally:
        kafka.close()
    known = committed_offsets(admin, settings.monitor_group, topic, ends)
    at = {p: known[p].offset if p in known else 0 for p in ends}
    return sum(end.stable - at[p] for p, end in ends.items())


def test_killed_monitors_leave_the_same_records(kafka: RealKafka, tmp_path: Path) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(9, 30))
    share = len(feed.log) // 3
    with Workers(job) as workers:
        for _ in range(2):
            victim = workers.start(command=COMMAND)
            victim.wait_ready()
            feed.send(share)
            wait_judged(victim, 5)
            victim.kill()
        last = workers.start(command=COMMAND)
        feed.send()
        feed.wait_all_told()
        assert last.stop() == 0


def windows(worker: Worker) -> float:
    return worker.metric("stream_app_monitor_windows_total")


def wait_judged(worker: Worker, count: float) -> None:
    """So many window records, since its start: it is in the midst of them."""
    worker._until("it judges windows", lambda: windows(worker) >= count, 60)


def test_a_frozen_monitor_is_replaced_and_says_nothing_else_when_it_wakes(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(3, 30))
    share = len(feed.log) // 4
    with Workers(job) as workers:
        first = workers.start(command=COMMAND).wait_ready()
        second = workers.start(command=COMMAND)
        second.wait_for("standby")
        working, waiting = first, second
        for _ in range(3):
            judged = windows(working)
            feed.send(share)
            wait_judged(working, judged + 5)
            begun, taken = len(waiting.events("monitor_ready")), len(working.events("place_taken"))
            working.pause()
            wait_more(waiting, "monitor_ready", begun)
            feed.send(share // 3)
            working.resume()
            wait_more(working, "place_taken", taken)
            working, waiting = waiting, working
        feed.send()
        feed.wait_all_told()
        assert [worker.stop() for worker in (working, waiting)] == [0, 0]


def wait_more(worker: Worker, event: str, than: int) -> None:
    worker._until(f"{event} again", lambda: len(worker.events(event)) > than, 60)


def test_monitors_that_start_at_once_become_one_that_works_and_one_that_waits(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(4, 24))
    with Workers(job) as workers:
        both = [workers.start(command=COMMAND) for _ in range(2)]
        feed.send(len(feed.log) // 2)
        feed.wait_all_told()
        for worker in both:
            worker.wait_ready()
        states = [json.loads(worker.get("/drift")[1])["state"].split(":")[0] for worker in both]
        assert sorted(states) == ["standby", "watching"]
        both.pop(states.index("watching")).kill()
        feed.send()
        feed.wait_all_told()
        assert both[0].stop() == 0


def test_a_webhook_that_fails_at_first_gets_every_record(kafka: RealKafka, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("canary-token")
    with webhook_server(refuse=4) as received:
        job = monitor_job(
            kafka,
            tmp_path,
            monitor__webhook_url=received.url,
            monitor__webhook_token_file=str(token),
            monitor__webhook_level="warn",
        )
        feed = WindowFeed(job, planted(5, 24))
        share = len(feed.log) // 2
        with Workers(job) as workers:
            first = workers.start(command=COMMAND).wait_ready()
            feed.send(share)
            until("it was refused", lambda: received.refused >= 2, 60)
            first.kill()
            second = workers.start(command=COMMAND)
            feed.send()
            wanted = set(encoded(expected_records(feed.sent)))
            until("every record is taken", lambda: set(received.taken) == wanted, 60)
            assert second.metric("stream_app_monitor_webhook_total") >= 1
            state = json.loads(second.get("/drift")[1])["webhook"]
            assert (state["failing"], state["delivered"] > 0) == ("", True)
            assert second.stop() == 0
            assert "canary-token" not in first.log() + second.log()
            assert received.url not in first.log() + second.log()
        assert received.tokens == {"Bearer canary-token"}
        for key, bodies in received.taken.items():
            assert {f"{body['id']}-{body['sequence']}" for body in bodies} == {key}


def test_a_monitor_alone_that_was_frozen_goes_on(kafka: RealKafka, tmp_path: Path) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(7, 20))
    group = job.settings.monitor_group
    job_of_group = Job({**job.overrides, "kafka.group": group}, tmp_path)
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND).wait_ready()
        feed.send(len(feed.log) // 2)
        worker.pause()
        until("the brokers forget it", lambda: group_members(job_of_group) == 0, 30)
        worker.resume()
        feed.send()
        feed.wait_all_told()
        assert worker.stop() == 0


def test_what_must_be_changed_first_is_told_at_once(kafka: RealKafka, tmp_path: Path) -> None:
    alerts = kafka.topic("alerts", 3)
    job = monitor_job(kafka, tmp_path, drift__alerts_topic=alerts)
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND)
        assert worker.wait_exit(within_s=60) == ExitStatus.CONFIG
        assert f"{alerts} 3: what follows from a window" in worker.log()
