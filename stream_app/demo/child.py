"""A process of the demo: its log, its end, and whether that was asked for.

Decides what is told of a death. Refuses to know what the process does.
"""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from stream_app.errors import ExitStatus, FatalError

_TAIL_LINES: Final = 15
_LINE_LENGTH: Final = 400


@dataclass(slots=True)
class Child:
    """A process that runs, or has ended.

    Attributes:
        what: In a person's words.
        process: Its own.
        log_path: Its standard output and error.
        log: The same, to be read on.
        expected_to_end: Whether its end is nobody's surprise.
        unread: The beginning of a line that is not whole yet.
    """

    what: str
    process: subprocess.Popen[bytes]
    log_path: Path
    log: BinaryIO
    expected_to_end: bool = False
    unread: bytes = b""

    def lines(self) -> list[bytes]:
        """What it has logged since the last call, in whole lines."""
        *lines, self.unread = (self.unread + self.log.read()).split(b"\n")
        return lines

    def require_alive(self) -> None:
        """Look whether it ended.

        Raises:
            FatalError: it has, and nobody had asked it to.
        """
        status = self.process.poll()
        if status is not None and not self.expected_to_end:
            self.expected_to_end = True
            raise FatalError(
                f"{self.what} ended with {_told(status)}, which nobody had asked for; {self.tail()}"
            )

    def tail(self) -> str:
        """The end of its log, for a person."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        lines = [_cut(line) for line in text.splitlines()[-_TAIL_LINES:]]
        return "\n".join([f"the end of the log of {self.what}:", *(f"  {x}" for x in lines)])

    def kill(self) -> None:
        """SIGKILL, as when a machine loses its power."""
        self.expected_to_end = True
        self.process.kill()
        self.process.wait()

    def ask_to_end(self) -> None:
        """SIGTERM."""
        self.expected_to_end = True
        self.process.send_signal(signal.SIGTERM)
        # One that somebody had suspended hears of it only when it goes on.
        self.process.send_signal(signal.SIGCONT)


def ended_badly(statuses: dict[str, int]) -> list[str]:
    """Those that were told to stop and did not end in order, for a person."""
    return [
        f"{what} ended with {_told(status)} when it was told to stop, expected status 0"
        for what, status in statuses.items()
        if status != ExitStatus.OK
    ]


def _told(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]} ..."
