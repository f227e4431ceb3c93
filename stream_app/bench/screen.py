"""What is seen while a bench runs, on standard error: milestones as lines, and a bar.

Decides the form: a bar on a terminal, now and then a line elsewhere. It is redrawn only when told
to: a thread that redraws would take time from who is measured.
"""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from stream_app.terminal.milestones import Milestones

_LINE_EVERY_S: Final = 5.0


class Screen(Milestones):
    """A context manager; its methods are called on one thread."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._next_line_s = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._task: TaskID | None = None
        self._title, self._total = "", 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, title: str, total: int) -> None:
        """Something of ``total`` parts begins."""
        self._title, self._total = title, total
        self._next_line_s = time.monotonic() + _LINE_EVERY_S
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, told="")

    def show(self, done: int, told: str = "") -> None:
        """So much of it is done."""
        if self._task is None:
            return
        if self._console.is_terminal:
            self._progress.update(self._task, completed=done, told=told)
            self._progress.refresh()
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + _LINE_EVERY_S
            self.say(f"{self._title}: {done:,} of {self._total:,}{told and f', {told}'}")

    def end(self) -> None:
        """Take the bar away."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
            if self._console.is_terminal:
                self._progress.refresh()
