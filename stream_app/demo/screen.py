"""What is seen while it runs: milestones as lines, and where things stand.

Decides the form: on a terminal the standing is redrawn in place, elsewhere it is a line about
once a second. Refuses to measure.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream_app.terminal.milestones import Milestones

_REDRAW_EVERY_S: Final = 0.125
_LINE_EVERY_S: Final = 1.0
_PIPE_WIDTH: Final = 100


def open_console() -> Console:
    """Standard output; where it is no terminal, of a width that a log can hold."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where things stand.

    Attributes:
        phase: What is going on.
        sent: Events handed to the cluster.
        events: Events that will be sent in all.
        predictions: Seen.
        dead_letters: Seen.
        per_second: Outcomes of late.
        alive: Workers that run.
        workers: What each worker does, in words.
    """

    phase: str
    sent: int
    events: int
    predictions: int
    dead_letters: int
    per_second: float
    alive: int
    workers: Sequence[str]


class Screen(Milestones):
    """A context manager; its methods are called on one thread."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._next_s = 0.0
        # Drawn when told to: a thread that redraws would take time from the readers.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.rest()

    @property
    def due(self) -> bool:
        """Whether it is time to show where things stand."""
        return time.monotonic() >= self._next_s

    def show(self, standing: Standing) -> None:
        """Where things stand."""
        if self._console.is_terminal:
            self._next_s = time.monotonic() + _REDRAW_EVERY_S
            self._live.update(_drawn(standing), refresh=True)
        else:
            self._next_s = time.monotonic() + _LINE_EVERY_S
            self.say(_line(standing))

    def rest(self) -> None:
        """Take the standing off the screen: what follows is the answer."""
        self._live.stop()


def _line(standing: Standing) -> str:
    if standing.sent == 0:
        each = (f"worker {index} {told}" for index, told in enumerate(standing.workers))
        return f"{standing.phase}: {', '.join(each)}"
    return (
        f"{standing.phase}: {standing.sent:,}/{standing.events:,} sent, "
        f"{standing.predictions:,} predictions, {standing.dead_letters:,} dead letters, "
        f"{standing.per_second:,.0f}/s, "
        f"{standing.alive} of {len(standing.workers)} workers run"
    )


def _drawn(standing: Standing) -> Group:
    outcomes = standing.predictions + standing.dead_letters
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("", Text(standing.phase, style="bold"))
    grid.add_row("events sent", f"{standing.sent:,} of {standing.events:,}")
    grid.add_row("", _bar(standing.sent, standing.events))
    grid.add_row(
        "outcomes",
        f"{standing.predictions:,} predictions, {standing.dead_letters:,} dead letters",
    )
    grid.add_row("", _bar(outcomes, standing.events))
    grid.add_row("rate", f"{standing.per_second:,.0f}/s")
    for index, worker in enumerate(standing.workers):
        grid.add_row(f"worker {index}", worker)
    return Group(Text(), grid)


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=min(done, total), width=40)
