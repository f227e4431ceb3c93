"""What a model must have been given for an event: elements, one by one, from a decoded value.

Decides what each place of an event becomes, as the contract's language says it, a value at a
time. Written apart from the scorer, which works by columns: the two must agree and share nothing.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

from stream_app.verify.contract import Feature, Path
from stream_app.verify.logical import check_calendar, check_uuid
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import Type

Take = Callable[[Any], list[Any]]
"""From a decoded event to the elements that a feature fills."""

_TOO_GREAT = float.fromhex("0x1.ffffffp+127")
"""From here on a number is infinite as float32: half a step above the greatest."""

_PYTHON = {
    "null": type(None),
    "boolean": bool,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "bytes": bytes,
    "fixed": bytes,
    "string": str,
    "enum": str,
    "record": dict,
    "map": dict,
    "array": list,
}
_FILLS = {
    "float32": {"boolean", "int", "long", "float", "double"},
    "float64": {"boolean", "int", "long", "float", "double"},
    "int64": {"boolean", "int", "long"},
    "uint8": {"boolean", "int", "long"},
    "bool": {"boolean"},
    "string": {"string", "enum", "bytes"},
}
_RAW = {"float32": "f", "float64": "d", "int64": "q", "uint8": "B", "bool": "B"}

NOWHERE = object()
"""What :func:`follow` finds where something else lies than a record on the way."""


def locate(schema: Type, path: Path) -> Type | None:
    """The type at the end of ``path``; ``None`` where the schema has no such field."""
    here = schema
    for name in path:
        records = [branch for branch in here.branches if branch.kind == "record"]
        if len(records) != 1 or any(branch.kind == "map" for branch in here.branches):
            return None
        below = (records[0].fields or {}).get(name)
        if below is None:
            return None
        here = below
    return here


def follow(event: Any, path: Path) -> Any:
    """What lies at the end of ``path``: ``None`` behind a null, ``NOWHERE`` behind others."""
    for name in path:
        if event is None:
            return None
        if not isinstance(event, dict):
            return NOWHERE
        event = event[name]
    return event


def taker(feature: Feature, dtype: str, schema: Type) -> Take:
    """What takes the elements of a feature out of an event of this schema.

    Raises:
        RefusedError: no event of the schema can fill it.
    """
    fill = _fill(feature, dtype)
    for path in feature.paths:
        leaf = locate(schema, path)
        if leaf is not None:
            return _present(feature, dtype, path, leaf, fill)
    if fill is None:
        raise RefusedError(f"field {feature.name!r} is not in its schema")
    filled = [fill] * feature.width
    return lambda _event: filled


def _present(feature: Feature, dtype: str, path: Path, leaf: Type, fill: Any) -> Take:
    if feature.is_raw:
        elements = _raw(feature, dtype, leaf)
    elif feature.shape:
        elements = _array(feature, dtype, leaf, fill)
    else:
        scalar = _scalar(feature, dtype, leaf, fill)

        def elements(value: Any) -> list[Any]:
            return [scalar(value)]

    def take(event: Any) -> list[Any]:
        value = follow(event, path)
        if value is None:
            return [_or_refuse(fill, feature)] * feature.width
        if value is NOWHERE:
            raise RefusedError(f"field {feature.name!r} has something else in its way")
        return elements(value)

    return take


def _fill(feature: Feature, dtype: str) -> Any:
    """What null becomes; ``None`` where it may not be."""
    if feature.on_null == "nan":
        return math.nan
    if feature.on_null != "default":
        return None
    if feature.categories is not None:
        return feature.categories.index(feature.default)
    return float(feature.default) if dtype.startswith("float") else feature.default


def _or_refuse(fill: Any, feature: Feature) -> Any:
    if fill is None:
        raise RefusedError(f"field {feature.name!r} is null")
    return fill


def _array(feature: Feature, dtype: str, leaf: Type, fill: Any) -> Take:
    item, depth = leaf, 0
    while arrays := [branch for branch in item.branches if branch.kind == "array"]:
        item, depth = arrays[0].parts[0], depth + 1
    if depth not in {1, len(feature.shape)}:
        raise RefusedError(f"field {feature.name!r} is no array of its shape")
    shape = feature.shape if depth > 1 else (feature.width,)
    scalar = _scalar(feature, dtype, item, fill)

    def flat(value: Any, sizes: tuple[int, ...]) -> list[Any]:
        if not isinstance(value, list) or len(value) != sizes[0]:
            raise RefusedError(f"field {feature.name!r} has another shape")
        if len(sizes) == 1:
            return [scalar(element) for element in value]
        return [element for part in value for element in flat(part, sizes[1:])]

    return lambda value: flat(value, shape)


def _raw(feature: Feature, dtype: str, leaf: Type) -> Take:
    form = struct.Struct(f"<{feature.width}{_RAW.get(dtype, 's')}")
    if dtype not in _RAW or not any(
        branch.kind == "bytes" or (branch.kind == "fixed" and branch.size == form.size)
        for branch in leaf.branches
    ):
        raise RefusedError(f"field {feature.name!r} is no raw {dtype}")

    def elements(value: Any) -> list[Any]:
        if not isinstance(value, bytes) or len(value) != form.size:
            raise RefusedError(f"field {feature.name!r} has another number of bytes")
        found = list(form.unpack(value))
        if dtype == "bool" and any(element > 1 for element in found):
            raise RefusedError(f"field {feature.name!r} has a boolean beyond 1")
        if dtype.startswith("float") and not feature.keeps_non_finite:
            _refuse_non_finite(feature, found)
        return found

    return elements


def _refuse_non_finite(feature: Feature, found: list[float]) -> None:
    if not all(map(math.isfinite, found)):
        raise RefusedError(f"field {feature.name!r} is not finite")


def _scalar(feature: Feature, dtype: str, leaf: Type, fill: Any) -> Callable[[Any], Any]:
    """What makes one element; ``leaf`` is its type, perhaps a union."""
    good = [branch for branch in leaf.branches if _fits(feature, dtype, branch)]
    if not good:
        raise RefusedError(f"field {feature.name!r} has a type that cannot fill {dtype}")
    kinds = {_PYTHON[branch.kind] for branch in good}
    ways = {(branch.logical, branch.precision, branch.scale) for branch in good}
    others = {_PYTHON[branch.kind] for branch in leaf.branches if branch not in good}
    if len(ways) > 1 or kinds & others:
        raise RefusedError(f"field {feature.name!r} has branches that look alike", certain=False)
    convert = _converter(feature, dtype, good[0])

    def element(value: Any) -> Any:
        if value is None:
            return _or_refuse(fill, feature)
        if type(value) not in kinds:
            raise RefusedError(f"field {feature.name!r} has a value of another type")
        return convert(value)

    return element


def _fits(feature: Feature, dtype: str, branch: Type) -> bool:
    if feature.categories is not None:
        return branch.kind in {"string", "enum"} and dtype not in {"bool", "string"}
    if branch.logical == "decimal" and branch.kind in {"bytes", "fixed"}:
        return dtype in {"float32", "float64"}
    return branch.kind in _FILLS[dtype]


def _converter(feature: Feature, dtype: str, branch: Type) -> Callable[[Any], Any]:
    name, logical = feature.name, branch.logical
    if feature.categories is not None:
        return _category(feature, {known: code for code, known in enumerate(feature.categories)})

    def whole(value: int) -> int:
        check_calendar(logical, value)
        if dtype == "uint8" and not 0 <= value <= 255:
            raise RefusedError(f"field {name!r} is outside uint8")
        return value

    def number(value: float) -> float:
        if isinstance(value, int):
            check_calendar(logical, value)
        return _finite(feature, float(value), dtype)

    def decimal(value: bytes) -> float:
        unscaled = int.from_bytes(value, "big", signed=True)
        if abs(unscaled) >= 10**branch.precision:
            raise RefusedError(f"field {name!r} has more digits than its precision")
        try:
            return _finite(feature, unscaled / 10**branch.scale, dtype)
        except OverflowError:
            return _finite(feature, math.copysign(math.inf, unscaled), dtype)

    if dtype == "string":
        return lambda value: _text(name, value, is_uuid=logical == "uuid")
    if not dtype.startswith("float"):
        return whole
    return decimal if logical == "decimal" else number


def _category(feature: Feature, codes: dict[str, int]) -> Callable[[Any], Any]:
    def code(value: str) -> int:
        if value not in codes and feature.on_unseen == "dead_letter":
            raise RefusedError(f"field {feature.name!r} has a category that is not listed")
        return codes.get(value, len(codes))

    return code


def _finite(feature: Feature, value: float, dtype: str) -> float:
    overflows = dtype == "float32" and abs(value) >= _TOO_GREAT
    if not feature.keeps_non_finite and (overflows or not math.isfinite(value)):
        raise RefusedError(f"field {feature.name!r} is not finite in {dtype}")
    return value


def _text(name: str, value: str | bytes, *, is_uuid: bool) -> str:
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as exc:
        raise RefusedError(f"field {name!r} has bytes that are not UTF-8") from exc
    if is_uuid:
        check_uuid(text)
    return text
