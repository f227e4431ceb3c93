"""The aggregator on a real Kafka: windows of all partials, each once, whatever happens to it."""

import signal
from pathlib import Path

import pytest

from stream_app.errors import ExitStatus
from tests.aggregator_feed import WINDOW_MS, PartialsFeed, aggregator_job
from tests.car_loan import Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.partials import expected_rows
from tests.worker import Worker, Workers, until

pytestmark = pytest.mark.kafka

COMMAND = ("drift", "aggregate")
DAY_MS = 86_400_000


def wait_merged(worker: Worker) -> None:
    worker._until(
        "it merges partials", lambda: worker.metric("stream_app_drift_partials_total") > 0, 60
    )


def test_killed_aggregators_leave_no_count_twice_and_none_out(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = aggregator_job(kafka, tmp_path)
    feed = PartialsFeed.of(job, seed=1, count=600)
    share = len(feed.log) // 4
    with Workers(job) as workers:
        for point in ("after_send_offsets:2", "before_commit:3", "after_commit:2"):
            victim = workers.start(command=COMMAND, failpoint=f"{point}:kill")
            feed.send(share, abort_every=7)
            assert victim.wait_exit(within_s=60) == -signal.SIGKILL
        last = workers.start(command=COMMAND)
        feed.send(abort_every=7)
        told = feed.wait_all_told()
        assert last.stop() == 0
    assert feed.told() == told
    assert all(window["exact"] for window in told.values())


def test_aggregators_that_join_leave_and_freeze_share_the_streams(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = aggregator_job(kafka, tmp_path)
    feed = PartialsFeed.of(job, seed=2, count=600, span_ms=150 * WINDOW_MS)
    share = len(feed.log) // 4
    with Workers(job) as workers:
        first = workers.start(command=COMMAND)
        feed.send(share)
        wait_merged(first)
        second = workers.start(command=COMMAND)
        feed.send(share, abort_every=5)
        second.wait_owns(2)
        first.pause()
        feed.send(share)
        second.wait_owns(4)
        first.resume()
        feed.send()
        first.wait_owns(2)
        told = feed.wait_all_told()
        assert [worker.stop() for worker in (first, second)] == [0, 0]
    hours = [window for (_, length, _), window in told.items() if length == 3_600_000]
    assert hours
    for hour in hours:
        parts = [
            window
            for (role, length, start), window in told.items()
            if (role, length) == (hour["role"], WINDOW_MS)
            and 0 <= start - hour["start_ms"] < 3_600_000
        ]
        assert hour["rows"] == sum(part["rows"] for part in parts)
        assert hour["columns"][0]["counts"] == [
            sum(counts)
            for counts in zip(*(part["columns"][0]["counts"] for part in parts), strict=True)
        ]


def test_a_reference_that_comes_later_is_waited_for(kafka: RealKafka, tmp_path: Path) -> None:
    job = aggregator_job(kafka, tmp_path, model__repository=str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    feed = PartialsFeed.of(job, seed=3, count=100)
    feed.send()
    with Workers(job) as workers:
        worker = workers.start("--set", "model.name=", command=COMMAND)
        assert "reference" in worker.wait_for("paused")["reason"]
        source = Path(__file__).parents[2] / "examples" / "car_loan" / "models" / "car_loan"
        (tmp_path / "models" / "car_loan").symlink_to(source)
        feed.wait_all_told()
        assert worker.stop() == 0


def test_what_must_be_changed_first_is_told_at_once(kafka: RealKafka, tmp_path: Path) -> None:
    changelog = kafka.topic("changelog", 3)
    job = aggregator_job(kafka, tmp_path, drift__changelog_topic=changelog)
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND)
        assert worker.wait_exit(within_s=30) == ExitStatus.CONFIG
        assert f"{changelog} 3: the state of each partition" in worker.log()


def test_what_scorers_counted_is_told_of_window_by_window(kafka: RealKafka, tmp_path: Path) -> None:
    job = aggregator_job(kafka, tmp_path, 4, drift__window_s="86400", drift__idle_after_s="1")
    feed = Feed(job, share_broken=0.02)
    feed.send(4_000)
    with Workers(job) as workers:
        aggregator = workers.start(command=COMMAND)
        scorers = [workers.start(), workers.start()]
        assert_exactly_once(feed)
        wanted = {start: n for start, n in expected_rows(feed.good.values(), DAY_MS).items() if n}

        def told() -> bool:
            windows = PartialsFeed(job).told().values()
            return {w["start_ms"]: w["rows"] for w in windows if w["rows"]} == wanted

        until("all predictions are in windows that are told of", told, within_s=60)
        assert [worker.stop() for worker in (*scorers, aggregator)] == [0, 0, 0]
    windows = PartialsFeed(job).told().values()
    letters = sum(letter["count"] for window in windows for letter in window["letters"])
    assert letters <= feed.codes.total()
    assert all(window["exact"] and window["calibration"] != "none" for window in windows)
