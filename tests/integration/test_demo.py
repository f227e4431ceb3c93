"""The demo as a newcomer runs it: it ends by itself, says the truth, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from rich.console import Console

from stream_app.adapters.local_kafka import LocalKafka
from stream_app.adapters.local_kafka.program import KafkaProgram
from stream_app.adapters.verifier.reader import verify
from stream_app.cli.demo import conclude
from stream_app.demo.options import DemoOptions
from stream_app.demo.run import Judge, judge_by_reading_again, run_demo
from stream_app.demo.summary import Summary
from stream_app.demo.traffic import StalledError
from stream_app.errors import ExitStatus, StreamAppError
from stream_app.settings import Settings
from stream_app.verify import Isolation, Report
from tests.kafka_fixtures import unavailable

COMMAND = [sys.executable, "-m", "stream_app", "demo"]
WITHIN_S = 120.0


def processes(word: str) -> dict[int, str]:
    """Processes with this word in their command line, by number."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,args="], check=True, capture_output=True, text=True
    ).stdout
    lines = (line.strip().partition(" ") for line in listed.splitlines())
    return {int(pid): args for pid, _, args in lines if word in args}


def wait_until(true: Callable[[], object], within_s: float = WITHIN_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.05)


@dataclass
class Run:
    """A demo in a process of its own; its folders lie in ``folder``."""

    process: subprocess.Popen[str]
    folder: Path
    lines: list[str]
    reader: threading.Thread

    def said(self, text: str) -> bool:
        assert self.process.poll() is None or text in "\n".join(self.lines), self.lines
        return any(text in line for line in self.lines)

    def workers(self) -> list[int]:
        return sorted(pid for pid, args in processes(str(self.folder)).items() if "score" in args)

    def end(self) -> int:
        status = self.process.wait(WITHIN_S)
        self.reader.join(WITHIN_S)
        return status


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts demos, and makes sure that none outlives its test."""
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        folder = tmp_path / f"tmp-{len(runs)}"
        folder.mkdir()
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        lines: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        runs.append(Run(process, folder, lines, reader))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()
        run.reader.join(WITHIN_S)
        if run.process.stdout is not None:
            run.process.stdout.close()


def assert_nothing_is_left(run: Run) -> None:
    assert processes(str(run.folder)) == {}
    # Java leaves its own library there, whoever asked for it.
    assert [path.name for path in run.folder.iterdir() if path.name.startswith("stream")] == []


def check_summary(path: Path, events: int) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(path.read_text())
    broken = round(events / 100)
    assert summary["events"] == events + broken
    assert summary["lost"] == summary["duplicated"] == 0
    assert summary["predictions"] == events
    assert sum(summary["dead_letters"].values()) == broken
    assert summary["dead_letters"] == summary["malformed_on_purpose"]
    assert len(summary["dead_letters"]) == 8
    assert 0 < summary["latency_p50_s"] <= summary["latency_p99_s"]
    assert summary["records_per_second"] > 0
    assert summary["ok"] is True
    return summary


def test_the_mock_demo_ends_well_without_a_terminal(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    run = start("--events", "4000", "--summary", str(tmp_path / "summary.json"))
    assert run.end() == ExitStatus.OK, run.lines
    summary = check_summary(tmp_path / "summary.json", 4_000)
    assert summary["delivery"] == "at_least_once"
    assert summary["killed"] == []
    shown = "".join(run.lines)
    assert "The mock has no transactions" in shown
    assert "nothing was lost, nothing was repeated" in shown
    assert "\x1b[" not in shown
    assert_nothing_is_left(run)


@pytest.mark.kafka
def test_the_real_demo_loses_and_repeats_nothing_when_a_worker_is_killed(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    _require_kafka()
    run = start("--kafka", "real", "--events", "20000", "--summary", str(tmp_path / "summary.json"))
    assert run.end() == ExitStatus.OK, run.lines
    summary = check_summary(tmp_path / "summary.json", 20_000)
    assert summary["delivery"] == "exactly_once"
    assert [told.partition(" (SIGKILL)")[0] for told in summary["killed"]] == ["worker 1"]
    assert summary["take_over_s"] > 0
    assert summary["verdict"]["isolation"] == "read_committed"
    assert_nothing_is_left(run)


@pytest.mark.kafka
def test_on_a_cluster_of_ones_own_topics_and_group_are_removed(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    _require_kafka()
    with LocalKafka(work_dir=tmp_path / "kafka") as kafka:
        run = start(
            *("--bootstrap", kafka.bootstrap_servers, "--events", "3000"),
            *("--summary", str(tmp_path / "summary.json")),
        )
        assert run.end() == ExitStatus.OK, run.lines
        assert check_summary(tmp_path / "summary.json", 3_000)["kafka"] == "own"
        consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "look"})
        try:
            left = consumer.list_topics(timeout=10).topics
        finally:
            consumer.close()
        assert [name for name in left if "demo" in name] == []
    assert_nothing_is_left(run)


def _require_kafka() -> None:
    try:
        KafkaProgram.find()
    except StreamAppError as exc:
        unavailable(str(exc))


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("starting 2 scorer", signal.SIGINT),
        ("share 4 partitions", signal.SIGTERM),
        ("burst:", signal.SIGINT),
    ],
)
def test_a_signal_leaves_nothing_behind(
    start: Callable[..., Run], moment: str, number: signal.Signals
) -> None:
    run = start("--events", "60000")
    wait_until(lambda: run.said(moment))
    run.process.send_signal(number)
    assert run.end() == 128 + number, run.lines
    assert f"ended by {number.name}; nothing is left behind\n" in run.lines
    assert_nothing_is_left(run)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux tells the workers")
def test_workers_die_with_a_demo_that_is_killed(start: Callable[..., Run]) -> None:
    run = start("--events", "60000")
    wait_until(lambda: run.said("share 4 partitions"))
    assert len(run.workers()) == 2
    run.process.kill()
    wait_until(lambda: not run.workers(), within_s=30.0)
    # Its folder is removed by the next local cluster; here nobody starts one.
    assert processes(str(run.folder)) == {}


def test_a_worker_that_dies_is_told_with_the_end_of_its_log(start: Callable[..., Run]) -> None:
    run = start("--events", "60000")
    wait_until(lambda: run.said("share 4 partitions"))
    os.kill(run.workers()[0], signal.SIGKILL)
    assert run.end() == ExitStatus.SOFTWARE
    shown = "".join(run.lines)
    assert "ended with SIGKILL, which nobody had asked for" in shown
    assert "the end of the log of worker" in shown
    assert '"rebalance"' in shown
    assert_nothing_is_left(run)


def test_a_planted_loss_is_counted_and_fails_the_demo(tmp_path: Path) -> None:
    def lose_one(settings: Settings, isolation: Isolation) -> Report:
        """One more event when all workers have gone: in the topic, and nobody answers it."""
        producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
        producer.produce(settings.input.topic, b"x", partition=0)
        assert producer.flush(10) == 0
        return verify(settings, isolation=isolation, committed=False)

    with (tmp_path / "screen").open("w") as file:
        console = Console(file=file, width=100, record=True)
        summary = run_demo(DemoOptions.of(events=500), console, judge=lose_one)
        assert conclude(summary, console, tmp_path / "summary.json") == ExitStatus.DATA
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written["lost"] == 1
    assert written["ok"] is False
    assert "lost: 1" in console.export_text()


def test_a_demo_in_which_nothing_moves_ends_with_the_logs(tmp_path: Path) -> None:
    with pytest.raises(StalledError, match="the end of the log of worker 0") as caught:
        _run_without_patience(tmp_path, judge_by_reading_again)
    assert caught.value.exit_status == ExitStatus.TRY_AGAIN


def test_a_loss_explains_why_nothing_moves(tmp_path: Path) -> None:
    """What is lost never comes: waiting for it must end in the verdict, not in a time-out."""

    def claim(settings: Settings, isolation: Isolation) -> Report:
        report = judge_by_reading_again(settings, isolation)
        return replace(report, lost=replace(report.lost, count=3))

    summary = _run_without_patience(tmp_path, claim)
    assert summary.report.lost.count == 3
    assert not summary.ok


def _run_without_patience(tmp_path: Path, judge: Judge) -> Summary:
    """A worker takes longer to start than this demo waits for anything to move."""
    with (tmp_path / "screen").open("w") as file:
        console = Console(file=file, width=100)
        return run_demo(DemoOptions.of(events=500), console, judge=judge, patience_s=0.2)
