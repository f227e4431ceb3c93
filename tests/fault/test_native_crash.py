"""F13: records that kill the process natively; rejected before they can, or isolated afterwards."""

import json
import shutil
import signal
from collections.abc import Iterator
from functools import partial

import fastavro
import pytest

from stream_app.core.native_deaths import DEATHS_TOGETHER
from stream_app.settings import Settings
from tests.car_loan import PARTITIONS, ROOT, Event, Feed
from tests.fault.bench import Bench, Run
from tests.fault.crashing_worker import AT, BY, MODULE
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, until

NESTED = 20_000
"""Of these, a quarter was seen to exhaust the stack of a reader that follows them."""

DEATHS = DEATHS_TOGETHER + Settings().dead_letters.crash_limit
ENDS_S = 120.0

RECURSIVE = {
    "type": "record",
    "name": "CarLoanApplication",
    "namespace": "io.streamapp.examples",
    "fields": [{"name": "next", "type": ["null", "CarLoanApplication"]}],
}


def nested(_: Event) -> bytes:
    """A value of that schema whose reader calls itself ``NESTED`` times."""
    canonical = fastavro.schema.to_parsing_canonical_form(RECURSIVE)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return b"\xc3\x01" + fingerprint + b"\x02" * NESTED + b"\x00"


@pytest.mark.fault("F13")
def test_a_schema_that_would_exhaust_the_stack_is_rejected_before_its_records_are_read(
    bench: Bench, kafka: RealKafka
) -> None:
    schemas = bench.folder / "schemas"
    shutil.copytree(ROOT / "schemas", schemas)
    (schemas / "recursive.avsc").write_text(json.dumps(RECURSIVE), "utf-8")
    feed = partial(Feed, broken={"nested": ("SCHEMA_RECURSIVE", nested)})
    with bench.run(kafka, feed=feed, share_broken=0.05, input__schema_dir=str(schemas)) as run:
        worker = run.start().wait_scoring()
        with run.fault("records of a recursive schema, in every batch"):
            assert worker.exit_status is None
        run.recovered()
    assert run.feed.codes["SCHEMA_RECURSIVE"] > 0


def lives(run: Run, killers: list[tuple[int, int]], by: str) -> Iterator[int]:
    """Exit statuses, one after the other, until one worker lives."""
    at = ",".join(f"{partition}:{offset}" for partition, offset in killers)
    while True:
        worker = run.start(module=MODULE, **{AT: at, BY: by})
        if not ends(run, worker):
            return
        status = worker.wait_exit(ENDS_S)
        assert status != -signal.SIGSEGV or "Fatal Python error" in worker.log()
        yield status


def ends(run: Run, worker: Worker) -> bool:
    """Whether it dies before it has committed all that waits."""
    goals = run.progress.seen().ends

    def either() -> bool:
        now = run.progress.now()
        through = now is not None and all(now.committed.get(p, 0) >= e for p, e in goals.items())
        return through or worker.exit_status is not None

    until("it dies, or gets through", either, ENDS_S)
    return worker.exit_status is not None


@pytest.mark.fault("F13")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("by", ["SIGSEGV", "SIGKILL"])
def test_a_record_that_kills_is_isolated_and_all_others_are_scored(
    bench: Bench, kafka: RealKafka, by: str
) -> None:
    with bench.run(kafka, per_second=200.0, backlog=2_000, share_broken=0.0) as run:
        chosen = {
            (bench.chance.randrange(PARTITIONS), bench.chance.randrange(50, 400)) for _ in range(2)
        }
        killers = sorted(chosen)
        status = -signal.Signals[by].value
        run.allowed_exits.add(status)
        with run.fault(f"{by} at each of {killers}"):
            deaths = list(lives(run, killers, by))
        assert set(deaths) == {status}
        # Where both were fetched together, the deaths that told of their batch count for both:
        # all of these or, when a later life fetched another number of records, some.
        shared = DEATHS_TOGETHER * (len(killers) - 1)
        most = DEATHS * len(killers)
        assert most - shared <= len(deaths) <= most
        run.feed.codes["PROCESS_CRASHED"] += len(killers)
        run.recovered()
    assert run.record.report["dead_letters"] == {"PROCESS_CRASHED": len(killers)}


@pytest.mark.fault("F13")
@pytest.mark.timeout(900)
def test_kills_by_operators_bury_no_record(bench: Bench, kafka: RealKafka) -> None:
    # More of them than condemn a record, each while another one is processed, and all so near
    # together that the same records are suspected again and again.
    killed: set[tuple[int, int]] = set()
    partition = bench.chance.randrange(PARTITIONS)
    with bench.run(kafka, per_second=200.0, backlog=2_000, batch__max_records="64") as run:
        for _ in range(DEATHS + 3):
            begin = run.progress.seen().committed.get(partition, 0)
            near = [(partition, begin + n) for n in range(40)]
            chosen = bench.chance.choice([each for each in near if each not in killed])
            killed.add(chosen)
            at = f"{chosen[0]}:{chosen[1]}"
            worker = run.start(module=MODULE, **{AT: at, BY: "SIGKILL"})
            with run.fault(f"SIGKILL while {at} is processed"):
                assert ends(run, worker), f"{at} was processed, and nobody died"
            assert worker.wait_exit(ENDS_S) == -signal.SIGKILL
        died = [worker.events("died_while_processing") for worker in run.workers.started]
        assert [len(each) for each in died] == [0] + [1] * (DEATHS + 2)
        run.start()
        run.recovered()
