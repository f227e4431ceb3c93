"""Which settings the aggregator's edges see, and what is refused."""

import pytest

from stream_app.errors import ConfigError
from stream_app.settings import Delivery, Settings, StartAt, load_settings
from stream_app.wiring_drift import aggregator_settings

GIVEN = {"input.topic": "events", "kafka.group": "scorers"}


def settings(**more: str) -> Settings:
    return load_settings(overrides=GIVEN | {k.replace("__", "."): v for k, v in more.items()})


def test_partials_are_its_input_and_windows_its_output() -> None:
    seen = aggregator_settings(settings(delivery="at_least_once", start__new_group="latest"))
    assert seen.input.topic == "events.drift.partials"
    assert seen.predictions_topic == "events.drift.windows"
    assert seen.dlq_topic == "events.drift.partials.dlq"
    assert seen.kafka.group == "scorers.drift"
    assert seen.delivery is Delivery.EXACTLY_ONCE
    assert seen.start.new_group is StartAt.EARLIEST


def test_names_stay_those_of_the_job_however_often_they_are_asked_for() -> None:
    own = settings(drift__windows_topic="w", drift__group="g")
    seen = aggregator_settings(own)
    for name in (
        "partials_topic",
        "partials_dlq_topic",
        "windows_topic",
        "alerts_topic",
        "changelog_topic",
        "drift_group",
    ):
        assert getattr(seen, name) == getattr(own, name), name


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"drift__group": "scorers"}, "drift.group and kafka.group are both 'scorers'"),
        (
            {"drift__retention_s": "10", "drift__allowed_lateness_s": "20"},
            "drift.retention_s (10) must be at least drift.allowed_lateness_s",
        ),
        ({"drift__changelog_topic": "events.drift.windows"}, "are both 'events.drift.windows'"),
        ({"drift__window_s": "7000"}, "does not divide a day"),
    ],
)
def test_what_cannot_go_together_is_refused(more: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(**more)
    assert fault in str(refused.value)
