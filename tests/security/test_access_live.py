"""Rights that are taken away while a worker scores: F45.

Decides that the worker says which one and how it is given back, is not ready meanwhile, goes on by
itself when it is back in time, ends otherwise, and that nothing is lost or answered twice.
"""

from functools import partial

import pytest

from stream_app.errors import ExitStatus
from tests.fault.bench import Bench, Run
from tests.security.doors import Doors
from tests.security.rights import RIGHTS, grant, revoke, words
from tests.security.under_load import NOTICED_S, scoring
from tests.worker import Worker, until


def named(worker: Worker, run: Run, right: str) -> bool:
    """Whether the log names the right, and the command that gives it back."""
    return any(
        words(run.job, right) in line and "kafka-acls --add" in line
        for line in worker.log().splitlines()
    )


def unready_because(worker: Worker, run: Run, right: str) -> bool:
    status, body = worker.get("/readyz")
    return status == 503 and words(run.job, right) in body


@pytest.mark.timeout(600)
@pytest.mark.fault("F45", ways="each")
def test_a_right_that_comes_back_in_time_lets_the_worker_go_on(bench: Bench, doors: Doors) -> None:
    with scoring(bench, doors, "GUARDED") as (run, worker):
        for right in bench.chance.sample(RIGHTS, len(RIGHTS)):
            with run.fault(f"the right to {right} is taken away"):
                revoke(doors.cluster, run.job, right)
            told = partial(named, worker, run, right)
            until(f"the right to {right} is named", told, NOTICED_S)
            unready = partial(unready_because, worker, run, right)
            until("it is not ready", unready, NOTICED_S)
            grant(doors.cluster, run.job, [right])
            run.recovered(within_s=NOTICED_S)
            worker.wait_ready()
        assert run.alive() == [worker]


@pytest.mark.fault("F45")
def test_a_right_that_stays_away_ends_the_worker(bench: Bench, doors: Doors) -> None:
    right = RIGHTS[bench.seed % len(RIGHTS)]  # five seeds, five rights
    patience = {"worker__denied_patience_s": "6"}
    with scoring(bench, doors, "GUARDED", **patience) as (run, worker):
        run.allowed_exits.add(ExitStatus.SOFTWARE)
        with run.fault(f"the right to {right} is taken away for good"):
            revoke(doors.cluster, run.job, right)
        assert worker.wait_exit(within_s=NOTICED_S) == ExitStatus.SOFTWARE
        (said,) = [line for line in worker.log().splitlines() if line.startswith("stream-app: ")]
        assert words(run.job, right) in said
        assert "Traceback" not in worker.log()
        grant(doors.cluster, run.job, [right])
        run.start()
        run.recovered(within_s=NOTICED_S)
