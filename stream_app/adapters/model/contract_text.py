"""A contract as the text of ``contract.toml``, with comments for the person who edits it.

Decides what a written contract looks like; reading it back gives an equal contract. The standard
library reads TOML but does not write it, and a file with comments is more than its values.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence

from stream_app.core.contract import (
    Contract,
    Encoding,
    Feature,
    InputTensor,
    OnNonFinite,
    OnNull,
    OutputBinding,
)


def dump_contract(contract: Contract, notes: Iterable[str] = ()) -> str:
    """Write ``contract`` as TOML; ``notes`` become comments at its head."""
    lines = ["# How events become model inputs, and model outputs become predictions."]
    lines += [f"# TO CHECK: {_printable(note)}" for note in notes]
    lines += ["format = 1", "", *_event(contract)]
    for tensor in contract.inputs:
        lines += ["", *_input(tensor)]
    lines += ["", "# Fields of the prediction: a whole output, or one column of it."]
    for output in contract.outputs:
        lines += _output(output)
    lines += [
        "",
        "[policy]",
        f"on_non_finite_output = {_value(contract.on_non_finite_output)}"
        '  # "dead_letter" or "keep"',
    ]
    return "\n".join(lines) + "\n"


def _event(contract: Contract) -> Iterator[str]:
    yield "[event]"
    yield f"records = {_value(contract.record_names)}  # full names; empty accepts every record"
    yield f"id = {_value(contract.id_field)}  # names the event in predictions"
    if contract.time_field is not None:
        yield f"time = {_value(contract.time_field)}  # without it: the record's timestamp"


def _input(tensor: InputTensor) -> Iterator[str]:
    yield "[[inputs]]"
    yield f"name = {_value(tensor.name)}  # as in the model"
    yield f"dtype = {_value(tensor.dtype)}"
    yield f"shape = {_value(tensor.shape)}  # of one row, without the batch dimension"
    for feature in tensor.features:
        yield "  [[inputs.features]]"
        yield from (f"  {line}" for line in _feature(feature))


def _feature(feature: Feature) -> Iterator[str]:
    yield f"field = {_value(feature.field)}"
    if feature.aliases:
        yield f"aliases = {_value(feature.aliases)}"
    if feature.encoding is not Encoding.VALUE:
        yield f"encoding = {_value(feature.encoding)}"
    if feature.shape:
        yield f"shape = {_value(feature.shape)}"
    if feature.categories is not None:
        yield f"categories = {_value(feature.categories)}  # the position is the code"
        code = len(feature.categories)
        yield f'on_unseen = {_value(feature.on_unseen)}  # "code" (it is {code}) or "dead_letter"'
    if feature.on_null is not OnNull.DEAD_LETTER:
        yield f"on_null = {_value(feature.on_null)}"
    if feature.default is not None:
        yield f"default = {_value(feature.default)}"
    if feature.on_non_finite is not OnNonFinite.DEAD_LETTER:
        yield f"on_non_finite = {_value(feature.on_non_finite)}"


def _output(output: OutputBinding) -> Iterator[str]:
    yield "[[outputs]]"
    yield f"field = {_value(output.field)}"
    yield f"output = {_value(output.output)}"
    if output.column is not None:
        yield f"column = {output.column}"


def _printable(note: str) -> str:
    """A note on one line, without the control characters that a TOML comment cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(note.split()))


def _value(value: object) -> str:
    """One TOML value: a string, boolean, number, or a list of them."""
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return repr(value)
