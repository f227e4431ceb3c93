"""Scalars from text or JSON, made into values of an Avro type.

Decides what text means for each type: as people write it (``true``, ``2024-05-01T12:00:00Z``,
``3.0`` for an integer); bytes are base64. A time without a zone is UTC. Never puts a value into
a message: it may be anybody's data.
"""

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from stream_app.core.avro.schema import Enum, Fixed, Logical, Primitive, PrimitiveType

Converter = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.date().toordinal()
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_PER_MICRO = {"millis": (1, 1_000), "micros": (1, 1), "nanos": (1_000, 1)}
"""A unit's ticks in a microsecond, as a fraction."""


class ValueMisfitError(ValueError):
    """A value does not fit its field; the message names the field and never the value."""


def scalar_converter(schema: Primitive | Enum | Fixed) -> Converter:
    """What makes a value of ``schema`` out of a string, or out of what JSON has for it.

    The converter raises :class:`ValueMisfitError`.
    """
    match schema:
        case Enum(symbols=symbols):
            return _enum(frozenset(symbols))
        case Fixed(logical=Logical(name="decimal") as logical):
            return _decimal(logical)
        case Fixed(size=size):
            return _fixed(size)
        case Primitive(logical=Logical() as logical):
            return _logical(logical) or _PRIMITIVES[schema.type]
        case _:
            return _PRIMITIVES[schema.type]


def _enum(symbols: frozenset[str]) -> Converter:
    def convert(value: Any) -> str:
        if not isinstance(value, str) or value not in symbols:
            raise ValueMisfitError("expected one of " + ", ".join(sorted(symbols)))
        return value

    return convert


def _fixed(size: int) -> Converter:
    def convert(value: Any) -> bytes:
        content = _bytes(value)
        if len(content) != size:
            raise ValueMisfitError(f"expected {size} bytes as base64, found {len(content)}")
        return content

    return convert


def _logical(logical: Logical) -> Converter | None:
    kind, _, unit = logical.name.rpartition("-")
    if kind in {"timestamp", "local-timestamp"} and unit in _PER_MICRO:
        return _timestamp(unit)
    if kind == "time" and unit in {"millis", "micros"}:
        return _time_of_day(unit)
    match logical.name:
        case "date":
            return _date
        case "uuid":
            return _uuid
        case "decimal":
            return _decimal(logical)
        case _:
            return None


def _timestamp(unit: str) -> Converter:
    ticks, micros_each = _PER_MICRO[unit]

    def convert(value: Any) -> int:
        number = _plain_integer(value)
        if number is None:
            moment = _iso(value, datetime.fromisoformat, "a time such as 2024-05-01T12:00:00Z")
            since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
            micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            number = micros * ticks // micros_each
        return _in_range(number, 64)

    return convert


def _date(value: Any) -> int:
    number = _plain_integer(value)
    if number is None:
        number = _iso(value, date.fromisoformat, "a date such as 2024-05-01").toordinal()
        number -= _EPOCH_DAY
    return _in_range(number, 32)


def _time_of_day(unit: str) -> Converter:
    ticks, micros_each = _PER_MICRO[unit]

    def convert(value: Any) -> int:
        number = _plain_integer(value)
        if number is None:
            moment = _iso(value, time.fromisoformat, "a time of day such as 12:30:00")
            seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
            number = (seconds * 1_000_000 + moment.microsecond) * ticks // micros_each
        return number

    return convert


def _iso(value: Any, parse: Callable[[str], Any], expected: str) -> Any:
    if not isinstance(value, str):
        raise ValueMisfitError(f"expected {expected}, or a whole number")
    try:
        return parse(value.strip())
    except ValueError as exc:
        raise ValueMisfitError(f"expected {expected}, or a whole number") from exc


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(_string(value)))
    except ValueError as exc:
        raise ValueMisfitError("expected a UUID") from exc


def _decimal(logical: Logical) -> Converter:
    precision, scale = logical.precision, logical.scale

    def convert(value: Any) -> Decimal:
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation as exc:
            raise ValueMisfitError("expected a decimal number") from exc
        if not number.is_finite() or round(number, scale) != number:
            raise ValueMisfitError(f"expected a number of at most {scale} decimal places")
        if number.adjusted() >= precision - scale and number != 0:
            raise ValueMisfitError(f"expected at most {precision} digits")
        return number

    return convert


def _plain_integer(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        return int(value)
    return None


def _integer(bits: int) -> Converter:
    def convert(value: Any) -> int:
        number = _plain_integer(value)
        if number is None:
            # Tables with gaps keep integers as 3.0.
            approximate = _number(value)
            if not isfinite(approximate) or approximate != int(approximate):
                raise ValueMisfitError("expected a whole number")
            number = int(approximate)
        return _in_range(number, bits)

    return convert


def _in_range(number: int, bits: int) -> int:
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ValueMisfitError(f"expected a whole number of {bits} bits, found a greater one")
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueMisfitError("expected a number")
    try:
        return float(value)
    except (ValueError, OverflowError) as exc:
        found = "an empty value" if value == "" else "something else"
        raise ValueMisfitError(f"expected a number, found {found}") from exc


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if word is None:
        raise ValueMisfitError("expected true or false")
    return word


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueMisfitError("expected a string")
    return value


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(_string(value), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueMisfitError("expected bytes as base64") from exc


def _null(value: Any) -> None:
    if value not in (None, ""):
        raise ValueMisfitError("expected null")


_PRIMITIVES: Mapping[PrimitiveType, Converter] = {
    PrimitiveType.NULL: _null,
    PrimitiveType.BOOLEAN: _boolean,
    PrimitiveType.INT: _integer(32),
    PrimitiveType.LONG: _integer(64),
    PrimitiveType.FLOAT: _number,
    PrimitiveType.DOUBLE: _number,
    PrimitiveType.BYTES: _bytes,
    PrimitiveType.STRING: _string,
}
