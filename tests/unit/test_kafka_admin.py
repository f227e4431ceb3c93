"""Questions to a coordinator that the cluster is still choosing."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.settings import KafkaSettings


@pytest.fixture
def admin() -> KafkaAdmin:
    # Nobody listens at port 1; none of the questions goes there.
    return KafkaAdmin(KafkaSettings(bootstrap_servers="127.0.0.1:1", request_timeout_s=1))


def failing(*codes: int) -> tuple[Callable[[], str], list[int]]:
    """A question that fails with these codes, one after the other, and then is answered."""
    left = list(codes)

    def ask() -> str:
        if left:
            raise KafkaException(KafkaError(left.pop(0)))
        return "answered"

    return ask, left


def test_a_coordinator_on_its_way_is_waited_for(admin: KafkaAdmin) -> None:
    ask, left = failing(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
    assert admin.of_coordinator(ask) == "answered"
    assert left == []


def test_another_error_is_told_at_once(admin: KafkaAdmin) -> None:
    ask, left = failing(KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.NOT_COORDINATOR)
    with pytest.raises(KafkaException):
        admin.of_coordinator(ask)
    assert left == [KafkaError.NOT_COORDINATOR]


def test_a_coordinator_that_never_comes_is_told_of_in_time(admin: KafkaAdmin) -> None:
    ask, left = failing(*100 * [KafkaError.COORDINATOR_NOT_AVAILABLE])
    with pytest.raises(KafkaException, match="COORDINATOR_NOT_AVAILABLE"):
        admin.of_coordinator(ask)
    assert 1 < 100 - len(left) < 20
