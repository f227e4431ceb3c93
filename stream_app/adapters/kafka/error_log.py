"""What a client tells on the side, not as the answer to a call: counted and logged.

A client that a broker refuses tries ten times a second and says so each time; the log writes what
repeats itself once a while.
"""

from typing import Any

import structlog

from stream_app.adapters.kafka.errors import end_if_exhausted, explain
from stream_app.core.metrics import CLIENT_ERRORS
from stream_app.ports import Telemetry

log = structlog.get_logger(__name__)


class ErrorLog:
    """An ``error_cb``; called on the thread that polls the client."""

    def __init__(self, client: str, telemetry: Telemetry) -> None:
        self._client = client
        self._telemetry = telemetry

    def __call__(self, error: Any) -> None:
        """One error.

        Raises:
            FatalError: the client has no threads; the poll that called this raises it.
        """
        self._telemetry.count(CLIENT_ERRORS, 1, error.name())
        log.warning("kafka_client_error", client=self._client, reason=explain("connection", error))
        end_if_exhausted(error)
