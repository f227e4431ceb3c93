"""The rights of a worker on a broker with an authorizer: given, taken away, and their words."""

from collections.abc import Iterable

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from stream_app.adapters.local_kafka import LocalKafka
from stream_app.preflight import Preflight
from tests.worker import Job, until

READ_INPUT, WRITE_PREDICTIONS, WRITE_DLQ, WRITE_PARTIALS, READ_GROUP, WRITE_TRANSACTION = RIGHTS = (
    "read the input",
    "write predictions",
    "write dead letters",
    "write drift partials",
    "read the group",
    "write the transactional id",
)
"""All that a worker needs, and nothing else."""

_KNOWN_S = 20.0


def words(job: Job, right: str) -> str:
    """How the absence of a right is told."""
    settings, group = job.settings, job.settings.kafka.group
    return {
        READ_INPUT: f"missing ACL: Read on Topic {settings.input.topic}",
        WRITE_PREDICTIONS: f"missing ACL: Write on Topic {settings.predictions_topic}",
        WRITE_DLQ: f"missing ACL: Write on Topic {settings.dlq_topic}",
        WRITE_PARTIALS: f"missing ACL: Write on Topic {settings.partials_topic}",
        READ_GROUP: f"missing ACL: Read on Group {group}",
        WRITE_TRANSACTION: f"missing ACL: Write on TransactionalId, prefix {group}-",
    }[right]


def binding(job: Job, right: str) -> AclBinding:
    """The right as the authorizer knows it, of ``User:worker``."""
    settings, group = job.settings, job.settings.kafka.group
    read, write = AclOperation.READ, AclOperation.WRITE
    topic, literal = ResourceType.TOPIC, ResourcePatternType.LITERAL
    kind, name, pattern, operation = {
        READ_INPUT: (topic, settings.input.topic, literal, read),
        WRITE_PREDICTIONS: (topic, settings.predictions_topic, literal, write),
        WRITE_DLQ: (topic, settings.dlq_topic, literal, write),
        WRITE_PARTIALS: (topic, settings.partials_topic, literal, write),
        READ_GROUP: (ResourceType.GROUP, group, literal, read),
        WRITE_TRANSACTION: (
            ResourceType.TRANSACTIONAL_ID,
            f"{group}-",
            ResourcePatternType.PREFIXED,
            write,
        ),
    }[right]
    allow = AclPermissionType.ALLOW
    return AclBinding(kind, name, pattern, "User:worker", "*", operation, allow)


def grant(cluster: LocalKafka, job: Job, rights: Iterable[str] = RIGHTS) -> None:
    """Give them, and return when the brokers know: all of them, if all were given."""
    given = list(rights)
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    for future in admin.create_acls([binding(job, right) for right in given]).values():
        future.result(10)
    if given == list(RIGHTS):
        until("the rights are known", lambda: told(job) == "", _KNOWN_S)


def revoke(cluster: LocalKafka, job: Job, right: str) -> None:
    """Take one away; the brokers know a moment later."""
    gone = binding(job, right)
    same = AclBindingFilter(
        gone.restype,
        gone.name,
        gone.resource_pattern_type,
        gone.principal,
        gone.host,
        gone.operation,
        gone.permission_type,
    )
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    for future in admin.delete_acls([same]).values():
        assert len(future.result(10)) == 1


def told(job: Job) -> str:
    """All faults that the preflight finds, one a line."""
    return "\n".join(fault.text for fault in Preflight(job.settings).run().faults)
