"""Signals turned into a flag: SIGTERM and SIGINT ask the loop to finish what is open and end.

Decides only that. The handlers do next to nothing, because Python runs them late, between two
calls of the client library.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Self


class StopSignal:
    """True once a signal has come; a context manager that puts the old handlers back.

    Args:
        on_stop: Called once, in the handler: it must be quick and safe there.
    """

    def __init__(self, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        self._stopped = False
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        return self._stopped

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self._stopped:
            self._stopped = True
            self._on_stop()
