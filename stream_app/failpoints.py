"""Places in the transaction where a test may kill, stop, delay or break a worker.

Decides what happens at a named place. Refuses to know what the place means: the loop calls
``hit`` and goes on. Without ``STREAM_APP_FAILPOINT`` in the environment ``hit`` is an empty
function, chosen at import.

    STREAM_APP_FAILPOINT=<place>[:<hit, default 1>[:kill|stop|raise|sleep=<seconds>]][,...]
    STREAM_APP_FAILPOINT_FLAG=<file>     fire once over all restarts: only the one that can
                                         create this file fires
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from stream_app.errors import ConfigError

SPEC_VARIABLE: Final = "STREAM_APP_FAILPOINT"
FLAG_VARIABLE: Final = "STREAM_APP_FAILPOINT_FLAG"


class Place(StrEnum):
    """The places, in the order of one transaction."""

    MID_FETCH = "mid_fetch"
    BEFORE_PROCESS = "before_process"
    AFTER_BEGIN = "after_begin"
    MID_DELIVER = "mid_deliver"
    AFTER_DELIVER = "after_deliver"
    AFTER_SEND_OFFSETS = "after_send_offsets"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"


class FailpointError(RuntimeError):
    """What the action ``raise`` raises: an error that nobody foresaw."""


@dataclass(slots=True)
class _Failpoint:
    place: Place
    on_hit: int
    action: str
    sleep_s: float = 0.0
    hits: int = 0


def _nothing(name: str) -> None:
    del name


def _armed(points: list[_Failpoint], flag: Path | None) -> Callable[[str], None]:
    def hit(name: str) -> None:
        for point in points:
            if point.place != name:
                continue
            point.hits += 1
            if point.hits == point.on_hit and _may_fire(flag):
                _fire(point)

    return hit


def _misspelt(fault: ConfigError) -> Callable[[str], None]:
    def hit(name: str) -> None:
        del name
        raise fault

    return hit


def _may_fire(flag: Path | None) -> bool:
    if flag is None:
        return True
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _fire(point: _Failpoint) -> None:
    # Critical, since a repeated warning would be left out, and a test counts these.
    structlog.get_logger().critical("failpoint_fires", place=point.place, action=point.action)
    match point.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(point.sleep_s)
        case _:
            raise FailpointError(f"failpoint {point.place} was told to raise")


def _parsed(spec: str) -> _Failpoint:
    name, _, rest = spec.strip().partition(":")
    count, _, action = rest.partition(":")
    verb, _, seconds = (action or "kill").partition("=")
    try:
        point = _Failpoint(Place(name), int(count or 1), verb, float(seconds or 0))
    except ValueError as exc:
        raise _spec_error(spec) from exc
    if point.on_hit < 1 or verb not in {"kill", "stop", "raise", "sleep"}:
        raise _spec_error(spec)
    if (verb == "sleep") != (seconds != "") or not 0 <= point.sleep_s < float("inf"):
        raise _spec_error(spec)
    return point


def _spec_error(spec: str) -> ConfigError:
    return ConfigError(
        f"{SPEC_VARIABLE} has {spec!r}; expected <place>[:<hit>[:kill|stop|raise|sleep=<seconds>]] "
        f"with a place of {', '.join(Place)}; correct it, or unset it: it is for tests only"
    )


def arm(environ: Mapping[str, str]) -> Callable[[str], None]:
    """The ``hit`` for this environment.

    Raises:
        ConfigError: the variable is misspelt.
    """
    spec = environ.get(SPEC_VARIABLE, "")
    if not spec:
        return _nothing
    points = [_parsed(part) for part in spec.split(",")]
    given = environ.get(FLAG_VARIABLE, "")
    if not given:
        return _armed(points, None)
    flag = Path(given)
    if not flag.parent.is_dir():
        raise ConfigError(
            f"{FLAG_VARIABLE} names {given!r}, whose folder does not exist; make it, or unset the "
            "variable: it is for tests only"
        )
    return _armed(points, flag)


def announce() -> None:
    """Say loudly, at start and after logging is set up, that this process may kill itself.

    Raises:
        ConfigError: the variable is misspelt.
    """
    arm(os.environ)
    if spec := os.environ.get(SPEC_VARIABLE):
        structlog.get_logger().warning(
            "failpoints_enabled", spec=spec, remedy=f"for tests only; unset {SPEC_VARIABLE}"
        )


def _at_import() -> Callable[[str], None]:
    """An import must not raise; a misspelt variable is told by ``announce``, or by every hit."""
    try:
        return arm(os.environ)
    except ConfigError as fault:
        return _misspelt(fault)


hit: Final = _at_import()
"""``hit(name)``: this place has been reached."""
