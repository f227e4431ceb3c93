"""The process: runs the command line and turns what went wrong into one message and a status.

Decides exit statuses (``errors.ExitStatus``, the numbers of sysexits.h). A fault that we foresaw
is one message on standard error without a traceback; a traceback is a fault of the program, or
was asked for with ``log.level = debug``. A machine that has no more memory, threads, descriptors
or disk space is no such fault: one message, and a status that says "start it again".
"""

import faulthandler
import logging
import os
import signal
import sys
import traceback
from contextlib import suppress

import typer

from stream_app.adapters.process.exhaustion import exhausted
from stream_app.adapters.process.machine import pin_libraries
from stream_app.cli import app
from stream_app.errors import ExitStatus, StreamAppError

_STANDARD_ERROR = 2
_LIBRARY_USAGE = 2
"""With this the command line library ends when it was called wrongly; sysexits.h says 64."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status.

    Args:
        arguments: Without the program's name; default: the process's own.
    """
    if arguments is None:
        # A death in native code then leaves at least the places in our own: no values, only lines.
        faulthandler.enable(_STANDARD_ERROR)
        pin_libraries()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except StreamAppError as exc:
        _say(str(exc))
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            traceback.print_exc()
        status = exc.exit_status
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BrokenPipeError:
        # Our reader has gone, as `| head` does. The interpreter flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except Exception as exc:  # noqa: BLE001  # the last resort: say what it is, then show it all
        _tell_unforeseen(exc)
        status = ExitStatus.SOFTWARE
    return int(status)


def _run(arguments: list[str] | None) -> int:
    command = typer.main.get_command(app)
    try:
        command.main(arguments, prog_name="stream-app")
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        return ExitStatus.USAGE if code == _LIBRARY_USAGE else code
    return ExitStatus.OK


def _tell_unforeseen(exc: Exception) -> None:
    spent = exhausted(exc)
    if spent is not None:
        _say(spent)
        return
    traceback.print_exc()
    _say("a fault of the program; please report the lines above")


def _say(text: str) -> None:
    """On standard error, unless its disk is full: the status must still come out."""
    with suppress(OSError):
        typer.echo(f"stream-app: {text}", err=True)


if __name__ == "__main__":
    sys.exit(main())
