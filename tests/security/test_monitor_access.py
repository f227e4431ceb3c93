"""The monitor comes in by each door that the scorers use, with its own rights and no others."""

from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from stream_app.adapters.local_kafka import LocalKafka
from stream_app.errors import ExitStatus
from tests.monitor_feed import COMMAND, WindowFeed, monitor_job, planted
from tests.security.doors import PASSWORD, Doors
from tests.worker import Job, Workers


def job_at(doors: Doors, folder: Path, door: str, **overrides: str) -> tuple[Job, Job]:
    """As the monitor is to come in; and the same for those who use the plain door."""
    plain = monitor_job(doors.kafka, folder)
    told = {
        name.replace("__", "."): value for name, value in (doors.settings(door) | overrides).items()
    }
    return Job({**plain.overrides, **told}, folder), plain


def grant_monitor(cluster: LocalKafka, job: Job) -> None:
    """All that a monitor needs."""
    settings = job.settings
    read, write = AclOperation.READ, AclOperation.WRITE
    topic, group = ResourceType.TOPIC, ResourceType.GROUP
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    needed = [
        (topic, settings.windows_topic, literal, read),
        (topic, settings.alerts_topic, literal, read),
        (topic, settings.alerts_topic, literal, write),
        (topic, settings.monitor_topic, literal, read),
        (topic, settings.monitor_topic, literal, write),
        (group, settings.monitor_group, prefixed, read),
    ]
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    bindings = [
        AclBinding(kind, name, pattern, "User:worker", "*", what, AclPermissionType.ALLOW)
        for kind, name, pattern, what in needed
    ]
    for future in admin.create_acls(bindings).values():
        future.result(10)


@pytest.mark.parametrize("door", ["SCRAM", "MUTUAL", "OAUTH"])
def test_the_monitor_comes_in_by_every_door(doors: Doors, tmp_path: Path, door: str) -> None:
    job, plain = job_at(doors, tmp_path, door)
    grant_monitor(doors.cluster, job)
    feed = WindowFeed(plain, planted(1, 9))
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND)
        feed.send()
        feed.wait_all_told()
        assert worker.stop() == 0
        secrets = (PASSWORD, doors.tokens.secret)
        assert not any(secret in worker.log() for secret in secrets)


def test_a_right_that_is_missing_is_named(doors: Doors, tmp_path: Path) -> None:
    job, _ = job_at(doors, tmp_path, "SCRAM")
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND)
        assert worker.wait_exit(60) == ExitStatus.CONFIG
        assert f"Read on Topic {job.settings.windows_topic}" in worker.log()


def test_who_cannot_come_in_is_told_why_without_the_password(doors: Doors, tmp_path: Path) -> None:
    job, _ = job_at(doors, tmp_path, "SCRAM", kafka__sasl_password="canary-wrong")
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND)
        assert worker.wait_exit(60) == ExitStatus.CONFIG
        assert "SASL authentication" in worker.log()
        assert "canary-wrong" not in worker.log()
        assert "Traceback" not in worker.log()


def test_a_new_password_is_taken_up_and_a_wrong_one_is_not(doors: Doors, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    job, plain = job_at(doors, tmp_path, "SCRAM", kafka__credentials_check_s="0.5")
    told = {k: v for k, v in job.overrides.items() if k != "kafka.sasl_password"}
    job = Job({**told, "kafka.sasl_password_file": str(path)}, tmp_path)
    grant_monitor(doors.cluster, job)
    feed = WindowFeed(plain, planted(3, 9))
    with Workers(job) as workers:
        worker = workers.start(command=COMMAND).wait_ready()
        path.write_text("canary-wrong")
        worker.wait_for("credentials_refused")
        feed.send(10)
        feed.wait_all_told()
        path.write_text(PASSWORD + "\n")
        worker.wait_for("credentials_taken")
        feed.send()
        feed.wait_all_told()
        assert len(worker.events("monitor_ready")) == 2
        assert worker.stop() == 0
        assert "canary-wrong" not in worker.log()
