"""The topics of the job: names and partitions that fit, configurations that keep what must stay."""

import pytest

from stream_app.adapters.kafka.topic_plan import PlanOptions, TopicPlan, plan_topics
from stream_app.settings import Settings, load_settings


def settings(**more: str) -> Settings:
    return load_settings(None, {"input.topic": "events", **more})


def planned(options: PlanOptions, **more: str) -> dict[str, TopicPlan]:
    return {plan.role: plan for plan in plan_topics(settings(**more), options)}


def test_outcomes_have_as_many_partitions_as_the_input() -> None:
    plans = planned(PlanOptions(partitions=7, with_input=True))
    assert [plans[role].partitions for role in ("input", "predictions", "dlq")] == [7, 7, 7]


def test_the_input_is_only_planned_when_asked_for() -> None:
    assert "input" not in planned(PlanOptions(partitions=1))
    assert planned(PlanOptions(partitions=1, with_input=True))["input"].name == "events"


def test_names_follow_the_input_unless_set() -> None:
    plans = planned(PlanOptions(partitions=1), **{"output.dlq_topic": "graveyard"})
    assert [plan.name for plan in plans.values()] == [
        "events.predictions",
        "graveyard",
        "events.drift.partials",
        "events.drift.partials.dlq",
        "events.drift.windows",
        "events.drift.changelog",
        "events.drift.alerts",
        "events.drift.monitor",
    ]


def test_only_alerts_and_changelogs_are_compacted() -> None:
    policies = {
        role: plan.configs["cleanup.policy"]
        for role, plan in planned(PlanOptions(partitions=1, with_input=True)).items()
    }
    compacted = {policies.pop(role) for role in ("alerts", "changelog", "monitor")}
    assert compacted == {"compact"}
    assert set(policies.values()) == {"delete"}


def test_event_time_is_never_replaced_by_a_broker_s() -> None:
    plans = planned(PlanOptions(partitions=1, with_input=True))
    assert {plan.configs["message.timestamp.type"] for plan in plans.values()} == {"CreateTime"}


@pytest.mark.parametrize("most", ["16384", "5000000"])
def test_a_topic_of_outcomes_takes_the_largest_record_we_send(most: str) -> None:
    plans = planned(PlanOptions(partitions=1), **{"output.max_record_bytes": most})
    for role in ("predictions", "dlq"):
        assert int(plans[role].configs["max.message.bytes"]) >= max(int(most), 1_048_588)


def test_records_are_kept_for_ever_only_when_asked() -> None:
    assert "retention.ms" not in planned(PlanOptions(partitions=1))["predictions"].configs
    plans = planned(PlanOptions(partitions=1, retention_ms=-1, with_input=True))
    kept = {role for role, plan in plans.items() if plan.configs.get("retention.ms") == "-1"}
    assert kept == {"input", "predictions", "dlq", "partials", "partials_dlq", "windows"}


def test_the_changelog_has_a_partition_beside_each_of_partials() -> None:
    plans = planned(PlanOptions(partitions=7))
    assert plans["changelog"].partitions == plans["partials"].partitions


@pytest.mark.parametrize(("replicas", "in_sync"), [(0, None), (1, None), (3, "2")])
def test_three_replicas_need_two_in_sync(replicas: int, in_sync: str | None) -> None:
    plans = planned(PlanOptions(partitions=1, replication_factor=replicas))
    assert {plan.configs.get("min.insync.replicas") for plan in plans.values()} == {in_sync}
    assert {plan.replication_factor for plan in plans.values()} == {replicas}
