"""Ctrl-C, SIGTERM and a closed terminal, turned into one exception.

Decides that only the first signal interrupts, so that everything is put away once, and whole: the
putting away that follows is not interrupted again, but told that somebody is in a hurry.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedBySignalError(BaseException):
    """Somebody ended the command; no ``Exception``, so that nothing on the way mistakes it for one.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Interrupts:
    """A context manager for the main thread; puts the old handlers back.

    Attributes:
        count: Signals so far; from the second on, waiting politely is over.
    """

    def __init__(self) -> None:
        self.count = 0
        self._closing = False
        self._held = False
        self._waiting: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: it is meant to outlive its terminal
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes within interrupts behind it: what is made is noted as made."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            number, self._waiting = self._waiting, None
        if number is not None:
            self._interrupt(number)

    def closing(self) -> None:
        """From now on signals are counted and interrupt nothing."""
        self._closing = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.count += 1
        if self._held:
            self._waiting = number if self._waiting is None else self._waiting
        else:
            self._interrupt(number)

    def _interrupt(self, number: int) -> None:
        if not self._closing:
            self._closing = True
            raise EndedBySignalError(number)
