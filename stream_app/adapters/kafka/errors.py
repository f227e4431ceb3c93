"""The client's errors, translated: which of ours each becomes, and a sentence that helps.

Decides the class once, from the flags and codes of librdkafka; every adapter that calls the
client raises through here.
"""

import re
from typing import Any

from confluent_kafka import KafkaError

from stream_app.adapters.kafka.missing_topics import MISSING_TOPIC
from stream_app.adapters.process.exhaustion import NO_THREADS
from stream_app.errors import AbortedError, FatalError, FencedError, StreamAppError

_FENCED = {
    # Ends the producer too; a new one can be made once the right is back.
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    # What every later call of a producer says after its first fatal error, without the flag.
    KafkaError._FATAL,
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_TXN_STATE,
}
_NO_ROOM = KafkaError._CRIT_SYS_RESOURCE
_NO_THREAD = re.compile("Failed to create (background )?thread")
_REMEDIES = {
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        "missing ACL: Write on the TransactionalId prefix of kafka.group"
    ),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "missing ACL on the cluster",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "missing ACL: Read on the Group kafka.group",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (
        "missing ACL: Read on the input topic, or Write on an output topic"
    ),
    KafkaError._AUTHENTICATION: "check kafka.sasl_username, its password and kafka.sasl_mechanism",
    KafkaError._SSL: "check kafka.ssl_ca_file and the broker's certificate and host name",
    KafkaError._RESOLVE: "check the host names in kafka.bootstrap_servers",
    KafkaError._ALL_BROKERS_DOWN: "no broker answers at kafka.bootstrap_servers",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: (
        "lower kafka.transaction_timeout_s to the brokers' transaction.max.timeout.ms"
    ),
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "another member of the group uses another assignment strategy; stop it, or use another "
        "kafka.group"
    ),
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topic: stream-app topics create",
    _NO_ROOM: NO_THREADS,
}
_NOT_GIVEN = "SASL OAUTHBEARER token"
_NOT_ACCEPTED = "invalid_token"
_REFUSED_WORDS = ('"error"', "Expected JSON", "Must supply", "access_token")
"""In the client's words of a token that it did not get: an answer came, and it was no."""

_PERMANENT = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    *MISSING_TOPIC,
}
_NOT_ALLOWED = {KafkaError.CLUSTER_AUTHORIZATION_FAILED}


def explain(what: str, error: Any, known: str | None = None) -> str:
    """One line: what was being done, the client's reason, and the remedy if there is one.

    Args:
        what: Was being done.
        error: The client's.
        known: A remedy that says more than ours, which knows no names.
    """
    remedy = known or _token_remedy(error.str() or "") or _REMEDIES.get(error.code())
    text = f"{what}: {error.str()} [{error.name()}]"
    return f"{text}; {remedy}" if remedy else text


def end_if_exhausted(error: Any) -> None:
    """Refuse to go on with a client that could not start its threads.

    It says so once, on the side or without a code, and answers nobody from then on: every call
    would only time out.

    Raises:
        FatalError: ``error`` says that.
    """
    if error.code() == _NO_ROOM or _NO_THREAD.search(error.str() or ""):
        raise FatalError(f"starting a client: {error.str()}; {_REMEDIES[_NO_ROOM]}")


def no_token_came(error: Any) -> bool:
    """Whether this is of a token endpoint that does not answer, which may heal by itself."""
    text = error.str() or ""
    return _NOT_GIVEN in text and not any(word in text for word in _REFUSED_WORDS)


def _token_remedy(text: str) -> str | None:
    if _NOT_GIVEN in text:
        return (
            "check that kafka.oauth_token_url answers, kafka.oauth_client_id, "
            "kafka.oauth_client_secret_file and kafka.oauth_scope"
        )
    if _NOT_ACCEPTED in text:
        return (
            "the brokers do not accept the token: check kafka.oauth_token_url and "
            "kafka.oauth_scope, and the keys, issuer and audience that the brokers expect"
        )
    return None


def fatal(what: str, error: Any, known: str | None = None) -> StreamAppError:
    """The error that ends this producer, or this process; ``known`` as in :func:`explain`."""
    if error.code() in _NOT_ALLOWED:
        return FatalError(explain(what, error, known))
    if error.fatal() or error.code() in _FENCED:
        return FencedError(explain(what, error, known))
    return FatalError(explain(what, error, known))


def aborts(what: str, error: Any, known: str | None = None) -> StreamAppError:
    """The error of a unit that failed: to be aborted, unless the producer itself is over."""
    if error.fatal() or error.code() in _FENCED or error.code() in _NOT_ALLOWED:
        return fatal(what, error, known)
    return AbortedError(
        explain(what, error, known),
        permanent=error.code() in _PERMANENT,
        heals=error.code() in MISSING_TOPIC,
    )
