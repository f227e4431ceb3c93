"""Whether this process is alive and whether it is ready, and nothing else.

Decides what the two words mean. Knows no HTTP and no Kafka; a broker that is away makes a worker
neither dead nor, by itself, unready: the loop goes on turning, and ``paused`` is said by the loop.

* **live**: a restart would not help. Only a loop that has stopped turning is dead.
* **ready**: the model is warm, the group has told us our partitions (none is an answer too: a
  spare worker is ready), and nothing is waited for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from stream_app.core.metrics import LOOP_TICK_TIMESTAMP_SECONDS, PAUSED, WORKER_READY
from stream_app.ports import Clock, Telemetry

SUPERVISOR_TICK_LIMIT_S: Final = 30.0
"""The supervisor looks at its workers ten times a second and waits for nobody."""


class HealthView(Protocol):
    """What a probe may ask, from any thread. The reasons are there when the answer is no."""

    def live(self) -> tuple[bool, list[str]]:
        """Whether the process does its work or can come back to it by itself."""

    def ready(self) -> tuple[bool, list[str]]:
        """Whether records are being scored now, or would be if there were any."""


class WorkerHealth:
    """One worker's state: told by the loop's thread, read by the HTTP thread.

    What it is told it also publishes as metrics, which is how a supervisor sees it.

    Args:
        clock: To age the last turn of the loop.
        tick_limit_s: The loop is dead after this long without a turn; twice the max poll interval.
        telemetry: Where the gauges go.
    """

    def __init__(self, clock: Clock, tick_limit_s: float, telemetry: Telemetry) -> None:
        self._clock = clock
        self._tick_limit_s = tick_limit_s
        self._telemetry = telemetry
        self._model_warm = False
        self._assignment_seen = False
        self._paused = False
        self._waiting = False
        self._denied: Mapping[str, str] = {}
        self._publish()
        self.tick(clock.now_s())

    def tick(self, now_s: float) -> None:
        """The loop turned, at this time of the monotonic clock."""
        self._ticked_s = now_s
        self._telemetry.gauge(LOOP_TICK_TIMESTAMP_SECONDS, self._clock.wall_ms() / 1000)

    @property
    def model_warm(self) -> bool:
        """The model is loaded and has run once."""
        return self._model_warm

    @model_warm.setter
    def model_warm(self, value: bool) -> None:
        self._model_warm = value
        self._publish()

    @property
    def assignment_seen(self) -> bool:
        """The group has told us our partitions, if only that there are none for us."""
        return self._assignment_seen

    @assignment_seen.setter
    def assignment_seen(self, value: bool) -> None:
        self._assignment_seen = value
        self._publish()

    @property
    def paused(self) -> bool:
        """Fetching goes on but brings nothing, until something outside heals."""
        return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self._paused = value
        self._publish()

    @property
    def waiting(self) -> bool:
        """A commit or an abort waits for brokers; apart from a pause, which may outlast it."""
        return self._waiting

    @waiting.setter
    def waiting(self, value: bool) -> None:
        if value != self._waiting:
            self._waiting = value
            self._publish()

    def deny(self, owner: str, reason: str) -> None:
        """What is not allowed, or not there, that somebody outside must mend.

        Args:
            owner: Of the reason; nobody else ends it.
            reason: Empty when there is none any more.
        """
        if reason != self._denied.get(owner, ""):
            others = {who: why for who, why in self._denied.items() if who != owner}
            # Replaced, never changed: a probe reads it meanwhile.
            self._denied = {**others, owner: reason} if reason else others
            self._publish()

    def live(self) -> tuple[bool, list[str]]:
        """Whether the loop turned within the limit."""
        age_s = self._clock.now_s() - self._ticked_s
        if age_s <= self._tick_limit_s:
            return True, []
        return False, [
            f"the loop has not turned for {age_s:.0f} s; the limit is {self._tick_limit_s:g} s"
        ]

    def ready(self) -> tuple[bool, list[str]]:
        """Whether the model is warm, the partitions are known and nothing waits."""
        reasons = []
        if not self._model_warm:
            reasons.append("the model is not loaded and warm yet")
        if not self._assignment_seen:
            reasons.append("the group has not assigned partitions yet")
        if self._paused or self._waiting:
            reasons.append("paused until something outside heals; the log says what")
        reasons += dict.fromkeys(self._denied.values())
        return not reasons, reasons

    def _publish(self) -> None:
        self._telemetry.gauge(WORKER_READY, float(self.ready()[0]))
        self._telemetry.gauge(PAUSED, float(self._paused or self._waiting))


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """What a worker last said of itself; ``tick_age_s`` is none before its first word."""

    ready: bool
    tick_age_s: float | None


@dataclass(frozen=True, slots=True)
class WorkerStanding:
    """One worker as its supervisor sees it.

    Attributes:
        index: Its number, from 0.
        running_s: How long its process has been running; none when there is no process.
        beat: What it last said of itself.
    """

    index: int
    running_s: float | None
    beat: WorkerBeat


class FleetHealth:
    """Many workers under one supervisor, as one answer.

    * **live**: the supervisor's own loop turns, and no running worker is stuck: none has been
      silent for longer than the limit (counted from its start before its first word). A worker
      that has died is no reason to be dead: it is being started again.
    * **ready**: *all* wanted workers run and each says that it is ready, and we are not stopping.
      All, not some, because partitions belong to processes: while one is away its partitions
      wait. A roll-out that watches readiness then stops at the first worker that does not start.

    Args:
        clock: To age the supervisor's last turn.
        tick_limit_s: A worker's limit, as in :class:`WorkerHealth`.
        standings: The wanted workers, asked at each probe; callable from any thread.
    """

    def __init__(
        self, clock: Clock, tick_limit_s: float, standings: Callable[[], Sequence[WorkerStanding]]
    ) -> None:
        self._clock = clock
        self._tick_limit_s = tick_limit_s
        self._standings = standings
        self._ticked_s = clock.now_s()
        self.stopping = False

    def tick(self, now_s: float) -> None:
        """The supervisor's loop turned."""
        self._ticked_s = now_s

    def live(self) -> tuple[bool, list[str]]:
        """Whether the supervisor turns and no worker is stuck."""
        reasons = []
        age_s = self._clock.now_s() - self._ticked_s
        if age_s > SUPERVISOR_TICK_LIMIT_S:
            reasons.append(f"the supervisor's loop has not turned for {age_s:.0f} s")
        for worker in self._standings():
            silent_s = _silent_s(worker)
            if silent_s > self._tick_limit_s:
                reasons.append(
                    f"worker {worker.index}: its loop has not turned for {silent_s:.0f} s; "
                    f"the limit is {self._tick_limit_s:g} s"
                )
        return not reasons, reasons

    def ready(self) -> tuple[bool, list[str]]:
        """Whether all wanted workers run and are ready."""
        reasons = ["stopping"] if self.stopping else []
        for worker in self._standings():
            if worker.running_s is None:
                reasons.append(f"worker {worker.index} is not running; it will be started again")
            elif not worker.beat.ready:
                reasons.append(f"worker {worker.index} is not ready yet")
        return not reasons, reasons


def _silent_s(worker: WorkerStanding) -> float:
    if worker.running_s is None:
        return 0.0
    if worker.beat.tick_age_s is None:
        return worker.running_s
    # A wall clock set forward ages every word; a process is never silent for longer than it runs.
    return min(worker.beat.tick_age_s, worker.running_s)
