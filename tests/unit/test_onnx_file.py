"""Laws of the walk over an ONNX file: no pointer to another file is overlooked."""

import struct

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from stream_app.adapters.model.onnx_file import CHILDREN, read_onnx
from tests.onnx_models import linear, model, node

FOLLOWED = {"NodeProto", "TensorProto"}


def reaches(descriptor: "onnx.Descriptor", seen: frozenset[str] = frozenset()) -> set[str]:
    """Names of all messages below one."""
    below = {descriptor.name}
    for part in descriptor.fields:
        if part.message_type is not None and part.message_type.name not in seen | below:
            below |= reaches(part.message_type, seen | below)
    return below


def test_the_table_has_every_way_to_a_tensor_or_a_node() -> None:
    """Checked against the definition that the ``onnx`` package carries."""
    table = {
        message: {number: child for number, child in ways.items() if child != "OperatorSetIdProto"}
        for message, ways in CHILDREN.items()
    }
    waiting, visited = [onnx.ModelProto.DESCRIPTOR], {"OperatorSetIdProto"}
    while waiting:
        message = waiting.pop()
        if message.name in visited:
            continue
        visited.add(message.name)
        ways = {
            part.number: part.message_type.name
            for part in message.fields
            if part.message_type is not None and reaches(part.message_type) & FOLLOWED
        }
        assert table[message.name] == ways, message.name
        waiting += [p.message_type for p in message.fields if p.number in ways]
    assert visited == set(CHILDREN)


def test_the_numbers_of_the_fields_that_are_read_are_those_of_onnx() -> None:
    numbers = {
        (message.DESCRIPTOR.name, part.name): part.number
        for message in (
            onnx.TensorProto,
            onnx.NodeProto,
            onnx.OperatorSetIdProto,
            onnx.ModelProto,
            onnx.AttributeProto,
        )
        for part in message.DESCRIPTOR.fields
    }
    assert numbers["TensorProto", "external_data"] == 13
    assert numbers["TensorProto", "data_location"] == 14
    assert numbers["TensorProto", "name"] == 8
    assert (numbers["NodeProto", "op_type"], numbers["NodeProto", "domain"]) == (4, 7)
    assert numbers["OperatorSetIdProto", "domain"] == 1
    assert numbers["OperatorSetIdProto", "version"] == 2
    assert numbers["ModelProto", "ir_version"] == 1
    assert numbers["ModelProto", "producer_name"] == 2
    assert numbers["ModelProto", "producer_version"] == 3
    assert (numbers["AttributeProto", "floats"], numbers["AttributeProto", "ints"]) == (7, 8)


def external(name: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(2, dtype=np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../weights.bin"
    return tensor


def sparse(tensor: TensorProto) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(tensor, numpy_helper.from_array(np.arange(2), "indices"), [4])


def hide(made: onnx.ModelProto, place: str) -> None:
    """Put a tensor with external data somewhere in ``made``."""
    bad = external("bad")
    graph = onnx.GraphProto(name="inner")
    graph.initializer.append(bad)
    holder = onnx.NodeProto(op_type="Holder")
    if place == "initializer":
        made.graph.initializer.append(bad)
    elif place == "sparse initializer":
        made.graph.sparse_initializer.append(sparse(bad))
    elif place == "training":
        made.training_info.add().algorithm.CopyFrom(graph)
    elif place == "function":
        made.functions.add(name="f").node.append(holder)
        made.functions[0].node[0].attribute.add(name="t").t.CopyFrom(bad)
    elif place == "function default":
        made.functions.add(name="f").attribute_proto.add(name="t").t.CopyFrom(bad)
    else:
        made.graph.node.append(holder)
        attribute = made.graph.node[-1].attribute.add(name="value")
        if place == "attribute":
            attribute.t.CopyFrom(bad)
        elif place == "attribute list":
            attribute.tensors.append(bad)
        elif place == "subgraph":
            attribute.g.CopyFrom(graph)
        elif place == "subgraph list":
            attribute.graphs.append(graph)
        elif place == "sparse attribute":
            attribute.sparse_tensor.CopyFrom(sparse(bad))
        else:
            attribute.sparse_tensors.append(sparse(bad))


PLACES = (
    "initializer",
    "sparse initializer",
    "training",
    "function",
    "function default",
    "attribute",
    "attribute list",
    "subgraph",
    "subgraph list",
    "sparse attribute",
    "sparse attribute list",
)


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_a_tensor_can_be(place: str) -> None:
    made = onnx.ModelProto.FromString(linear())
    assert read_onnx(made.SerializeToString()).external_tensors == []
    hide(made, place)
    assert read_onnx(made.SerializeToString()).external_tensors == ["bad"]


def test_a_pointer_counts_without_the_flag_that_goes_with_it() -> None:
    made = onnx.ModelProto.FromString(linear())
    made.graph.initializer.append(external("bad"))
    made.graph.initializer[-1].ClearField("data_location")
    assert read_onnx(made.SerializeToString()).external_tensors == ["bad"]


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def test_a_location_that_a_later_field_takes_back_still_counts() -> None:
    location = varint(14 << 3)
    tensor = location + b"\x01" + location + b"\x00"
    content = field(7, field(5, tensor))
    assert onnx.ModelProto.FromString(content).graph.initializer[0].data_location == 0
    assert read_onnx(content).external_tensors == ["(without a name)"]


def test_a_tag_that_parsers_would_cut_to_another_one_is_refused() -> None:
    long_tag = varint(1 << 32 | 13 << 3 | 2)
    with pytest.raises(ValueError, match="no valid number"):
        read_onnx(field(7, field(5, long_tag + b"\x00")))


def test_numbers_in_lists_are_passed_over_whatever_bytes_they_have() -> None:
    trees = helper.make_node("TreeEnsembleClassifier", ["x"], ["y"], domain="ai.onnx.ml")
    floats = [struct.unpack("<f", bytes([byte] * 4))[0] for byte in (0x3D, 0x40, 0x0A, 0x72)]
    trees.attribute.append(helper.make_attribute("weights", floats * 500))
    trees.attribute.append(helper.make_attribute("ids", [-1, 0, 1 << 62, 0x40, 0x3D] * 500))
    found = read_onnx(model([trees]))
    assert found.operators == {("ai.onnx.ml", "TreeEnsembleClassifier")}
    assert found.external_tensors == []


def test_it_sees_what_the_onnx_package_sees() -> None:
    made = onnx.ModelProto.FromString(linear())
    made.producer_name, made.producer_version = "maker", "3"
    found = read_onnx(made.SerializeToString())
    assert found.producer == "maker 3"
    assert found.ir_version == made.ir_version
    assert found.opsets == {"": 17}
    assert found.operators == {("", "MatMul"), ("", "Sigmoid")}


def points_elsewhere(message: "onnx.Message") -> bool:
    """Whether the parsed message has a tensor whose data lies in another file."""
    if isinstance(message, TensorProto):
        return bool(message.external_data) or message.data_location != TensorProto.DEFAULT
    for part, content in message.ListFields():
        if part.message_type is not None:
            children = [content] if hasattr(content, "ListFields") else content
            if any(points_elsewhere(child) for child in children):
                return True
    return False


@settings(max_examples=500)
@given(st.data(), st.sampled_from(PLACES))
def test_whatever_bytes_change_what_a_parser_finds_is_found(
    data: st.DataObject, place: str
) -> None:
    made = onnx.ModelProto.FromString(model([node("Identity", ["x"], ["y"])]))
    hide(made, place)
    content = bytearray(made.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = onnx.ModelProto.FromString(bytes(content))
    except DecodeError:
        return
    try:
        found = read_onnx(bytes(content))
    except ValueError:
        return
    assert found.external_tensors or not points_elsewhere(parsed)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_model_are_refused_or_hold_nothing_that_is_not_there(
    content: bytes,
) -> None:
    try:
        found = read_onnx(content)
    except ValueError:
        return
    assert sum(len(name) + len(domain) for domain, name in found.operators) <= 3 * len(content)
