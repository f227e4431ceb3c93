"""Whether the input is still the topic it was: a topic made anew has the name and other records.

Offsets count in one topic. Brokers give each topic an id; the client goes on by name, and after a
topic was deleted and made again it may read on in the middle of the new one. Decides when to ask
for the id, and what another id means: stop, a person must say where the new topic begins. Where
nobody gives ids (librdkafka's mock, brokers before 2.8), or we may not ask, nothing is checked:
that is logged, and asked again from time to time.
"""

from collections.abc import Iterable

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.spare_thread import SpareThread
from stream_app.core.position_notes import PositionNote
from stream_app.errors import ConfigError, DataError, FatalError, RetriableError, StreamAppError
from stream_app.ports import Clock
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""Zero: what stands for the id where there is none."""

_GONE = ""
_ASK_AGAIN_S = 1.0
_GONE_PATIENCE_S = 15.0
_GONE_ANSWERS = 5
"""A broker that has just started may not know every topic yet: so many answers in a row must say
that it has gone, over so long a time, and none of the questions may stay without an answer."""

_NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


class TopicIdentity:
    """Of one worker's input topic."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._topic = settings.input.topic
        self._every_s = settings.kafka.topic_refresh_s
        self._clock = clock
        self._ask_at_s = 0.0
        self._gone_since_s: float | None = None
        self._gone_answers = 0
        self._unknown = False
        self._spare = SpareThread("topic-id")
        self._asking = False
        self._answer: str | None = None
        self._fatal: FatalError | None = None
        self.topic_id = ""
        """Empty while it is not known."""

    def learn(self) -> None:
        """Ask which topic it is, before anything is read; blocks for a bounded time.

        Raises:
            RetriableError: no broker answers, or the topic is not there.
            DataError: it is another one than before.
            FatalError: this process cannot ask any more.
        """
        try:
            found = self._ask()
        except FatalError:
            raise
        except StreamAppError as exc:
            if not _not_allowed(exc):
                # Of every other trouble nobody knows yet what it hides.
                raise RetriableError(str(exc)) from exc
            self._pass_over(str(exc))
            return
        if found == _GONE:
            raise RetriableError(
                f"topic {self._topic} does not exist; create it: stream-app topics create "
                "--with-input, or correct input.topic"
            )
        if found is None:
            self._pass_over("the cluster gives none")
            return
        self._judge(found)
        self._ask_at_s = self._clock.now_s() + self._every_s

    def _pass_over(self, reason: str) -> None:
        log.warning("topic_id_unknown", topic=self._topic, reason=reason)
        self._unknown = True
        self._ask_at_s = self._clock.now_s() + self._every_s

    def refuse_others(self, notes: Iterable[str | None]) -> None:
        """Refuse to go on at offsets that were committed in another topic of this name.

        Raises:
            ConfigError: one of the notes beside them names another id.
        """
        others = {PositionNote.of(note).topic_id for note in notes} - {"", self.topic_id}
        if self.topic_id and others:
            message = (
                f"{self._topic} was deleted and made anew: the offsets of group "
                f"{self._settings.kafka.group} were committed in topic id "
                f"{', '.join(sorted(others))}, and it is {self.topic_id} now. Where they point lie "
                f"other records. {self._remedy()}"
            )
            raise ConfigError(message)

    def check(self) -> None:
        """Look at the last answer and ask again when it is time; never waits.

        Raises:
            DataError: the topic was deleted, or made anew.
            FatalError: this process cannot ask any more.
        """
        if not self.topic_id and not self._unknown:
            return
        if self._fatal is not None:
            raise self._fatal
        if self._asking and not self._spare.busy():
            self._asking = False
            if self._answer is not None:
                self._judge(self._answer)
            elif self._gone_since_s is not None:
                self._not_gone()
                self._ask_at_s = self._clock.now_s() + _ASK_AGAIN_S
        now_s = self._clock.now_s()
        if not self._asking and now_s >= self._ask_at_s:
            self._ask_at_s = now_s + self._every_s
            self._asking = True
            self._spare.begin(self._ask_aside)

    def suspect(self) -> None:
        """Something looks as if the topic had gone: ask soon."""
        self._ask_at_s = 0.0

    def check_now(self) -> None:
        """Ask, and wait for the answer.

        Raises:
            RetriableError: nobody answers.
            DataError: the topic was made anew.
        """
        if self.topic_id:
            self.learn()

    def _judge(self, found: str) -> None:
        if found == _GONE:
            self._judge_gone(self._clock.now_s())
            return
        self._not_gone()
        if not self.topic_id:
            self.topic_id = found
        elif found != self.topic_id:
            message = (
                f"input topic {self._topic} was deleted and made anew while it was read: its id "
                f"was {self.topic_id} and is {found}. What the old one held unread is gone; "
                "records of the new one may have been scored from the wrong offset on since. "
                f"{self._remedy()}"
            )
            raise DataError(message)

    def _judge_gone(self, now_s: float) -> None:
        if not self.topic_id:
            return
        self._gone_since_s = now_s if self._gone_since_s is None else self._gone_since_s
        self._gone_answers += 1
        self._ask_at_s = now_s + _ASK_AGAIN_S
        patient = now_s - self._gone_since_s < _GONE_PATIENCE_S
        if patient or self._gone_answers < _GONE_ANSWERS:
            return
        message = (
            f"input topic {self._topic} (id {self.topic_id}) was deleted: what it held is "
            f"gone, read or unread. {self._remedy()}"
        )
        raise DataError(message)

    def _not_gone(self) -> None:
        self._gone_since_s, self._gone_answers = None, 0

    def _remedy(self) -> str:
        return (
            "Decide where the topic of today begins: `stream-app offsets reset --to start` "
            "(records scored already come again), or read it with a new kafka.group"
        )

    def _ask_aside(self) -> None:
        try:
            self._answer = self._ask()
        except FatalError as exc:
            self._fatal = exc
        except StreamAppError as exc:
            # No answer is no other topic; fetching has its own words for brokers that are away.
            self._answer = None
            log.debug("topic_id_not_asked", topic=self._topic, reason=str(exc))

    def _ask(self) -> str | None:
        """The id; empty when there is no such topic, ``None`` where no ids are given.

        With a client for this one question, so that it takes up rotated secrets and keeps no
        connection.
        """
        admin = KafkaAdmin(self._settings.kafka)
        if not admin.has_controller():
            return None
        asked = TopicCollection([self._topic])
        futures = admin.client.describe_topics(asked, request_timeout=admin.timeout_s)
        what = f"asking for the id of topic {self._topic!r}"
        unknown = KafkaError.UNKNOWN_TOPIC_OR_PART
        described = admin.wait(what, futures[self._topic], expected=unknown)
        if described is None:
            return _GONE
        found = str(described.topic_id or _NO_ID)
        return None if found == _NO_ID else found


def _not_allowed(exc: StreamAppError) -> bool:
    """Whether the brokers say that we may not ask; who may not describe, may not read either."""
    cause = exc.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() in _NOT_ALLOWED
