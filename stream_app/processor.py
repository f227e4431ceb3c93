"""What the loop asks of whoever makes outcomes of records: the scorer, or the drift aggregator.

Decides the duties, and when each hook is called. Read ``ports.py`` for the world's side.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import OutputBatch, RecordBatch


class Processor(Protocol):
    """What happens to records between fetch and deliver: the scorer, or the drift aggregator.

    All hooks but ``process`` may do nothing.
    """

    def assigned(self, partitions: Sequence[int]) -> None:
        """New partitions; book-keeping only."""

    def restore(self, partitions: Sequence[int]) -> bool:
        """Rebuild the state of newly assigned partitions; called between fetches until true.

        While it answers false these partitions bring no records. Blocks for about a second.

        Raises:
            RetriableError: not now; called again later.
        """

    def choose(self, records: RecordBatch) -> npt.NDArray[np.intp] | None:
        """Which rows to process now, ``None`` for all; the others are fetched again."""

    def process(self, records: RecordBatch) -> Sequence[OutputBatch]:
        """Turn each record into exactly one outcome, and return all of them.

        Raises:
            RetriableError: the world is in the way; the batch will come again.
            DataError: stop; the batch stays uncommitted.
            FatalError: stop.
        """

    def redirect(
        self, records: RecordBatch, outputs: OutputBatch, refused: npt.NDArray[np.intp]
    ) -> OutputBatch:
        """Dead letters for the ``refused`` records of ``outputs``, small enough to be accepted."""

    def is_full(self) -> bool:
        """Whether what was processed since the last commit should be committed now."""

    def quiet(self, next_offsets: Mapping[int, int]) -> Collection[int]:
        """Nothing is left to fetch of these partitions, and no unit is open.

        Returns:
            Those of which the processor has something to tell: a unit without records begins, or
            is rolled back, with their next offsets, and :meth:`conclude` adds to it.
        """

    def conclude(self) -> Sequence[OutputBatch]:
        """What else belongs to the unit: called once, right before each commit.

        Rows of it are outcomes of no record, and none may be larger than its topic accepts.
        """

    def committed(self) -> None:
        """All that was processed since the last call of this or ``rolled_back`` is committed."""

    def rolled_back(self) -> bool:
        """All that was processed since then is undone: throw away what it changed.

        Returns:
            Whether the state of all partitions must be restored before more records come.
        """

    def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions have gone; forget their state."""

    def metadata(self, partition: int) -> str:
        """What to keep beside the partition's committed offset; may be empty."""
