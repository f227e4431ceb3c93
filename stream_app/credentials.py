"""When the clients must be made anew, because the files that let them in have changed.

Decides from the files' content, looked at now and then on the loop's thread, and only once the
brokers let somebody in with it: files that are half written, or that the brokers do not know yet,
leave the old clients in place. Refuses to know what the files hold and how clients are made.
"""

from typing import Final, Protocol

import structlog

from stream_app.core.metrics import CREDENTIALS_REFUSED
from stream_app.ports import Clock, Telemetry

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_S: Final = 60.0
"""Between two trials of the same refused content; new content is tried at the next look."""


class CredentialFiles(Protocol):
    """The files, and the brokers' opinion of them."""

    def fingerprint(self) -> str:
        """Of the content of all of them; cheap, and the same for the same content."""

    def fault(self) -> str | None:
        """Why nobody gets in with what they hold now; ``None``: somebody does.

        Names files and settings, never what is in them. Blocks for a bounded time.
        """


class Credentials:
    """Compares what the clients were made with to what there is now."""

    def __init__(
        self, files: CredentialFiles, clock: Clock, telemetry: Telemetry, every_s: float
    ) -> None:
        self._files = files
        self._clock = clock
        self._telemetry = telemetry
        self._every_s = every_s
        self._in_use = files.fingerprint()
        self._found = self._in_use
        self._look_at_s = clock.now_s() + every_s
        self._refused = ""
        self._try_at_s = 0.0
        self._pause_s = every_s
        self._due = False

    def changed(self, now_s: float) -> bool:
        """Whether there are files that the clients do not have and that are worth a trial now."""
        if self._due:
            return True
        if now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + self._every_s
        self._found = self._files.fingerprint()
        if self._found == self._in_use:
            self._refused = ""
            self._telemetry.gauge(CREDENTIALS_REFUSED, 0)
            return False
        return self._found != self._refused or now_s >= self._try_at_s

    def usable(self) -> bool:
        """Whether the changed files let us in; call with nothing open, for it may block."""
        if self._due:
            return True
        fault = self._files.fault()
        if fault is None:
            self._due = True
            return True
        log.error("credentials_refused", reason=fault, action="the old ones stay in use")
        self._telemetry.gauge(CREDENTIALS_REFUSED, 1)
        if self._found != self._refused:
            self._refused, self._pause_s = self._found, self._every_s
        self._try_at_s = self._clock.now_s() + self._pause_s
        self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)
        return False

    def taken(self) -> None:
        """The clients are being made anew with what was found usable."""
        log.info("credentials_taken", action="both clients are made anew")
        self._telemetry.gauge(CREDENTIALS_REFUSED, 0)
        self._in_use, self._refused, self._due = self._found, "", False
