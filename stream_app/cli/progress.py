"""How far a long job is: a bar on a terminal, now and then a line elsewhere, on standard error."""

import time
from types import TracebackType

from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress

from stream_app.adapters.kafka.replay import ReplayReport
from stream_app.cli.output import console

_LINE_EVERY_S = 5.0


class Progress:
    """Enter it, show it reports, leave it."""

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        """Nothing is shown when ``quiet``."""
        self._title = title
        self._quiet = quiet
        self._console = console(stderr=True)
        self._next_line_s = time.monotonic() + _LINE_EVERY_S
        self._bar: RichProgress | None = None
        if self._console.is_terminal and not quiet:
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[told]}"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(title, total=1.0, told="")

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, report: ReplayReport, share: float) -> None:
        """Tell of ``report``; ``share`` is how much of the whole was sent, from 0 to 1."""
        told = f"{report.delivered} delivered, {report.records_per_second:.0f}/s"
        if report.failed:
            told += f", {report.failed.total()} failed"
        self.tell(share, told)

    def tell(self, share: float, told: str, title: str = "") -> None:
        """Tell that ``share`` of the whole is done, from 0 to 1; ``title`` is of what from now."""
        self._title = title or self._title
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=share, told=told, description=self._title)
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + _LINE_EVERY_S
            self._console.print(f"{self._title}: {share:.0%}" + (f", {told}" if told else ""))
