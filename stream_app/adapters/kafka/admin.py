"""One connection for questions and orders to the cluster, and what its errors mean to a person.

Decides which of our errors a tool's failed call becomes. Knows nothing of topics and groups:
those who ask are in ``kafka/topics.py`` and ``kafka/offsets.py``.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from stream_app.adapters.kafka.config import Properties, common_properties
from stream_app.adapters.kafka.errors import end_if_exhausted, explain, no_token_came
from stream_app.adapters.kafka.tls_probe import certificate_fault, tls_fault
from stream_app.errors import ConfigError, StreamAppError, UnavailableError
from stream_app.settings import KafkaSettings

_Answer = TypeVar("_Answer")

_COORDINATOR_ON_ITS_WAY = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
_NO_ANSWER = {
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._DESTROY,
}
_OURS_TO_MEND = {
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INVALID_CONFIG,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.POLICY_VIOLATION,
}
_QUICK_ANSWER_S = 1.0
"""A broker that refuses us does so at once, but the client goes on trying until time is up."""

_ASK_AGAIN_S = 0.2
_ADMIN_GRACE_S = 2.0
"""Beyond the request's own time-out, so that its answer, not ours, says what happened."""


class ClientErrors:
    """Keeps what a client tells through ``error_cb``: a wrong password is heard nowhere else."""

    def __init__(self) -> None:
        self.first_cause: Any = None

    def __call__(self, error: Any) -> None:
        """Called by the client, on the thread that polls it.

        Raises:
            FatalError: the client has no threads; the poll raises it.
        """
        end_if_exhausted(error)
        known = self.first_cause
        # "All brokers are down" follows every other reason and explains none.
        if known is None or known.code() == KafkaError._ALL_BROKERS_DOWN:
            self.first_cause = error


class KafkaAdmin:
    """Asks and orders; every method blocks for at most about ``kafka.request_timeout_s``."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._errors = ClientErrors()
        self.timeout_s = kafka.request_timeout_s
        self.client: Any = new_client(AdminClient, kafka, self._errors, {})

    def partition_counts(self) -> dict[str, int]:
        """Partitions of every topic that there is; also the proof that a broker answers.

        Raises:
            UnavailableError: no broker answers.
            ConfigError: one answers, and refuses us.
        """
        try:
            topics = self._list_topics()
        except KafkaException as exc:
            raise self.translate("reading the list of topics", exc) from exc
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def _list_topics(self) -> Any:
        try:
            return self.client.list_topics(timeout=min(_QUICK_ANSWER_S, self.timeout_s)).topics
        except KafkaException:
            self.client.poll(0)
            cause = self._errors.first_cause
            if cause is not None and cause.code() in _OURS_TO_MEND:
                raise
        return self.client.list_topics(timeout=self.timeout_s).topics

    def has_controller(self) -> bool:
        """Whether a broker is named that answers questions about configurations and rights.

        librdkafka's mock names none, and its client would wait for one until time is up.

        Raises:
            UnavailableError: no broker answers.
            ConfigError: one answers, and refuses us.
        """
        try:
            found = self.client.list_topics(timeout=self.timeout_s)
        except KafkaException as exc:
            raise self.translate("asking for the controller", exc) from exc
        return found.controller_id in found.brokers

    def partitions(self, topic: str) -> int:
        """Partitions of one topic.

        Raises:
            UnavailableError: there is no such topic, or no broker.
        """
        counts = self.partition_counts()
        if topic not in counts:
            raise UnavailableError(
                f"topic {topic!r} does not exist at {self._kafka.bootstrap_servers}; create it "
                "(stream-app topics create), or correct its name"
            )
        return counts[topic]

    def group_client(self, group: str) -> Any:
        """A client that may ask for the group's offsets, never a member; the caller closes it.

        The admin client's own question ends the process by a null pointer while the group's
        coordinator is not settled (librdkafka#5040): on a new cluster, or after a broker's end.
        """
        properties = {
            "group.id": group,
            "enable.auto.commit": False,
            # Offsets as they are, without waiting for transactions under way.
            "isolation.level": "read_uncommitted",
        }
        return new_client(Consumer, self._kafka, self._errors, properties)

    def of_coordinator(self, ask: Callable[[], _Answer]) -> _Answer:
        """The answer of a group's coordinator; asks again while the cluster is choosing one.

        Raises:
            KafkaException: as ``ask`` raised it, the last time.
        """
        deadline_s = time.monotonic() + self.timeout_s
        while True:
            try:
                return ask()
            except KafkaException as exc:
                late = time.monotonic() >= deadline_s
                if late or exc.args[0].code() not in _COORDINATOR_ON_ITS_WAY:
                    raise
            time.sleep(_ASK_AGAIN_S)

    def wait(self, what: str, future: Future[Any], *, expected: int | None = None) -> Any:
        """The result of one of the client's futures.

        Args:
            what: What is being done, for the message.
            future: As the client gave it.
            expected: The code of an error that is an answer too: it becomes ``None``.

        Raises:
            StreamAppError: translated from what the client raised.
        """
        try:
            return future.result(self.timeout_s + _ADMIN_GRACE_S)
        except (KafkaException, TimeoutError) as exc:
            if isinstance(exc, KafkaException) and exc.args[0].code() == expected:
                return None
            raise self.translate(what, exc) from exc

    def translate(self, what: str, exc: Exception) -> StreamAppError:
        """Which of our errors ``exc`` is, with the cause that the client told elsewhere."""
        self.client.poll(0)
        return translate(what, exc, self._errors, self._kafka)


def new_client(
    make: Any, kafka: KafkaSettings, errors: ClientErrors, properties: Mapping[str, Any]
) -> Any:
    """Make a tool's client; ``kafka.properties`` apply unless a setting of ours says otherwise.

    Raises:
        ConfigError: the library refuses a property.
        FatalError: there is no room for its threads.
    """
    merged: Properties = {
        **kafka.properties,
        **common_properties(kafka, errors),
        "client.id": "stream-app-tool",
        **properties,
    }
    try:
        return make(merged)
    except KafkaException as exc:
        end_if_exhausted(exc.args[0])
        fault = certificate_fault(kafka)
        reason = fault or explain("the Kafka client refuses its settings", exc.args[0])
        raise ConfigError(reason) from exc


def translate(
    what: str, exc: Exception, errors: ClientErrors, kafka: KafkaSettings
) -> StreamAppError:
    """As ``KafkaAdmin.translate``, for clients of another kind."""
    error: Any = exc.args[0] if isinstance(exc, KafkaException) else None
    if error is not None and error.code() not in _NO_ANSWER:
        kind = ConfigError if error.code() in _OURS_TO_MEND else UnavailableError
        return kind(explain(what, error))
    cause = errors.first_cause
    if cause is None or cause.code() != KafkaError._AUTHENTICATION:
        # The client has one word for several faults of TLS, and none for some.
        fault = tls_fault(kafka)
        if fault is not None:
            return ConfigError(f"{what}: {fault}")
    if cause is not None and cause.code() in _OURS_TO_MEND:
        if no_token_came(cause):
            return UnavailableError(explain(what, cause))
        return ConfigError(explain(f"{what}: the broker refuses us", cause))
    reason = f" ({cause.str()})" if cause is not None else ""
    token = ", that kafka.oauth_token_url answers" if kafka.oauth_token_url else ""
    return UnavailableError(
        f"{what}: no broker answers at {kafka.bootstrap_servers} within "
        f"{kafka.request_timeout_s:g} s{reason}; check kafka.bootstrap_servers and "
        f"kafka.security_protocol{token}, and that the cluster runs"
    )
