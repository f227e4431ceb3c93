"""Who suffers what, and when next: chosen by chance from a seed, so that it can be had again.

Decides only the blows that may come at any moment, to any worker: SIGKILL, SIGSTOP for a while,
SIGTERM. Refuses to judge what comes of them.
"""

import random
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.worker import Worker

_ENDS_S = 120.0
"""For a worker that was told to stop, on a machine that does much else."""

_FREEZES_S = (1.0, 8.0)
"""Shorter and longer than sessions and transactions last in these jobs."""


class Blow(StrEnum):
    """What is done to a worker."""

    KILL = "SIGKILL"
    FREEZE = "SIGSTOP"
    STOP = "SIGTERM"


def end_in_order(worker: Worker) -> None:
    """SIGTERM, after which it must end as it should."""
    # One that has just been started has no handler yet, and nothing to finish.
    begun = bool(worker.events("http"))
    status = worker.stop(_ENDS_S)
    in_order = status == 0 or (not begun and status == -signal.SIGTERM)
    assert in_order, f"SIGTERM ended {worker.pid} with {status}:\n{worker.log()[-3000:]}"


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow to one worker.

    Attributes:
        blow: What.
        victim: To whom.
        frozen_s: How long a freeze lasts.
    """

    blow: Blow
    victim: Worker
    frozen_s: float

    def __str__(self) -> str:
        lasts = f" for {self.frozen_s:.1f} s" if self.blow is Blow.FREEZE else ""
        return f"{self.blow}{lasts} to worker {self.victim.pid}"

    def deal(self, stop: threading.Event) -> bool:
        """Do it; a freeze lasts until it is over, or ``stop`` is set.

        Returns:
            Whether the worker has ended, as it should.
        """
        match self.blow:
            case Blow.KILL:
                self.victim.kill()
                assert self.victim.wait_exit(_ENDS_S) == -signal.SIGKILL
            case Blow.STOP:
                end_in_order(self.victim)
            case Blow.FREEZE:
                self.victim.pause()
                stop.wait(self.frozen_s)
                self.victim.resume()
        return self.blow is not Blow.FREEZE


class Chaos:
    """A source of strikes.

    Args:
        chance: Seeded.
        every_s: Pauses between strikes lie evenly between these.
    """

    def __init__(self, chance: random.Random, every_s: tuple[float, float] = (5.0, 15.0)) -> None:
        self._chance = chance
        self._every_s = every_s

    def pause_s(self) -> float:
        """How long to leave everybody alone now."""
        return self._chance.uniform(*self._every_s)

    def strike(self, victims: Sequence[Worker]) -> Strike:
        """Choose."""
        return Strike(
            self._chance.choice(tuple(Blow)),
            self._chance.choice(victims),
            self._chance.uniform(*_FREEZES_S),
        )
