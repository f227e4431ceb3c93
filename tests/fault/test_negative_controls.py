"""Negative controls: workers broken on purpose, each under the fault that brings it to light.

A proof that finds nothing is worth as much as its ability to find something. Each way of being
broken must be found, as what it is; and beside it the same scenario with an unbroken worker must
be found good, else the finding had another cause.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from json import dumps

import pytest
from confluent_kafka import Producer

from stream_app.adapters.process.slots import transactional_id
from stream_app.adapters.verifier.reader import verify
from stream_app.failpoints import Place
from stream_app.verify import Isolation, Report
from tests.fault.bench import Bench, Run
from tests.fault.broken_worker import MODULE, VARIABLE, WAYS
from tests.fault.catalogue import CONTROLS
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, until

UNBROKEN = ""
PER_SECOND = 500.0
FINDINGS = ("lost", "duplicated", "reordered", "torn", "foreign", "hanging", "wrong_content")
LONG_S = 120
OFTEN = {"auto.commit.interval.ms": "100"}
"""For whoever commits automatically; else it means nothing."""


def both(way: str) -> pytest.MarkDecorator:
    """The control and its twin."""
    return pytest.mark.parametrize("way", [UNBROKEN, way], ids=["unbroken", way])


def some(bench: Bench) -> int:
    """Which transaction it is; not the first, so that offsets are committed already."""
    return bench.chance.randint(3, 6)


def start(run: Run, failpoint: str = "", **properties: str) -> Worker:
    """One more worker, broken as the run says, with further properties of its client."""
    environment = {VARIABLE: run.record.control, "STREAM_APP_KAFKA__PROPERTIES": dumps(properties)}
    if run.record.control == UNBROKEN:
        return run.start(failpoint=failpoint, **environment)
    return run.start(failpoint=failpoint, module=MODULE, **environment)


@contextmanager
def broken(bench: Bench, way: str, running: AbstractContextManager[Run]) -> Iterator[Run]:
    """A run whose workers are broken in this way."""
    try:
        with running as run:
            run.record.control = way
            yield run
    finally:
        for record in bench.records:  # also one that did not get as far as its block
            record.control = way


def assert_found(run: Run, finding: str, *, besides: str = "") -> None:
    """Of a broken worker this and nothing else, ``besides`` at most; of an unbroken one nothing."""
    report, broken = run.record.report, run.record.control != UNBROKEN
    found = {name for name in FINDINGS if report[name]}
    assert report["ok"] is not broken, report
    assert ({finding} if broken else set()) <= found, report
    assert found <= ({finding, besides} if broken else set()), report


def count(run: Run, finding: str) -> int:
    counted = run.record.report[finding]
    assert isinstance(counted, int)
    return counted


# -- killed before the commit ---------------------------------------------------------------------


def committed(run: Run) -> dict[int, int]:
    return run.progress.seen().committed


def killed_before_a_commit(
    bench: Bench, run: Run, *, when: Callable[[Worker], bool] = lambda _: True
) -> int:
    """SIGKILL where all is delivered and nothing committed; then another worker goes on.

    Args:
        bench: Chooses which commit.
        run: Has no worker yet.
        when: The worker is killed, still at that place, as soon as this is so.

    Returns:
        Partitions whose offset the dead worker had moved.
    """
    worker = start(run, f"{Place.BEFORE_COMMIT}:{some(bench)}:sleep={LONG_S}", **OFTEN)
    worker.wait_for("failpoint_fires")
    until("it is time to kill it", lambda: when(worker), 60)
    moved = sum(offset > 0 for offset in committed(run).values())
    with run.fault("killed before the commit"):
        worker.kill()
    start(run, **OFTEN)
    run.recovered()
    return moved


@pytest.mark.fault("controls", quick=True)
def test_an_unbroken_worker_killed_before_a_commit_is_good_to_all_but_who_reads_aborted_outcomes(
    bench: Bench, kafka: RealKafka
) -> None:
    with broken(bench, UNBROKEN, bench.run(kafka, per_second=PER_SECOND)) as run:
        killed_before_a_commit(bench, run)
    assert_found(run, "nothing")
    careless = reads_uncommitted(bench, run)
    assert not careless.ok
    assert {name for name, found in careless.findings.items() if found.count} == {"duplicated"}
    assert careless.duplicated.count == run.record.aborted_outcomes > 0


def reads_uncommitted(bench: Bench, run: Run) -> Report:
    """The verdict of a verifier that is broken itself; noted as a control."""
    report = verify(
        run.plain.settings, isolation=Isolation.READ_UNCOMMITTED, expected=run.feed.expected
    )
    told = replace(run.record, control="reads_uncommitted", report=report.to_json())
    bench.records.append(told)
    return report


@pytest.mark.fault("controls", quick=True)
def test_outputs_outside_the_transaction_are_found_duplicated(
    bench: Bench, kafka: RealKafka
) -> None:
    with broken(bench, "outputs_outside", bench.run(kafka, per_second=PER_SECOND)) as run:
        killed_before_a_commit(bench, run)
    # Those of the transaction that is open now can be read too, and their events be not committed.
    assert_found(run, "duplicated", besides="torn")


@pytest.mark.parametrize(
    ("way", "finding"), [("offset_ahead", "lost"), ("offset_behind", "duplicated")]
)
@pytest.mark.fault("controls", quick=True)
def test_an_offset_off_by_one_is_found_once_a_partition(
    bench: Bench, kafka: RealKafka, way: str, finding: str
) -> None:
    with broken(bench, way, bench.run(kafka, per_second=PER_SECOND)) as run:
        moved = killed_before_a_commit(bench, run)
    # The last outcome of a partition is ahead of an offset that is behind.
    assert_found(run, finding, besides="torn" if way == "offset_behind" else "")
    assert count(run, finding) >= moved > 0


@pytest.mark.fault("controls", quick=True)
def test_what_was_committed_automatically_is_found_lost(bench: Bench, kafka: RealKafka) -> None:
    with broken(bench, "auto_commit", bench.run(kafka, per_second=PER_SECOND)) as run:

        def all_fetched_is_committed(worker: Worker) -> bool:
            fetched = worker.metric("stream_app_records_fetched_total")
            return sum(committed(run).values()) >= fetched > 0

        killed_before_a_commit(bench, run, when=all_fetched_is_committed)
    assert_found(run, "lost")


# -- an abort that the worker survives ------------------------------------------------------------


@both("no_rewind")
@pytest.mark.fault("controls", quick=True)
def test_a_worker_that_does_not_go_back_after_an_abort_is_found_to_lose(
    bench: Bench, kafka: RealKafka, way: str
) -> None:
    with broken(
        bench, way, bench.run(kafka, per_second=PER_SECOND, worker__instance="control")
    ) as run:
        worker = start(run, f"{Place.BEFORE_COMMIT}:{some(bench)}:sleep=2")
        worker.wait_for("failpoint_fires")
        with run.fault("its transaction aborted by a producer with the same id"):
            fence(run)
            until("its transaction is undone", lambda: worker.has_undone, 60)
        run.recovered()
    assert_found(run, "lost")


def fence(run: Run) -> None:
    """End the worker's transaction, as a broker does whose patience is over."""
    job = run.plain.settings
    twin = Producer(
        {
            "bootstrap.servers": job.kafka.bootstrap_servers,
            "transactional.id": transactional_id(job.kafka.group, job.worker.instance, 0),
            "log_level": 0,
        }
    )
    twin.init_transactions(30)


# -- more outcomes than the client's queue holds --------------------------------------------------


@both("buffer_error_swallowed")
@pytest.mark.fault("controls", quick=True)
def test_a_worker_that_swallows_a_full_queue_is_found_to_lose(
    bench: Bench, kafka: RealKafka, way: str
) -> None:
    # Outcomes linger in the queue until there are ten times as many as it holds.
    with broken(
        bench, way, bench.run(kafka, per_second=0, backlog=1_000, output__linger_ms="50")
    ) as run:
        with run.fault("a queue too small for a batch"):
            start(run, **{"queue.buffering.max.messages": "100"})
        run.recovered()
    assert_found(run, "lost")


# -- a zombie -------------------------------------------------------------------------------------


@both("metadata_before_joining")
@pytest.mark.fault("controls", quick=True)
def test_a_zombie_that_commits_as_nobody_is_found_to_repeat(
    bench: Bench, kafka: RealKafka, way: str
) -> None:
    hit = some(bench)
    # Its transaction must outlive its session: else the broker has ended it when it wakes.
    with broken(
        bench, way, bench.run(kafka, per_second=PER_SECOND, kafka__transaction_timeout_s="60")
    ) as run:
        start(run).wait_scoring()
        zombie = start(run, f"{Place.AFTER_DELIVER}:{hit}:stop")
        with run.fault("a worker frozen past its session"):
            until("it is frozen", lambda: zombie.frozen, 60)
        run.recovered()  # so the other one has its partitions, and has scored what it holds
        zombie.resume()
        if way == UNBROKEN:
            until("what it held is undone", lambda: zombie.has_undone, 60)
        else:
            until("what it held is committed", lambda: zombie.transactions("committed") >= hit, 60)
    # Its commit also takes the group's offsets back behind outcomes that are there already.
    assert_found(run, "duplicated", besides="torn")


def test_every_control_of_the_catalogue_is_here() -> None:
    assert {*WAYS, "reads_uncommitted"} == set(CONTROLS)
