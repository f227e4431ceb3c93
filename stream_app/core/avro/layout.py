"""One contract's columns in memory, and the program table: what the kernel is given.

Decides where tensors lie, and turns what the contract says of each feature into numbers. Refuses
to read a value.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from stream_app.core.avro.memory import (
    CATEGORIES,
    CELL,
    FIELDS,
    FILL,
    FIRST,
    MASK,
    NO_PROGRAM,
    REFUSE_NON_FINITE,
    REFUSE_NULL,
    REFUSE_UNSEEN,
    REFUSES,
    SECTION,
    SLOTS,
    SPAN,
    STRIDE,
    Columns,
    Decoded,
    Programs,
)
from stream_app.core.avro.opcodes import WIDTH, Cell, Op
from stream_app.core.avro.program_writer import Program
from stream_app.core.avro.resolve import UnreadableError, fill_of
from stream_app.core.columns import Tensor
from stream_app.core.contract import Contract, DType, Feature, OnNonFinite, OnUnseen

_CELLS: Final = {
    DType.FLOAT32: Cell.FLOAT32,
    DType.FLOAT64: Cell.FLOAT64,
    DType.INT64: Cell.INT64,
    DType.BOOL: Cell.BOOL,
    DType.UINT8: Cell.UINT8,
    DType.STRING: Cell.TEXT,
}
_WORD: Final = 8
_ID_BYTES: Final = 36
"""The longest id that is not copied from the value: a uuid's text."""
_NO_INTEGERS: Final = {DType.FLOAT32, DType.FLOAT64, DType.STRING}
_JUMPS: Final = {Op.JUMP, Op.BLOCKS, Op.NEXT, Op.ARRAY, Op.ITEM}


def _bytes_of(dtype: DType) -> int:
    return 8 if dtype is DType.STRING else dtype.numpy.itemsize


class Layout:
    """Where the tensors of one contract lie."""

    def __init__(self, contract: Contract) -> None:
        self._inputs = contract.inputs
        self._sections: list[int] = []
        row_bytes = 0
        for tensor in contract.inputs:
            self._sections.append(row_bytes)
            row_bytes += tensor.width * _bytes_of(tensor.dtype)
        self._row_bytes = row_bytes
        self._has_texts = any(tensor.dtype is DType.STRING for tensor in contract.inputs)
        self.columns = self._columns()

    def allocate(self, rows: int, value_bytes: int) -> Decoded:
        """Room for ``rows`` values of so many bytes in all."""
        padded = -(-rows // 8) * 8
        block = np.empty(padded * self._row_bytes // 8, dtype=np.int64)
        return Decoded(
            float32=block.view(np.float32),
            float64=block.view(np.float64),
            int64=block,
            uint8=block.view(np.uint8),
            text_ends=np.empty(len(block) if self._has_texts else 0, dtype=np.int64),
            kinds=np.zeros((rows, len(self.columns.numbers)), dtype=np.uint8),
            times=np.full(rows, -1, dtype=np.int64),
            ids=np.empty(rows * _ID_BYTES + value_bytes, dtype=np.uint8),
            id_ends=np.zeros(rows + 1, dtype=np.int64),
            id_nulls=np.empty(rows, dtype=np.bool_),
            program=np.empty(rows, dtype=np.int32),
            fault=np.zeros(rows, dtype=np.uint16),
            status=np.zeros(rows, dtype=np.uint8),
            about=np.zeros((rows, 4), dtype=np.int64),
        )

    def tensors(self, out: Decoded, data: bytes, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tensors in ``out``, by input name; all but texts where they lie.

        Args:
            out: Filled.
            data: Of the values, where texts are.
            texts: Of the program table.
        """
        rows = len(out.fault)
        padded = -(-rows // 8) * 8
        found: dict[str, Tensor] = {}
        for tensor, section in zip(self._inputs, self._sections, strict=True):
            begin, count = padded * section, rows * tensor.width
            if tensor.dtype is DType.STRING:
                cells = slice(begin // 8, begin // 8 + count)
                fills = [
                    _text_fill(feature) for feature in tensor.features for _ in range(feature.width)
                ]
                flat = _texts(out, cells, data, texts, fills, len(fills))
            else:
                end = begin + count * tensor.dtype.numpy.itemsize
                flat = out.uint8[begin:end].view(tensor.dtype.numpy)
            found[tensor.name] = flat.reshape(rows, *tensor.shape)
        return found

    def _columns(self) -> Columns:
        rows = [
            (section, tensor.width, first, tensor.dtype, feature)
            for tensor, section in zip(self._inputs, self._sections, strict=True)
            for first, feature in _with_firsts(tensor.features)
        ]
        numbers = np.zeros((len(rows), FIELDS), dtype=np.int64)
        for row, (section, stride, first, dtype, feature) in zip(numbers, rows, strict=True):
            fill = _fill(feature, dtype)
            row[CELL], row[SECTION], row[STRIDE] = _CELLS[dtype], section, stride
            row[FIRST], row[SPAN] = first, feature.width
            row[FILL] = 0 if dtype in _NO_INTEGERS or fill is None else int(fill)
            row[REFUSES] = _refuses(feature, fill)
            row[CATEGORIES] = len(feature.categories or ())
        categories = _Categories(feature for *_, feature in rows)
        numbers[:, SLOTS], numbers[:, MASK] = categories.begins, categories.masks
        fills = [_fill(feature, dtype) for *_, dtype, feature in rows]
        return Columns(
            numbers=numbers,
            fills=np.array([0 if f is None or isinstance(f, str) else f for f in fills], float),
            slots=np.array(categories.slots, dtype=np.int64).reshape(-1, 2),
            names=np.frombuffer(b"".join(categories.names), dtype=np.uint8),
            names_ends=np.cumsum([0, *map(len, categories.names)], dtype=np.int64),
        )


def _with_firsts(features: Iterable[Feature]) -> Iterable[tuple[int, Feature]]:
    first = 0
    for feature in features:
        yield first, feature
        first += feature.width


def _fill(feature: Feature, dtype: DType) -> float | int | str | None:
    try:
        return fill_of(feature, dtype)
    except UnreadableError:
        return None  # no schema fits such a contract


def _text_fill(feature: Feature) -> str:
    fill = _fill(feature, DType.STRING)
    return fill if isinstance(fill, str) else ""


def _refuses(feature: Feature, fill: float | int | str | None) -> int:
    return (
        (REFUSE_NULL if fill is None else 0)
        | (REFUSE_NON_FINITE if feature.on_non_finite is OnNonFinite.DEAD_LETTER else 0)
        | (REFUSE_UNSEEN if feature.on_unseen is OnUnseen.DEAD_LETTER else 0)
    )


def _texts(
    out: Decoded,
    cells: slice,
    data: bytes,
    texts: Sequence[str],
    fills: Sequence[str],
    stride: int,
) -> Tensor:
    begins, ends = out.int64[cells].tolist(), out.text_ends[cells].tolist()
    faults = out.fault.tolist()
    status = out.status.tolist()
    flat = np.full(len(begins), "", dtype=object)
    for index, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        row = index // stride
        if faults[row] or status[row]:
            continue  # anything may lie here
        if begin >= 0:
            flat[index] = data[begin:end].decode()
        else:
            flat[index] = fills[index % stride] if begin == -1 else texts[-2 - begin]
    return flat


class _Categories:
    """The hash tables of all columns, one behind the other: open addressing, half full at most."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self.begins: list[int] = []
        self.masks: list[int] = []
        self.slots: list[tuple[int, int]] = []
        self.names: list[bytes] = []
        for feature in features:
            self._add([name.encode() for name in feature.categories or ()])

    def _add(self, names: Sequence[bytes]) -> None:
        size = 1 << (2 * len(names)).bit_length()
        begin = len(self.slots)
        self.begins.append(begin)
        self.masks.append(size - 1)
        self.slots += [(-1, 0)] * size
        for code, name in enumerate(names):
            slot = hash_name(name) & (size - 1)
            while self.slots[begin + slot][0] >= 0:
                slot = (slot + 1) & (size - 1)
            self.slots[begin + slot] = len(self.names), code
            self.names.append(name)


def hash_name(content: bytes) -> int:
    """As ``varints.hash_bytes``."""
    state = 0xCBF29CE484222325 ^ len(content)
    if len(content) < _WORD:
        steps: Iterable[int] = content
        folded = 0
    else:
        begins = [*range(0, len(content) - _WORD, _WORD), len(content) - _WORD]
        steps = (int.from_bytes(content[at : at + _WORD], "little") for at in begins)
        folded = 32
    for step in steps:
        state = (state ^ step) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> folded if folded else 0
    return state


class ProgramTable:
    """The programs of all writer schemas that are known, as one."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.names: list[str] = []
        self._places: list[str] = []
        self._of_op: list[int] = []
        self.arrays = Programs(
            keys=np.empty(0, dtype=np.int64),
            entries=np.empty(0, dtype=np.int64),
            ops=np.empty((0, WIDTH), dtype=np.int64),
            jumps=np.empty(0, dtype=np.int64),
            codes=np.empty(0, dtype=np.int64),
        )

    def append(self, key: int, name: str, program: Program | None) -> int:
        """One more schema; without a program it is the reference decoder's.

        Args:
            key: As the kernel reads it from a value's prefix; of one that stands in a header only,
                any negative number that is no other's.
            name: As dead letters say it.
            program: With places of its own.

        Returns:
            Its index.
        """
        before = self.arrays
        entry = NO_PROGRAM
        ops, jumps, codes = before.ops, before.jumps, before.codes
        if program is not None:
            entry = len(ops)
            fresh = np.array(program.ops, dtype=np.int64).reshape(-1, WIDTH)
            fresh[np.isin(fresh[:, 0], list(_JUMPS)), 1] += entry
            for op, shift in (
                (Op.UNION, len(jumps)),
                (Op.TAKE_ENUM, len(codes)),
                (Op.TAKE_SYMBOL, len(self.texts)),
            ):
                fresh[fresh[:, 0] == op, 2] += shift
            fresh[:, 4] += len(self._places)
            ops = np.concatenate([ops, fresh])
            jumps = np.concatenate([jumps, np.array(program.jumps, dtype=np.int64) + entry])
            codes = np.concatenate([codes, np.array(program.codes, dtype=np.int64)])
            self.texts += program.texts
            self._places += program.places
        self.names.append(name)
        self.arrays = Programs(
            keys=np.append(before.keys, np.int64(key)),
            entries=np.append(before.entries, np.int64(entry)),
            ops=ops,
            jumps=jumps,
            codes=codes,
        )
        return len(self.names) - 1

    def place(self, instruction: int) -> str:
        """Where in an event an instruction reads, as a dotted path."""
        return self._places[int(self.arrays.ops[instruction, 4])]

    def size(self, instruction: int) -> int:
        """The symbols or branches of an instruction's enum or union."""
        return int(self.arrays.ops[instruction, 1])
