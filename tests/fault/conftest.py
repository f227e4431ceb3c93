"""A broker that the tests of one module may stop, kill, freeze or damage."""

from collections.abc import Iterator

import pytest

from tests.kafka_fixtures import RealKafka, started_kafka


@pytest.fixture(scope="module")
def lone_kafka(kafka_installed: None) -> Iterator[RealKafka]:
    """One broker of the module's own; a test leaves it running, whatever it did to it."""
    del kafka_installed
    yield from started_kafka(1)
