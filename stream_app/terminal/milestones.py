"""Lines that tell how far a long command is, each with the time since its beginning."""

import time
from textwrap import wrap
from typing import Final

from rich.console import Console
from rich.text import Text

_LEAST_WIDTH: Final = 20


class Milestones:
    """Says them on a console; the clock starts now."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._start_s

    def say(self, text: str, style: str = "") -> None:
        """A milestone: on a terminal wrapped beside the clock, else one line however long."""
        clock = f"{self.elapsed_s:6.1f} s  "
        width = self._console.width - len(clock) if self._console.is_terminal else len(text) + 1
        for number, part in enumerate(wrap(text, max(width, _LEAST_WIDTH)) or [""]):
            line = Text(clock if number == 0 else " " * len(clock), style="dim")
            self._console.print(line.append(part, style=style or "not dim"), soft_wrap=True)
