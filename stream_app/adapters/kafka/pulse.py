"""Whether the consumer's client still gets answers where another one does.

librdkafka (seen in 2.16) forgets every broker that is not in a cluster's list of brokers. A broker
that is about to stop may answer with an empty list; if it was the only one, the client has nobody
left to ask, says nothing, and stays so after the broker is back, with its membership expired and
its partitions unread. Decides when such a client is given up. Where nobody is answered nothing is
decided: brokers that are away are waited for, by the client itself.
"""

from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException

from stream_app.adapters.kafka.admin import ClientErrors, new_client
from stream_app.errors import ConfigError
from stream_app.ports import Clock
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_QUIET_S = 10.0
"""Records are answers too: without one for so long, a question is asked, and again as often."""

_ANSWER_S = 1.0
"""The client is connected, or should be; the other one must connect first within this time."""

_AGAIN_S = 1.0
_MISSED = 2
"""Questions in a row that another client got an answer to, and this one did not."""


class Pulse:
    """Of one consumer, asked on the loop's thread."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._kafka = settings.kafka
        self._topic = settings.input.topic
        self._clock = clock
        self._missed = 0
        self._due_s = 0.0
        self.heard()

    @property
    def is_gone(self) -> bool:
        """Whether only a new client helps."""
        return self._missed >= _MISSED

    def heard(self) -> None:
        """Something came, or the client is a new one."""
        self._missed = 0
        self._due_s = self._clock.now_s() + _QUIET_S

    def feel(self, consumer: Any) -> None:
        """Ask if it is time; blocks for up to two seconds, and only where no answer comes.

        Raises:
            FatalError: there is no room for another client's threads.
        """
        now_s = self._clock.now_s()
        if now_s < self._due_s or self.is_gone:
            return
        self._due_s = now_s + _QUIET_S
        if self._answers(consumer) or not self._others_are_answered():
            self._missed = 0
            return
        self._missed += 1
        self._due_s = now_s + _AGAIN_S
        log.warning("client_unanswered", times=self._missed, of=_MISSED)

    def _answers(self, client: Any) -> bool:
        try:
            client.list_topics(self._topic, timeout=_ANSWER_S)
        except KafkaException:
            return False
        return True

    def _others_are_answered(self) -> bool:
        properties = {"group.id": self._kafka.group, "enable.auto.commit": False}
        try:
            # A consumer, since asking for a topic as a producer may create it; never a member.
            other = new_client(Consumer, self._kafka, ClientErrors(), properties)
        except ConfigError:
            return False  # a credential file is being written at this moment
        try:
            return self._answers(other)
        finally:
            other.close()
