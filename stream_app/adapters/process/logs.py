"""The log: one event a line on standard error, from us and from the libraries alike.

Decides the form of a line and how often the same trouble may be told. Refuses to know what is
said. Payloads and secrets do not get in by accident: bytes are told by their number, local
variables are never shown with a traceback, and ``SecretStr`` writes itself as stars.
"""

import logging
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TextIO

import structlog
from structlog.typing import EventDict, Processor

REPEAT_WINDOW_S: Final = 10.0
_MAX_KEYS: Final = 512
_TELLING: Final = ("code", "worker")
"""Fields that make an event another one: another worker's death is not the same again."""

_QUIET_LIBRARIES: Final = ("asyncio", "aiohttp.access", "httpx", "httpcore", "numba")

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]


class RepeatKey(NamedTuple):
    """What makes two events the same trouble; other fields than ``_TELLING`` may differ."""

    logger: str
    level: int
    event: str
    marks: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Repeats:
    since_s: float
    suppressed: int = 0


class RepeatLimiter:
    """Lets an event through once a window and counts the rest; time is an argument."""

    def __init__(self, window_s: float = REPEAT_WINDOW_S) -> None:
        self._window_s = window_s
        self._seen: dict[RepeatKey, _Repeats] = {}

    def admit(self, key: RepeatKey, now_s: float) -> bool:
        """Whether to write this one. A suppressed one appears in a later ``due``."""
        seen = self._seen.get(key)
        if seen is not None and now_s < seen.since_s + self._window_s:
            seen.suppressed += 1
            return False
        if len(self._seen) >= _MAX_KEYS and key not in self._seen:
            return True
        self._seen[key] = _Repeats(now_s)
        return True

    def due(self, now_s: float) -> list[tuple[RepeatKey, int]]:
        """Events whose window is over and how many were suppressed in it, each told once."""
        over = [k for k, seen in self._seen.items() if now_s >= seen.since_s + self._window_s]
        return [(key, n) for key in over if (n := self._seen.pop(key).suppressed)]


class _LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes lines; of a repeated warning or error only the first, and then how many more.

    The number comes with the first line of any kind after the window, or when logging ends. Where
    lines go may be full for a while: how many could not be written is told as soon as one can.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._limiter = RepeatLimiter()
        self._missed = 0

    def emit(self, record: logging.LogRecord) -> None:
        now_s = time.monotonic()
        self._summarise(now_s)
        limited = logging.WARNING <= record.levelno < logging.CRITICAL
        if not limited or self._limiter.admit(_key(record), now_s):
            self._write(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """A line that cannot be written must not end what it tells of."""
        if isinstance(sys.exc_info()[1], OSError):
            self._missed += 1
        else:
            super().handleError(record)

    def close(self) -> None:
        self._summarise(math.inf)
        super().close()

    def _summarise(self, now_s: float) -> None:
        for key, count in self._limiter.due(now_s):
            summary = logging.LogRecord(key.logger, key.level, "", 0, key.event, None, None)
            vars(summary).update(key.marks, repeated=count)
            self._write(summary)

    def _write(self, record: logging.LogRecord) -> None:
        missed = self._missed
        if missed and not self._ends_a_cut_line():
            self._missed += 1
            return
        super().emit(record)
        if missed and self._missed == missed:
            self._missed = 0
            told = logging.LogRecord(__name__, logging.ERROR, "", 0, "log_not_written", None, None)
            vars(told).update(repeated=missed)
            super().emit(told)

    def _ends_a_cut_line(self) -> bool:
        """What there was room for stands there without an end; whether there is room again."""
        try:
            self.stream.write(self.terminator)
            self.flush()
        except OSError:
            return False
        return True


def _key(record: logging.LogRecord) -> RepeatKey:
    said = record.msg if isinstance(record.msg, dict) else {"event": _plain_event(record)}
    marks = tuple((name, str(said[name])) for name in _TELLING if name in said)
    return RepeatKey(record.name, record.levelno, str(said["event"]), marks)


def _plain_event(record: logging.LogRecord) -> object:
    """What a library's line is about; librdkafka's form is ``%s [%s] %s``, its kind first."""
    if record.name == "librdkafka" and isinstance(record.args, tuple) and record.args:
        return record.args[0]
    return record.msg


def configure_logging(level: Level, format: Format, **bound: object) -> None:  # noqa: A002  # the setting's name
    """Send all logging of this process to standard error, in one form.

    Args:
        level: The least level written.
        format: ``auto`` takes the console form on a terminal and JSON lines elsewhere.
        **bound: Fields of every line, such as the worker's number.
    """
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    handler = _LimitedHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderer(console=console),
            ],
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(["repeated", *_TELLING]),
                *_common(bound),
            ],
        )
    )
    root = logging.getLogger()
    for old in [found for found in root.handlers if isinstance(found, _LimitedHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*_common(bound), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a later call, in a test, must reach old loggers too
    )


def silence_logging() -> None:
    """For a command whose answer says what went wrong, and whose output a program may parse.

    Unconfigured, structlog writes every event to standard output.
    """
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))


def _common(bound: Mapping[str, object]) -> list[Processor]:
    def add_bound(logger: Any, method: str, event: EventDict) -> EventDict:
        del logger, method
        return {**bound, **event}

    return [
        structlog.contextvars.merge_contextvars,
        add_bound,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _tell_only_the_size_of_bytes,
    ]


def _renderer(*, console: bool) -> list[Processor]:
    if console:
        plain = structlog.dev.plain_traceback  # the others show local variables, so payloads
        return [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _tell_only_the_size_of_bytes(logger: Any, method: str, event: EventDict) -> EventDict:
    del logger, method
    for name, value in event.items():
        if isinstance(value, bytes | bytearray | memoryview):
            event[name] = f"<{len(value)} bytes>"
    return event
