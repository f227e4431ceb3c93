"""A run of the fault bench whose workers come in by one of the doors."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

from tests.fault.bench import Bench, Run
from tests.security.doors import Doors
from tests.security.rights import grant
from tests.worker import Worker

NOTICED_S = 90.0
"""For whatever a worker notices within seconds, on a machine that does much else."""


@contextmanager
def scoring(bench: Bench, doors: Doors, door: str, **settings: str) -> Iterator[tuple[Run, Worker]]:
    """A worker at this door, under load, with its rights; judged when the block ends."""
    told = doors.settings(door) | settings
    bootstrap = told.pop("kafka__bootstrap_servers")
    run_job = cast(Callable[..., AbstractContextManager[Run]], bench.run)  # settings are text
    with run_job(doors.kafka, bootstrap=bootstrap, **told) as run:
        grant(doors.cluster, run.job)
        worker = run.start()
        run.scoring()
        yield run, worker
