"""The drift monitor on a real Kafka: the same alerts, whatever happens to it."""

import json
from pathlib import Path

import pytest

from tests.kafka_fixtures import RealKafka
from tests.monitor_feed import COMMAND, WindowFeed, monitor_job, planted
from tests.worker import Worker, Workers

pytestmark = pytest.mark.kafka


def test_alerts_are_those_that_the_rules_find_and_nothing_of_aborted_windows(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(1, 60))
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND).wait_ready()
        feed.send()
        assert feed.poison > 10
        seen = feed.wait_all_told()
        assert max(feed.check(seen).values()) == 1, "undisturbed, each is written once"
        status, body = worker.get("/drift")
        assert status == 200
        shown = json.loads(body)
        assert {one["role"] for one in shown["series"]} == {"primary", "canary", "shadow"}
        assert all(one["windows"][0]["start"] == "1970-01-01T00:59:00Z" for one in shown["series"])
        assert worker.metric("stream_app_monitor_alerts_total") == len(seen)
        assert worker.stop() == 0
    alerts = worker.events("drift_alert")
    assert len(alerts) == len(seen)
    assert all(line.startswith("{") for line in worker.log().splitlines()), "JSON lines only"


def test_killed_monitors_leave_the_same_records(kafka: RealKafka, tmp_path: Path) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(2, 60))
    share = len(feed.log) // 4
    with Workers(job) as workers:
        for _ in range(3):
            victim = workers.start(command=COMMAND)
            feed.send(share)
            wait_alerts(victim, 3)
            victim.kill()
        last = workers.start(command=COMMAND)
        feed.send()
        feed.wait_all_told()
        assert last.stop() == 0


def wait_alerts(worker: Worker, count: int) -> None:
    name = "stream_app_monitor_alerts_total"
    worker._until(f"{count} alerts are written", lambda: worker.metric(name) >= count, 60)


def test_a_frozen_monitor_is_replaced_and_says_nothing_else_when_it_wakes(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = monitor_job(kafka, tmp_path)
    feed = WindowFeed(job, planted(3, 60))
    share = len(feed.log) // 4
    with Workers(job) as workers:
        first = workers.start(command=COMMAND).wait_ready()
        second = workers.start(command=COMMAND)
        second.wait_for("standby")
        working, waiting = first, second
        for _ in range(3):
            feed.send(share)
            wait_alerts(working, 1)
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
