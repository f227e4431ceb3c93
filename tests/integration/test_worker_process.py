"""A worker knows its number, and dies in order when its supervisor does."""

import os
import signal
import subprocess
import sys

import pytest

from stream_app.adapters.process.worker_process import (
    INDEX_VARIABLE,
    SUPERVISOR_VARIABLE,
    worker_index,
)
from stream_app.errors import ConfigError
from stream_app.failpoints import FLAG_VARIABLE, SPEC_VARIABLE
from stream_app.settings import Settings

WORKER = """
import os, signal, sys, time
from stream_app.adapters.process.worker_process import die_with_supervisor

def stop(number, frame):
    os.write(1, b"told to stop\\n")
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
sys.platform = sys.argv[1]
die_with_supervisor()
os.write(1, b"running\\n")
time.sleep(60)
"""

SUPERVISOR = """
import sys, time
from stream_app.adapters.process.worker_process import spawn_worker
spawn_worker([sys.executable, "-c", sys.argv[1], sys.argv[2]], 0, None)
time.sleep(60)
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.skipif(sys.platform != "linux", reason="takes both ways on Linux")
def test_an_orphan_is_told_to_stop(platform: str) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, WORKER, platform], stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == b"running\n"
    supervisor.kill()
    # The end of the output comes when the worker, who shares it, has ended too.
    output, _ = supervisor.communicate(timeout=30)
    assert output == b"told to stop\n"


def test_a_worker_whose_supervisor_died_before_it_could_ask_stops_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER, sys.platform],
        env={**os.environ, INDEX_VARIABLE: "0", SUPERVISOR_VARIABLE: "1"},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.startswith(b"told to stop\n")


def test_without_a_supervisor_nothing_is_asked() -> None:
    environment = {name: value for name, value in os.environ.items() if name != INDEX_VARIABLE}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, sys.platform], env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_the_number_comes_from_the_environment_or_is_not_there() -> None:
    assert worker_index({}) is None
    assert worker_index({INDEX_VARIABLE: "0"}) == 0
    assert worker_index({INDEX_VARIABLE: "12"}) == 12
    for wrong in ("", "-1", "one"):
        with pytest.raises(ConfigError, match=INDEX_VARIABLE):
            worker_index({INDEX_VARIABLE: wrong})


def test_our_variables_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Settings().model_dump()
    for name in (INDEX_VARIABLE, SUPERVISOR_VARIABLE, SPEC_VARIABLE, FLAG_VARIABLE):
        monkeypatch.setenv(name, "1")
    assert Settings().model_dump() == before
