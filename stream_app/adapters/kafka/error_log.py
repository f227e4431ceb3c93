"""What a client tells on the side, not as the answer to a call: counted always, logged in measure.

A client that a broker refuses tries ten times a second and says so each time. Decides which of
these lines are worth writing: the first of each code, then one a while with the number between.
"""

from typing import Any, Final

import structlog

from stream_app.adapters.kafka.errors import explain
from stream_app.core.metrics import CLIENT_ERRORS
from stream_app.ports import Clock, Telemetry

log = structlog.get_logger(__name__)

_AGAIN_S: Final = 30.0


class ErrorLog:
    """An ``error_cb``; called on the thread that polls the client."""

    def __init__(self, client: str, clock: Clock, telemetry: Telemetry) -> None:
        self._client = client
        self._clock = clock
        self._telemetry = telemetry
        self._said_s: dict[int, float] = {}
        self._unsaid: dict[int, int] = {}

    def __call__(self, error: Any) -> None:
        """One error."""
        code = error.code()
        self._telemetry.count(CLIENT_ERRORS, 1, error.name())
        now_s = self._clock.now_s()
        if now_s - self._said_s.get(code, float("-inf")) < _AGAIN_S:
            self._unsaid[code] = self._unsaid.get(code, 0) + 1
            return
        self._said_s[code] = now_s
        log.warning(
            "kafka_client_error",
            client=self._client,
            reason=explain("connection", error),
            times_since_the_last_line=self._unsaid.pop(code, 0),
        )
