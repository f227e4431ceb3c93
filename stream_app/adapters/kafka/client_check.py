"""Whether the Kafka client accepts what the settings make of it, found without a connection.

Decides only that; a client without addresses checks its properties and connects nowhere. A worker
would find the same fault when it makes its clients, and take it for one that passes.
"""

from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from stream_app.adapters.kafka.config import Properties, consumer_properties, producer_properties
from stream_app.adapters.kafka.errors import explain
from stream_app.errors import ConfigError
from stream_app.settings import Settings

# Certificates and passwords are the business of the check that connects: it can say more.
_LEFT_OUT = ("ssl.", "sasl.", "security.", "https.", "enable.ssl.", "enable.sasl.")


def require_accepted(settings: Settings) -> None:
    """Make a consumer and a producer as a worker would, and throw them away.

    Raises:
        ConfigError: the library refuses a property, or ``kafka.properties`` sets one of ours.
    """
    _make(Consumer, consumer_properties(settings)).close()
    _make(Producer, producer_properties(settings, "stream-app-check"))


def _make(client: Any, properties: Properties) -> Any:
    kept = {name: v for name, v in properties.items() if not name.startswith(_LEFT_OUT)}
    try:
        return client({**kept, "bootstrap.servers": ""})
    except KafkaException as exc:
        reason = explain("the Kafka client refuses its settings", exc.args[0])
        # Some of the library's reasons end in a new line.
        raise ConfigError(f"{' '.join(reason.split())}; correct kafka.properties") from exc
    except (AttributeError, TypeError, ValueError) as exc:
        # Functions are properties too to this client; a setting can only be text.
        raise ConfigError(
            f"the Kafka client refuses its settings: {exc}; correct kafka.properties"
        ) from exc
