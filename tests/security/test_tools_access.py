"""Who only looks needs rights to read and none else: ``verify``, ``status`` and ``tail``."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AdminClient

from stream_app.adapters.verifier.reader import verify
from stream_app.errors import ExitStatus, StreamAppError
from tests.car_loan import Feed, verdict
from tests.command_line import command_line
from tests.security.doors import Doors
from tests.security.rights import READ_GROUP, READ_INPUT, WRITE_DLQ, WRITE_PREDICTIONS, binding
from tests.worker import Job, Workers, until


def grant_reading(doors: Doors, job: Job) -> None:
    """Read on the three topics and the group, and nothing besides."""
    given = [binding(job, right) for right in (READ_INPUT, READ_GROUP)]
    for right in (WRITE_PREDICTIONS, WRITE_DLQ):
        theirs = binding(job, right)
        read, allow = AclOperation.READ, theirs.permission_type
        given.append(
            AclBinding(
                theirs.restype,
                theirs.name,
                theirs.resource_pattern_type,
                theirs.principal,
                theirs.host,
                read,
                allow,
            )
        )
    admin = AdminClient({"bootstrap.servers": doors.cluster.bootstrap_servers})
    for future in admin.create_acls(given).values():
        future.result(10)


def may_verify(job: Job) -> bool:
    try:
        return verify(job.settings).ok
    except StreamAppError:
        return False  # the brokers do not know the rights yet


def test_looking_needs_rights_to_read_and_no_others(
    doors: Doors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = doors.job(tmp_path, "GUARDED")
    feed = Feed(doors.plain(job), share_broken=0.1)
    feed.send(300)
    with Workers(doors.plain(job)) as workers:
        worker = workers.start()
        assert verdict(feed).ok
        assert worker.stop() == 0
    with pytest.raises(StreamAppError, match="grant Read"):
        verify(job.settings)
    grant_reading(doors, job)
    until("the rights are known", lambda: may_verify(job), 20)
    report = verify(job.settings, content=True)
    assert report.ok, report.to_json()
    assert report.members == 0
    run = command_line(job.settings.kafka.bootstrap_servers, monkeypatch, capsys)
    given = {name.replace(".", "__", 1): value for name, value in job.overrides.items()}
    status = run("status", **given)
    assert status.status == ExitStatus.OK, status.err
    tail = run("tail", "--dead-letters", "--from-beginning", "--until-end", "-f", "json", **given)
    assert tail.status == ExitStatus.OK, tail.err
    assert len(tail.lines) == feed.codes.total()
