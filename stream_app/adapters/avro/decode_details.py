"""What was wrong with a row that the kernel refused, in words.

Decides nothing: the sentences are those of the reference decoder's parts, which are the authority.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.core.avro.cells import describe_fault
from stream_app.core.avro.framing import (
    CONFLUENT_BYTES,
    CONFLUENT_MAGIC,
    SINGLE_OBJECT_BYTES,
    SINGLE_OBJECT_MAGIC,
)
from stream_app.core.avro.identity import describe_id_fault, describe_time_fault
from stream_app.core.avro.layout import ProgramTable
from stream_app.core.avro.memory import Decoded
from stream_app.core.avro.opcodes import Reason
from stream_app.core.avro.plan import Plan
from stream_app.core.faults import Fault
from stream_app.settings import Framing

_OF_BYTES: Final = {
    Reason.CUT: "the value ends before it",
    Reason.OVER_32_BITS: "an integer of more than 32 bits",
    Reason.OVER_64_BITS: "an integer of more than 64 bits",
    Reason.NO_BOOLEAN: "a boolean that is neither 0 nor 1",
    Reason.NEGATIVE_LENGTH: "a negative length",
    Reason.LENGTH_BEYOND: "a length beyond the end of the value",
    Reason.NO_UTF8: "a string that is not UTF-8",
    Reason.NO_SYMBOL: "an index outside the {size} symbols",
    Reason.NO_BRANCH: "an index outside the {size} branches",
    Reason.NEGATIVE_BLOCK: "a block of a negative size",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a value was held against."""

    framing: Framing
    max_value_bytes: int


def detail(
    out: Decoded, row: int, table: ProgramTable, plans: Sequence[Plan], limits: Limits
) -> str:
    """Where and what, without a value from the payload."""
    number, place, first, second = out.about[row].tolist()
    reason, fault = Reason(number), Fault.of(int(out.fault[row]))
    match reason:
        case Reason.TOMBSTONE:
            return "the value is null"
        case Reason.TOO_LARGE:
            return f"{first} bytes; input.max_value_bytes allows {limits.max_value_bytes}"
        case Reason.TOO_SHORT:
            return _too_short(limits.framing, first)
        case Reason.BAD_MAGIC:
            return _bad_magic(limits.framing, first, second)
        case Reason.TRAILING:
            return f"{first} bytes after the {second} of the value"
    if reason in _OF_BYTES:
        where = table.place(place)
        what = _OF_BYTES[reason].format(size=table.size(place))
        return f"field {where!r}: {what}" if where else what
    plan = plans[int(out.program[row])]
    if reason is Reason.ID:
        return describe_id_fault(plan.id, fault)
    if plan.time is not None and reason is Reason.TIME:
        return describe_time_fault(plan.time, fault)
    return describe_fault(plan.columns[place], fault)


def _too_short(framing: Framing, size: int) -> str:
    expected = SINGLE_OBJECT_BYTES if framing is Framing.SINGLE_OBJECT else CONFLUENT_BYTES
    return f"expected {expected} bytes of framing and a value, found {size} bytes in all"


def _bad_magic(framing: Framing, first: int, second: int) -> str:
    if framing is Framing.SINGLE_OBJECT:
        found = bytes([first, second]).hex(" ")
        return f"expected the first bytes {SINGLE_OBJECT_MAGIC.hex(' ')}, found {found}"
    return f"expected the first byte {CONFLUENT_MAGIC:#04x}, found {first:#04x}"
