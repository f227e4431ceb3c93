"""What an ONNX file holds, found without running it and without the ``onnx`` package.

Decides how the protobuf wire format is walked, so that a model which points at other files is
refused before any library follows the pointer. It sees a superset of what a protobuf parser
would: every occurrence of a field counts, also one that a later one would replace. Refuses to
judge operators and types; ONNX Runtime does. Field numbers: ``onnx.proto`` of ONNX 1.23.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CHILDREN: dict[str, dict[int, str]] = {
    "ModelProto": {
        7: "GraphProto",
        8: "OperatorSetIdProto",
        20: "TrainingInfoProto",
        25: "FunctionProto",
    },
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
    "OperatorSetIdProto": {},
}
"""Every way from a model to a tensor or a node, by message and field number."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# ``AttributeProto`` has its lists of numbers one field an element; a tree ensemble has millions.
_NUMBERS = re.compile(rb"(?:\x3d[\x00-\xff]{4}|\x40[\x80-\xff]*[\x00-\x7f])++")


@dataclass(slots=True)
class OnnxFile:
    """What was found.

    Attributes:
        ir_version: Of the file format.
        producer: Name and version of the tool that wrote it.
        opsets: Version by domain; the standard domain is ``""``.
        operators: (domain, operator) of every node, functions and subgraphs included.
        external_tensors: Names of the tensors whose data lies in another file.
    """

    ir_version: int = 0
    producer: str = ""
    opsets: dict[str, int] = field(default_factory=dict)
    operators: set[tuple[str, str]] = field(default_factory=set)
    external_tensors: list[str] = field(default_factory=list)


class _Field(NamedTuple):
    number: int
    wire_type: int
    number_value: int
    start: int
    end: int


def read_onnx(content: bytes) -> OnnxFile:
    """Walk a model.

    Raises:
        ValueError: the bytes are not a protobuf message; says where.
    """
    found = OnnxFile()
    waiting = [("ModelProto", 0, len(content))]
    while waiting:
        message, start, end = waiting.pop()
        children = CHILDREN[message]
        fields = []
        for part in _fields(content, start, end):
            if part.wire_type == _BYTES and part.number in children:
                waiting.append((children[part.number], part.start, part.end))
            else:
                fields.append(part)
        _note(found, message, fields, content)
    return found


def _note(found: OnnxFile, message: str, fields: list[_Field], content: bytes) -> None:
    """Keep what this message itself says."""
    if message == "TensorProto":
        if any(f.number == 13 or (f.number == 14 and f.number_value != 0) for f in fields):
            found.external_tensors.append(_text(fields, 8, content) or "(without a name)")
    elif message == "NodeProto":
        found.operators.add((_text(fields, 7, content), _text(fields, 4, content)))
    elif message == "OperatorSetIdProto":
        found.opsets[_text(fields, 1, content)] = _number(fields, 2)
    elif message == "ModelProto":
        found.ir_version = _number(fields, 1)
        found.producer = f"{_text(fields, 2, content)} {_text(fields, 3, content)}".strip()


def _text(fields: list[_Field], number: int, content: bytes) -> str:
    for part in reversed(fields):
        if part.number == number and part.wire_type == _BYTES:
            return content[part.start : part.end].decode("utf-8", errors="replace")
    return ""


def _number(fields: list[_Field], number: int) -> int:
    values = [f.number_value for f in fields if f.number == number and f.wire_type == _VARINT]
    return values[-1] if values else 0


def _fields(content: bytes, start: int, end: int) -> Iterator[_Field]:
    position = start
    while position < end:
        if run := _NUMBERS.match(content, position, end):
            position = run.end()
            continue
        tag, value_start = _varint(content, position, end)
        number, wire_type = tag >> 3, tag & 7
        value = 1  # A flag that is no number counts as set: refuse rather than overlook.
        if wire_type == _VARINT:
            value, value_end = _varint(content, value_start, end)
        elif wire_type == _BYTES:
            length, value_start = _varint(content, value_start, end)
            value_end = value_start + length
        elif wire_type in {_FIXED32, _FIXED64}:
            value_end = value_start + (4 if wire_type == _FIXED32 else 8)
        else:
            raise ValueError(f"wire type {wire_type} at byte {position} is not used by ONNX")
        # Parsers cut a longer tag to 32 bits and would then see another field than we do.
        if number == 0 or tag >> 32 or value_end > end:
            raise ValueError(f"the field at byte {position} is cut off or has no valid number")
        yield _Field(number, wire_type, value, value_start, value_end)
        position = value_end


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 70:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError(f"the number at byte {position} is cut off or too long")
