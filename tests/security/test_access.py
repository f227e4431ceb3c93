"""Rights on a real broker with an authorizer: the least a worker needs, and each one missing."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from stream_app.errors import ExitStatus
from tests.car_loan import Feed, assert_exactly_once
from tests.security.check_command import check
from tests.security.doors import Doors
from tests.security.rights import RIGHTS, grant, revoke, told, words
from tests.worker import Job, Workers, until


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_worker_needs_these_rights_and_no_others(
    doors: Doors, tmp_path: Path, protocol: str
) -> None:
    job = doors.job(tmp_path, "GUARDED", protocol)
    grant(doors.cluster, job)
    feed = Feed(doors.plain(job))
    feed.send(1_000)
    with Workers(job) as workers:
        worker = workers.start()
        assert_exactly_once(feed)
        assert worker.stop() == 0


@pytest.mark.parametrize("right", RIGHTS)
def test_each_missing_right_is_named(doors: Doors, tmp_path: Path, right: str) -> None:
    job = doors.job(tmp_path, "GUARDED")
    grant(doors.cluster, job)
    revoke(doors.cluster, job, right)
    until(f"it alone is told: {right}", partial(alone_told, job, right), 20)
    status, text = check(job)
    assert status == ExitStatus.CONFIG, text
    assert words(job, right) in text
    assert "kafka-acls --add" in text, "the command that gives it"
    assert text.count("missing ACL") == 1


def test_a_worker_without_a_right_ends_at_its_start_and_names_it(
    doors: Doors, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        started = []
        for right in RIGHTS:
            folder = tmp_path / right
            folder.mkdir()
            job = doors.job(folder, "GUARDED")
            grant(doors.cluster, job, [other for other in RIGHTS if other != right])
            until(f"it alone is told: {right}", partial(alone_told, job, right), 20)
            started.append((right, stack.enter_context(Workers(job)).start(), job))
        for right, worker, job in started:
            assert worker.wait_exit(within_s=90) == 78
            assert words(job, right) in worker.log()
            assert worker.log().count("missing ACL") == 1
            assert "Traceback" not in worker.log()


def alone_told(job: Job, right: str) -> bool:
    lines = told(job).splitlines()
    return bool(lines) and all(words(job, right) in line for line in lines)
