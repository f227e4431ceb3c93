"""From a prediction schema to a program for ``kernels/encode.py``, once for each kind of outputs.

Decides which model outputs the kernel can write, and as what: the choices are those of
``outgoing.py``. Refuses to write a byte but constants, which it has written once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from stream_app.core.avro.outgoing import preferred
from stream_app.core.avro.schema import Array, PrimitiveType, Record, Schema, Union
from stream_app.core.contract import OutputBinding

OP_WIDTH: Final = 8
"""Numbers in an instruction: ``[op, a, b, field, first, first branch, second, second branch]``."""

NO_BRANCH: Final = -1
"""The field is no union."""

NO_CHOICE: Final = -1


class Put(IntEnum):
    """What to write; ``kinds`` are ``Kind``, each with the branch of a union before it."""

    CONSTANT = 0
    """``b`` bytes from ``a`` on."""
    EVENT_ID = 1
    EVENT_TIME = 2
    """As the second branch of a union, or null as the first."""
    TOPIC = 3
    PARTITION = 4
    OFFSET = 5
    REAL = 6
    """Column ``a`` of the reals, as the first kind that has room for it."""
    WHOLE = 7
    """Column ``a`` of the integers, likewise."""
    REALS = 8
    """``b`` columns from ``a`` on, as an array."""
    WHOLES = 9
    ARRAY = 10
    """The branch of an array in a union."""


class Kind(IntEnum):
    """Avro's types that numbers are written as."""

    BOOLEAN = 0
    INT = 1
    LONG = 2
    FLOAT = 3
    DOUBLE = 4


_KINDS: Final = {
    PrimitiveType.BOOLEAN: Kind.BOOLEAN,
    PrimitiveType.INT: Kind.INT,
    PrimitiveType.LONG: Kind.LONG,
    PrimitiveType.FLOAT: Kind.FLOAT,
    PrimitiveType.DOUBLE: Kind.DOUBLE,
}


class CannotCompileError(Exception):
    """The kernel cannot write such outputs, or none of them fits; says which field."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A model output on its way into a field.

    Attributes:
        binding: As in the contract.
        type: Python's type of an element: bool, int or float.
        first: Its first column among all outputs of integers, or of reals.
        width: Elements in a row.
    """

    binding: OutputBinding
    type: type
    first: int
    width: int


@dataclass(slots=True)
class EncodeProgram:
    """Instructions to write one prediction.

    Attributes:
        ops: As ``OP_WIDTH`` says.
        constants: Of all fields that are the same in each prediction.
        row_bytes: What a prediction takes at most, ids and topic left out.
    """

    ops: list[list[int]] = field(default_factory=list)
    constants: bytearray = field(default_factory=bytearray)
    row_bytes: int = 0


_LINEAGE: Final = {
    "event_id": (Put.EVENT_ID, 5),
    "event_time": (Put.EVENT_TIME, 11),
    "source_topic": (Put.TOPIC, 0),
    "source_partition": (Put.PARTITION, 5),
    "source_offset": (Put.OFFSET, 10),
}
"""What is written from the batch, and how many bytes that may be."""

_VARINT_BYTES: Final = 10


def compile_encoding(
    record: Record, prefix: bytes, constants: dict[str, bytes], bound: Sequence[Bound]
) -> EncodeProgram:
    """The program that writes ``record``.

    Args:
        record: The prediction schema.
        prefix: Before every value.
        constants: By field, its bytes; all fields that are neither bound nor lineage of a row.
        bound: The contract's outputs.

    Raises:
        CannotCompileError: the reference encoder must do it.
    """
    out = EncodeProgram()
    by_field = {each.binding.field: each for each in bound}
    _constant(out, prefix)
    for number, own in enumerate(record.fields):
        if own.name in by_field:
            _output(out, number, own.name, own.schema, by_field[own.name])
        elif own.name in _LINEAGE:
            put, size = _LINEAGE[own.name]
            _emit(out, put, size=size)
        else:
            _constant(out, constants[own.name])
    return out


def _emit(out: EncodeProgram, put: Put, *numbers: int, size: int) -> None:
    row = [int(put), *numbers]
    out.ops.append(row + [0] * (OP_WIDTH - len(row)))
    out.row_bytes += size


def _constant(out: EncodeProgram, content: bytes) -> None:
    begin = len(out.constants)
    out.constants += content
    last = out.ops[-1] if out.ops else None
    if last is not None and last[0] == Put.CONSTANT:
        last[2] += len(content)
        out.row_bytes += len(content)
    else:
        _emit(out, Put.CONSTANT, begin, len(content), size=len(content))


def _output(out: EncodeProgram, number: int, name: str, schema: Schema, bound: Bound) -> None:
    branches = schema.branches if isinstance(schema, Union) else (schema,)
    arrays = [(i, branch) for i, branch in enumerate(branches) if isinstance(branch, Array)]
    column = bound.binding.column
    is_real = bound.type is float
    if arrays and column is None:
        branch, array = arrays[0]
        if isinstance(schema, Union):
            _emit(out, Put.ARRAY, branch, size=_VARINT_BYTES)
        put = Put.REALS if is_real else Put.WHOLES
        chosen = _choices(name, array.items, bound.type)
        size = 2 * _VARINT_BYTES + 2 * _VARINT_BYTES * bound.width
        _emit(out, put, bound.first, bound.width, number, *chosen, size=size)
        return
    if column is None and bound.width != 1:
        raise CannotCompileError(f"field {name!r}: {bound.width} elements")
    if column is not None and column >= bound.width:
        raise CannotCompileError(f"field {name!r}: no column {column}")
    put = Put.REAL if is_real else Put.WHOLE
    chosen = _choices(name, schema, bound.type)
    _emit(out, put, bound.first + (column or 0), 1, number, *chosen, size=2 * _VARINT_BYTES)


def _choices(name: str, schema: Schema, of: type) -> list[int]:
    """The first two kinds to try, each with its branch: a third would never be needed."""
    found: list[int] = []
    for kind, branch in preferred(schema, of)[:2]:
        found += [_KINDS[kind], NO_BRANCH if branch is None else branch]
    if not found:
        raise CannotCompileError(f"field {name!r}: nothing to write a {of.__name__} as")
    return found if len(found) == 4 else [*found, NO_CHOICE, NO_BRANCH]
