"""What the input holds and what a run left, read from Kafka with fastavro into columns.

Decides what is expected: the events' own scores, made here a large batch at a time from the topic
itself, so that no contender is the measure of the others. Reads committed records only.
"""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import fastavro
import numpy as np

from stream_app.adapters.bench.topics import read_batches
from stream_app.errors import DataError
from stream_app.settings import KafkaSettings
from tests.bench.peers.byhand import Codec, Model, Order
from tests.bench.peers.judging import Columns, origins

_ID: Final = "reading-"


def read_expected(kafka: KafkaSettings, order: Order) -> Columns:
    """The events of the input, each with the score that it deserves."""
    codec, model = Codec(order), Model(order)
    numbers: list[int] = []
    places: list[tuple[int, int, int]] = []
    scores: list[float] = []
    for batch in read_batches(kafka, order.input):
        events = [codec.decode(value or b"") for value in batch.values]
        scores += model.scores(codec.matrix(events))
        numbers += [number_of(event["reading_id"]) for event in events]
        times = [event["measured_at"] for event in events]
        places += zip(times, batch.partition.tolist(), batch.offset.tolist(), strict=True)
    row = np.argsort(np.array(numbers, dtype=np.int64))
    number = np.array(numbers, dtype=np.int64)[row]
    if not np.array_equal(number, np.arange(order.records)):
        raise DataError(f"{order.input}: not the events 0 to {order.records - 1}, each once")
    return Columns(number, np.array(scores, dtype=np.float32)[row], origins(places)[row])


@dataclass(frozen=True, slots=True)
class Found:
    """What a run left.

    Attributes:
        columns: Its predictions.
        fault: What cannot even be read; empty if all can.
    """

    columns: Columns
    fault: str = ""


def read_found(kafka: KafkaSettings, order: Order) -> Found:
    """The committed predictions of a run."""
    schema = fastavro.parse_schema(json.loads(order.prediction_schema))
    prefix = bytes.fromhex(order.prediction_prefix)
    constants = {**order.lineage, "source_topic": order.input, "label": None}
    numbers: list[int] = []
    places: list[tuple[int, int, int]] = []
    scores: list[float] = []
    fault = ""
    for batch in read_batches(kafka, order.output):
        for value in batch.values:
            made = _prediction(value or b"", prefix, schema)
            if made is None:
                fault = "a value that is no prediction"
                continue
            if any(made[name] != same for name, same in constants.items()):
                fault = f"the prediction of {made['event_id']} names another model or source"
            (score,) = made["scores"]
            numbers.append(number_of(made["event_id"]))
            places.append((made["event_time"], made["source_partition"], made["source_offset"]))
            scores.append(score)
    columns = Columns(
        np.array(numbers, dtype=np.int64), np.array(scores, dtype=np.float32), origins(places)
    )
    return Found(columns, fault)


def number_of(event_id: str) -> int:
    """Of an event; -1 for an id that no event of the bench has."""
    digits = event_id.removeprefix(_ID)
    return int(digits) if event_id.startswith(_ID) and digits.isdecimal() else -1


def _prediction(value: bytes, prefix: bytes, schema: Any) -> dict[str, Any] | None:
    body = BytesIO(value)
    if body.read(len(prefix)) != prefix:
        return None
    try:
        made: Any = fastavro.schemaless_reader(body, schema, None)
    except Exception:  # noqa: BLE001  # fastavro does not list what it raises
        return None
    whole = body.tell() == len(value) and len(made["scores"]) == 1
    return made if whole else None
