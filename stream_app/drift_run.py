"""Past events into the windows that live ones would have made: a file in Kafka's place.

Decides that nothing is computed in a second way. Rows of a file go through the scorer, and what it
tells of drift through the aggregator's merging and closing; only the ends are others. A file can
be looked through before it is counted, so that it is known, and not guessed from a watermark, when
a window is complete: however late an event is, it is in its window. Refuses to show anything.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from stream_app.adapters.avro.schema_file import EventSchema
from stream_app.adapters.drift.event_reader import EventChunk, read_events
from stream_app.adapters.drift.parts import arithmetic
from stream_app.adapters.drift.reference_file import StoredReference
from stream_app.aggregator_outputs import counts_of
from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.contract import Contract
from stream_app.core.drift.closing import DAY_MS, ClosingRules, close
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.merge import Outcome, StreamState
from stream_app.core.drift.partial import Partial
from stream_app.core.drift.report_window import report_window
from stream_app.core.drift.window_report import WindowReport
from stream_app.core.window_timetable import Timetable
from stream_app.errors import ConfigError, DataError, FatalError
from stream_app.file_scorer import FileScorer
from stream_app.ports import Model
from stream_app.settings import Settings

MAX_WINDOWS: Final = 100_000
"""Held at once, unless told otherwise; a day of the shortest windows that there are."""

_ALL: Final = 1 << 62
"""Windows at once: no transaction waits for them."""


class Phase(StrEnum):
    """What is done just now."""

    LOOKING = "looking for times"
    COUNTING = "counting"


Progress = Callable[[Phase, float, int], None]
"""Is told the phase, its share done from 0 to 1, and the rows of it."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to count.

    Attributes:
        path: The file.
        schema: Of the events in a CSV or Parquet file; ``None``: the contract tells.
        since_ms: Only windows that start then or later; ``None``: from the first.
        until_ms: Only windows that end by then; ``None``: to the last.
        max_windows: Held at once; a file in the order of time needs few.
        compiled: Decode, encode and count with kernels, which are ready.
    """

    path: Path
    schema: EventSchema | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    max_windows: int = MAX_WINDOWS
    compiled: bool = False


@dataclass(slots=True)
class Totals:
    """What was counted so far, also in windows that were not wanted.

    Attributes:
        rows_read: Of the file.
        predictions: Of its rows.
        letters: Dead letters by fault code, in windows.
        letters_without_window: Likewise, of events at fault: their time is not believed.
    """

    rows_read: int = 0
    predictions: int = 0
    letters: Counter[int] = field(default_factory=Counter)
    letters_without_window: Counter[int] = field(default_factory=Counter)


class DriftRun:
    """The windows of a file; iterate once.

    Windows come as soon as nothing more comes for them, roll-ups after the last of their windows.

    Attributes:
        totals: Of what was iterated so far.
    """

    def __init__(
        self,
        settings: Settings,
        contract: Contract,
        model: Model,
        stored: StoredReference,
        options: RunOptions,
        progress: Progress = lambda phase, share, rows: None,
    ) -> None:
        """Put the parts together.

        Args:
            settings: Of the live job: they decide windows, roll-ups and what is a dead letter.
            contract: The model's.
            model: Scores.
            stored: The reference of the same version.
            options: What to count.
            progress: Told now and then.

        Raises:
            ConfigError: the contract names no time, or the prediction schema does not fit it.
        """
        if contract.time_field is None:
            raise ConfigError(
                "the contract names no time, so live windows are those of records' timestamps, "
                "which a file does not have; name the events' time in it ([event] time = FIELD)"
            )
        self._settings, self._contract, self._options = settings, contract, options
        self._progress = progress
        self._scorer = FileScorer(settings, contract, model, stored, compiled=options.compiled)
        self._layout = Layout(stored.reference)
        self._way = arithmetic(compiled=options.compiled)
        self._window_ms = 1000 * settings.drift.window_s
        self._timetable = Timetable(self._window_ms, options.since_ms, options.until_ms)
        self._state: StreamState | None = None
        self._rules = ClosingRules(
            allowed_lateness_ms=0,
            # No longer than roll-ups need their windows; the same roll-ups as live.
            retention_ms=min(round(1000 * settings.drift.retention_s), DAY_MS),
            input_partitions=1,
            unseen_wait_ms=0,
            replay_wait_ms=0,
        )
        self.totals = Totals()

    def __iter__(self) -> Iterator[WindowReport]:
        """The windows.

        Raises:
            ConfigError: the file cannot be read, or not as the contract asks, or has no times.
            DataError: the file is broken, or too many windows are open at once.
        """
        self._look()
        steps = iter(self._timetable.steps())
        for chunk in self._chunks(Phase.COUNTING):
            step = next(steps, None)
            if step is None:
                raise DataError(f"{self._options.path}: grew while it was read; try again")
            if step.is_wanted:
                yield from self._count(chunk, step.complete_ms)

    def _look(self) -> None:
        """Read the file for its times."""
        has_sound = has_time = False
        for chunk in self._chunks(Phase.LOOKING):
            times_ms = chunk.events.event_time_ms[chunk.events.fault == 0]
            has_sound |= len(times_ms) > 0
            has_time |= bool((times_ms != NO_TIMESTAMP).any())
            self._timetable.note(times_ms)
        if has_sound and not has_time:
            raise ConfigError(
                f"--data {self._options.path}: has no {self._contract.time_field!r}, the "
                "contract's time, so that no row is in a window; give a file with that column"
            )

    def _chunks(self, phase: Phase) -> Iterator[EventChunk]:
        options = self._options
        reader = read_events(
            options.path,
            self._contract,
            schema=options.schema,
            max_value_bytes=self._settings.input.max_value_bytes,
            compiled=options.compiled,
        )
        with reader:
            for chunk in reader:
                self.totals.rows_read = reader.rows_read
                yield chunk
                self._progress(phase, reader.share_read, reader.rows_read)

    def _count(self, chunk: EventChunk, complete_ms: int) -> Iterator[WindowReport]:
        """A chunk is a transaction of a scorer, and then one of an aggregator."""
        first = self.totals.rows_read - len(chunk.events)
        for partial in self._scorer.score(chunk.events, first):
            self._note(partial)
            self._merge(partial, complete_ms)
        if self._state is not None:
            yield from self._closed(self._state)

    def _note(self, partial: Partial) -> None:
        totals = self.totals
        totals.predictions += partial.rows_without_time
        totals.letters_without_window.update(partial.letters_without_time)
        for delta in partial.windows:
            totals.predictions += delta.rows
            totals.letters.update(delta.letters)

    def _merge(self, partial: Partial, complete_ms: int) -> None:
        state = self._state = self._state or StreamState(partial.stream)
        # A scorer tells the greatest time that it saw; here it is known what still comes.
        coverage = tuple(replace(entry, greatest_ms=complete_ms) for entry in partial.coverage)
        known = replace(partial, coverage=coverage)
        outcome = state.apply(known, self._layout, self._way, NO_TIMESTAMP, 0)
        if outcome is not Outcome.APPLIED:
            raise FatalError(f"our own counts do not add up ({outcome}); please report this")
        if len(state.windows) > self._options.max_windows:
            raise DataError(
                f"{self._options.path}: more than {self._options.max_windows:,} windows are open "
                "at once, since its rows are not in the order of time; sort it by time, give "
                "longer windows (--window-s) or a span (--since, --until), or allow more "
                "(--max-windows)"
            )

    def _closed(self, state: StreamState) -> Iterator[WindowReport]:
        closed = close(state, self._rules, _ALL)
        for publication in closed.published:
            if self._timetable.wants(publication.start_ms, publication.length_ms):
                counts = counts_of(state, publication, self._layout, self._way)
                yield report_window(self._layout, counts, self._settings.drift.min_rows)
        for window in closed.kept:
            window.pack(self._way)
