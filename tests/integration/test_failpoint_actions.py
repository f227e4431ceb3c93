"""Failpoints act on real processes: die, stand still, wait, break."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream_app.failpoints import FLAG_VARIABLE, SPEC_VARIABLE

SCRIPT = """
from stream_app import failpoints
from stream_app.adapters.process.logs import configure_logging
configure_logging("info", "json")
failpoints.announce()
for number in range(3):
    print(number, flush=True)
    failpoints.hit("before_commit")
print("end", flush=True)
"""


def start(spec: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, SPEC_VARIABLE: spec, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    output, _ = process.communicate(timeout=60)
    return process.returncode, output.split()


def test_kill_is_the_default_and_leaves_no_time_to_clean_up() -> None:
    status, output = outcome(start("before_commit:2"))
    assert status == -signal.SIGKILL
    assert output == ["0", "1"]


def test_a_restarted_process_is_not_killed_again(tmp_path: Path) -> None:
    flag = {FLAG_VARIABLE: str(tmp_path / "flag")}
    assert outcome(start("before_commit", **flag))[0] == -signal.SIGKILL
    status, output = outcome(start("before_commit", **flag))
    assert (status, output[-1]) == (0, "end")


def test_a_stopped_process_stands_still_until_continued() -> None:
    process = start("before_commit:2:stop")
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert os.WSTOPSIG(status) == signal.SIGSTOP
        os.kill(process.pid, signal.SIGCONT)
        assert outcome(process)[0] == 0
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("action", "status"), [("sleep=0.2", 0), ("raise", 1)], ids=["sleep", "raise"]
)
def test_sleep_goes_on_and_raise_breaks(action: str, status: int) -> None:
    process = start(f"before_commit:2:{action}")
    assert outcome(process)[0] == status


def test_a_misspelt_failpoint_breaks_every_hit_even_if_nobody_announced() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from stream_app.failpoints import hit; hit('after_begin')"],
        env={**os.environ, SPEC_VARIABLE: "nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "ConfigError" in done.stderr
