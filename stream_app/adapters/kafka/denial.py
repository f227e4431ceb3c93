"""A right that the consumer misses: named, told to the probes, and for how long it may be missing.

Of a topic the client says it once, of a group every two seconds; so the time is kept here. An
input that is idle looks the same when the right is back: a start more is the cheaper mistake.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError

from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.rights import missing_right, read_input
from stream_app.errors import DeniedError, FatalError, RetriableError
from stream_app.ports import Clock
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_NEW_CLIENT_S = 2.0
_KINDS = {
    "Group": KafkaError.GROUP_AUTHORIZATION_FAILED,
    "Topic": KafkaError.TOPIC_AUTHORIZATION_FAILED,
}
"""How the client names them in the words of a fatal error."""


class Denial:
    """Of one consumer; ``tell`` hears what is missing, and an empty text when nothing is."""

    def __init__(self, settings: Settings, clock: Clock, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._since_s: float | None = None
        self._reason = ""
        self._new_client_at_s: float | None = None

    def note(self, error: Any) -> None:
        """An error came of which :meth:`is_of` is true."""
        named = (code for kind, code in _KINDS.items() if f"{kind} authorization" in error.str())
        code = error.code() if error.code() in DENIED else next(named, error.code())
        right = missing_right(self._settings, code, lambda: read_input(self._settings))
        self._reason = explain("consume", error, right)
        if self._since_s is None:
            self._since_s = self._clock.now_s()
        self._tell(self._reason)
        log.error("access_denied", code=error.name(), reason=self._reason)

    def is_of(self, error: Any) -> bool:
        """Whether an error is about a right, also where the client calls it fatal.

        Under KIP-848 a member that may not read its group is over, and says why in words only.
        """
        words = error.str() or ""
        return error.code() in DENIED or any(
            f"{kind} authorization failed" in words for kind in _KINDS
        )

    def of_question(self, what: str, error: Any) -> RetriableError:
        """The error of a question that failed, for want of a right or for another reason."""
        if not self.is_of(error):
            return RetriableError(explain(what, error))
        self.note(error)
        return DeniedError(self._reason)

    def client_over(self, error: Any) -> None:
        """The client's own end; if it is for want of a right, a new one may have more luck.

        Raises:
            FatalError: it is for another reason.
        """
        if not self.is_of(error):
            raise FatalError(explain("consume", error))
        self.note(error)
        self._new_client_at_s = self._clock.now_s() + _NEW_CLIENT_S

    @property
    def client_is_over(self) -> bool:
        """Whether the client can do nothing any more, until there is a new one."""
        return self._new_client_at_s is not None

    def new_client_due(self, wait_s: float) -> bool:
        """Whether to make a new client now; if not, some of ``wait_s`` is slept.

        Raises:
            FatalError: the patience is over.
        """
        self.end_if_too_long()
        if self._new_client_at_s is not None and self._clock.now_s() < self._new_client_at_s:
            time.sleep(min(wait_s, _NEW_CLIENT_S))
            return False
        self._new_client_at_s = None
        return True

    def over(self) -> None:
        """Records came, or partitions, or an answer: the right is there."""
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
