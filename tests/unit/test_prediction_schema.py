"""Laws of prediction schemas: lineage is mandatory, everything else is bound or has a default."""

from typing import Any

import pytest

from stream_app.core.avro.prediction import LINEAGE, check_prediction_schema
from stream_app.core.contract import OutputBinding
from tests.prediction_kit import BINDINGS, OURS, changed, contract_with


def problems(text: str, *bindings: OutputBinding) -> str:
    return "\n".join(check_prediction_schema(contract_with(*(bindings or BINDINGS)), text))


def test_our_own_schema_fits() -> None:
    assert problems(OURS) == ""
    assert problems(OURS, BINDINGS[0]) == ""


@pytest.mark.parametrize("name", LINEAGE)
def test_no_lineage_field_may_be_missing_or_of_another_type(name: str) -> None:
    assert repr(name) in problems(changed(lambda fields: fields.pop(name)))
    wrong = changed(lambda fields: fields.update({name: {"name": name, "type": "double"}}))
    assert f"lineage field {name!r}: expected" in problems(wrong)


def test_lineage_cannot_be_bound() -> None:
    assert "filled by us" in problems(OURS, *BINDINGS, OutputBinding("event_id", "label"))


def test_a_field_that_nothing_fills_needs_a_default() -> None:
    def add(fields: dict[str, dict[str, Any]]) -> None:
        fields["risk"] = {"name": "risk", "type": "double"}

    def add_with_default(fields: dict[str, dict[str, Any]]) -> None:
        fields["risk"] = {"name": "risk", "type": "double", "default": 0.0}

    assert "'risk' has no default" in problems(changed(add))
    assert problems(changed(add_with_default)) == ""
    assert problems(changed(add), *BINDINGS, OutputBinding("risk", "probabilities", 1)) == ""


def test_bindings_must_name_fields_once() -> None:
    assert "'riks': not a field" in problems(OURS, *BINDINGS, OutputBinding("riks", "x"))
    assert "more than once" in problems(OURS, *BINDINGS, BINDINGS[0])


@pytest.mark.parametrize(
    "schema",
    ["null", "bytes", {"type": "map", "values": "float"}, {"type": "array", "items": "bytes"}],
)
def test_fields_that_no_output_can_fill_are_told(schema: Any) -> None:
    def add(fields: dict[str, dict[str, Any]]) -> None:
        fields["risk"] = {"name": "risk", "type": schema}

    assert "no model output fits" in problems(
        changed(add), *BINDINGS, OutputBinding("risk", "probabilities")
    )


@pytest.mark.parametrize("text", ["", '"string"', '{"type": "record", "name": "R", "fields": 1}'])
def test_what_is_no_record_is_told(text: str) -> None:
    assert problems(text).startswith("prediction schema: ")
