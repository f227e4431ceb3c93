"""What tests of predictions share: our schema, changes of it, contracts that fill it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stream_app.core.contract import Contract, OutputBinding
from tests.avro_kit import contract_of

OURS = Path(__file__).parents[1].joinpath("schemas", "prediction.avsc").read_text()
BINDINGS = (OutputBinding("scores", "probabilities"), OutputBinding("label", "label"))

Change = Callable[[dict[str, dict[str, Any]]], object]


def contract_with(*bindings: OutputBinding) -> Contract:
    contract = contract_of()
    return Contract(
        contract.record_names, contract.id_field, None, contract.inputs, tuple(bindings)
    )


def changed(change: Change) -> str:
    """Our schema, after ``change`` on its fields by name."""
    schema = json.loads(OURS)
    fields = {field["name"]: field for field in schema["fields"]}
    change(fields)
    schema["fields"] = list(fields.values())
    return json.dumps(schema)
