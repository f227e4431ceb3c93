"""The places of an event as a flat list, for a person, or a draft, to choose from.

Decides which places could mean something: leaves of nested records, but nothing inside maps and
arrays of records, of which there is no fixed number. Refuses to judge whether a contract can read
them (``avro/resolve.py``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stream_app.core.avro.schema import (
    NULL,
    Array,
    Enum,
    Fixed,
    Logical,
    Primitive,
    PrimitiveType,
    Record,
    Schema,
    Union,
)

_NUMBERS = frozenset(
    {
        PrimitiveType.BOOLEAN,
        PrimitiveType.INT,
        PrimitiveType.LONG,
        PrimitiveType.FLOAT,
        PrimitiveType.DOUBLE,
    }
)


@dataclass(frozen=True, slots=True)
class EventField:
    """A place in an event.

    Attributes:
        path: Dotted.
        schema: Its type, without null.
        nullable: Whether it, or a record around it, may be null.
    """

    path: str
    schema: Primitive | Fixed | Enum | Array
    nullable: bool

    @property
    def logical(self) -> Logical | None:
        """Its logical type."""
        return self.schema.logical if isinstance(self.schema, Primitive | Fixed) else None

    @property
    def is_number(self) -> bool:
        """Whether its values are quantities or flags; dates and times are none."""
        return _is_number(self.schema)

    @property
    def is_numbers(self) -> bool:
        """Whether it is an array of numbers."""
        return isinstance(self.schema, Array) and _is_number(self.schema.items)

    @property
    def is_text(self) -> bool:
        """Whether its values are strings that are not listed in the schema."""
        return isinstance(self.schema, Primitive) and self.schema.type is PrimitiveType.STRING

    @property
    def is_bytes(self) -> bool:
        """Whether its values are bytes that could be a tensor."""
        if self.logical is not None:
            return False
        return isinstance(self.schema, Fixed) or (
            isinstance(self.schema, Primitive) and self.schema.type is PrimitiveType.BYTES
        )

    @property
    def is_timestamp(self) -> bool:
        """Whether its values are points in time."""
        return self.logical is not None and self.logical.name.startswith("timestamp-")

    @property
    def symbols(self) -> tuple[str, ...] | None:
        """An enum's."""
        return self.schema.symbols if isinstance(self.schema, Enum) else None

    @property
    def words(self) -> str:
        """The path in lower case, with words parted by ``_`` (``orderId`` as ``order_id``)."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.path).lower()


def event_fields(record: Record) -> list[EventField]:
    """All places of an event, in the schema's order."""
    return list(_walk(record, "", nullable=False))


def _walk(record: Record, prefix: str, *, nullable: bool) -> Iterator[EventField]:
    for field in record.fields:
        path = f"{prefix}{field.name}"
        schema, can_be_null = _without_null(field.schema)
        match schema:
            case Record():
                yield from _walk(schema, f"{path}.", nullable=nullable or can_be_null)
            case Primitive() | Fixed() | Enum() | Array() if schema != NULL:
                yield EventField(path, schema, nullable or can_be_null)


def _without_null(schema: Schema) -> tuple[Schema, bool]:
    """The one branch beside null; a union of several others stays one, and is listed nowhere."""
    if not isinstance(schema, Union):
        return schema, False
    rest = [branch for branch in schema.branches if branch != NULL]
    return (rest[0] if len(rest) == 1 else schema), len(rest) < len(schema.branches)


def _is_number(schema: Schema) -> bool:
    return isinstance(schema, Primitive) and schema.type in _NUMBERS and schema.logical is None
