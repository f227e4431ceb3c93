"""The monitor's settings: names by convention, ports side by side, and what is refused."""

from pathlib import Path

import pytest

from stream_app.errors import ConfigError
from stream_app.settings import Settings, load_settings


def settings(**given: str) -> Settings:
    own = {"input.topic": "events", "kafka.group": "scorers"}
    return load_settings(overrides=own | {k.replace("__", "."): v for k, v in given.items()})


def test_names_follow_the_job_unless_set() -> None:
    found = settings()
    assert (found.monitor_group, found.monitor_topic) == ("scorers.monitor", "events.drift.monitor")
    named = settings(monitor__group="g", monitor__changelog_topic="t")
    assert (named.monitor_group, named.monitor_topic) == ("g", "t")


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({}, 8002),
        ({"http__port": "9000"}, 9002),
        ({"http__port": "0"}, 0),
        ({"monitor__http_port": "7000"}, 7000),
        ({"monitor__http_port": "0"}, 0),
    ],
)
def test_the_port_is_beside_the_scorer_s_unless_set(given: dict[str, str], port: int) -> None:
    assert settings(**given).monitor_port == port


def test_a_scorer_an_aggregator_and_a_monitor_of_one_file_do_not_collide() -> None:
    found = settings()
    assert len({found.http.port, found.aggregator_port, found.monitor_port}) == 3
    assert settings(http__port="0").aggregator_port == 0
    assert settings(drift__http_port="7001").aggregator_port == 7001
    with pytest.raises(ConfigError, match=r"drift\.http_port would be 65536"):
        settings(http__port="65535", monitor__http_port="1")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"monitor__group": "scorers"}, "monitor.group is 'scorers', as kafka.group"),
        ({"monitor__group": "scorers.drift"}, "as kafka.group or drift.group"),
        ({"http__port": "65534"}, "monitor.http_port would be 65536"),
        ({"monitor__changelog_topic": "events.drift.alerts"}, "are both 'events.drift.alerts'"),
        ({"monitor__keep_windows": "31"}, "keep_windows"),
        ({"monitor__webhook_url": "alerts.example"}, "is no address"),
        ({"monitor__webhook_url": "https://[x"}, "is no address"),
        ({"monitor__webhook_url": "ftp://alerts.example/canary"}, "is no address"),
        ({"monitor__webhook_url": "http://u:canary@alerts.example/"}, "readable over http"),
        ({"monitor__webhook_level": "info"}, "webhook_level"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(**given)
    assert words in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_token_goes_over_tls_or_this_machine_only(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("canary")
    more = {"monitor__webhook_token_file": str(token)}
    with pytest.raises(ConfigError, match="readable over http"):
        settings(monitor__webhook_url="http://alerts.example/", **more)
    with pytest.raises(ConfigError, match=r"of no use without monitor\.webhook_url"):
        settings(**more)
    for url in ("https://alerts.example/x", "http://127.0.0.1:9/x"):
        found = settings(monitor__webhook_url=url, **more)
        assert url not in repr(found)


def test_a_token_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"webhook_token_file: .* does not exist"):
        settings(
            monitor__webhook_url="https://alerts.example/",
            monitor__webhook_token_file=str(tmp_path / "absent"),
        )
