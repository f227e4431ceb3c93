"""A first contract, guessed from a model's signature and an event schema.

Decides what is likely; every guess that a person must look at becomes a note. The draft is always
a sound contract in itself, so that it can be read back, checked and corrected; it need not fit
the model yet, and its notes then say why.
"""

import re
from collections.abc import Iterator, Sequence
from math import prod

from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.schema import Primitive, PrimitiveType, Record, describe
from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    InputTensor,
    OnNull,
    OutputBinding,
)
from stream_app.core.event_fields import EventField, event_fields
from stream_app.core.signature import ModelSignature, TensorSignature
from stream_app.errors import ConfigError

PLACEHOLDER = ("replace", "these", "values")
"""Stands for categories, which a schema of strings does not tell; packing refuses it."""

_FLOATS = {DType.FLOAT32, DType.FLOAT64}
_PLAIN_IDS = tuple(map(Primitive, (PrimitiveType.BYTES, PrimitiveType.INT, PrimitiveType.LONG)))
_UINT8_CODES = 255
_MATRIX = 2
_LABELS = ("label", "output_label")
_SCORES = ("probabilities", "output_probability", "probability", "scores")


def draft_contract(signature: ModelSignature, avro_schema_json: str) -> tuple[Contract, list[str]]:
    """Guess how events of a schema could fill a model.

    Args:
        signature: Of the model.
        avro_schema_json: The event schema, as the text of its file; a record.

    Returns:
        The contract, sound in itself, and notes for the person who checks it.

    Raises:
        ConfigError: the schema is refused, or nothing in it could name an event or fill an input.
    """
    schema = admit(avro_schema_json)
    if isinstance(schema, Rejection):
        raise ConfigError(f"--schema: {schema.detail}; give the schema of the events")
    if not isinstance(schema, Record):
        raise ConfigError(f"--schema: expected a record, found {describe(schema)}")
    fields = event_fields(schema)
    notes: list[str] = []
    event_id = _event_id(fields, notes)
    event_time = _event_time(fields, notes)
    taken = {event_id.path} | ({event_time.path} if event_time else set())
    usable = [field for field in fields if field.path not in taken]
    inputs = list(_inputs(signature.inputs, usable, notes))
    if not inputs:
        wanted = ", ".join(map(str, signature.inputs)) or "it has none"
        raise ConfigError(
            f"--schema: none of the fields of {schema.name} can fill an input of the model "
            f"({wanted}); write the contract by hand"
        )
    contract = Contract(
        record_names=(schema.name,),
        id_field=event_id.path,
        time_field=event_time.path if event_time else None,
        inputs=tuple(inputs),
        outputs=tuple(_outputs(signature.outputs, notes)),
    )
    return contract, notes


def _event_id(fields: Sequence[EventField], notes: list[str]) -> EventField:
    possible = [field for field in fields if _can_be_id(field)]
    named = [field for field in possible if re.search(r"(^|[_.])(id|uuid|guid|key)$", field.words)]
    for field in (*(f for f in named if f.is_text), *named):
        return field
    if not possible:
        raise ConfigError(
            "--schema: no field can name an event; a string, bytes, int or long is needed"
        )
    notes.append(f"event.id: nothing is named like an id; {possible[0].path!r} is only a guess")
    return possible[0]


def _can_be_id(field: EventField) -> bool:
    if field.is_text:
        return True
    return isinstance(field.schema, Primitive) and field.schema in _PLAIN_IDS


def _event_time(fields: Sequence[EventField], notes: list[str]) -> EventField | None:
    times = [field for field in fields if field.is_timestamp]
    if not times:
        notes.append("event.time: no timestamp field; the records' own timestamps will be used")
        return None
    best = next((t for t in times if re.search(r"event|time|created", t.words)), times[0])
    if len(times) > 1:
        others = ", ".join(t.path for t in times if t is not best)
        notes.append(f"event.time: {best.path!r} was taken; there are also {others}")
    return best


def _inputs(
    wanted: Sequence[TensorSignature], fields: Sequence[EventField], notes: list[str]
) -> Iterator[InputTensor]:
    by_name = {_plain(field.path): field for field in reversed(fields)}
    for tensor in wanted:
        if tensor.dtype not in set(DType):
            notes.append(f'input "{tensor.name}": {tensor.dtype} cannot be filled by a contract')
            continue
        dtype = DType(tensor.dtype)
        field = by_name.pop(_plain(tensor.name), None)
        if field is not None:
            features = [_feature(field, dtype, tensor.shape, notes)]
        elif len(wanted) == 1:
            features = _stack(tensor, dtype, fields, notes)
        else:
            notes.append(f'input "{tensor.name}": no field has this name; add it by hand')
            continue
        filled = tuple(feature for feature in features if feature is not None)
        if filled:
            yield InputTensor(tensor.name, dtype, filled, _row_shape(tensor, filled))


def _row_shape(tensor: TensorSignature, features: Sequence[Feature]) -> tuple[int, ...]:
    """The model's own, where the features fill it; else one that they do fill."""
    total = sum(feature.width for feature in features)
    row = tensor.shape[1:] if tensor.shape is not None else (None,)
    if row.count(None) == 1:
        rest = prod(size for size in row if size is not None)
        row = tuple(total // max(rest, 1) if size is None else size for size in row)
    known = _known(row)
    return known if known is not None and prod(known) == total else (total,)


def _known(row: Sequence[int | None]) -> tuple[int, ...] | None:
    """``row`` when every size in it is known and positive."""
    sizes = tuple(size for size in row if size is not None and size > 0)
    return sizes if len(sizes) == len(row) else None


def _stack(
    tensor: TensorSignature, dtype: DType, fields: Sequence[EventField], notes: list[str]
) -> list[Feature | None]:
    """All fields that are numbers, in the schema's order, as columns of one matrix.

    An image is not made of columns: there the first field of bytes is taken as the whole tensor.
    """
    images = [field for field in fields if field.is_bytes]
    if images and tensor.shape is not None and len(tensor.shape) > _MATRIX:
        return [_feature(images[0], dtype, tensor.shape, notes)]
    row = None if tensor.shape is None else _known(tensor.shape[1:])
    width = None if row is None else prod(row)
    candidates = [field for field in fields if _fits(field, dtype)]
    texts = [field for field in fields if field.is_text and dtype is not DType.BOOL]
    if width is not None and len(candidates) < width:
        # Only as many strings as are needed: each of them needs a list that nobody can guess.
        chosen = {field.path for field in (*candidates, *texts[: width - len(candidates)])}
        candidates = [field for field in fields if field.path in chosen]
    if width is not None and len(candidates) != width:
        notes.append(
            f'input "{tensor.name}": the model wants {width} columns, the schema has '
            f"{len(candidates)} that fit; choose, and put them in the model's order"
        )
    else:
        notes.append(f'input "{tensor.name}": put its columns in the order of the training')
    return [_feature(field, dtype, None, notes) for field in candidates[:width]]


def _fits(field: EventField, dtype: DType) -> bool:
    """Whether a value of the field can be one element of a tensor, without a list of categories."""
    if dtype is DType.STRING:
        return field.is_text or bool(field.symbols)
    if dtype is DType.BOOL:
        return field.schema == Primitive(PrimitiveType.BOOLEAN)
    if dtype is DType.UINT8 and len(field.symbols or ()) > _UINT8_CODES:
        return False
    return field.is_number or bool(field.symbols)


def _feature(
    field: EventField, dtype: DType, shape: tuple[int | None, ...] | None, notes: list[str]
) -> Feature | None:
    """The field as a feature; ``shape`` is the input's when the field fills it alone."""
    on_null = OnNull.NAN if field.nullable and dtype in _FLOATS else OnNull.DEAD_LETTER
    if field.nullable:
        becomes = "is NaN" if on_null is OnNull.NAN else "the event is a dead letter"
        notes.append(f"{field.path}: may be null, then {becomes}; see that this is right")
    row = (None if shape is None else _known(shape[1:])) or (1,)
    if field.is_bytes and dtype is not DType.STRING:
        notes.append(f"{field.path}: taken as a raw tensor; see its shape and byte order")
        return Feature(field.path, shape=row, encoding=Encoding.RAW, on_null=on_null)
    if field.is_numbers and dtype is not DType.STRING:
        notes.append(f"{field.path}: an array must have a fixed shape; see that it is right")
        return Feature(field.path, shape=row, on_null=on_null)
    if _fits(field, dtype):
        codes = None if dtype is DType.STRING else field.symbols
        if codes:
            notes.append(f"{field.path}: put the categories in the order of the training's codes")
        return Feature(field.path, categories=codes, on_null=on_null)
    if field.is_text and dtype is not DType.BOOL:
        notes.append(f"{field.path}: list its categories, in the order of the training's codes")
        return Feature(field.path, categories=PLACEHOLDER, on_null=on_null)
    notes.append(f"{field.path}: its type cannot fill a {dtype} input; add another field by hand")
    return None


def _outputs(given: Sequence[TensorSignature], notes: list[str]) -> Iterator[OutputBinding]:
    used: set[str] = set()
    for tensor in given:
        if not tensor.is_tensor:
            notes.append(
                f'output "{tensor.name}": {tensor.dtype} is no tensor; export without ZipMap'
            )
        field = tensor.name
        if tensor.name in _LABELS:
            field = "label"
        elif tensor.name in _SCORES or len(given) == 1:
            field = "scores"
        else:
            notes.append(f'output "{tensor.name}": the prediction schema needs a field for it')
        field = re.sub(r"^(?=\d)|\W", "_", field, flags=re.ASCII) or "output"
        while field in used:
            field += "_"
        used.add(field)
        yield OutputBinding(field, tensor.name)


def _plain(name: str) -> str:
    """A name without what differs between conventions, to compare it."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower())
