"""Laws of server processes: none outlives its starter, none hears the terminal's Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka import launch
from stream_app.adapters.local_kafka.ports import FIRST_PORT, free_port
from stream_app.adapters.local_kafka.process import ServerProcess
from stream_app.adapters.local_kafka.workdir import WorkFolder, remove_orphans

SLEEP = ("/bin/sleep", "300")
PATIENCE_S = 10.0

STARTER = """
import os, subprocess, sys, time
command = [sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), sys.argv[2], "/bin/sleep"]
print(subprocess.Popen([*command, "300"], start_new_session=True).pid, flush=True)
time.sleep(300)
"""


def eventually(what: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if what():
            return True
        time.sleep(0.02)
    return False


def runs(pid: int) -> bool:
    """A zombie that nobody has waited for does not count."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(
            "kernel", marks=pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
        ),
        "watch",
    ],
)
def test_a_server_dies_with_a_starter_that_is_killed(mode: str) -> None:
    command = [sys.executable, "-c", STARTER, launch.__file__, mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        server = int(starter.stdout.readline())
        assert eventually(lambda: b"sleep" in Path(f"/proc/{server}/cmdline").read_bytes()[:20])
        starter.kill()
    assert eventually(lambda: not runs(server))


def test_a_server_survives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[ServerProcess] = []
    thread = threading.Thread(
        target=lambda: started.append(ServerProcess(SLEEP, log_path=tmp_path / "log"))
    )
    thread.start()
    thread.join()
    with pytest.raises(TimeoutError):
        started[0].wait(0.2)
    started[0].kill()
    assert started[0].returncode == -signal.SIGKILL


def test_a_server_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    process = ServerProcess(SLEEP, log_path=tmp_path / "log")
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    process.kill()
    assert not process.alive


def test_a_paused_server_can_still_be_ended_in_order(tmp_path: Path) -> None:
    process = ServerProcess(SLEEP, log_path=tmp_path / "log")
    process.pause()
    process.terminate(PATIENCE_S)
    assert process.returncode == -signal.SIGTERM


def test_a_server_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "trap '' TERM; echo deaf; while :; do sleep 1; done"
    process = ServerProcess(("/bin/sh", "-c", deaf), log_path=tmp_path / "log")
    assert eventually(lambda: process.log_tail() == "deaf")
    process.terminate(0.1)
    assert process.returncode == -signal.SIGKILL


def test_the_log_is_appended_to_and_its_end_can_be_read(tmp_path: Path) -> None:
    for word in ("first", "second"):
        process = ServerProcess(("/bin/echo", word), log_path=tmp_path / "log")
        assert process.wait(PATIENCE_S) == 0
    assert process.log_tail() == "first\nsecond"
    assert process.log_tail(1) == "second"


def test_ports_are_free_below_the_clients_range_and_never_given_twice() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50
    assert all(FIRST_PORT <= port < 32768 for port in ports)
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_a_folder_whose_owner_is_gone_is_removed_and_an_owned_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owned = WorkFolder()
    orphan = tmp_path / "stream-app-local-orphan"
    orphan.mkdir()
    long_ago = time.time() - 3600
    for folder in (owned.path, orphan):
        os.utime(folder, (long_ago, long_ago))
    remove_orphans()
    assert not orphan.exists()
    assert owned.path.exists()
    owned.close()
    assert not owned.path.exists()


def test_a_given_folder_stays(tmp_path: Path) -> None:
    given = WorkFolder(tmp_path / "mine")
    given.close()
    assert (tmp_path / "mine").is_dir()
