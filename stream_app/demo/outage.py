"""The death of a worker, half-way: SIGKILL, a new process in its place, the group going on.

Decides when and whom. It measures from outside how long partitions were without an owner.
"""

import time

from stream_app.demo.fleet import Fleet
from stream_app.demo.options import PARTITIONS
from stream_app.demo.screen import Screen

_EVERY_PARTITION = frozenset(range(PARTITIONS))


class Outage:
    """Kills the last worker once; call ``step`` often.

    Args:
        fleet: The workers.
        screen: Hears what happens.
        at_outcomes: Kill when so many have been seen.

    Attributes:
        killed_s: When; none before.
        take_over_s: From then until every partition had a living owner again; none before.
        told: What was killed, in words.
    """

    def __init__(self, fleet: Fleet, screen: Screen, at_outcomes: int) -> None:
        self._fleet = fleet
        self._screen = screen
        self._at_outcomes = at_outcomes
        self._victim = fleet.count - 1
        self._owned = [frozenset[int]()] * fleet.count
        self.killed_s: float | None = None
        self.take_over_s: float | None = None
        self.told: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """It has happened, and every partition has an owner again."""
        return self.take_over_s is not None

    def step(self, outcomes: int) -> None:
        """Do what is due."""
        if self.killed_s is None:
            if outcomes >= self._at_outcomes:
                self._kill(outcomes)
            return
        self._tell_changes()
        if self.take_over_s is None and self._fleet.owned() >= _EVERY_PARTITION:
            self.take_over_s = time.monotonic() - self.killed_s
            self._screen.say(
                f"every partition has an owner again, {self.take_over_s:.1f} s after the kill"
            )

    def _kill(self, outcomes: int) -> None:
        orphans = self._fleet.partitions(self._victim)
        pid = self._fleet.kill(self._victim)
        self.killed_s = time.monotonic()
        self.told = (f"worker {self._victim} (SIGKILL) after {outcomes:,} outcomes",)
        self._screen.say(
            f"SIGKILL for worker {self._victim} (process {pid}) after {outcomes:,} outcomes; it "
            f"was reading {_told(orphans)}",
            style="bold red",
        )
        again = self._fleet.start(self._victim)
        self._screen.say(
            f"worker {self._victim} is started again (process {again}); the group gives up the "
            "dead one when its session ends"
        )
        self._owned = [self._fleet.partitions(index) for index in range(self._fleet.count)]

    def _tell_changes(self) -> None:
        for index, before in enumerate(self._owned):
            now = self._fleet.partitions(index)
            if now - before:
                self._screen.say(f"worker {index} takes over {_told(now - before)}")
            self._owned[index] = now


def _told(partitions: frozenset[int]) -> str:
    if not partitions:
        return "no partition"
    noun = "partition" if len(partitions) == 1 else "partitions"
    return f"{noun} {' '.join(map(str, sorted(partitions)))}"
