"""What a prediction schema must have, and how the contract's outputs fill the rest of it.

Decides which fields are lineage (fixed by name and type) and which a schema of one's own may add.
Refuses to know where scores come from.
"""

from typing import Final

from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.outgoing import MisfitError, fitter
from stream_app.core.avro.schema import (
    NULL,
    Logical,
    Primitive,
    PrimitiveType,
    Record,
    Schema,
    Union,
    describe,
)
from stream_app.core.contract import Contract

_STRING: Final = Primitive(PrimitiveType.STRING)

LINEAGE: Final[dict[str, Schema]] = {
    "event_id": _STRING,
    "event_time": Union((NULL, Primitive(PrimitiveType.LONG, Logical("timestamp-millis")))),
    "model_name": _STRING,
    "model_version": _STRING,
    "model_hash": _STRING,
    "source_topic": _STRING,
    "source_partition": Primitive(PrimitiveType.INT),
    "source_offset": Primitive(PrimitiveType.LONG),
}
"""Mandatory in every prediction schema, with exactly these types."""


def check_prediction_schema(contract: Contract, text: str) -> list[str]:
    """Everything that is wrong with a prediction schema for this contract; empty: nothing."""
    schema = admit(text)
    if isinstance(schema, Rejection):
        return [f"prediction schema: {schema.detail}"]
    if not isinstance(schema, Record):
        return [f"prediction schema: expected a record, found {describe(schema)}"]
    fields = {field.name: field for field in schema.fields}
    problems: list[str] = []
    for name, expected in LINEAGE.items():
        if name not in fields:
            problems.append(f"prediction schema: the lineage field {name!r} is missing; add it")
        elif fields[name].schema != expected:
            problems.append(
                f"prediction schema: lineage field {name!r}: expected {describe(expected)}, "
                f"found {describe(fields[name].schema)}"
            )
    bound = [binding.field for binding in contract.outputs]
    for binding in contract.outputs:
        name = binding.field
        if name in LINEAGE:
            problems.append(f"contract output {name!r}: a lineage field, which is filled by us")
        elif name not in fields:
            problems.append(f"contract output {name!r}: not a field of the prediction schema")
        elif bound.count(name) > 1:
            problems.append(f"contract output {name!r}: bound more than once")
        else:
            try:
                fitter(fields[name].schema, binding.column)
            except MisfitError as misfit:
                problems.append(f"contract output {name!r}: {misfit}")
    problems.extend(
        f"prediction schema: field {name!r} has no default and the contract binds no output to it"
        for name, field in fields.items()
        if name not in LINEAGE and name not in bound and not field.has_default
    )
    return problems
