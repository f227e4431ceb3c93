"""Faust, imported without what it takes from its surroundings.

Decides only that. On import the library looks through the command line for ``--datadir`` and
``--loop``, and through the environment for the like, as if the program were its own; it would
follow them far into this process. All settings of the app are given in ``faust_app.py``.
"""

import logging
import os
import sys
import threading
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from stream_app.errors import ConfigError

log = structlog.get_logger(__name__)

_LOGGERS = ("faust", "mode", "aiokafka")
_ITS_VARIABLES = ("FAUST_DATADIR", "F_DATADIR", "FAUST_LOOP", "F_LOOP")


@contextmanager
def _alone() -> Iterator[None]:
    arguments, sys.argv = sys.argv, sys.argv[:1]
    kept = {name: os.environ.pop(name) for name in _ITS_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        sys.argv = arguments
        os.environ.update(kept)


def require_faust() -> None:
    """Import it, or say how to have it.

    Raises:
        ConfigError: it is not installed, or is another version than the one that is mended here.
    """
    try:
        with _alone():
            import faust  # noqa: PLC0415  # an extra: only the monitor needs it

            faust.App  # noqa: B018  # it imports what is behind its names when they are used
    except ImportError as exc:
        raise ConfigError(
            f"the monitor needs Faust, which is not installed ({exc.name}); install it: "
            "pip install 'stream-app[monitor]'"
        ) from exc


def quiet_libraries() -> None:
    """Leave their warnings in the log, without the tables and the story of each start.

    They write through the standard library's loggers, so what is left is in our form.
    """
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    threading.excepthook = _tell_end_of_thread


def _tell_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    """A client that is closed while it waits ends its thread so; else it would be a traceback."""
    if not issubclass(ended.exc_type, CancelledError):
        log.error("thread_ended", reason=repr(ended.exc_value))
