"""A thread that makes calls which may never come back, so that the one who asked can go on.

Decides when a call counts as hung and is left behind. Refuses to know what the call does. One
thread serves every call: a process that has no memory for another thread must not learn that in the
middle of its work, where ``Thread.start`` was seen to wait for ever for a thread that had died
of it.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

_Call = Callable[[], None]

_ANSWERED: Final = None


class SpareThread:
    """Makes one call at a time; a call that hangs costs the thread, and the next gets a new one.

    It starts its thread at once, while there is room for it.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._line: _Line | None = _Line(name)
        self._begun = False

    def begin(self, call: _Call) -> None:
        """Make the call there and wait for nothing; ask :meth:`busy`, and only then again."""
        self._begun = True
        self._to().calls.put(call)

    def busy(self) -> bool:
        """Whether the call that was begun is not back yet; raises, once, what it raised."""
        if not self._begun or self._line is None:
            return False
        try:
            failure = self._line.answers.get_nowait()
        except Empty:
            return True
        self._begun = False
        if failure is not _ANSWERED:
            raise failure
        return False

    def call(self, call: _Call, within_s: float) -> None:
        """Make the call there and wait for it.

        Raises:
            TimeoutError: it has not come back; it may still do so, and nobody will know.
            Exception: what the call raised.
        """
        line = self._to()
        line.calls.put(call)
        try:
            failure = line.answers.get(timeout=within_s)
        except Empty as exc:
            self.close()
            raise TimeoutError(f"not back within {within_s:g} s") from exc
        if failure is not _ANSWERED:
            raise failure

    def close(self) -> None:
        """Let the thread end as soon as it can; safe to call twice."""
        if self._line is not None:
            self._line.calls.put(None)
            self._line = None

    def _to(self) -> "_Line":
        if self._line is None:
            self._line = _Line(self._name)
        return self._line


class _Line:
    """One thread and the way to it; what comes back late comes back to nobody."""

    def __init__(self, name: str) -> None:
        self.calls: SimpleQueue[_Call | None] = SimpleQueue()
        self.answers: SimpleQueue[BaseException | None] = SimpleQueue()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while (call := self.calls.get()) is not None:
            failure: BaseException | None = _ANSWERED
            try:
                call()
            except BaseException as exc:  # noqa: BLE001  # raised again on the asking thread
                failure = exc
            del call  # it holds the client, which must not live until the next call
            self.answers.put(failure)
            del failure
