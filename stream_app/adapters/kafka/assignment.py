"""Which partitions are ours, and the listener who is told of each change.

Decides what a change means for rows that were fetched before it, and that an exception of the
listener waits: the client would apply the change anyway and, from some callbacks, lose it.
"""

from collections.abc import Callable, Collection, Iterable

import numpy as np

from stream_app.core.columns import BoolArray, Int32Array
from stream_app.ports import RebalanceListener


class Assignment:
    """Of one member, through all its clients; on the loop's thread.

    Args:
        forget: Told of partitions that are ours no more.
    """

    def __init__(self, forget: Callable[[Collection[int]], None]) -> None:
        self._forget = forget
        self._stored: Exception | None = None
        self._changed: set[int] = set()
        self.listener: RebalanceListener | None = None
        self.ours: frozenset[int] = frozenset()

    def watch(self) -> None:
        """From now on :attr:`unchanged` counts."""
        self._changed.clear()

    @property
    def unchanged(self) -> frozenset[int]:
        """What was ours at the last :meth:`watch`, and all the time since."""
        return self.ours - self._changed

    def are_ours(self, partition: Int32Array) -> BoolArray:
        """Of each row, by its partition."""
        table = np.zeros(max(self.ours, default=-1) + 2, dtype=np.bool_)
        table[list(self.ours)] = True
        # What is beyond the table meets its last cell, which is nobody's.
        return table.take(partition, mode="clip")

    def came(self, numbers: Collection[int]) -> None:
        """These are ours."""
        self.ours |= set(numbers)
        self._changed.update(numbers)
        self._tell("assigned", numbers)

    def go(self, event: str, numbers: Collection[int]) -> None:
        """These are ours no more; the listener hears of those that were, and before they go.

        Args:
            event: ``revoked`` or ``lost``.
            numbers: Of partitions.
        """
        self._tell(event, [number for number in numbers if number in self.ours])
        self.ours -= set(numbers)
        self._changed.update(numbers)
        self._forget(numbers)

    def lose_all(self) -> None:
        """The client is over, and told nobody that what is still ours went with it."""
        if self.ours:
            self.go("lost", sorted(self.ours))

    def raise_stored(self) -> None:
        """Raise what the listener raised, once."""
        stored, self._stored = self._stored, None
        if stored is not None:
            raise stored

    def _tell(self, event: str, numbers: Iterable[int]) -> None:
        try:
            getattr(self.listener, event)(list(numbers))
        except Exception as exc:  # noqa: BLE001  # raised again by fetch, renew or close
            self._stored = self._stored or exc
