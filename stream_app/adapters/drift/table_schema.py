"""Tables as events: which Avro schema the columns of a CSV or Parquet file stand for.

Decides by the contract alone, which knows what the model wants: a column becomes the widest type
that its feature can be read from. So the rows of a table go through the very decoder that live
events go through. Refuses to know files.
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from stream_app.adapters.avro.scalar_values import ValueMisfitError
from stream_app.adapters.avro.schema_file import EventSchema, event_schema
from stream_app.core.contract import Contract, DType, Encoding, Feature

Converter = Callable[[Any], Any]

_NAMELESS = "Row"
_WORDS = {"true": 1, "yes": 1, "false": 0, "no": 0}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = {DType.INT64, DType.UINT8}


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A field: its dotted path, its Avro type, and what makes its value of a cell."""

    path: str
    avro: Any
    convert: Converter


class TableSchema:
    """Makes events of rows.

    Attributes:
        schema: Of the events.
        has_time: Whether the table has the contract's time; else the field is filled, and means
            nothing.
    """

    def __init__(self, contract: Contract, columns: Collection[str]) -> None:
        """Find the contract's fields among the columns.

        Args:
            contract: Its features, or their aliases, are looked for.
            columns: Names; of nested ones the dotted path.
        """
        self._leaves = list(_leaves(contract, columns))
        self._id_field = None if contract.id_field in columns else contract.id_field
        self.has_time = contract.time_field is None or contract.time_field in columns
        self._time_field = None if self.has_time else contract.time_field
        name = contract.record_names[0] if contract.record_names else _NAMELESS
        document = _record(name, [(leaf.path.split("."), leaf.avro) for leaf in self._leaves])
        self.schema: EventSchema = event_schema(json.dumps(document), "columns")

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        filled = {self._id_field, self._time_field}
        return [leaf.path for leaf in self._leaves if leaf.path not in filled]

    def event(self, row: Mapping[str, Any], number: int) -> dict[str, Any]:
        """The event in a row.

        Args:
            row: Cells by column.
            number: The row's, from 1; its id where the table has none.

        Raises:
            ValueMisfitError: a cell is not what its feature needs; names the column.
        """
        event: dict[str, Any] = {}
        for leaf in self._leaves:
            if leaf.path == self._id_field:
                value: Any = str(number)
            elif leaf.path == self._time_field:
                value = 0
            else:
                try:
                    value = leaf.convert(row[leaf.path])
                except ValueMisfitError as exc:
                    raise ValueMisfitError(f"column {leaf.path!r}: {exc}") from exc
            *above, name = leaf.path.split(".")
            inner = event
            for step in above:
                inner = inner.setdefault(step, {})
            inner[name] = value
        return event


def _leaves(contract: Contract, columns: Collection[str]) -> Iterator[_Leaf]:
    taken: set[str] = set()
    for tensor in contract.inputs:
        for feature in tensor.features:
            paths = (feature.field, *feature.aliases)
            path = next((path for path in paths if path in columns), None)
            if path is not None and path not in taken:
                taken.add(path)
                avro, convert = _reading(feature, tensor.dtype)
                yield _Leaf(path, ["null", avro], _or_null(convert, feature))
    if contract.id_field not in taken:
        yield _Leaf(contract.id_field, ["null", "string"], _or_null(_text))
    if contract.time_field is not None and contract.time_field not in taken:
        time = {"type": "long", "logicalType": "timestamp-millis"}
        yield _Leaf(contract.time_field, ["null", time], _or_null(_time_ms))


def _reading(feature: Feature, dtype: DType) -> tuple[Any, Converter]:
    if feature.encoding is Encoding.RAW:
        return "bytes", _bytes
    avro, convert = _scalar(feature, dtype)
    if feature.shape:
        return {"type": "array", "items": avro}, _flat(convert)
    return avro, convert


def _scalar(feature: Feature, dtype: DType) -> tuple[str, Converter]:
    if feature.categories is not None or dtype is DType.STRING:
        return "string", _text
    if dtype is DType.BOOL:
        return "boolean", _boolean
    return ("long", _whole) if dtype in _WHOLE else ("double", _number)


def _record(name: str, fields: list[tuple[list[str], Any]]) -> dict[str, Any]:
    """A record of fields that may lie in records; an inner one is named after its place."""
    inner: dict[str, list[tuple[list[str], Any]]] = {}
    listed: list[dict[str, Any]] = []
    for path, avro in fields:
        if len(path) == 1:
            listed.append({"name": path[0], "type": avro})
        else:
            inner.setdefault(path[0], []).append((path[1:], avro))
    for field, below in inner.items():
        listed.append({"name": field, "type": _record(f"{name}_{field}", below)})
    return {"type": "record", "name": name, "fields": listed}


def _or_null(convert: Converter, feature: Feature | None = None) -> Converter:
    keeps_empty = feature is not None and "" in (feature.categories or ())

    def make(cell: Any) -> Any:
        if cell is None or (cell == "" and not keeps_empty):
            return None
        return convert(cell)

    return make


def _number(cell: Any) -> float:
    if isinstance(cell, str):
        word = _WORDS.get(cell.strip().lower())
        if word is not None:
            return float(word)
    elif not isinstance(cell, bool | int | float | Decimal):
        raise ValueMisfitError("expected a number")
    try:
        return float(cell)
    except (ValueError, OverflowError) as exc:
        raise ValueMisfitError("expected a number") from exc


def _whole(cell: Any) -> int:
    if isinstance(cell, int) or (isinstance(cell, str) and _is_digits(cell)):
        number = int(cell)
    else:
        # Tables with gaps keep integers as 3.0.
        near = _number(cell)
        if not near.is_integer():
            raise ValueMisfitError("expected a whole number")
        number = int(near)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueMisfitError("expected a whole number of 64 bits, found a greater one")
    return number


def _is_digits(cell: str) -> bool:
    return cell.strip().lstrip("+-").isdecimal()


def _boolean(cell: Any) -> bool:
    number = _number(cell)
    if number not in {0.0, 1.0}:
        raise ValueMisfitError("expected true, false, 1 or 0")
    return number == 1.0


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool | int | float | Decimal):
        return str(cell)
    raise ValueMisfitError("expected text")


def _time_ms(cell: Any) -> int:
    if isinstance(cell, str) and _is_digits(cell):
        return int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell.strip())
        except ValueError as exc:
            raise ValueMisfitError(
                "expected a time such as 2024-05-01T12:00:00Z, or milliseconds since 1970"
            ) from exc
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    if not isinstance(cell, datetime):
        raise ValueMisfitError("expected a time")
    since = (cell if cell.tzinfo else cell.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def _bytes(cell: Any) -> bytes:
    if isinstance(cell, bytes):
        return cell
    try:
        return base64.b64decode(cell, validate=True)
    except (binascii.Error, ValueError, TypeError) as exc:
        raise ValueMisfitError("expected bytes, as base64 where the file has text") from exc


def _flat(convert: Converter) -> Converter:
    """An array of any depth as the flat one that the contract takes as well."""

    def elements(value: Any) -> Iterator[Any]:
        for each in value:
            if isinstance(each, list | tuple):
                yield from elements(each)
            elif each is None:
                raise ValueMisfitError("expected no null inside of an array")
            else:
                yield convert(each)

    def make(cell: Any) -> list[Any]:
        if isinstance(cell, str):
            try:
                cell = json.loads(cell)
            except ValueError as exc:
                raise ValueMisfitError("expected an array, such as [1.5, 2]") from exc
        if not isinstance(cell, list | tuple):
            raise ValueMisfitError("expected an array")
        return list(elements(cell))

    return make
