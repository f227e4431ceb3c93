"""The watchdog ends real processes, and only those that overrun."""

import json
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from stream_app.adapters.process.watchdog import NullWatchdog, ThreadWatchdog
from stream_app.errors import ExitStatus

PRELUDE = """
import threading, time
from stream_app.adapters.process.logs import configure_logging
from stream_app.adapters.process.watchdog import ThreadWatchdog

configure_logging("info", "json")
"""


def run(body: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit status, log events and standard output of a process with this body."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()], done.stdout


def test_a_call_that_ignores_its_time_out_ends_the_process_and_is_named() -> None:
    status, events, output = run(
        """
        def hang_in_the_client() -> None:
            threading.Lock().acquire(); time.sleep(60)

        with ThreadWatchdog().limit("commit_transaction", 0.3):
            hang_in_the_client()
        print("came back")
        """
    )
    assert (status, output) == (ExitStatus.TRY_AGAIN, "")
    (event,) = events
    assert event["event"] == "watchdog_ends_process"
    assert event["level"] == "critical"
    assert event["reason"] == "commit_transaction took longer than 0.3 s"
    assert str(event["stack"]).startswith("hang_in_the_client (")


def test_the_outer_limit_holds_while_inner_ones_are_kept() -> None:
    status, events, _ = run(
        """
        dog = ThreadWatchdog()
        with dog.limit("the whole", 0.5):
            while True:
                with dog.limit("a part", 30):
                    time.sleep(0.05)
        """
    )
    assert status == ExitStatus.TRY_AGAIN
    assert events[0]["reason"] == "the whole took longer than 0.5 s"


def test_a_block_on_another_thread_is_shown_with_that_thread_s_stack() -> None:
    status, events, _ = run(
        """
        dog = ThreadWatchdog()

        def loader() -> None:
            with dog.limit("loading", 0.2):
                time.sleep(60)

        threading.Thread(target=loader).start()
        time.sleep(60)
        """
    )
    assert status == ExitStatus.TRY_AGAIN
    assert str(events[0]["stack"]).startswith("loader (")


def test_the_grace_period_ends_the_process_outside_any_limit() -> None:
    status, events, _ = run(
        """
        dog = ThreadWatchdog()
        dog.expire_at(time.monotonic() + 0.3)
        dog.expire_at(time.monotonic() + 60)  # the earliest counts
        time.sleep(60)
        """
    )
    assert status == ExitStatus.TRY_AGAIN
    assert events[0]["reason"] == "the grace period after SIGTERM is over"


def test_a_loop_that_stands_still_ends_the_process_after_its_first_turn() -> None:
    status, events, output = run(
        """
        dog = ThreadWatchdog(stall_limit_s=0.4)
        time.sleep(1)
        print("start-up is no loop", flush=True)
        dog.tick()
        time.sleep(60)
        """
    )
    assert status == ExitStatus.TRY_AGAIN
    assert output == "start-up is no loop\n"
    assert events[0]["reason"] == "the loop has not turned for 0.4 s"


def test_a_log_that_cannot_be_written_does_not_save_the_process() -> None:
    script = """
    import os, sys
    os.set_blocking(2, True)
    dog = ThreadWatchdog()
    with dog.limit("anything", 0.2):
        print("x" * 200_000, file=sys.stderr)  # blocks: nobody reads the pipe
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)], stderr=subprocess.PIPE
    )
    with process:
        assert process.wait(timeout=30) == ExitStatus.TRY_AGAIN


def test_whoever_keeps_to_the_limits_lives() -> None:
    status, events, output = run(
        """
        ticks = []
        with ThreadWatchdog(stall_limit_s=10, on_tick=ticks.append) as dog:
            for _ in range(10):
                dog.tick()
                with dog.limit("a call", 10), dog.limit("inner", 10):
                    time.sleep(0.01)
            try:
                with dog.limit("one that raises", 0.1):
                    raise KeyError
            except KeyError:
                time.sleep(0.6)
        dog.expire_at(time.monotonic())  # after the end nobody looks any more
        time.sleep(0.6)
        print(len(ticks))
        """
    )
    assert (status, events, output) == (0, [], "10\n")


def test_a_limit_is_cheap() -> None:
    with ThreadWatchdog() as dog:
        started = time.perf_counter()
        for _ in range(10_000):
            with dog.limit("a call", 60):
                dog.tick()
        assert time.perf_counter() - started < 0.5  # 50 µs: a loaded machine, not a regression
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_the_null_watchdog_ends_nothing() -> None:
    dog = NullWatchdog()
    dog.tick()
    with pytest.raises(KeyError), dog.limit("anything", 0):
        raise KeyError


def test_a_process_without_memory_is_ended_all_the_same() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PRELUDE
            + textwrap.dedent(
                """
                import resource

                dog = ThreadWatchdog()
                with dog.limit("a call", 0.3):
                    resource.setrlimit(resource.RLIMIT_AS, (1, 1))
                    try:
                        hoard = [bytes(size) for size in range(1 << 12)] * (1 << 20)
                    except MemoryError:
                        pass
                    while True:  # the loop fails at everything, and does not end
                        time.sleep(0.01)
                """
            ),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitStatus.TRY_AGAIN
    assert "watchdog" in done.stderr
