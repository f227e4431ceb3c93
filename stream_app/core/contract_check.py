"""Whether a contract fits the model beside it.

Decides which differences between the two would make every row fail, or worse, make rows succeed
with the wrong numbers. Refuses to know files, sessions and Avro: whether events can fill the
contract is asked for each writer schema in ``avro/resolve.py``.
"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from math import prod

from stream_app.core.contract import Contract, DType, InputTensor, OutputBinding
from stream_app.core.contract_rules import check_contract
from stream_app.core.signature import ModelSignature, TensorSignature


def check_signature(contract: Contract, signature: ModelSignature) -> list[str]:
    """All faults of the contract, alone and against the model, one readable line each.

    Returns:
        Lines that name the place in ``contract.toml``, what is there, what the model has, and
        the remedy; empty when the two fit.
    """
    return [
        *check_contract(contract),
        *_input_faults(contract, signature),
        *_output_faults(contract, signature),
    ]


def _input_faults(contract: Contract, signature: ModelSignature) -> Iterator[str]:
    model_inputs = {tensor.name: tensor for tensor in signature.inputs}
    for position, tensor in enumerate(contract.inputs):
        place = f'inputs.{position} ("{tensor.name}")'
        wanted = model_inputs.pop(tensor.name, None)
        if wanted is None:
            yield _unknown(f"{place}.name", "input", tensor.name, signature.inputs)
        else:
            yield from _dtype_faults(place, tensor, wanted)
            yield from _shape_faults(place, tensor, wanted)
    for name, left in model_inputs.items():
        yield f'inputs: the model\'s input "{name}" ({left}) is missing; add an [[inputs]] for it'


def _dtype_faults(place: str, tensor: InputTensor, wanted: TensorSignature) -> Iterator[str]:
    if wanted.dtype == tensor.dtype.value:
        return
    if wanted.dtype in set(DType):
        remedy = f'set dtype = "{wanted.dtype}"'
    else:
        possible = ", ".join(DType)
        remedy = f"a contract can fill only {possible}: export the model with such an input"
    yield f"{place}.dtype: {tensor.dtype} here, {wanted.dtype} in the model; {remedy}"


def _shape_faults(place: str, tensor: InputTensor, wanted: TensorSignature) -> Iterator[str]:
    if wanted.shape is None:
        return
    if not wanted.shape:
        yield f"{place}: the model wants a single value, not rows; export it with a batch dimension"
        return
    batch, *row = wanted.shape
    if batch is not None:
        yield (
            f"{place}: the model's batch dimension is fixed to {batch}; "
            "export the model with a dynamic one (dynamic_axes, or dynamic_shapes)"
        )
    have = list(tensor.shape)
    if len(have) != len(row):
        yield (
            f"{place}.shape: a row is {have} here, {_text(row)} in the model: another number of "
            f"dimensions; set shape = {_text(row)}"
        )
    elif any(size is not None and size != mine for size, mine in zip(row, have, strict=True)):
        features = sum(feature.width for feature in tensor.features)
        yield (
            f"{place}.shape: a row is {have} here (features fill {features} values), {_text(row)} "
            "in the model; add, remove or reshape features until they agree"
        )


def _text(row: list[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in row) + "]"


def _output_faults(contract: Contract, signature: ModelSignature) -> Iterator[str]:
    model_outputs = {tensor.name: tensor for tensor in signature.outputs}
    for position, binding in enumerate(contract.outputs):
        place = f'outputs.{position} ("{binding.field}")'
        given = model_outputs.get(binding.output)
        if given is None:
            yield _unknown(f"{place}.output", "output", binding.output, signature.outputs)
        elif not given.is_tensor:
            yield (
                f'{place}.output: "{given.name}" is a {given.dtype}, not a tensor; export the '
                "model without ZipMap (skl2onnx: options={'zipmap': False})"
            )
        else:
            yield from _column_faults(place, binding, given)


def _column_faults(place: str, binding: OutputBinding, given: TensorSignature) -> Iterator[str]:
    if binding.column is None or given.shape is None:
        return
    row = given.shape[1:]
    width = prod(size for size in row if size is not None)
    if None not in row and binding.column >= width:
        yield (
            f'{place}.column: {binding.column} is outside "{given.name}" ({given}), whose columns '
            f"are 0 to {width - 1}; choose one of them"
        )


def _unknown(place: str, kind: str, name: str, known: Iterable[TensorSignature]) -> str:
    names = [tensor.name for tensor in known]
    listed = ", ".join(f'"{other}"' for other in names) or "none"
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    guess = f' did you mean "{near[0]}"?' if near else f" use one of the model's {kind}s"
    return f'{place}: the model has no {kind} "{name}", it has: {listed};{guess}'
