"""What a process was processing is found by its successor, however it died."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stream_app.adapters.process.flight_file import FlightFile
from stream_app.core.native_deaths import NOBODY, Suspicion
from stream_app.errors import ConfigError
from tests.fakes import records

SCOPE = "loans topic-id"
ROWS = [(2, 40), (2, 41), (0, 7)]
SUSPICION = Suspicion({(0, 3): 1, (1, 9): 4}, frozenset({(2, 8)}), in_a_row=2)

VICTIM = """
import ctypes, os, signal, sys
from pathlib import Path
from stream_app.adapters.process.flight_file import FlightFile
from tests.fakes import records

file = FlightFile(Path(sys.argv[1]), 16)
file.found("loans topic-id")
file.enter(records([(2, 40), (2, 41), (0, 7)]))
if sys.argv[2] == "leaves":
    file.leave()
if sys.argv[2] == "crashes":
    ctypes.string_at(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slot.flight"


def die(path: Path, how: str) -> int:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", VICTIM, str(path), how]
    return subprocess.run(command, cwd=root, timeout=60, check=False).returncode


@pytest.mark.parametrize(("how", "status"), [("crashes", signal.SIGSEGV), ("", signal.SIGKILL)])
def test_what_a_dead_process_was_at_is_found(path: Path, how: str, status: int) -> None:
    assert die(path, how) == -status
    assert FlightFile(path, 16).found(SCOPE) == (frozenset(ROWS), Suspicion())


def test_a_process_that_died_at_something_else_left_nothing(path: Path) -> None:
    assert die(path, "leaves") == -signal.SIGKILL
    assert FlightFile(path, 16).found(SCOPE) == (NOBODY, Suspicion())


@pytest.mark.parametrize("room", [1, 8, 4_000])
def test_what_was_thought_comes_back_whatever_room_the_next_one_has(path: Path, room: int) -> None:
    first = FlightFile(path, 8)
    first.found(SCOPE)
    first.keep(SUSPICION)
    first.enter(records(ROWS))
    inside, suspicion = FlightFile(path, room).found(SCOPE)
    assert inside == frozenset(ROWS)
    assert suspicion == SUSPICION


def test_when_there_are_more_suspects_than_room_the_worst_are_kept(path: Path) -> None:
    file = FlightFile(path, 2)
    file.found(SCOPE)
    file.keep(Suspicion({(0, offset): 1 + (offset == 99) for offset in range(100)}))
    _, suspicion = FlightFile(path, 2).found(SCOPE)
    assert suspicion.deaths[0, 99] == 2
    assert 1 < len(suspicion.deaths) < 100


def test_a_second_death_before_anybody_asked_hides_nothing(path: Path) -> None:
    first = FlightFile(path, 8)
    first.found(SCOPE)
    first.enter(records(ROWS))
    FlightFile(path, 8)  # died while it joined
    assert FlightFile(path, 8).found(SCOPE)[0] == frozenset(ROWS)


def test_positions_of_another_topic_are_none(path: Path) -> None:
    first = FlightFile(path, 8)
    first.found(SCOPE)
    first.keep(SUSPICION)
    first.enter(records(ROWS))
    assert FlightFile(path, 8).found("loans another-id") == (NOBODY, Suspicion())


@pytest.mark.parametrize("left", [b"", b"half of", b"x" * 100, bytes(4_096)])
def test_a_file_that_is_none_of_ours_is_written_anew(path: Path, left: bytes) -> None:
    path.write_bytes(left)
    file = FlightFile(path, 8)
    assert file.found(SCOPE) == (NOBODY, Suspicion())
    file.keep(SUSPICION)
    assert FlightFile(path, 8).found(SCOPE) == (NOBODY, SUSPICION)


def test_it_is_readable_to_nobody_else_and_has_its_space_on_the_disk(path: Path) -> None:
    file = FlightFile(path, 512)
    found = Path(file.place).stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_blocks * 512 >= found.st_size


def test_a_folder_that_cannot_be_written_to_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"worker\.state_dir"):
        FlightFile(tmp_path / "no such folder" / "slot.flight", 8)
    link = tmp_path / "link.flight"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="crash_limit"):
        FlightFile(link, 8)
