"""Keeps a record that kills the process from killing it for ever.

A processor around the loop's processor. It writes down which records are being processed, where
a successor finds it, and asks ``core/native_deaths.py`` what a predecessor's death means: records
that must be processed one by one, and the one that becomes a dead letter without being processed.
Refuses to know how a record kills: no exception is ever seen of that.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from stream_app.core.columns import OutputBatch, RecordBatch
from stream_app.core.native_deaths import NOBODY, Row, Rows, Suspicion
from stream_app.errors import DataError
from stream_app.ports import Processor

log = structlog.get_logger(__name__)


class FlightRecorder(Protocol):
    """Outlives the process, however that ends. Written on the loop's thread."""

    @property
    def place(self) -> str:
        """Where it is, for a message."""

    def found(self, scope: str) -> tuple[Rows, Suspicion]:
        """What the predecessor was processing when it ended, and what it thought.

        Args:
            scope: In what positions count: the topic and its id. Of another one nothing is known.
        """

    def keep(self, suspicion: Suspicion) -> None:
        """Remember this in place of what was thought before, and that nothing is processed."""

    def enter(self, records: RecordBatch) -> None:
        """These are about to be processed; costs no system call and about a microsecond."""

    def leave(self) -> None:
        """Nothing is being processed."""


class Condemning(Processor, Protocol):
    """A processor that can also give a record up unseen."""

    def condemn(self, records: RecordBatch) -> OutputBatch:
        """Dead letters of records in whose processing the process has died."""


class CrashGuard:
    """Fulfils ``ports.Processor``.

    Args:
        processor: Does the work.
        recorder: Of this worker's slot.
        limit: Deaths in a row of a record alone that make it a dead letter.
        scope: Of positions; asked when the first records come.
    """

    def __init__(
        self, processor: Condemning, recorder: FlightRecorder, limit: int, scope: Callable[[], str]
    ) -> None:
        self._processor = processor
        self._recorder = recorder
        self._limit = limit
        self._scope = scope
        self._begun = False
        self._suspicion = Suspicion()
        self._watched: frozenset[int] = frozenset()
        self._new: set[int] = set()
        self._buried: set[Row] = set()
        self._others_went = False

    def choose(self, records: RecordBatch) -> npt.NDArray[np.intp] | None:
        """See the port: what is under suspicion comes alone, and what lies before it first."""
        if not self._begun:
            self._begin()
        if not self._concerns(records):
            return None
        self._forget_passed(records)
        alone = self._suspicion.alone
        if not alone:
            return None
        before, due = _parts(records, alone)
        if due is not None and (self._others_went or not before):
            self._others_went = False
            rows = [due]
        else:
            # In turns: under load each fetch brings others, whom nobody suspects.
            self._others_went = due is not None
            rows = before
        return None if len(rows) == len(records) else np.array(rows, dtype=np.intp)

    def _forget_passed(self, records: RecordBatch) -> None:
        """What another member has done meanwhile: a partition that is new to us begins behind it.

        Not later: what lies before a batch may be uncommitted yet.
        """
        if not self._new:
            return
        firsts = {p: o for p, o in records.first_offsets().items() if p in self._new}
        self._new -= firsts.keys()
        self._keep(self._suspicion.without_passed(firsts))

    def process(self, records: RecordBatch) -> Sequence[OutputBatch]:
        """See the port."""
        rows = _rows(records) if self._concerns(records) else NOBODY
        if rows and rows <= self._suspicion.condemned:
            self._buried |= rows
            return [self._processor.condemn(records)]
        outputs = self._guarded(records)
        if self._suspicion.in_a_row or not rows.isdisjoint(self._suspicion.deaths):
            self._keep(self._suspicion.after_survival(rows))
        return outputs

    def _concerns(self, records: RecordBatch) -> bool:
        """Whether any of their partitions has a suspect; another member may have it for long."""
        return bool(self._watched) and not self._watched.isdisjoint(records.partition.tolist())

    def _guarded(self, records: RecordBatch) -> Sequence[OutputBatch]:
        self._recorder.enter(records)
        try:
            return self._processor.process(records)
        finally:
            # Also after an exception: whatever ends us then, it is not this.
            self._recorder.leave()

    def _begin(self) -> None:
        inside, before = self._recorder.found(self._scope())
        now = before.after_death(inside, self._limit)
        if inside:
            log.error(
                "died_while_processing",
                records=len(inside),
                first=min(inside),
                deaths=max(now.deaths.get(row, 0) for row in inside),
                condemned=sorted(now.condemned),
            )
        if now.is_too_much:
            self._recorder.keep(now.acquitted())
            message = (
                f"{now.in_a_row} records in a row ended this process while it processed each alone,"
                f" the last at partition and offset {sorted(now.condemned)[-1]}. That is hardly the"
                " records' doing, so none of them was given up: look at this process's memory"
                " limit, at the model and at the system's log; then start again. If it is the"
                " records, skip them with `stream-app offsets reset`"
            )
            raise DataError(message)
        self._keep(now)
        self._begun = True

    def _keep(self, suspicion: Suspicion) -> None:
        self._suspicion = suspicion
        self._watched = frozenset(p for p, _ in (*suspicion.deaths, *suspicion.condemned))
        self._recorder.keep(suspicion)

    # -- the other hooks ------------------------------------------------------------------------

    def is_full(self) -> bool:
        """See the port."""
        return self._processor.is_full()

    def quiet(self, next_offsets: Mapping[int, int]) -> Collection[int]:
        """See the port."""
        return self._processor.quiet(next_offsets)

    def conclude(self) -> Sequence[OutputBatch]:
        """See the port."""
        return self._processor.conclude()

    def committed(self) -> None:
        """See the port."""
        self._processor.committed()
        if self._buried:
            self._keep(self._suspicion.after_burial(frozenset(self._buried)))
            self._buried.clear()

    def rolled_back(self) -> bool:
        """See the port."""
        self._buried.clear()
        return self._processor.rolled_back()

    def redirect(
        self, records: RecordBatch, outputs: OutputBatch, refused: npt.NDArray[np.intp]
    ) -> OutputBatch:
        """See the port."""
        return self._processor.redirect(records, outputs, refused)

    def assigned(self, partitions: Sequence[int]) -> None:
        """See the port."""
        self._processor.assigned(partitions)
        self._new.update(partitions)

    def restore(self, partitions: Sequence[int]) -> bool:
        """See the port."""
        return self._processor.restore(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        """See the port."""
        self._processor.revoked(partitions)

    def metadata(self, partition: int) -> str:
        """See the port."""
        return self._processor.metadata(partition)


def _rows(records: RecordBatch) -> Rows:
    return frozenset(zip(records.partition.tolist(), records.offset.tolist(), strict=True))


def _parts(records: RecordBatch, alone: Rows) -> tuple[list[int], int | None]:
    """Rows before the first of ``alone`` in their partition; and one of ``alone`` with none."""
    seen: set[int] = set()
    stopped: set[int] = set()
    before: list[int] = []
    due: int | None = None
    for row, position in enumerate(
        zip(records.partition.tolist(), records.offset.tolist(), strict=True)
    ):
        partition = position[0]
        if position in alone:
            if due is None and partition not in seen:
                due = row
            stopped.add(partition)
        elif partition not in stopped:
            before.append(row)
        seen.add(partition)
    return before, due
