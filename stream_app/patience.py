"""Waiting at the start for servers that are not there yet.

Decides how often to ask and when to give up. Refuses to know what is asked.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from stream_app.errors import RetriableError, UnavailableError
from stream_app.ports import Watchdog

log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")

_RETRY_FIRST_S = 0.2
_RETRY_LAST_S = 5.0


def wait_for(
    action: Callable[[], _Answer], wait_s: float, stop: Callable[[], bool], watchdog: Watchdog
) -> _Answer | None:
    """Do it, again and again while a server is away; ``None`` when told to stop meanwhile.

    Raises:
        UnavailableError: it was away for longer than ``wait_s``, the setting ``start.wait_s``.
    """
    deadline_s = time.monotonic() + wait_s
    pause_s = _RETRY_FIRST_S
    while not stop():
        watchdog.tick()
        try:
            return action()
        except (UnavailableError, RetriableError) as exc:
            if time.monotonic() + pause_s > deadline_s:
                message = f"{exc}\nwaited for start.wait_s = {wait_s:g} s"
                raise UnavailableError(message) from exc
            log.warning("waiting", reason=str(exc), retry_in_s=pause_s)
        time.sleep(pause_s)
        pause_s = min(_RETRY_LAST_S, 2 * pause_s)
    return None
