"""Contract against writer schema: a plan to read by, or all the reasons why there is none.

Decides which Avro types may fill which tensor, once per schema, so that a mismatch is told before
rows fail. Names, aliases, defaults and categories are the contract's; the writer's defaults mean
nothing to a reader. Refuses to know values.
"""

from typing import Final

from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.plan import (
    UNITS_PER_MS,
    Column,
    IdColumn,
    Path,
    Plan,
    Reading,
    TimeColumn,
    python_type,
)
from stream_app.core.avro.readings import FLOATS, expectation, logical_of, non_null, reading_of
from stream_app.core.avro.schema import (
    Array,
    Fixed,
    Logical,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Schema,
    describe,
)
from stream_app.core.contract import Contract, DType, Encoding, Feature, OnNull
from stream_app.core.faults import Fault

_UUID_BYTES: Final = 16


def resolve(contract: Contract, schema: Schema) -> Plan | Rejection:
    """The plan for events of ``schema``, or why they cannot be read."""
    if contract.record_names and not (
        isinstance(schema, Record) and schema.name in contract.record_names
    ):
        expected = " or ".join(contract.record_names)
        return Rejection(
            Fault.SCHEMA_NOT_ALLOWED, f"expected record {expected}, found {describe(schema)}"
        )
    if not isinstance(schema, Record):
        return Rejection(Fault.SCHEMA_INCOMPATIBLE, f"expected a record, found {describe(schema)}")
    resolver = _Resolver(contract, schema)
    plan = resolver.plan()
    return plan or Rejection(Fault.SCHEMA_INCOMPATIBLE, "; ".join(resolver.problems))


class UnreadableError(Exception):
    """Why one field cannot be read as the contract asks; collected, never shown alone."""


class _Resolver:
    def __init__(self, contract: Contract, schema: Record) -> None:
        self.problems: list[str] = []
        self._contract = contract
        self._schema = schema

    def plan(self) -> Plan | None:
        event_id = self._id(self._contract.id_field)
        time = None if self._contract.time_field is None else self._time(self._contract.time_field)
        columns = [
            self._column(feature, tensor.dtype)
            for tensor in self._contract.inputs
            for feature in tensor.features
        ]
        if self.problems or event_id is None:
            return None
        return Plan(self._schema, event_id, time, tuple(c for c in columns if c is not None))

    def _id(self, field: str) -> IdColumn | None:
        found = _locate(self._schema, field)
        if found is None:
            self.problems.append(f"the id field {field!r} is not in {describe(self._schema)}")
            return None
        path, leaf, _ = found
        branches = non_null(leaf)
        if len(branches) == 1:
            match branches[0]:
                case Primitive(type=PrimitiveType.STRING, logical=logical):
                    return IdColumn(path, leaf, is_uuid=_is_uuid(logical))
                case Primitive(
                    type=PrimitiveType.BYTES | PrimitiveType.INT | PrimitiveType.LONG, logical=None
                ):
                    return IdColumn(path, leaf, is_uuid=False)
                case Fixed(size=size, logical=logical) if _is_uuid(logical) and size == _UUID_BYTES:
                    return IdColumn(path, leaf, is_uuid=True)
        self.problems.append(
            f"the id field {field!r}: expected a string, bytes, uuid, int or long, "
            f"found {describe(leaf)}"
        )
        return None

    def _time(self, field: str) -> TimeColumn | None:
        found = _locate(self._schema, field)
        if found is None:
            self.problems.append(f"the time field {field!r} is not in {describe(self._schema)}")
            return None
        path, leaf, _ = found
        match non_null(leaf):
            case (Primitive(type=PrimitiveType.LONG, logical=Logical(name=name)),) if (
                name in UNITS_PER_MS
            ):
                return TimeColumn(path, leaf, UNITS_PER_MS[name])
        self.problems.append(
            f"the time field {field!r}: expected a long that is a {', '.join(UNITS_PER_MS)}; "
            f"found {describe(leaf)}"
        )
        return None

    def _column(self, feature: Feature, dtype: DType) -> Column | None:
        try:
            for field in (feature.field, *feature.aliases):
                found = _locate(self._schema, field)
                if found is not None:
                    return _present(feature, dtype, *found)
            return _absent(feature, dtype)
        except UnreadableError as misfit:
            self.problems.append(f"field {feature.field!r}: {misfit}")
            return None


def _locate(schema: Record, field: str) -> tuple[Path, Schema, bool] | None:
    """Path and leaf of a dotted field, and whether something else may lie on the way."""
    path = tuple(field.split("."))
    here: Schema = schema
    is_mixed = False
    for name in path:
        branches = non_null(here)
        records = [branch for branch in branches if isinstance(branch, Record)]
        if len(records) != 1 or any(isinstance(branch, Map) for branch in branches):
            return None
        is_mixed = is_mixed or len(branches) > 1
        below = [own.schema for own in records[0].fields if own.name == name]
        if not below:
            return None
        here = below[0]
    return path, here, is_mixed


def _present(feature: Feature, dtype: DType, path: Path, leaf: Schema, is_mixed: bool) -> Column:
    element, depth = _peel(feature, leaf)
    readable: list[tuple[Schema, Reading]] = []
    others: list[Schema] = []
    for branch in non_null(element):
        reading = reading_of(feature, dtype, branch)
        if reading is None:
            others.append(branch)
        else:
            readable.append((branch, reading))
    if not readable:
        raise UnreadableError(f"expected {expectation(feature, dtype)}, found {describe(leaf)}")
    types = frozenset(python_type(branch) for branch, _ in readable)
    ways = {(reading, logical_of(branch)) for branch, reading in readable}
    if len(ways) > 1 or any(python_type(branch) in types for branch in others):
        raise UnreadableError(f"the branches of {describe(leaf)} cannot be told apart")
    ((reading, logical),) = ways
    return Column(
        feature=feature,
        dtype=dtype,
        path=path,
        leaf=leaf,
        reading=reading,
        depth=depth,
        types=types,
        is_mixed=is_mixed or bool(others) or (depth > 0 and len(non_null(leaf)) > 1),
        logical=logical,
        codes=_codes(feature),
        fill=fill_of(feature, dtype),
    )


def _absent(feature: Feature, dtype: DType) -> Column:
    if feature.on_null is OnNull.DEAD_LETTER:
        raise UnreadableError(
            "required, and not in the schema under this name or an alias; "
            "set on_null, or add an alias"
        )
    return Column(
        feature=feature,
        dtype=dtype,
        path=None,
        leaf=None,
        reading=Reading.TEXT if dtype is DType.STRING else Reading.NUMBER,
        depth=0,
        types=frozenset(),
        is_mixed=False,
        logical=None,
        codes=_codes(feature),
        fill=fill_of(feature, dtype),
    )


def _peel(feature: Feature, leaf: Schema) -> tuple[Schema, int]:
    """The element inside the arrays of ``leaf``, and how many those are."""
    element, depth = leaf, 0
    while arrays := [branch for branch in non_null(element) if isinstance(branch, Array)]:
        element, depth = arrays[0].items, depth + 1
    if feature.encoding is Encoding.RAW:
        if depth:
            raise UnreadableError(f"expected bytes or fixed, found {describe(leaf)}")
    elif not feature.shape and depth:
        raise UnreadableError(f"expected a single value, found {describe(leaf)}; set its shape")
    elif feature.shape and depth not in {1, len(feature.shape)}:
        raise UnreadableError(
            f"expected an array, flat or nested {len(feature.shape)} deep, found {describe(leaf)}"
        )
    return element, depth


def _codes(feature: Feature) -> dict[str, int]:
    return {name: code for code, name in enumerate(feature.categories or ())}


def fill_of(feature: Feature, dtype: DType) -> float | int | str | None:
    if feature.on_null is OnNull.DEAD_LETTER:
        return None
    if feature.on_null is OnNull.NAN:
        if dtype not in FLOATS:
            raise UnreadableError(f"on_null is nan, but {dtype} has no NaN; set a default")
        return float("nan")
    if feature.default is None:
        raise UnreadableError("on_null is default, but there is no default")
    if feature.categories is None:
        return feature.default
    if feature.default not in feature.categories:
        raise UnreadableError("the default is none of the categories")
    return feature.categories.index(str(feature.default))


def _is_uuid(logical: Logical | None) -> bool:
    return logical is not None and logical.name == "uuid"
