"""A client that could not start its threads ends the worker: it would never answer again.

Which words and codes come was seen with limits on a real process; there librdkafka itself may fail
an assertion first, so that the errors are made by hand here, and a worker under such a limit is
the fault bench's (F11).
"""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka.admin import ClientErrors, new_client
from stream_app.adapters.kafka.error_log import ErrorLog
from stream_app.adapters.kafka.errors import end_if_exhausted
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.errors import FatalError
from stream_app.settings import KafkaSettings

TOLD = KafkaError(KafkaError._CRIT_SYS_RESOURCE, "Unable to create broker thread")
REFUSED = KafkaError(
    KafkaError.NO_ERROR,
    "Failed to create admin client: Failed to create background thread: Cannot allocate memory",
)


@pytest.mark.parametrize(
    "hear", [ErrorLog("consumer", NullTelemetry()), ClientErrors()], ids=["worker", "tool"]
)
def test_a_client_that_tells_of_no_threads_ends_the_process(hear: Callable[[Any], None]) -> None:
    with pytest.raises(FatalError, match=r"Unable to create broker thread.*pids limit"):
        hear(TOLD)


def test_a_client_that_cannot_be_made_for_want_of_threads_is_no_wrong_setting() -> None:
    def make(_: object) -> None:
        raise KafkaException(REFUSED)

    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1", group="g")
    with pytest.raises(FatalError, match="pids limit"):
        new_client(make, kafka, ClientErrors(), {})


def test_another_error_ends_nothing() -> None:
    end_if_exhausted(KafkaError(KafkaError._TRANSPORT, "Connection refused"))
