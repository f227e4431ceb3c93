"""What the demo tells its workers, and what it refuses before it begins."""

from pathlib import Path

import pytest

from stream_app.demo.options import DemoOptions, KafkaKind
from stream_app.demo.settings_file import leave_out_environment, write_settings
from stream_app.errors import UsageError
from stream_app.settings import Delivery, Framing, StartAt, load_settings
from stream_app.settings_rules import missing_for_scoring


@pytest.mark.parametrize("kind", [KafkaKind.MOCK, KafkaKind.REAL])
def test_the_file_is_one_that_a_worker_accepts(kind: KafkaKind, tmp_path: Path) -> None:
    options = DemoOptions.of(kind)
    settings = load_settings(write_settings(options, "127.0.0.1:9", 'a-"name"', tmp_path))
    assert missing_for_scoring(settings) == []
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9"
    assert settings.kafka.group == settings.input.topic == 'a-"name"'
    assert settings.input.framing is Framing.SINGLE_OBJECT
    assert settings.start.new_group is StartAt.EARLIEST
    assert settings.http.enabled is False
    assert settings.worker.state_dir == tmp_path / "slots"
    mock = kind is KafkaKind.MOCK
    assert settings.kafka.group_protocol == ("consumer" if mock else "classic")
    assert settings.delivery is (Delivery.AT_LEAST_ONCE if mock else Delivery.EXACTLY_ONCE)
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == [
        "event.avsc",
        "prediction.avsc",
    ]


def test_settings_of_another_job_do_not_reach_the_demo() -> None:
    environ = {
        "PATH": "/bin",
        "STREAM_APP_DELIVERY": "at_least_once",
        "STREAM_APP_INPUT__TOPIC": "orders",
        "STREAM_APP_KAFKA__SASL_USERNAME": "me",
        "STREAM_APP_CACHE_DIR": "/cache",
    }
    kept = {"PATH": "/bin", "STREAM_APP_CACHE_DIR": "/cache"}
    own = DemoOptions.of(bootstrap_servers="host:9092")
    with_login = dict(environ)
    assert leave_out_environment(own, with_login) == [
        "STREAM_APP_DELIVERY",
        "STREAM_APP_INPUT__TOPIC",
    ]
    assert with_login == {**kept, "STREAM_APP_KAFKA__SASL_USERNAME": "me"}
    assert len(leave_out_environment(DemoOptions.of(), environ)) == 3
    assert environ == kept


def test_a_worker_is_killed_where_that_can_be_survived() -> None:
    assert DemoOptions.of(KafkaKind.REAL).kill
    assert not DemoOptions.of(KafkaKind.REAL, kill=False).kill
    assert not DemoOptions.of().kill
    assert not DemoOptions.of(bootstrap_servers="host:9092").kill
    assert DemoOptions.of(bootstrap_servers="host:9092", kill=True).kill
    with pytest.raises(UsageError, match="--kafka real"):
        DemoOptions.of(KafkaKind.MOCK, kill=True)


def test_the_mock_is_not_asked_for_more_than_it_keeps() -> None:
    with pytest.raises(UsageError, match="5 MiB"):
        DemoOptions.of(events=100_001)
    with pytest.raises(UsageError, match="100 or more"):
        DemoOptions.of(events=99)
    assert DemoOptions.of(KafkaKind.REAL, events=100_001).events == 100_001


@pytest.mark.parametrize("events", [100, 1_000, 30_000, 100_000])
def test_the_acts_share_all_events(events: int) -> None:
    options = DemoOptions.of(events=events)
    acts = (options.warm_up_events, options.steady_events, options.burst_events)
    assert sum(acts) == options.records > events
    assert min(acts) > 0
