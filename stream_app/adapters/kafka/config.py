"""Settings turned into librdkafka properties: the one place where its keys are written down.

Decides which properties the guarantees rest on and refuses to have them replaced by
``kafka.properties``. Knows nothing of how the clients are used.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import libversion
from pydantic import SecretStr

from stream_app.errors import ConfigError
from stream_app.settings import Delivery, KafkaSettings, Settings

LEAST_LIBRDKAFKA = (2, 14, 2)
"""Before it: a crash on close while the coordinator is away, and CVEs in bundled libraries."""

_RETRY_BACKOFF_MS = 5
"""At librdkafka's 100 ms, the first request of a transaction begun right after a commit waits
100 ms (the broker answers CONCURRENT_TRANSACTIONS until the last one is complete)."""

_SAME_AS = {
    "metadata.broker.list": "bootstrap.servers",
    "request.required.acks": "acks",
    "compression.codec": "compression.type",
    "queue.buffering.max.ms": "linger.ms",
    "delivery.timeout.ms": "message.timeout.ms",
}
"""Second names that the library has for properties of ours."""

_ALWAYS_OURS = {"group.instance.id", "transactional.id", "transaction.timeout.ms"}
"""Also where our settings leave them out."""

Properties = dict[str, Any]


def require_librdkafka() -> str:
    """The library's version; refuse those with known losses or crashes.

    Raises:
        ConfigError: the installed library is too old.
    """
    text: str = libversion()[0]
    found = tuple(int(part) for part in text.split("-", maxsplit=1)[0].split(".")[:3])
    if found < LEAST_LIBRDKAFKA:
        least = ".".join(map(str, LEAST_LIBRDKAFKA))
        raise ConfigError(
            f"librdkafka {text} is too old, {least} is needed: update confluent-kafka"
        )
    return text


def common_properties(
    kafka: KafkaSettings, on_error: Callable[[Any], None] | None = None
) -> Properties:
    """What every client needs: where the cluster is and who we are.

    Args:
        kafka: The settings.
        on_error: Hears of errors that no call returns. A wrong password is among these, so a
            client without it sees a broker that does not answer.

    Raises:
        ConfigError: no bootstrap servers, or a secret file that cannot be read.
    """
    if not kafka.bootstrap_servers:
        raise ConfigError(
            "kafka.bootstrap_servers is not set; give it in the file, or as "
            "STREAM_APP_KAFKA__BOOTSTRAP_SERVERS=host:port"
        )
    properties: Properties = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": "stream-app",
        "security.protocol": kafka.security_protocol,
        "socket.timeout.ms": _ms(kafka.request_timeout_s),
        "socket.connection.setup.timeout.ms": min(10_000, _ms(kafka.request_timeout_s)),
        "topic.metadata.refresh.interval.ms": _ms(kafka.topic_refresh_s),
        "reconnect.backoff.max.ms": 2_000,
        "retry.backoff.ms": _RETRY_BACKOFF_MS,
        # The library's own lines go where ours go, instead of raw to standard error.
        "logger": logging.getLogger("librdkafka"),
        "log_level": 3,
    }
    properties.update(_security(kafka))
    if on_error is not None:
        properties["error_cb"] = on_error
    return properties


def consumer_properties(
    settings: Settings, on_error: Callable[[Any], None] | None = None
) -> Properties:
    """The scorer's consumer: it never commits and never jumps by itself."""
    kafka = settings.kafka
    guaranteed: Properties = {
        "group.id": kafka.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "group.protocol": kafka.group_protocol,
        "max.poll.interval.ms": _ms(kafka.max_poll_interval_s),
        "check.crcs": True,
        "enable.partition.eof": False,
    }
    if kafka.group_protocol == "classic":
        guaranteed["partition.assignment.strategy"] = "cooperative-sticky"
        guaranteed["session.timeout.ms"] = _ms(kafka.session_timeout_s)
        guaranteed["heartbeat.interval.ms"] = max(1, _ms(kafka.session_timeout_s) // 4)
    if kafka.group_instance_id:
        guaranteed["group.instance.id"] = kafka.group_instance_id
    defaults: Properties = {
        # An eighth of librdkafka's own: what is prefetched takes memory, and is thrown away at
        # every rewind. With the short backoff below, more was measured to be no faster.
        "queued.max.messages.kbytes": 8 * 1024,
        "fetch.max.bytes": 16 * 1024 * 1024,
        "fetch.wait.max.ms": 100,
        "fetch.error.backoff.ms": 100,
        # At librdkafka's 1,000 ms, a client whose queue was full once (100,000 records) asks for
        # no more within a second: however fast it is, it reads 100,000 records a second.
        "fetch.queue.backoff.ms": 10,
    }
    return _merge(common_properties(kafka, on_error), defaults, guaranteed, kafka.properties)


def producer_properties(
    settings: Settings,
    transactional_id: str,
    on_error: Callable[[Any], None] | None = None,
) -> Properties:
    """The scorer's producer: idempotent always, transactional when delivery is exactly once."""
    kafka, output = settings.kafka, settings.output
    guaranteed: Properties = {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": output.compression,
        "linger.ms": output.linger_ms,
        "message.max.bytes": output.max_record_bytes,
        "message.timeout.ms": _ms(kafka.transaction_timeout_s),
        # The murmur2 of Java clients: keyed records meet where other producers put them.
        "partitioner": "murmur2_random",
    }
    if settings.delivery is Delivery.EXACTLY_ONCE:
        guaranteed["transactional.id"] = transactional_id
        guaranteed["transaction.timeout.ms"] = _ms(kafka.transaction_timeout_s)
    defaults: Properties = {
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 256 * 1024,
    }
    return _merge(common_properties(kafka, on_error), defaults, guaranteed, kafka.properties)


def _merge(
    common: Properties, defaults: Properties, guaranteed: Properties, given: Mapping[str, str]
) -> Properties:
    taken = set(guaranteed) | set(common) | _ALWAYS_OURS
    refused = sorted(name for name in given if _SAME_AS.get(name, name) in taken)
    if refused:
        raise ConfigError(
            f"kafka.properties sets {', '.join(refused)}, which the guarantees rest on or which "
            "have settings of their own; remove them there"
        )
    return {**common, **defaults, **given, **guaranteed}


def _security(kafka: KafkaSettings) -> Properties:
    properties: Properties = {}
    for key, path in (
        ("ssl.ca.location", kafka.ssl_ca_file),
        ("ssl.certificate.location", kafka.ssl_certificate_file),
        ("ssl.key.location", kafka.ssl_key_file),
    ):
        if path is not None:
            properties[key] = str(path)
    if kafka.ssl_key_password is not None:
        properties["ssl.key.password"] = kafka.ssl_key_password.get_secret_value()
    if kafka.sasl_mechanism:
        properties["sasl.mechanism"] = kafka.sasl_mechanism
    if kafka.sasl_username:
        properties["sasl.username"] = kafka.sasl_username
    password = sasl_password(kafka)
    if password:
        properties["sasl.password"] = password
    return properties | _oauth(kafka)


def sasl_password(kafka: KafkaSettings) -> str:
    """The password, read anew if it is in a file; empty: none is set.

    Raises:
        ConfigError: the file cannot be read.
    """
    return _secret(kafka.sasl_password, kafka.sasl_password_file, "kafka.sasl_password_file")


def oauth_client_secret(kafka: KafkaSettings) -> str:
    """The secret by which tokens are asked for, likewise.

    Raises:
        ConfigError: the file cannot be read.
    """
    name = "kafka.oauth_client_secret_file"
    return _secret(kafka.oauth_client_secret, kafka.oauth_client_secret_file, name)


def _oauth(kafka: KafkaSettings) -> Properties:
    """Tokens are fetched and renewed by the library itself."""
    if kafka.sasl_mechanism != "OAUTHBEARER":
        return {}
    properties: Properties = {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": kafka.oauth_token_url,
        "sasl.oauthbearer.client.id": kafka.oauth_client_id,
        "sasl.oauthbearer.client.secret": oauth_client_secret(kafka),
    }
    if kafka.oauth_scope:
        properties["sasl.oauthbearer.scope"] = kafka.oauth_scope
    if kafka.oauth_ca_file is not None:
        properties["https.ca.location"] = str(kafka.oauth_ca_file)
    return properties


def _secret(given: SecretStr | None, path: Path | None, name: str) -> str:
    """The value of a secret; a file wins, and is read each time."""
    if path is None:
        return given.get_secret_value() if given else ""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as exc:
        raise ConfigError(
            f"{name} {path}: cannot be read ({exc.strerror}); correct the path or its permissions"
        ) from exc
    except UnicodeDecodeError:
        # Not `from exc`: it quotes the bytes.
        raise ConfigError(f"{name} {path}: is not UTF-8 text; write it anew") from None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
