"""How long to wait before a process that has ended is started again.

Decides the delay: doubling from ``first_s`` to ``most_s``, and from the beginning again after a
run that was long enough to call stable. Half of it is left to chance, so that processes that died
together do not come back together. Refuses to know the time and to draw the lot: both are given.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The rule; all in seconds."""

    first_s: float = 0.5
    most_s: float = 30.0
    stable_s: float = 60.0


@dataclass(slots=True)
class Restarts:
    """How often one process has ended without having been stable."""

    rule: Backoff
    in_a_row: int = 0

    def delay_s(self, ran_s: float, chance: float) -> float:
        """How long to wait now.

        Args:
            ran_s: How long the process that has just ended had run.
            chance: Drawn evenly from 0 to 1.
        """
        if ran_s >= self.rule.stable_s:
            self.in_a_row = 0
        full_s = min(self.rule.most_s, self.rule.first_s * 2.0 ** min(self.in_a_row, 30))
        self.in_a_row += 1
        return full_s * (0.5 + chance / 2)
