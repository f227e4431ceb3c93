"""Slots between real processes: never shared, free again when the holder dies."""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stream_app.adapters.process import slots
from stream_app.adapters.process.slots import acquire_slot, default_instance, transactional_id
from stream_app.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from stream_app.adapters.process.slots import acquire_slot
slot = acquire_slot(Path(sys.argv[1]), "group", "host")
print(slot.transactional_id, flush=True)
sys.stdin.read()
"""

Holder = tuple[subprocess.Popen[str], str]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[], Holder]]:
    """Start a process that takes a slot in ``tmp_path`` and keeps it."""
    with ExitStack() as stack:

        def start() -> Holder:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLD, str(tmp_path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            return process, process.stdout.readline().strip()

        yield start


def test_processes_of_one_host_never_share_a_slot(hold: Callable[[], Holder]) -> None:
    assert [hold()[1] for _ in range(4)] == [f"group-host-{n}" for n in range(4)]


def test_the_slot_of_a_killed_process_is_the_next_one_given(
    hold: Callable[[], Holder], tmp_path: Path
) -> None:
    holders = [hold() for _ in range(3)]
    holders[1][0].kill()
    holders[1][0].wait()
    with acquire_slot(tmp_path, "group", "host") as slot:
        assert slot.number == 1
        assert hold()[1] == "group-host-3"


def test_a_slot_is_held_within_one_process_too(tmp_path: Path) -> None:
    first = acquire_slot(tmp_path, "group", "host")
    with acquire_slot(tmp_path, "group", "host") as second:
        assert (first.number, second.number) == (0, 1)
        first.release()
        first.release()
        with acquire_slot(tmp_path, "group", "host") as third:
            assert third.number == 0


def test_groups_and_instances_have_slots_of_their_own(tmp_path: Path) -> None:
    with (
        acquire_slot(tmp_path, "group", "host") as one,
        acquire_slot(tmp_path, "group2", "host") as two,
        acquire_slot(tmp_path, "group", "host2") as three,
    ):
        assert {one.number, two.number, three.number} == {0}


def test_names_that_look_alike_never_get_the_same_transactional_id(tmp_path: Path) -> None:
    with (
        acquire_slot(tmp_path, "a-b", "c") as one,
        acquire_slot(tmp_path, "a", "b-c") as two,
    ):
        assert one.transactional_id != two.transactional_id


def test_cleaners_leave_the_folder_alone_while_a_slot_is_held(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with acquire_slot(tmp_path, "group", "host"), pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("group", ["../../etc/x", "a b/ü%", "g" * 249, "..", "a\nb"])
def test_any_group_name_is_one_file_inside_the_folder(tmp_path: Path, group: str) -> None:
    state = tmp_path / "deep" / "state"
    with acquire_slot(state, group, "host") as slot:
        assert slot.transactional_id == transactional_id(group, "host", 0)
    assert [path.parent for path in tmp_path.rglob("*.lock")] == [state]


def test_the_instance_is_the_host_s_name_unless_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Büro PC.local")
    assert default_instance() == "B-ro-PC.local"
    with acquire_slot(tmp_path, "group", "") as slot:
        assert slot.transactional_id == "group-B-ro-PC.local-0"
    monkeypatch.setattr(socket, "gethostname", lambda: "..")
    assert default_instance() == "host"


@pytest.mark.parametrize("instance", ["a b", "a/b", "ü", "x" * 201, "a\n"])
def test_an_instance_that_would_have_to_be_changed_is_refused(
    tmp_path: Path, instance: str
) -> None:
    with pytest.raises(ConfigError, match=r"worker\.instance"):
        acquire_slot(tmp_path, "group", instance)


def test_when_all_slots_are_held_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "MAX_SLOTS", 1)
    with (
        acquire_slot(tmp_path, "group", "host"),
        pytest.raises(ConfigError, match="all 1 slots"),
    ):
        acquire_slot(tmp_path, "group", "host")


def test_a_state_folder_that_cannot_be_used_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"worker\.state_dir"):
        acquire_slot(tmp_path / "file", "group", "host")
    with pytest.raises(ConfigError, match=r"worker\.state_dir"):
        acquire_slot(tmp_path / "file" / "below", "group", "host")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is the temporary directory for this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_default_folder_is_private(temporary: Path) -> None:
    for _ in range(2):
        with acquire_slot(None, "group", "host"):
            (folder,) = temporary.iterdir()
            assert folder.stat().st_mode & 0o777 == 0o700
            assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600]


def test_a_default_folder_that_others_may_enter_is_refused(temporary: Path) -> None:
    (temporary / f"stream-app-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(ConfigError, match=r"drwxr-xr-x.*worker\.state_dir"):
        acquire_slot(None, "group", "host")


def test_a_default_folder_that_is_a_link_is_refused(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir(mode=0o700)
    (temporary / f"stream-app-{os.getuid()}").symlink_to("elsewhere")
    with pytest.raises(ConfigError, match=r"worker\.state_dir"):
        acquire_slot(None, "group", "host")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_default_folder_of_another_user_is_refused(temporary: Path) -> None:
    folder = temporary / f"stream-app-{os.getuid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(ConfigError, match="owner 12345"):
        acquire_slot(None, "group", "host")
