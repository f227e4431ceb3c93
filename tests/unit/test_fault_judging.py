"""What a run under faults is judged by, seen to fail: each thing that proves nothing is refused."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka.process import ServerProcess
from stream_app.verify import Isolation, Promise, Report
from stream_app.verify.report import Finding
from tests.fault.judging import (
    judge_client,
    judge_findings,
    judge_record,
    judge_workers,
    last_before,
)
from tests.fault.progress import Reached
from tests.fault.record import Fired, RunRecord
from tests.worker import Worker, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def worker(folder: Path, script: str) -> Worker:
    return Worker(ServerProcess(["/bin/sh", "-c", script], log_path=folder / "worker.log"))


def ended(folder: Path, script: str) -> Worker:
    made = worker(folder, script)
    until("it ends", lambda: made.exit_status is not None, 30)
    return made


@pytest.fixture
def sleeper(folder: Path) -> Iterator[Worker]:
    made = worker(folder, "exec sleep 60")
    yield made
    made.kill()


def made(*fired: Fired, control: str = "") -> RunRecord:
    return RunRecord("F1", "test", 1, "classic", fired=list(fired), control=control)


def test_a_run_in_which_no_fault_fired_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no fault fired"):
        judge_record(made())
    judge_record(made(control="auto_commit"))


def test_a_fault_that_met_an_idle_group_proves_nothing() -> None:
    judge_record(made(Fired("killed", 3)))
    with pytest.raises(AssertionError, match="killed: nothing waited"):
        judge_record(made(Fired("killed", 3), Fired("killed", 0)))


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("kill -KILL $$", -signal.SIGKILL), ("exit 3", 3)]
)
def test_a_worker_that_ends_unasked_is_a_surprise(folder: Path, script: str, status: int) -> None:
    gone = ended(folder, script)
    with pytest.raises(AssertionError, match=f"ended with {status}, and nobody ended it"):
        judge_workers([gone], set())
    judge_workers([gone], {status})


def test_a_worker_that_lives_or_that_the_test_ended_is_none(folder: Path, sleeper: Worker) -> None:
    judge_workers([sleeper], set())
    sleeper.kill()
    waited = worker(folder, "exit 0")
    assert waited.wait_exit(30) == 0
    judge_workers([sleeper, waited], set())


def test_an_end_that_a_test_waited_for_may_still_be_wrong(folder: Path) -> None:
    waited = worker(folder, "exit 3")
    assert waited.wait_exit(30) == 3
    with pytest.raises(AssertionError, match="ended with 3"):
        judge_workers([waited], set())


@pytest.mark.parametrize("client", ["public", "native"])
def test_a_run_with_another_client_than_it_is_counted_for_fails(folder: Path, client: str) -> None:
    line = """echo '{"event": "kafka_client", "client": "public"}' >&2"""
    told = worker(folder, line)
    assert told.wait_exit(30) == 0
    if client == "public":
        judge_client([told], client)
    else:
        with pytest.raises(AssertionError, match="meant for the native client, run with"):
            judge_client([told], client)
    silent = worker(folder / "silent", "exit 0")
    assert silent.wait_exit(30) == 0
    with pytest.raises(AssertionError, match=r"run with \[\]"):
        judge_client([silent], client)


def test_a_finding_that_no_test_declared_fails_the_run() -> None:
    found = Report(
        Promise.EXACTLY_ONCE, Isolation.READ_COMMITTED, 9, 9, {}, duplicated=Finding(2, ("a", "b"))
    )
    record = made(Fired("killed", 1))
    with pytest.raises(AssertionError, match="not declared as expected"):
        judge_findings(found, record)
    record.expected = {"duplicated": "the operator chose it"}
    judge_findings(found, record)


def lags(*values: int | None) -> Iterator[Reached | None]:
    for value in values:
        yield None if value is None else Reached(0.0, {}, {0: value})


def test_the_lag_of_a_death_is_what_was_seen_before_it() -> None:
    looks, overs = lags(5, 7, None, 900), iter([False, False, False, True])
    assert last_before(lambda: next(overs), lambda: next(looks), 30) == 7


def test_what_waits_after_a_death_only_does_not_count() -> None:
    looks = lags(900)
    assert last_before(lambda: True, lambda: next(looks), 30) == 0
