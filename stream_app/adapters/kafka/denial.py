"""A right that the consumer misses: named, told to the probes, and for how long it may be missing.

Of a topic the client says it once, of a group every two seconds; so the time is kept here. An
input that is idle looks the same when the right is back: a start more is the cheaper mistake.
"""

from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError

from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.rights import missing_right, read_input
from stream_app.errors import FatalError
from stream_app.ports import Clock
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


class Denial:
    """Of one consumer; ``tell`` hears what is missing, and an empty text when nothing is."""

    def __init__(self, settings: Settings, clock: Clock, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._since_s: float | None = None
        self._reason = ""

    def note(self, error: Any) -> None:
        """An error of a code in ``DENIED`` came."""
        right = missing_right(self._settings, error.code(), lambda: read_input(self._settings))
        self._reason = explain("consume", error, right)
        if self._since_s is None:
            self._since_s = self._clock.now_s()
        self._tell(self._reason)
        log.error("access_denied", code=error.name(), reason=self._reason)

    def over(self) -> None:
        """Records came, or partitions: the right is there."""
        if self._since_s is not None:
            self._since_s = None
            self._tell("")
            log.info("access_is_back")

    def end_if_too_long(self) -> None:
        """Give up when the patience is over.

        Raises:
            FatalError: it is.
        """
        patience_s = self._settings.worker.denied_patience_s
        if self._since_s is not None and self._clock.now_s() - self._since_s > patience_s:
            raise FatalError(
                f"{self._reason}; waited for worker.denied_patience_s = {patience_s:g} s"
            )
