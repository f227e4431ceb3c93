"""Rights on a real broker with an authorizer: the least a worker needs, and each one missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from stream_app.adapters.kafka.access_check import access_faults, hidden_topics
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.local_kafka import Listener, LocalKafka
from stream_app.errors import StreamAppError
from stream_app.settings import load_settings
from tests.car_loan import Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.worker import Job, Workers, car_loan_job, until

LOGIN_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@pytest.fixture(scope="module")
def cluster(kafka_installed: None) -> Iterator[LocalKafka]:
    """Who comes in without a name may do everything; `worker` only what it is given."""
    with LocalKafka(
        listeners=[Listener("GUARDED", security="SASL_PLAINTEXT")],
        extra_properties={
            "listener.name.guarded.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.guarded.scram-sha-512.sasl.jaas.config": LOGIN_MODULE,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
        },
        format_arguments=("--add-scram", "SCRAM-SHA-512=[name=worker,password=right]"),
        tests=True,
    ) as cluster:
        yield cluster


@pytest.fixture
def job(cluster: LocalKafka, tmp_path: Path) -> Job:
    """A job whose workers come in by name."""
    kafka = RealKafka(cluster.bootstrap_servers, cluster)
    return car_loan_job(
        kafka,
        tmp_path,
        kafka__bootstrap_servers=cluster.bootstrap("GUARDED"),
        kafka__security_protocol="SASL_PLAINTEXT",
        kafka__sasl_mechanism="SCRAM-SHA-512",
        kafka__sasl_username="worker",
        kafka__sasl_password="right",
    )


def needed(job: Job) -> dict[str, AclBinding]:
    """The least that a worker needs, by the words in which its absence is told."""
    settings = job.settings
    group = settings.kafka.group
    read, write = AclOperation.READ, AclOperation.WRITE
    topic, literal = ResourceType.TOPIC, ResourcePatternType.LITERAL
    prefixed = ResourcePatternType.PREFIXED
    rights = {
        f"Read on Topic {settings.input.topic}": (topic, settings.input.topic, literal, read),
        f"Write on Topic {settings.predictions_topic}": (
            topic,
            settings.predictions_topic,
            literal,
            write,
        ),
        f"Write on Topic {settings.dlq_topic}": (topic, settings.dlq_topic, literal, write),
        f"Read on Group {group}": (ResourceType.GROUP, group, literal, read),
        f"Write on TransactionalId, prefix {group}-": (
            ResourceType.TRANSACTIONAL_ID,
            f"{group}-",
            prefixed,
            write,
        ),
    }
    allow = AclPermissionType.ALLOW
    return {
        words: AclBinding(kind, name, pattern, "User:worker", "*", operation, allow)
        for words, (kind, name, pattern, operation) in rights.items()
    }


def grant(cluster: LocalKafka, bindings: list[AclBinding]) -> AdminClient:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    for future in admin.create_acls(bindings).values():
        future.result(10)
    return admin


def revoke(admin: AdminClient, binding: AclBinding) -> None:
    same = AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
    for future in admin.delete_acls([same]).values():
        assert len(future.result(10)) == 1


def told(job: Job) -> str:
    """What the preflight says of rights, hidden topics among them."""
    settings = job.settings
    topics = [settings.input.topic, settings.predictions_topic, settings.dlq_topic]
    hidden = hidden_topics(settings, topics)
    faults = [
        f"missing ACL: {'Read' if topic == settings.input.topic else 'Write'} on Topic {topic}"
        for topic in hidden
    ]
    return "\n".join([*faults, *access_faults(settings)])


def test_a_worker_needs_these_rights_and_no_others(cluster: LocalKafka, job: Job) -> None:
    grant(cluster, list(needed(job).values()))
    until("the rights are known", lambda: told(job) == "", 20)
    plain = {**job.overrides, "kafka.bootstrap_servers": cluster.bootstrap_servers}
    for name in ("security_protocol", "sasl_mechanism", "sasl_username", "sasl_password"):
        del plain[f"kafka.{name}"]
    feed = Feed(Job(plain, job.folder))
    feed.send(1_000)
    with Workers(job) as workers:
        worker = workers.start()
        assert_exactly_once(feed)
        assert worker.stop() == 0


@pytest.mark.parametrize("missing", range(5))
def test_each_missing_right_is_named(cluster: LocalKafka, job: Job, missing: int) -> None:
    rights = needed(job)
    words = list(rights)[missing]
    admin = grant(cluster, list(rights.values()))
    until("the rights are known", lambda: told(job) == "", 20)
    revoke(admin, rights[words])
    until(f"it is told: {words}", lambda: words in told(job), 20)


def test_a_wrong_password_is_named_as_such(cluster: LocalKafka, job: Job) -> None:
    wrong = load_settings(overrides={**job.overrides, "kafka.sasl_password": "wrong"})
    with pytest.raises(StreamAppError, match="sasl_username") as refusal:
        KafkaAdmin(wrong.kafka).partition_counts()
    assert "wrong" not in str(refusal.value)
