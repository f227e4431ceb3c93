"""F2 in short: random faults for two minutes. `python -m tests.fault.soak` goes on for hours."""

import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault.bench import Bench
from tests.fault.chaos import Chaos
from tests.fault.soak import parsed
from tests.fault.soak_rounds import Soak
from tests.fault.usage import usage
from tests.kafka_fixtures import RealKafka

LASTS_S = 120.0
ROOM = {"descriptors": 40.0, "threads": 10.0}
"""What connections of the moment may add."""


@pytest.mark.fault("F2")
@pytest.mark.timeout(900)
def test_two_of_three_workers_are_struck_at_random(bench: Bench, kafka: RealKafka) -> None:
    chaos = Chaos(bench.chance, every_s=(2.0, 6.0))
    never = threading.Event()
    with bench.run(kafka, per_second=700.0) as run:
        run.allowed_exits.add(-signal.SIGTERM)  # the strike itself looks when that is in order
        spared = run.start()
        run.start()
        run.start()
        run.scoring(120)
        before = usage(spared.pid)
        until_s = time.monotonic() + LASTS_S
        while time.monotonic() < until_s:
            never.wait(chaos.pause_s())
            victims = [worker for worker in run.alive() if worker is not spared]
            strike = chaos.strike(victims)
            with run.fault(str(strike)):
                ended = strike.deal(never)
            if ended:
                run.start()
        run.recovered(180)
        assert spared.exit_status is None
        after = usage(spared.pid)
        for quantity, room in ROOM.items():
            assert after[quantity] <= before[quantity] + room, quantity


def test_the_soak_tells_a_worker_that_loses_from_one_that_does_not(
    kafka: RealKafka, tmp_path: Path
) -> None:
    plan, _ = parsed(["--hours", "0.005", "--rate", "200", "--round-minutes", "0.15"])
    folders = [tmp_path / name for name in ("good", "bad")]
    for folder in folders:
        folder.mkdir()
    good = Soak(plan, kafka, folders[0]).run()
    assert good["faults"] == []
    assert good["events"] > 0
    assert [each["right"] for each in good["rounds"]] == [True] * len(good["rounds"])
    bad = Soak(replace(plan, seed=2), kafka, folders[1])
    bad._feed.sent = 1  # one event is said to be sent that never was
    assert "round 1" in "".join(bad.run()["faults"])
