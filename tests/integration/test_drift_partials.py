"""What scorers tell of drift: each prediction once, in its own window, whatever happens to them."""

import signal
from itertools import pairwise
from pathlib import Path

from tests.car_loan import Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.partials import bins_of, expected_bins, expected_rows, read_partials, summed
from tests.worker import Workers, car_loan_job

DAY_MS = 86_400_000


def assert_drift_is_exact(feed: Feed) -> None:
    sums = summed(read_partials(feed.job))
    assert sums.without_time == 0
    assert sums.rows == expected_rows(feed.good.values(), DAY_MS)
    assert sums.letters.total() == feed.codes.total()
    assert {start: bins_of(state) for start, state in sums.states.items() if sums.rows[start]} == (
        expected_bins(feed.good.values(), DAY_MS)
    )
    # The ranges of each input partition follow one another, and end where it ends.
    for partition, ranges in sums.coverage.items():
        assert ranges == sorted(ranges)
        assert all(last < first for (_, last), (first, _) in pairwise(ranges))
        assert (ranges[0][0], ranges[-1][1]) == (0, feed.ends[partition] - 1)


def test_a_quiet_run_counts_each_prediction_once(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(kafka, tmp_path, protocol="consumer", drift__window_s="86400")
    feed = Feed(job, share_broken=0.02)
    feed.send(4_000)
    with Workers(job) as workers:
        worker = workers.start()
        assert_exactly_once(feed)
        assert worker.stop() == 0
    assert_drift_is_exact(feed)


def test_killed_workers_leave_no_count_twice_and_none_out(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(
        kafka,
        tmp_path,
        drift__window_s="86400",
        batch__max_records="128",
        batch__transaction_records="500",
    )
    feed = Feed(job, share_broken=0.02)
    feed.send(12_000)
    with Workers(job) as workers:
        for point in ("after_deliver", "before_commit", "after_commit"):
            victim = workers.start(failpoint=f"{point}:3:kill")
            assert victim.wait_exit(within_s=60) == -signal.SIGKILL
        workers.start()
        workers.start()
        assert_exactly_once(feed)
    assert_drift_is_exact(feed)
