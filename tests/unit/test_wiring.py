"""Laws of putting parts together: what is refused before anything is started."""

import pytest

from stream_app.errors import ConfigError
from stream_app.settings import load_settings
from stream_app.wiring import run_supervisor, with_member_name


def test_workers_that_would_share_one_members_name_are_not_started() -> None:
    settings = load_settings(
        overrides={
            "kafka.bootstrap_servers": "127.0.0.1:9",
            "kafka.group_instance_id": "one",
            "input.topic": "in",
            "input.framing": "single-object",
            "input.schema_dir": ".",
            "model.name": "model",
            "http.enabled": "false",
        }
    )
    with pytest.raises(ConfigError, match="group_instance_id"):
        run_supervisor(settings, 2, ["no-such-command"])


def test_a_member_may_be_named_by_its_slot() -> None:
    auto = load_settings(overrides={"kafka.group_instance_id": "auto"})
    assert with_member_name(auto, "group-host-1").kafka.group_instance_id == "group-host-1"


@pytest.mark.parametrize("name", ["", "mine"])
def test_a_name_of_ones_own_stays(name: str) -> None:
    settings = load_settings(overrides={"kafka.group_instance_id": name})
    assert with_member_name(settings, "group-host-1").kafka.group_instance_id == name
