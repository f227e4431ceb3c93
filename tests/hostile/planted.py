"""Targets with a defect planted in them: the fuzzer is trusted because it finds each.

Decides the defects: one for every kind of finding. Each hides in one case of its second batch.
"""

import ctypes
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

_HOLDS: list[bytearray] = []


def _raise() -> None:
    raise IndexError("a crash")


def _hang() -> None:
    time.sleep(3_600)


def _slow() -> None:
    end_s = time.thread_time() + 0.4
    while time.thread_time() < end_s:
        pass


def _eat() -> None:
    while True:
        _HOLDS.append(bytearray(1 << 30))


def _die() -> None:
    ctypes.string_at(0)


class Planted:
    """Counts its cases, but for the one with the defect."""

    batch = 10

    def __init__(self, name: str, defect: Callable[[], None] | None) -> None:
        self.name = name
        self._defect = defect

    def cases(self, chance: Random) -> Sequence[int]:
        """Numbers; 7 is the bad one, and stands in every second batch or so."""
        bad = chance.random() < 0.5
        return [7 if bad and index == 4 else 1 for index in range(self.batch)]

    def run(self, cases: Sequence[int]) -> Counter[str]:
        """One outcome each; without a defect to meet, the bad one has none."""
        if 7 in cases and self._defect is not None:
            self._defect()
        return Counter("fine" for case in cases if case != 7 or self._defect is not None)


DEFECTS: dict[str, Callable[[], None] | None] = {
    "planted-exception": _raise,
    "planted-hang": _hang,
    "planted-slowness": _slow,
    "planted-memory": _eat,
    "planted-death": _die,
    "planted-loss": None,
}
