"""A right that the consumer misses: named, told to the probes, and for how long it may be missing.

Decides what proves that it is back, by its kind: partitions prove the group's, records the
topic's, an answer the question's. Of a topic the client says it once, of a group every two
seconds; so the time is kept here. An input that is idle looks the same when the right is back: a
start more is the cheaper mistake.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from confluent_kafka import KafkaError

from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.rights import missing_right, read_input
from stream_app.errors import DeniedError, FatalError, RetriableError
from stream_app.ports import Clock
from stream_app.settings import Settings

log = structlog.get_logger(__name__)


class _Kind(StrEnum):
    """Of a right, in the client's words of a fatal error; and one for questions of any right."""

    GROUP = "Group"
    TOPIC = "Topic"
    CLUSTER = "Cluster"
    QUESTION = "question"


_CODES = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: _Kind.GROUP,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _Kind.TOPIC,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _Kind.CLUSTER,
}
_IN_WORDS = {
    _Kind.GROUP: KafkaError.GROUP_AUTHORIZATION_FAILED,
    _Kind.TOPIC: KafkaError.TOPIC_AUTHORIZATION_FAILED,
}
_NEW_CLIENT_S = 2.0
_SILENCE_S = 10.0
"""Of a group, with records coming: what would be said every two seconds is true no more."""


@dataclass(slots=True)
class _Missing:
    """One right: what to say of it, since when it is missing, and when the client last said so."""

    reason: str
    since_s: float
    said_s: float


class Denial:
    """Of one consumer; ``tell`` hears what is missing, and an empty text when nothing is."""

    def __init__(self, settings: Settings, clock: Clock, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._missing: dict[_Kind, _Missing] = {}
        self._new_client_at_s: float | None = None

    def note(self, error: Any) -> None:
        """An error came of which :meth:`is_of` is true."""
        self._note(_CODES[self._code(error)], error)

    def is_of(self, error: Any) -> bool:
        """Whether an error is about a right, also where the client calls it fatal.

        Under KIP-848 a member that may not read its group is over, and says why in words only.
        """
        return self._code(error) in _CODES

    def of_question(self, what: str, error: Any) -> RetriableError:
        """The error of a question that failed, for want of a right or for another reason."""
        if not self.is_of(error):
            return RetriableError(explain(what, error))
        return DeniedError(self._note(_Kind.QUESTION, error))

    # -- what proves that a right is there ----------------------------------------------------

    def assigned(self) -> None:
        """Partitions came, or the word that there are none: the group has us."""
        self._end(self._missing.keys() - {_Kind.TOPIC})

    def records(self) -> None:
        """They may be read; of the group they prove nothing, but for the client's silence."""
        over = {_Kind.TOPIC, _Kind.CLUSTER}
        group = self._missing.get(_Kind.GROUP)
        if group is not None and self._clock.now_s() - group.said_s > _SILENCE_S:
            over.add(_Kind.GROUP)
        self._end(over)

    def answered(self) -> None:
        """A question of the kind that :meth:`of_question` is told of was answered."""
        self._end({_Kind.QUESTION})

    # -- the client ----------------------------------------------------------------------------

    def client_over(self, error: Any) -> None:
        """The client's own end; if it is for want of a right, a new one may have more luck.

        Raises:
            FatalError: it is for another reason.
        """
        if not self.is_of(error):
            raise FatalError(explain("consume", error))
        self.note(error)
        self._new_client_at_s = self._clock.now_s() + _NEW_CLIENT_S

    def client_is_over(self) -> bool:
        """Whether the client can do nothing any more, until there is a new one."""
        return self._new_client_at_s is not None

    @property
    def new_client_is_due(self) -> bool:
        """Whether the client is over, and has been for long enough to try a new one."""
        at_s = self._new_client_at_s
        return at_s is not None and self._clock.now_s() >= at_s

    def client_is_new(self) -> None:
        """There is another one; what it may do will be seen."""
        self._new_client_at_s = None

    def sit_out(self, wait_s: float) -> None:
        """Sleep some of this time, in place of a client that is over.

        Raises:
            FatalError: the patience is over.
        """
        self.end_if_too_long()
        time.sleep(min(wait_s, _NEW_CLIENT_S))

    def end_if_too_long(self) -> None:
        """Give up when the patience is over.

        Raises:
            FatalError: it is.
        """
        patience_s = self._settings.worker.denied_patience_s
        for missing in self._missing.values():
            if self._clock.now_s() - missing.since_s > patience_s:
                raise FatalError(
                    f"{missing.reason}; waited for worker.denied_patience_s = {patience_s:g} s"
                )

    # -- what is missing -------------------------------------------------------------------------

    def _code(self, error: Any) -> int:
        """Of the right; where the client is over, only its words say it."""
        words = error.str() or ""
        named = (c for kind, c in _IN_WORDS.items() if f"{kind} authorization failed" in words)
        code: int = error.code()
        return code if code in _CODES else next(named, code)

    def _note(self, kind: _Kind, error: Any) -> str:
        settings, now_s = self._settings, self._clock.now_s()
        right = missing_right(settings, self._code(error), lambda: read_input(settings))
        reason = explain("consume", error, right)
        before = self._missing.get(kind)
        self._missing[kind] = _Missing(reason, before.since_s if before else now_s, now_s)
        self._say()
        log.error("access_denied", code=error.name(), reason=reason)
        return reason

    def _end(self, kinds: Collection[_Kind]) -> None:
        if self._missing.keys().isdisjoint(kinds):
            return
        self._missing = {k: missing for k, missing in self._missing.items() if k not in kinds}
        self._say()
        if not self._missing:
            log.info("access_is_back")

    def _say(self) -> None:
        self._tell("; ".join(missing.reason for missing in self._missing.values()))
