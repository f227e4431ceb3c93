"""What alive and ready mean, for one worker and for many."""

from collections.abc import Sequence

import pytest

from stream_app.core.metrics import LOOP_TICK_TIMESTAMP_SECONDS, PAUSED, WORKER_READY, Metric
from stream_app.health import FleetHealth, WorkerBeat, WorkerHealth, WorkerStanding


class HandClock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now_s(self) -> float:
        return self.s

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + int(self.s * 1000)


class Gauges:
    """Keeps what gauges were last set to."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        raise AssertionError(metric.name)

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        assert not labels
        self.values[metric.name] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        raise AssertionError(metric.name)

    def forget(self, metric: Metric, *labels: str) -> None:
        raise AssertionError(metric.name)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def gauges() -> Gauges:
    return Gauges()


@pytest.fixture
def worker(clock: HandClock, gauges: Gauges) -> WorkerHealth:
    return WorkerHealth(clock, tick_limit_s=600.0, telemetry=gauges)


def test_a_worker_is_alive_until_its_loop_stands_still(
    worker: WorkerHealth, clock: HandClock
) -> None:
    assert worker.live() == (True, [])
    clock.s += 600
    assert worker.live() == (True, [])
    clock.s += 1
    alive, reasons = worker.live()
    assert not alive
    assert reasons == ["the loop has not turned for 601 s; the limit is 600 s"]
    worker.tick(clock.s)
    assert worker.live() == (True, [])


def test_a_worker_is_ready_when_warm_and_assigned_and_not_paused(
    worker: WorkerHealth, gauges: Gauges
) -> None:
    assert len(worker.ready()[1]) == 2
    worker.model_warm = True
    assert not worker.ready()[0]
    worker.assignment_seen = True
    assert worker.ready() == (True, [])
    assert gauges.values[WORKER_READY.name] == 1
    worker.paused = True
    assert not worker.ready()[0]
    assert gauges.values[WORKER_READY.name] == 0
    assert gauges.values[PAUSED.name] == 1
    worker.paused = False
    assert worker.ready() == (True, [])
    assert (worker.model_warm, worker.assignment_seen, worker.paused) == (True, True, False)


def test_a_paused_worker_is_alive(worker: WorkerHealth, clock: HandClock) -> None:
    worker.paused = True
    for _ in range(10):
        clock.s += 500
        worker.tick(clock.s)
    assert worker.live() == (True, [])


def test_a_turn_of_the_loop_is_published_as_unix_time(
    worker: WorkerHealth, clock: HandClock, gauges: Gauges
) -> None:
    assert gauges.values[LOOP_TICK_TIMESTAMP_SECONDS.name] == 1_700_001_000
    clock.s += 5
    worker.tick(clock.s)
    assert gauges.values[LOOP_TICK_TIMESTAMP_SECONDS.name] == 1_700_001_005


READY = WorkerBeat(ready=True, tick_age_s=0.1)


def fleet(clock: HandClock, *workers: WorkerStanding) -> FleetHealth:
    def standings() -> Sequence[WorkerStanding]:
        return workers

    return FleetHealth(clock, 600.0, standings)


def standing(
    index: int, running_s: float | None = 5000.0, beat: WorkerBeat = READY
) -> WorkerStanding:
    return WorkerStanding(index, running_s, beat)


def test_a_fleet_is_ready_when_all_its_workers_are(clock: HandClock) -> None:
    assert fleet(clock, standing(0), standing(1)).ready() == (True, [])
    starting = standing(1, 1.0, WorkerBeat(ready=False, tick_age_s=None))
    assert fleet(clock, standing(0), starting).ready() == (False, ["worker 1 is not ready yet"])
    gone = standing(1, None)
    ready, reasons = fleet(clock, standing(0), gone).ready()
    assert not ready
    assert reasons == ["worker 1 is not running; it will be started again"]


def test_a_stopping_fleet_is_not_ready_but_alive(clock: HandClock) -> None:
    stopping = fleet(clock, standing(0))
    stopping.stopping = True
    assert stopping.ready() == (False, ["stopping"])
    assert stopping.live() == (True, [])


def test_a_fleet_with_a_stuck_worker_is_not_alive(clock: HandClock) -> None:
    stuck = standing(1, 5000.0, WorkerBeat(ready=True, tick_age_s=601.0))
    alive, reasons = fleet(clock, standing(0), stuck).live()
    assert not alive
    assert reasons == ["worker 1: its loop has not turned for 601 s; the limit is 600 s"]


def test_a_worker_that_never_said_a_word_is_stuck_after_the_limit(clock: HandClock) -> None:
    silent = WorkerBeat(ready=False, tick_age_s=None)
    assert fleet(clock, standing(0, 599.0, silent)).live()[0]
    assert not fleet(clock, standing(0, 601.0, silent)).live()[0]


def test_a_dead_worker_does_not_make_the_fleet_dead(clock: HandClock) -> None:
    assert fleet(clock, standing(0, None, WorkerBeat(ready=False, tick_age_s=900.0))).live()[0]


def test_a_word_older_than_the_process_does_not_count(clock: HandClock) -> None:
    fresh = standing(0, 3.0, WorkerBeat(ready=False, tick_age_s=9999.0))
    assert fleet(clock, fresh).live() == (True, [])


def test_a_fleet_is_dead_when_the_supervisor_stands_still(clock: HandClock) -> None:
    view = fleet(clock, standing(0))
    clock.s += 31
    assert not view.live()[0]
    view.tick(clock.s)
    assert view.live()[0]


def test_a_commit_that_got_through_does_not_end_a_pause(
    worker: WorkerHealth, gauges: Gauges
) -> None:
    worker.model_warm = worker.assignment_seen = worker.paused = True
    worker.waiting = True
    worker.waiting = False
    assert not worker.ready()[0]
    worker.paused = False
    assert worker.ready()[0]
    worker.waiting = True
    assert not worker.ready()[0]
    assert gauges.values[PAUSED.name] == 1
