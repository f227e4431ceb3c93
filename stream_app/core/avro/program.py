"""From a plan to a program that ``kernels/decode.py`` runs: the schema walked once, ahead.

Decides which writer schemas can be compiled, and the layout of tensors in one block of memory.
Refuses to read a value. What cannot be compiled says why, and is left to the reference decoder.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from stream_app.core.avro.opcodes import DIGITS_BASE, Op
from stream_app.core.avro.plan import Column, Path, Plan, Reading, logical_range, python_type
from stream_app.core.avro.program_writer import CannotCompileError, Program, ProgramWriter
from stream_app.core.avro.readings import reading_of
from stream_app.core.avro.schema import (
    Array,
    Enum,
    Fixed,
    Logical,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Schema,
    Union,
)

MAX_DECIMAL_PRECISION: Final = 18
"""Digits that fit into 64 bits."""
_ALL: Final = (-(2**63), 2**63 - 1)

ID, TIME = -2, -1
"""In place of a column's index."""

_PASSED_OVER: Final = {
    PrimitiveType.BOOLEAN: (Op.BOOLEAN, 0),
    PrimitiveType.INT: (Op.INT, 0),
    PrimitiveType.LONG: (Op.LONG, 0),
    PrimitiveType.FLOAT: (Op.FIXED, 4),
    PrimitiveType.DOUBLE: (Op.FIXED, 8),
    PrimitiveType.BYTES: (Op.BYTES, 0),
    PrimitiveType.STRING: (Op.STRING, 0),
}
_TAKEN: Final = {
    PrimitiveType.BOOLEAN: Op.TAKE_BOOLEAN,
    PrimitiveType.INT: Op.TAKE_INT,
    PrimitiveType.LONG: Op.TAKE_LONG,
    PrimitiveType.FLOAT: Op.TAKE_FLOAT,
    PrimitiveType.DOUBLE: Op.TAKE_DOUBLE,
}


def compile_program(plan: Plan) -> Program:
    """The program of a plan.

    Raises:
        CannotCompileError: the kernel cannot do what it takes.
    """
    return _Compiler(plan).program()


class _Compiler(ProgramWriter):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._wanted: dict[Path, list[int]] = {}
        self._wanted.setdefault(plan.id.path, []).append(ID)
        if plan.time is not None:
            self._wanted.setdefault(plan.time.path, []).append(TIME)
        for index, column in enumerate(plan.columns):
            if column.path is not None:
                self._wanted.setdefault(column.path, []).append(index)

    def program(self) -> Program:
        for index, column in enumerate(self._plan.columns):
            if column.path is None:
                self._emit(Op.NULL_ROW, column=index)
        self._record(self._plan.schema, (), ())
        self._emit(Op.END)
        return self._out

    # -- the walk ------------------------------------------------------------------------------

    def _record(self, record: Record, path: Path | None, shown: Path) -> None:
        """All fields; ``path`` is ``None`` where no column can be."""
        for own in record.fields:
            outside, self._place = self._place, len(self._out.places)
            self._out.places.append(".".join((*shown, own.name)))
            below = None if path is None else (*path, own.name)
            self._value(own.schema, below, (*shown, own.name))
            self._place = outside

    def _value(self, schema: Schema, path: Path | None, shown: Path) -> None:
        readers = [
            partial(self._leaf, index, schema, shown)
            for index in (() if path is None else self._wanted.get(path, ()))
        ]
        if not readers or self._below(path):
            readers.append(partial(self._pass_over, schema, path, shown))
        for read in readers[:-1]:
            self._marks += 1
            self._limit(self._marks)
            self._emit(Op.MARK)
            read()
            self._emit(Op.BACK)
            self._marks -= 1
        readers[-1]()

    def _below(self, path: Path | None) -> list[int]:
        """The columns that lie in the record at ``path``, not at its own place."""
        if path is None:
            return []
        return [
            index
            for wanted, indexes in self._wanted.items()
            if len(wanted) > len(path) and wanted[: len(path)] == path
            for index in indexes
        ]

    def _pass_over(self, schema: Schema, path: Path | None, shown: Path) -> None:
        match schema:
            case Primitive(type=PrimitiveType.NULL):
                pass
            case Primitive(type=name):
                op, size = _PASSED_OVER[name]
                self._emit(op, size)
            case Fixed(size=size):
                self._emit(Op.FIXED, size)
            case Enum(symbols=symbols):
                self._emit(Op.ENUM, len(symbols))
            case Record():
                self._record(schema, path, shown)
            case Union(branches=branches):
                self._union(branches, lambda branch: self._branch(branch, path, shown))
            case Array(items=items):
                self._loop(Op.BLOCKS, Op.NEXT, lambda: self._value(items, None, shown))
            case Map(values=values):
                self._loop(Op.BLOCKS, Op.NEXT, lambda: self._entry(values, shown))
            case _:
                raise CannotCompileError("a schema that refers to itself")

    def _entry(self, values: Schema, shown: Path) -> None:
        self._emit(Op.STRING)
        self._value(values, None, shown)

    def _branch(self, branch: Schema, path: Path | None, shown: Path) -> None:
        """A branch of a union on the way to columns: a record, null, or something astray."""
        self._pass_over(branch, path, shown)
        if not isinstance(branch, Record):
            for index in self._below(path):
                self._nothing(index, astray=not _is_null(branch))

    def _nothing(self, index: int, *, astray: bool) -> None:
        if index == ID:
            self._emit(Op.ID_NULL)
        elif index == TIME:
            self._emit(Op.TIME_NULL)
        else:
            self._emit(Op.WRONG_TYPE if astray else Op.NULL_ROW, column=index)

    # -- columns -------------------------------------------------------------------------------

    def _leaf(self, index: int, schema: Schema, shown: Path) -> None:
        if index == ID:
            self._each_branch(schema, self._id)
        elif index == TIME:
            self._each_branch(schema, self._time)
        else:
            column = self._plan.columns[index]
            if column.depth:
                shape = column.feature.shape
                sizes = shape if column.depth > 1 else (column.feature.width,)
                self._array(index, column, schema, sizes, shown, outermost=True)
            else:
                self._element(index, column, schema, shown, Op.NULL_ROW)

    def _each_branch(self, schema: Schema, each: Callable[[Schema], None]) -> None:
        if isinstance(schema, Union):
            self._union(schema.branches, each)
        else:
            each(schema)

    def _array(
        self,
        index: int,
        column: Column,
        schema: Schema,
        sizes: Sequence[int],
        shown: Path,
        *,
        outermost: bool,
    ) -> None:
        def each(branch: Schema) -> None:
            if isinstance(branch, Array):
                self._loop(Op.ARRAY, Op.ITEM, lambda: inner(branch.items), sizes[0], index)
                return
            self._pass_over(branch, None, shown)
            if not outermost:
                self._emit(Op.WRONG_SHAPE, column=index)
            else:
                self._nothing(index, astray=not _is_null(branch))

        def inner(items: Schema) -> None:
            if len(sizes) > 1:
                self._array(index, column, items, sizes[1:], shown, outermost=False)
            else:
                self._element(index, column, items, shown, Op.NULL)

        self._each_branch(schema, each)

    def _element(self, index: int, column: Column, schema: Schema, shown: Path, null: Op) -> None:
        def each(branch: Schema) -> None:
            if _is_null(branch):
                self._emit(null, column=index)
            elif reading_of(column.feature, column.dtype, branch) is None:
                self._pass_over(branch, None, shown)
                self._emit(Op.WRONG_TYPE, column=index)
            else:
                self._take(index, column, branch)

        self._each_branch(schema, each)

    def _take(self, index: int, column: Column, branch: Schema) -> None:
        match column.reading, branch:
            case Reading.NUMBER, Primitive(type=name):
                least, greatest = logical_range(column.logical) or _ALL
                # In nanoseconds, the years 1 and 9999 are beyond 64 bits.
                self._emit(_TAKEN[name], max(least, _ALL[0]), min(greatest, _ALL[1]), index)
            case Reading.CATEGORY, Enum(symbols=symbols):
                start = len(self._out.codes)
                self._out.codes += column.enum_codes(branch)
                self._emit(Op.TAKE_ENUM, len(symbols), start, index)
            case Reading.CATEGORY, _:
                self._emit(Op.TAKE_CATEGORY, column=index)
            case Reading.DECIMAL, _:
                self._emit(Op.TAKE_DECIMAL, _size(branch), _digits(column.logical), index)
            case Reading.RAW, _:
                self._emit(Op.TAKE_RAW, _size(branch), 0, index)
            case Reading.TEXT, Enum(symbols=symbols):
                start = len(self._out.texts)
                self._out.texts += symbols
                self._emit(Op.TAKE_SYMBOL, len(symbols), start, index)
            case _:
                is_uuid = column.logical is not None and column.logical.name == "uuid"
                is_bytes = python_type(branch) is bytes
                self._emit(Op.TAKE_TEXT, int(is_bytes), int(is_uuid), index)

    def _id(self, branch: Schema) -> None:
        match branch:
            case Primitive(type=PrimitiveType.NULL):
                self._emit(Op.ID_NULL)
            case Primitive(type=PrimitiveType.STRING):
                self._emit(Op.ID_STRING, int(self._plan.id.is_uuid))
            case Primitive(type=PrimitiveType.BYTES):
                self._emit(Op.ID_BYTES)
            case Primitive(type=PrimitiveType.INT):
                self._emit(Op.ID_INT)
            case Primitive(type=PrimitiveType.LONG):
                self._emit(Op.ID_LONG)
            case _:
                self._emit(Op.ID_UUID)

    def _time(self, branch: Schema) -> None:
        if _is_null(branch) or self._plan.time is None:
            self._emit(Op.TIME_NULL)
        else:
            self._emit(Op.TIME, self._plan.time.units_per_ms)


def _is_null(branch: Schema) -> bool:
    return isinstance(branch, Primitive) and branch.type is PrimitiveType.NULL


def _digits(logical: Logical | None) -> int:
    precision, scale = (0, 0) if logical is None else (logical.precision, logical.scale)
    if max(precision, scale) > MAX_DECIMAL_PRECISION:
        raise CannotCompileError(f"a decimal of more than {MAX_DECIMAL_PRECISION} digits")
    return precision * DIGITS_BASE + scale


def _size(branch: Schema) -> int:
    """Of the value in bytes; -1: as many as are written."""
    return branch.size if isinstance(branch, Fixed) else -1
