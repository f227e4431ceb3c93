"""An event, read once more: its id, its time and what the model must have been given for it.

Decides how the parts of an event are found in values of one writer schema. Refuses to score.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_app.verify.avro import EventReader
from stream_app.verify.codes import Place
from stream_app.verify.contract import Contract, Input, Path
from stream_app.verify.features import follow, locate, taker
from stream_app.verify.logical import UNITS_IN_MS, check_uuid, milliseconds
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import Type


@dataclass(frozen=True, slots=True)
class Event:
    """A good event.

    Attributes:
        id: As text.
        time_ms: ``None`` where the contract names no time.
        rows: Elements, by input of the contract.
    """

    id: str
    time_ms: int | None
    rows: tuple[list[Any], ...]


class EventPlan:
    """How events of one writer schema are read for one contract."""

    def __init__(self, contract: Contract, schema: Type) -> None:
        """Find every field.

        Raises:
            RefusedError: no event of this schema can be scored.
        """
        if schema.kind != "record":
            raise RefusedError("its schema is no record")
        if contract.records and schema.name not in contract.records:
            raise RefusedError("its record is none that the contract names")
        self._id = _id_of(schema, contract.id)
        self._time = None if contract.time is None else _time_of(schema, contract.time)
        self._inputs = [
            [taker(feature, tensor.dtype, schema) for feature in tensor.features]
            for tensor in contract.inputs
        ]
        self._reader = EventReader(schema)

    def read(self, value: bytes, start: int) -> Event:
        """The event in ``value``, whose framing ends at ``start``.

        Raises:
            RefusedError: it cannot be scored.
        """
        try:
            record = self._reader.read(value, start)
        except RefusedError as refused:
            refused.place = Place.BYTES
            raise
        return Event(
            id=self._id(record),
            time_ms=None if self._time is None else self._time(record),
            rows=tuple(
                [element for take in takers for element in take(record)] for takers in self._inputs
            ),
        )


def tensors(contract: Contract, events: Sequence[Event]) -> dict[str, npt.NDArray[np.generic]]:
    """The model's inputs for these events, by name."""
    return {
        tensor.name: _tensor(tensor, [event.rows[index] for event in events])
        for index, tensor in enumerate(contract.inputs)
    }


def _tensor(tensor: Input, rows: Sequence[list[Any]]) -> npt.NDArray[np.generic]:
    shape = (len(rows), *tensor.shape)
    if tensor.dtype == "string":
        return np.array(rows, dtype=object).reshape(shape)
    if tensor.dtype.startswith("float"):
        with np.errstate(over="ignore"):
            # An integer too becomes the nearest float64 before it is narrowed.
            return np.array(rows, dtype=np.float64).astype(tensor.dtype).reshape(shape)
    return np.array(rows, dtype=np.int64).astype(tensor.dtype).reshape(shape)


def _id_of(schema: Type, path: Path) -> Callable[[Any], str]:
    leaf = locate(schema, path)
    branches = leaf.branches if leaf is not None else ()
    if len(branches) != 1 or not _names(branches[0]):
        raise RefusedError("its schema has no field that can be the id")
    is_uuid = branches[0].logical == "uuid"

    def read(record: Any) -> str:
        value = follow(record, path)
        if isinstance(value, int):
            return str(value)
        if not isinstance(value, str | bytes) or not value:
            raise RefusedError("it has no id")
        if isinstance(value, bytes) and is_uuid:
            return str(uuid.UUID(bytes=value))
        try:
            text = value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError as exc:
            raise RefusedError("its id is not UTF-8") from exc
        if is_uuid:
            check_uuid(text)
        return text

    return read


def _names(branch: Type) -> bool:
    """Whether values of this type can be ids."""
    if branch.kind == "fixed":
        return branch.logical == "uuid" and branch.size == 16
    return branch.kind == "string" or (
        branch.kind in {"bytes", "int", "long"} and not branch.logical
    )


def _time_of(schema: Type, path: Path) -> Callable[[Any], int]:
    leaf = locate(schema, path)
    branches = leaf.branches if leaf is not None else ()
    if len(branches) != 1 or branches[0].kind != "long" or branches[0].logical not in UNITS_IN_MS:
        raise RefusedError("its schema has no field that can be the time")
    logical = branches[0].logical

    def read(record: Any) -> int:
        value = follow(record, path)
        if not isinstance(value, int):
            raise RefusedError("it has no time")
        return milliseconds(value, logical)

    return read
