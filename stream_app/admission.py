"""Which of the fetched rows count now; the others are fetched again.

Decides that no row of a partition counts before its state is restored and it was rewound, and lets
the processor leave rows for later. Refuses to know why: debts are the recovery's.
"""

import numpy as np

from stream_app.core.columns import RecordBatch
from stream_app.errors import RetriableError
from stream_app.ports import Processor, Source
from stream_app.recovery import Recovery


class Admission:
    """Between a fetch and the processor."""

    def __init__(self, source: Source, processor: Processor, recovery: Recovery) -> None:
        self._source = source
        self._processor = processor
        self._recovery = recovery

    def admit(self, records: RecordBatch) -> RecordBatch:
        """The rows that count. Restores state that is to be restored, as far as that goes now."""
        self._restore()
        return self._chosen(self._current(records))

    def _restore(self) -> None:
        """Have the state of new partitions rebuilt, once nothing of a unit before is unclear."""
        recovery = self._recovery
        if not recovery.restoring or recovery.owes_client or recovery.partitions:
            return
        try:
            if self._processor.restore(sorted(recovery.restoring)):
                recovery.restoring.clear()
        except RetriableError as exc:
            recovery.wait(str(exc))

    def _current(self, records: RecordBatch) -> RecordBatch:
        """Leave out rows that will come again: their partition is to be rewound or restored."""
        unwanted = self._recovery.partitions | self._recovery.restoring
        if self._recovery.owes_client:
            # A rebalance in this very fetch fenced the producer: nothing can be delivered yet.
            unwanted |= set(records.partition.tolist())
        if not len(records) or not unwanted:
            return records
        kept = ~np.isin(records.partition, list(unwanted))
        dropped = records.take(np.flatnonzero(~kept))
        for partition, offset in dropped.first_offsets().items():
            if partition not in self._recovery.partitions:
                self._source.seek({partition: offset})
        return records.take(np.flatnonzero(kept))

    def _chosen(self, records: RecordBatch) -> RecordBatch:
        """Leave out what the processor will not have beside the rest; it comes again at once."""
        rows = self._processor.choose(records) if len(records) else None
        if rows is None:
            return records
        left = records.take(np.setdiff1d(np.arange(len(records)), rows))
        self._source.seek(left.first_offsets())
        return records.take(rows)
