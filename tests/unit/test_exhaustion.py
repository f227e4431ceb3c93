"""What ran out is said in one line with a remedy, and is no fault of the program."""

import errno

import pytest

from stream_app import __main__ as program
from stream_app.adapters.process.exhaustion import exhausted
from stream_app.errors import ExitStatus


@pytest.mark.parametrize(
    ("exc", "remedy"),
    [
        (MemoryError(), "batch.max_records"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "batch.max_records"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError(errno.ENFILE, "Too many open files in system"), "fs.file-max"),
        (OSError(errno.ENOSPC, "No space left on device", "state/slot"), "where state/slot"),
        (OSError(errno.ENOSPC, "No space left on device"), "worker.state_dir"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
    ],
)
def test_what_ran_out_is_named_with_its_remedy(exc: Exception, remedy: str) -> None:
    assert remedy in (exhausted(exc) or "")


@pytest.mark.parametrize(
    "exc", [RuntimeError("something"), OSError(errno.EPERM, "no"), ValueError("memory"), OSError()]
)
def test_another_error_is_not_taken_for_it(exc: Exception) -> None:
    assert exhausted(exc) is None


def test_a_clean_up_that_fails_does_not_hide_what_ran_out() -> None:
    failed = ValueError("closing failed too")
    failed.__context__ = MemoryError()
    assert exhausted(failed) is not None


def test_the_program_tells_it_without_a_traceback_and_asks_for_a_restart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_room(_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(program, "_run", no_room)
    assert program.main(["score"]) == ExitStatus.SOFTWARE
    told = capsys.readouterr().err
    assert told.startswith("stream-app: out of memory")
    assert "Traceback" not in told
    assert ExitStatus.SOFTWARE.restart_helps
