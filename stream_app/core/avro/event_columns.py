"""An event batch while it is being filled: by row for faults, by column for everything else.

Decides the precedence of faults (the first one given stays: bytes before id, id before time,
time before features, features in the contract's order) and what a row without an outcome of
decoding holds. Refuses to know how values were read.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_app.core.avro.cells import describe_fault, fill
from stream_app.core.avro.framing import SchemaKey, key_name
from stream_app.core.avro.identity import event_ids, event_times, follow
from stream_app.core.avro.plan import Column, Plan
from stream_app.core.columns import NO_TIMESTAMP, BytesColumn, EventBatch
from stream_app.core.contract import Contract, DType
from stream_app.core.faults import Fault

Rows = npt.NDArray[np.intp]

_FAULTS = {int(fault): fault for fault in Fault}


class EventColumns:
    """The columns of ``length`` rows."""

    def __init__(self, contract: Contract, length: int) -> None:
        self._contract = contract
        # One row of elements after another, whatever the input's shape; reshaped at the end.
        self._tensors = [
            np.full((length, tensor.width), "", dtype=object)
            if tensor.dtype is DType.STRING
            else np.zeros((length, tensor.width), dtype=tensor.dtype.numpy)
            for tensor in contract.inputs
        ]
        self._kinds = np.zeros((length, len(contract.features)), dtype=np.uint8)
        self._times = np.full(length, NO_TIMESTAMP, dtype=np.int64)
        self._ids: list[bytes | None] = [None] * length
        self._schema = np.full(length, -1, dtype=np.int32)
        self._schema_index: dict[SchemaKey, int] = {}
        self._fault = np.zeros(length, dtype=np.uint16)
        self._detail: dict[int, str] = {}

    def blame(self, row: int, fault: Fault, detail: str) -> None:
        """Give the row this fault, unless it has one."""
        if self._fault[row] == 0:
            self._fault[row] = fault
            self._detail[row] = detail

    def name_schema(self, row: int, key: SchemaKey) -> None:
        """Note which writer schema the row names."""
        self._schema[row] = self._schema_index.setdefault(key, len(self._schema_index))

    def place(self, plan: Plan, rows: Sequence[int], events: Sequence[object]) -> None:
        """Fill rows from events that were read by ``plan``.

        Args:
            plan: Of the rows' writer schema.
            rows: Where each event belongs.
            events: Python values without logical types.
        """
        where: Rows = np.array(rows, dtype=np.intp)
        ids, faults = event_ids(plan.id, follow(plan.id.path, events))
        self._blame_all(rows, faults)
        for row, event_id in zip(rows, ids, strict=True):
            self._ids[row] = event_id
        if plan.time is not None:
            times, faults = event_times(plan.time, follow(plan.time.path, events))
            self._blame_all(rows, faults)
            self._times[where] = times
        columns = iter(enumerate(plan.columns))
        for tensor, declared in zip(self._tensors, self._contract.inputs, strict=True):
            start = 0
            for _ in declared.features:
                index, column = next(columns)
                end = start + column.feature.width
                self._place_column(index, column, where, events, tensor[:, start:end])
                start = end

    def finish(self) -> EventBatch:
        """The batch; nothing may be placed after this."""
        return EventBatch(
            tensors={
                declared.name: tensor.reshape(len(tensor), *declared.shape)
                for declared, tensor in zip(self._contract.inputs, self._tensors, strict=True)
            },
            kinds=self._kinds,
            event_time_ms=self._times,
            ids=BytesColumn.of(self._ids),
            schema=self._schema,
            schema_names=[key_name(key) for key in self._schema_index],
            fault=self._fault,
            fault_detail=self._detail,
        )

    def _place_column(
        self,
        index: int,
        column: Column,
        where: Rows,
        events: Sequence[object],
        into: npt.NDArray[np.generic],
    ) -> None:
        values = [None] * len(events) if column.path is None else follow(column.path, events)
        cells = fill(column, values)
        into[where] = cells.data
        self._kinds[where, index] = cells.kinds
        for position in np.flatnonzero(cells.fault).tolist():
            fault = _FAULTS[int(cells.fault[position])]
            self.blame(int(where[position]), fault, describe_fault(column, fault))

    def _blame_all(self, rows: Sequence[int], faults: dict[int, tuple[Fault, str]]) -> None:
        for position, (fault, detail) in faults.items():
            self.blame(rows[position], fault, detail)
