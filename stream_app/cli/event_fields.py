"""Which field of an event gives its record's key, timestamp and partition.

Decides what is allowed as such a field and how its value is written; sees one event at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream_app.core.avro.schema import NULL, Primitive, Record, Schema, Union
from stream_app.core.columns import NO_TIMESTAMP
from stream_app.errors import UsageError

_MILLIS = {
    "timestamp-millis": 1,
    "local-timestamp-millis": 1,
    "timestamp-micros": 1_000,
    "local-timestamp-micros": 1_000,
    "timestamp-nanos": 1_000_000,
    "local-timestamp-nanos": 1_000_000,
}
"""Ticks of each logical type in a millisecond."""


def require_field(record: Record, name: str | None, option: str) -> str | None:
    """Check that the schema has the field that an option names.

    Raises:
        UsageError: it has not.
    """
    names = [field.name for field in record.fields]
    if name is not None and name not in names:
        raise UsageError(
            f"{option} {name}: {record.name} has no such field; it has {', '.join(names)}"
        )
    return name


def default_time_field(record: Record) -> str | None:
    """The field of type timestamp-millis, if there is exactly one."""
    found = [f.name for f in record.fields if _logical_name(f.schema) == "timestamp-millis"]
    return found[0] if len(found) == 1 else None


def timestamp_ms(record: Record, name: str | None) -> Callable[[Mapping[str, object]], int]:
    """What reads an event's time, in milliseconds; ``NO_TIMESTAMP`` where it is null.

    Raises:
        UsageError: the field is no timestamp.
    """
    if name is None:
        return lambda _: NO_TIMESTAMP
    logical = next(_logical_name(f.schema) for f in record.fields if f.name == name)
    if logical not in _MILLIS:
        raise UsageError(
            f"--time-field {name}: expected a timestamp (such as long with logicalType "
            f"timestamp-millis), found {logical or 'no logical type'}"
        )
    ticks = _MILLIS[logical]

    def read(event: Mapping[str, object]) -> int:
        value = event.get(name)
        return value // ticks if isinstance(value, int) else NO_TIMESTAMP

    return read


def key_bytes(value: object) -> bytes | None:
    """A field's value as a record's key: text as UTF-8, bytes as they are, numbers in decimal.

    Raises:
        UsageError: a value of another kind.
    """
    match value:
        case None:
            return None
        case bytes():
            return value
        case bool() | int() | str():
            return str(value).encode()
        case _:
            raise UsageError(
                f"--key-field: a {type(value).__name__} cannot be a key; choose a field of type "
                "string, bytes, int, long or enum"
            )


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How ``--partition-by`` spreads records: ``fixed`` is a partition, -1 is by key."""

    round_robin: bool = False
    fixed: int = -1

    def chooser(self, partitions: int) -> Callable[[int], int]:
        """The partition of the n-th record, from 0; -1 leaves it to the key.

        Raises:
            UsageError: the topic has no such partition.
        """
        if self.fixed >= partitions:
            raise UsageError(
                f"--partition-by {self.fixed}: the topic has the partitions 0 to {partitions - 1}"
            )
        if self.round_robin:
            return lambda number: number % partitions
        return lambda _: self.fixed


def parse_partitioning(text: str) -> Partitioning:
    """Read ``--partition-by``.

    Raises:
        UsageError: it is neither of the words nor a number.
    """
    if text == "key":
        return Partitioning()
    if text == "round-robin":
        return Partitioning(round_robin=True)
    if text.isascii() and text.isdigit():
        return Partitioning(fixed=int(text))
    raise UsageError(
        f"--partition-by {text!r}: expected key, round-robin, or the number of a partition"
    )


def _logical_name(schema: Schema) -> str:
    if isinstance(schema, Union):
        others = [branch for branch in schema.branches if branch != NULL]
        schema = others[0] if len(others) == 1 else NULL
    return schema.logical.name if isinstance(schema, Primitive) and schema.logical else ""
