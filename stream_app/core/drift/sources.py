"""Where the scorer's numbers lie: tensors as they are, and which column is which number of a row.

Decides which columns are read from a tensor directly, and which have to be computed first. What a
column's value is, is decided in ``watch.py``, by which references are made. Refuses to know what is
done with values.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import EventBatch, Int64Array, Tensor, UInt8Array
from stream_app.core.drift.bins import Binner
from stream_app.core.drift.reference import ALL_ELEMENTS, Column, Derived, Role
from stream_app.core.drift.watch import of_row

NUMBERS: Final = (np.float32, np.float64, np.int64)
"""Types of tensors that are read as they are; others are converted."""

_TEXT = "OUST"
"""Kinds of numpy's types."""


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor, and the columns that are read from it.

    Attributes:
        tensor: One of ``NUMBERS``, shape ``(k, w)``, row by row in memory.
        kinds: uint8, shape ``(k, features)``, likewise.
        which: int64, shape ``(c, 3)``: see ``kernels.find_cells``.
    """

    tensor: Tensor
    kinds: UInt8Array
    which: Int64Array


class SourceReader:
    """Finds the columns of one reference in batches."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self._binner = Binner(columns)
        self._direct: dict[tuple[Role, str], list[int]] = defaultdict(list)
        self._computed: list[int] = []
        for index, column in enumerate(self._columns):
            origin = column.origin
            if origin.derived is not Derived.NONE or origin.element == ALL_ELEMENTS:
                self._computed.append(index)
            else:
                self._direct[origin.role, origin.tensor].append(index)

    def read(
        self, events: EventBatch, rows: npt.NDArray[np.intp], outputs: Mapping[str, Tensor]
    ) -> list[Source]:
        """The columns of the given rows; each in one source.

        Args:
            events: Hold the inputs.
            rows: Of the events; those that were scored.
            outputs: Of these rows, in their order.
        """
        every = len(rows) == len(events)
        kinds = np.ascontiguousarray(events.kinds if every else events.kinds[rows])

        def flat(role: Role, name: str) -> Tensor:
            tensor = outputs[name] if role is Role.OUTPUT else events.tensors[name]
            if role is Role.INPUT and not every:
                tensor = tensor[rows]
            return tensor.reshape(len(rows), -1)

        found, computed = [], list(self._computed)
        for (role, name), columns in self._direct.items():
            tensor = flat(role, name)
            if tensor.dtype.kind in _TEXT:
                computed += columns
                continue
            if tensor.dtype not in NUMBERS:
                tensor = tensor.astype(np.float64)
            found.append(Source(np.ascontiguousarray(tensor), kinds, self._which(columns)))
        if computed:
            numbers = np.empty((len(rows), len(computed)))
            for place, index in enumerate(computed):
                origin = self._columns[index].origin
                values = of_row(flat(origin.role, origin.tensor), origin)
                is_text = values.dtype.kind in _TEXT
                numbers[:, place] = self._binner.of_texts(index, values) if is_text else values
            found.append(Source(numbers, kinds, self._which(computed, range(len(computed)))))
        return found

    def _which(self, columns: Sequence[int], elements: Iterable[int] | None = None) -> Int64Array:
        origins = [self._columns[index].origin for index in columns]
        places = elements or [origin.element for origin in origins]
        features = [origin.feature for origin in origins]
        return np.array([columns, list(places), features], dtype=np.int64).T.copy()
