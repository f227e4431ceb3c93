"""What a contract must keep to whatever the model and the schemas are.

Decides which contracts contradict themselves. Refuses to know models (``contract_check.py``),
writer schemas (``avro/resolve.py``) and files. Every fault is one line that begins with the
place, as it is written in ``contract.toml``, and ends with what to do.
"""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from stream_app.core.contract import Contract, DType, Encoding, Feature, InputTensor, OnNull

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = re.compile(rf"{_NAME}(\.{_NAME})*")
_FIELD = re.compile(_NAME)

_FLOATS = frozenset({DType.FLOAT32, DType.FLOAT64})
_GREATEST = {
    DType.FLOAT32: float(np.finfo(np.float32).max),
    DType.FLOAT64: float(np.finfo(np.float64).max),
}
_GREATEST_WIDTH = 2**27
"""Elements of a row; float32 takes half a gigabyte for so many."""
_INTEGER_RANGE = {DType.INT64: (-(2**63), 2**63 - 1), DType.UINT8: (0, 255)}


def check_contract(contract: Contract) -> list[str]:
    """All faults of a contract alone, one readable line each; empty when it is sound."""
    return list(_faults(contract))


def _faults(contract: Contract) -> Iterator[str]:
    yield from _bad_names("event.records", contract.record_names)
    yield from _bad_names("event.id", (contract.id_field,))
    if contract.time_field is not None:
        yield from _bad_names("event.time", (contract.time_field,))
    if not contract.inputs:
        yield "inputs: none are given; add an [[inputs]] for each input of the model"
    if not contract.outputs:
        yield "outputs: none are given; add an [[outputs]] for each field of the prediction"
    yield from _repeated("inputs", "name", (tensor.name for tensor in contract.inputs))
    yield from _repeated("inputs.features", "field", contract.feature_names)
    yield from _repeated("outputs", "field", (output.field for output in contract.outputs))
    for position, tensor in enumerate(contract.inputs):
        yield from _input_faults(f"inputs.{position}", tensor)
    for position, output in enumerate(contract.outputs):
        if not _FIELD.fullmatch(output.field):
            yield f"outputs.{position}.field: {output.field!r} is not a name that Avro allows"
        if output.column is not None and output.column < 0:
            yield f"outputs.{position}.column: {output.column} is negative; the first column is 0"


def _bad_names(place: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not _DOTTED.fullmatch(name):
            yield f"{place}: {name!r} is not a dotted path of Avro names, such as customer.age"


def _repeated(place: str, what: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{place}: {what} {name!r} is there twice; remove one, or correct its {what}"
        seen.add(name)


def _input_faults(place: str, tensor: InputTensor) -> Iterator[str]:
    if not tensor.features:
        yield f"{place}.features: none are given; add an [[inputs.features]]"
        return
    if any(size < 1 for size in tensor.shape):
        yield f"{place}.shape: {list(tensor.shape)} has a size below 1; give the shape of one row"
        return
    total = sum(feature.width for feature in tensor.features)
    if max(total, tensor.width) > _GREATEST_WIDTH:
        yield f"{place}.shape: over {_GREATEST_WIDTH} values in a row; give the shape of one row"
        return
    if tensor.width != total:
        yield (
            f"{place}.shape: {list(tensor.shape)} holds {tensor.width} values a row, the features "
            f"fill {total}; make them equal, or leave shape out"
        )
    for position, feature in enumerate(tensor.features):
        where = f'{place}.features.{position} ("{feature.field}")'
        yield from _bad_names(f"{where}.field", (feature.field,))
        yield from _bad_names(f"{where}.aliases", feature.aliases)
        yield from _category_faults(where, feature, tensor.dtype)
        yield from _null_faults(where, feature, tensor.dtype)
        yield from _shape_faults(where, feature, tensor.dtype)


def _category_faults(where: str, feature: Feature, dtype: DType) -> Iterator[str]:
    categories = feature.categories
    if categories is None:
        return
    if not categories:
        yield f"{where}.categories: the list is empty; list the values, or leave categories out"
    yield from _repeated(where, "category", categories)
    if feature.encoding is Encoding.RAW:
        yield f'{where}.categories: encoding = "raw" has none; remove one of the two'
    if dtype in {DType.STRING, DType.BOOL}:
        yield (
            f"{where}.categories: codes are numbers, but the input's dtype is {dtype}; "
            "remove categories, or use a numeric input"
        )
    elif dtype is DType.UINT8 and len(categories) > 255:
        yield (
            f"{where}.categories: {len(categories)} categories and the code for unseen ones do "
            "not fit into uint8; use int64"
        )


def _null_faults(where: str, feature: Feature, dtype: DType) -> Iterator[str]:
    if feature.on_null is OnNull.NAN and dtype not in _FLOATS:
        yield (
            f'{where}.on_null: "nan" needs a float input, this one is {dtype}; '
            'use "dead_letter", or "default" with a default'
        )
    if feature.on_null is OnNull.DEFAULT and feature.default is None:
        yield f'{where}.default: is needed with on_null = "default"; give the value for null'
    elif feature.on_null is not OnNull.DEFAULT and feature.default is not None:
        yield (
            f'{where}.default: is only used with on_null = "default", here it is '
            f'"{feature.on_null}"; change one of the two'
        )
    elif feature.default is not None:
        yield from _default_faults(f"{where}.default", feature, feature.default, dtype)


def _default_faults(
    place: str, feature: Feature, value: float | str | bool, dtype: DType
) -> Iterator[str]:
    if feature.categories is not None:
        if value not in feature.categories:
            yield f"{place}: {value!r} is not in categories; use one of them"
    elif dtype is DType.STRING:
        if not isinstance(value, str):
            yield f"{place}: {value!r} is not a string, as the input is; put it in quotes"
    elif dtype is DType.BOOL:
        if not isinstance(value, bool):
            yield f"{place}: {value!r} is not a boolean, as the input is; use true or false"
    elif isinstance(value, (bool, str)):
        yield f"{place}: {value!r} is not a number, as the input is ({dtype})"
    elif dtype in _FLOATS:
        if not abs(value) <= _GREATEST[dtype]:  # neither is NaN; and an int may be of any size
            yield f'{place}: {value!r} is not finite in {dtype}; for NaN use on_null = "nan"'
    elif value % 1 != 0 or not _INTEGER_RANGE[dtype][0] <= value <= _INTEGER_RANGE[dtype][1]:
        yield f"{place}: {value!r} is no whole number within {dtype}"


def _shape_faults(where: str, feature: Feature, dtype: DType) -> Iterator[str]:
    if any(size < 1 for size in feature.shape):
        yield f"{where}.shape: {list(feature.shape)} has a size below 1"
    if feature.shape and feature.categories is not None:
        yield f"{where}.shape: arrays of categories are not supported; remove one of the two"
    if feature.encoding is Encoding.RAW:
        if not feature.shape:
            yield f'{where}.shape: encoding = "raw" needs the shape of the tensor in the bytes'
        if dtype is DType.STRING:
            yield f'{where}.encoding: "raw" bytes cannot be strings; use encoding = "value"'
