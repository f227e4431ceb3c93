"""A broker that the tests of one module may stop, kill, freeze or damage."""

from collections.abc import Iterator

import pytest

from tests.fault.proxied import proxied, proxied3, proxied3_cluster, proxied_cluster
from tests.kafka_fixtures import RealKafka, started_kafka

__all__ = ["proxied", "proxied3", "proxied3_cluster", "proxied_cluster"]


@pytest.fixture(scope="module")
def lone_kafka(kafka_installed: None) -> Iterator[RealKafka]:
    """One broker of the module's own; a test leaves it running, whatever it did to it."""
    del kafka_installed
    yield from started_kafka(1)
