"""The car-loan example as the product sees it: its own reference, its own stream, scored.

Decides nothing but where the step is. Rows of the stream are none of the reference's, and none
that the model was trained with.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from stream_app.adapters.drift.event_reader import read_events
from stream_app.adapters.drift.reference_file import REFERENCE_FILE, read_reference
from stream_app.adapters.drift.scored_events import score_events
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.watch import Values, read_values
from stream_app.resources import example_dir
from stream_app.settings import ModelSettings

DRIFT_ROW = 15_000
"""Of the stream: from here on applicants are others."""


class Halves(NamedTuple):
    """The example.

    Attributes:
        layout: Of the committed reference.
        quiet: Rows before the drift.
        drifted: Rows from it on.
    """

    layout: Layout
    quiet: Values
    drifted: Values


@cache
def car_loan() -> Halves:
    """Read, decoded and scored as live events are."""
    example = example_dir("car_loan")
    files = ModelRepository(example / "models").open("car_loan")
    reference = read_reference(example / "models" / "car_loan" / "1" / REFERENCE_FILE).reference
    origins = [column.origin for column in reference.columns]
    model = load_model(files, ModelSettings())
    reader = read_events(example / "stream.avro", files.contract, compiled=True)
    read = [
        read_values(origins, chunk.events, chunk.batch.rows, chunk.batch.outputs)
        for chunk in score_events(reader, model, files.contract)
    ]
    numbers, kinds = (
        np.asfortranarray(np.concatenate([getattr(values, name) for values in read]))
        for name in ("numbers", "kinds")
    )
    return Halves(
        Layout(reference),
        Values(numbers[:DRIFT_ROW], kinds[:DRIFT_ROW], {}),
        Values(numbers[DRIFT_ROW:], kinds[DRIFT_ROW:], {}),
    )
