"""F2 in short: random faults for two minutes. `python -m tests.fault.soak` goes on for hours."""

import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault import broken_worker
from tests.fault.bench import Bench
from tests.fault.chaos import Chaos
from tests.fault.soak import parsed
from tests.fault.soak_rounds import Soak
from tests.fault.soak_verdict import Status, status
from tests.fault.usage import usage
from tests.kafka_fixtures import RealKafka

LASTS_S = 120.0
ROOM = {"descriptors": 40.0, "threads": 10.0}
"""What connections of the moment may add."""

LOSES = broken_worker.offset_ahead.__name__


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


SHORT = ("--rate", "200", "--round-minutes", "0.2")


def soak_of(
    kafka: RealKafka, folder: Path, hours: float, module: str = "stream_app", **of: str
) -> Soak:
    """A run of seconds, with a fault every other."""
    plan, _ = parsed([*SHORT, "--hours", str(hours)])
    return Soak(replace(plan, pauses_s=(1.0, 3.0), caught_up_s=30.0), kafka, folder, module, of)


def test_a_soak_of_good_workers_finds_nothing(kafka: RealKafka, tmp_path: Path) -> None:
    good = soak_of(kafka, tmp_path, 0.003).run()
    assert good["faults"] == good["undecided"] == []
    assert sum(good["strikes"].values()) > 0
    assert sum(each["events"] for each in good["rounds"]) == good["events"] > 0
    assert [each["right"] for each in good["rounds"]] == [True] * len(good["rounds"])


def test_a_soak_of_workers_that_lose_records_says_so(kafka: RealKafka, tmp_path: Path) -> None:
    way = {broken_worker.VARIABLE: LOSES}
    bad = soak_of(kafka, tmp_path, 0.003, broken_worker.MODULE, **way).run()
    assert not bad["rounds"][0]["right"]
    assert sum(each["lost"] for each in bad["rounds"]) > 0
    assert "round 1" in "".join(bad["faults"])
    assert status(bad) is Status.WRONG


def test_a_soak_that_fails_itself_still_reports(
    kafka: RealKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Soak) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Soak, "_round", full)
    report = soak_of(kafka, tmp_path, 0.003).run()
    assert "the disk is full" in "".join(report["faults"])
    assert report["workers"] == 3
    assert status(report) is Status.WRONG


def test_a_soak_looks_at_how_each_worker_ends(
    kafka: RealKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Soak._end

    def killed_at_last(self: Soak) -> None:
        self._at_work[-1].kill()
        end(self)

    monkeypatch.setattr(Soak, "_end", killed_at_last)
    report = soak_of(kafka, tmp_path, 0.0).run()
    assert f"with {-signal.SIGKILL}" in report["faults"][0]
    assert status(report) is Status.WRONG
