"""A thread that ends the process when a call ignores its time-out.

Decides when the process has hung. Refuses to know what it was doing: librdkafka has calls that
ignore their time-out (``send_offsets_to_transaction``) or never return (``close`` without a
broker), and no exception can reach them. Ending the process is always safe: what was open is
undone by the broker.

The loop's side costs two list operations a call and takes no lock, so that it may also be used
in a signal handler. The thread looks five times a second. What it cannot end is a call that hangs
while it holds the interpreter's lock; there ``/livez`` gives no answer either, and that is the
orchestrator's cue.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final, Self

import structlog

from stream_app.errors import ExitStatus

_LOOK_EVERY_S: Final = 0.2
_LOGGING_LIMIT_S: Final = 2.0
"""A log that cannot be written (a full pipe) must not keep the process alive."""

_NO_MEMORY: Final = b"stream-app: the watchdog ends the process: out of memory\n"


class _Limit:
    """One block's limit; the innermost is the last of the list it is kept in."""

    __slots__ = ("_limits", "deadline_s", "seconds", "thread_id", "what")

    def __init__(self, limits: "list[_Limit]", what: str, seconds: float) -> None:
        self._limits = limits
        self.what = what
        self.seconds = seconds
        self.thread_id = 0
        self.deadline_s = 0.0

    def __enter__(self) -> None:
        self.thread_id = threading.get_ident()
        self.deadline_s = time.monotonic() + self.seconds
        self._limits.append(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._limits.remove(self)


class ThreadWatchdog:
    """Fulfils ``ports.Watchdog``; exits with status 75, "try again".

    Args:
        stall_limit_s: End the process also when, after the first ``tick``, the loop does not turn
            for this long outside any ``limit``; none: leave that to ``/livez``.
        on_tick: Called with the monotonic time at each ``tick``, on the loop's thread; for
            ``WorkerHealth.tick``.
    """

    def __init__(
        self,
        stall_limit_s: float | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> None:
        self._stall_limit_s = stall_limit_s
        self._on_tick = on_tick
        self._limits: list[_Limit] = []
        self._ticked_s: float | None = None
        self._expiry: tuple[float, str] | None = None
        self._closed = threading.Event()
        self._end = _End()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def tick(self) -> None:
        """The loop turned."""
        now_s = time.monotonic()
        self._ticked_s = now_s
        if self._on_tick is not None:
            self._on_tick(now_s)

    def limit(self, what: str, seconds: float) -> AbstractContextManager[None]:
        """End the process if the block takes longer than ``seconds``; limits may nest."""
        return _Limit(self._limits, what, seconds)

    def expire_at(self, deadline_s: float, what: str = "the grace period after SIGTERM") -> None:
        """End the process at this time of the monotonic clock, whatever it does then.

        The earliest of several calls counts. Safe in a signal handler.
        """
        if self._expiry is None or deadline_s < self._expiry[0]:
            self._expiry = (deadline_s, what)

    def close(self) -> None:
        """Watch no more: the process is ending by itself."""
        self._closed.set()
        self._thread.join()
        self._end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _watch(self) -> None:
        try:
            while not self._closed.wait(_LOOK_EVERY_S):
                overrun = self._overrun(time.monotonic())
                if overrun is not None:
                    self._end.now(*overrun)
        except MemoryError:
            # Nobody would watch from now on, and the loop is about to fail likewise.
            self._end.now("out of memory", None)

    def _overrun(self, now_s: float) -> tuple[str, int | None] | None:
        """What took too long, and on which thread."""
        for limit in tuple(self._limits):
            if now_s > limit.deadline_s:
                return f"{limit.what} took longer than {limit.seconds:g} s", limit.thread_id
        main_id = threading.main_thread().ident
        if self._expiry is not None and now_s > self._expiry[0]:
            return f"{self._expiry[1]} is over", main_id
        stall_s, ticked_s = self._stall_limit_s, self._ticked_s
        if stall_s is not None and ticked_s is not None and now_s > ticked_s + stall_s:
            return f"the loop has not turned for {stall_s:g} s", main_id
        return None


class NullWatchdog:
    """Fulfils ``ports.Watchdog`` where nothing may end the process: tools and tests."""

    def tick(self) -> None:
        """Do nothing."""

    def limit(self, what: str, seconds: float) -> AbstractContextManager[None]:
        """Limit nothing."""
        del what, seconds
        return nullcontext()


class _End:
    """The end of the process; made beforehand, since there may be no memory when it comes."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._closed = False
        threading.Thread(target=self._last_resort, name="last-resort", daemon=True).start()

    def close(self) -> None:
        """It will not be needed."""
        self._closed = True
        self._begun.set()

    def now(self, reason: str, thread_id: int | None) -> None:
        """Say why, in one event, and end without unwinding: the main thread cannot be reached."""
        self._begun.set()
        try:
            structlog.get_logger().critical(
                "watchdog_ends_process",
                reason=reason,
                consequence="what was open is undone; a restart begins where it was",
                stack=_stack(thread_id),
            )
        except MemoryError:
            os.write(2, _NO_MEMORY)
        finally:
            os._exit(ExitStatus.TRY_AGAIN)

    def _last_resort(self) -> None:
        self._begun.wait()
        if not self._closed:
            time.sleep(_LOGGING_LIMIT_S)
            os._exit(ExitStatus.TRY_AGAIN)


def _stack(thread_id: int | None) -> str:
    """Where the thread is, innermost first, on one line; no values, only places."""
    frame = None if thread_id is None else sys._current_frames().get(thread_id)
    if frame is None:
        return "unknown"
    return " < ".join(
        f"{place.name} ({place.filename}:{place.lineno})"
        for place in reversed(traceback.extract_stack(frame))
    )
