"""Headers of a batch, side by side; a row's become Python objects when somebody asks for them.

Most are carried on and looked at by nobody: a record that is scored leaves them behind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from stream_app.core.columns import BytesColumn, Header, Int64Array


class HeaderColumns(Mapping[int, Sequence[Header]]):
    """By row, of those that have some.

    Args:
        ends: int64, shape ``(n + 1,)``: headers of row ``i`` are ``ends[i]`` to ``ends[i + 1]``.
        names: Of all headers; UTF-8, or not.
        values: Likewise; null where a header has none.
        unreadable: In the place of a row's headers when a name of them is not UTF-8.
    """

    def __init__(
        self, ends: Int64Array, names: BytesColumn, values: BytesColumn, unreadable: Header
    ) -> None:
        self._ends = ends
        self._names = names
        self._values = values
        self._unreadable = unreadable

    def __getitem__(self, row: int) -> tuple[Header, ...]:
        if row not in self:
            raise KeyError(row)
        own = range(int(self._ends[row]), int(self._ends[row + 1]))
        try:
            return tuple(((self._names[i] or b"").decode(), self._values[i]) for i in own)
        except UnicodeDecodeError:
            return (self._unreadable,)

    def __contains__(self, row: object) -> bool:
        if not isinstance(row, int) or not 0 <= row < len(self._ends) - 1:
            return False
        return bool(self._ends[row] < self._ends[row + 1])

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(np.diff(self._ends)).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(np.diff(self._ends)))

    def rows_with(self, name: str) -> list[int]:
        """Rows with a header of this name, found without looking at the others."""
        wanted = name.encode()
        alike = np.flatnonzero(np.diff(self._names.offsets) == len(wanted)).tolist()
        found = [index for index in alike if self._names[index] == wanted]
        return sorted(set((np.searchsorted(self._ends, found, side="right") - 1).tolist()))


def rows_with(headers: Mapping[int, Sequence[Header]], name: str) -> Iterable[int]:
    """Rows with a header of this name, however headers are kept."""
    if isinstance(headers, HeaderColumns):
        return headers.rows_with(name)
    return [row for row, own in headers.items() if any(each[0] == name for each in own)]
