"""What every Python peer does by hand: its order, its clock, Avro with fastavro, the model.

Runs in a peer's own venv, so it knows nothing of stream-app. The framing is Avro's single-object
encoding; its ten bytes are taken off and put on here, because the Avro serialisers of stream
libraries want a registry. What is around these calls is the peer.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from operator import itemgetter
from typing import Any

import fastavro
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Event = Mapping[str, Any]
Matrix = npt.NDArray[np.float32]

_NUMBERS = itemgetter(*(f"channel_{number + 1}" for number in range(8)), "cycles")
_VIBRATION_OF_NONE = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a peer is told; ``orders.py`` says what each word means."""

    servers: str
    input: str
    output: str
    group: str
    records: int
    model: str
    event_schema: str
    prediction_schema: str
    event_prefix: str
    prediction_prefix: str
    lineage: Mapping[str, str]
    batch: int
    transaction_s: float
    linger_ms: float
    compression: str
    folder: str

    @classmethod
    def read(cls) -> "Order":
        """From standard input."""
        return cls(**json.load(sys.stdin))


class Clock:
    """From the first record fetched to the last commit, as the bench measures itself."""

    def __init__(self, wanted: int) -> None:
        self._warm_at = wanted // 3
        self._begun: tuple[float, float] | None = None
        self._ended = (0.0, 0.0)
        self._reached = 0
        self._warm: tuple[int, float] | None = None

    def fetched(self) -> None:
        """Records came; the first time, measuring begins."""
        if self._begun is None:
            self._begun = (time.monotonic(), time.process_time())

    def reached(self, total: int) -> None:
        """So many records are done."""
        self._reached = total
        self._ended = (time.monotonic(), time.process_time())
        if self._warm is None and total >= self._warm_at:
            self._warm = (total, self._ended[0])

    def answer(self, *packages: str) -> None:
        """One line for whoever started us."""
        if self._begun is None or self._warm is None:
            raise RuntimeError("nothing was done: there is nothing to tell")
        told = {
            "records": self._reached,
            "seconds": self._ended[0] - self._begun[0],
            "cpu_seconds": self._ended[1] - self._begun[1],
            "warm_records": self._reached - self._warm[0],
            "warm_seconds": self._ended[0] - self._warm[1],
            "versions": {name: version(name) for name in (*packages, "fastavro", "onnxruntime")},
        }
        sys.stdout.write(f"{json.dumps({'answer': told})}\n")
        sys.stdout.flush()


class Codec:
    """Events to rows of features, scores to predictions; schemas are parsed once."""

    def __init__(self, order: Order) -> None:
        self._event_prefix = bytes.fromhex(order.event_prefix)
        self._prediction_prefix = bytes.fromhex(order.prediction_prefix)
        document = json.loads(order.event_schema)
        self._event_schema = fastavro.parse_schema(document)
        self._prediction_schema = fastavro.parse_schema(json.loads(order.prediction_schema))
        symbols = next(f["type"]["symbols"] for f in document["fields"] if f["name"] == "mode")
        self._modes = {symbol: code for code, symbol in enumerate(symbols)}
        self._constants = {**order.lineage, "source_topic": order.input, "label": None}

    def decode(self, value: bytes) -> Event:
        """One event; raises for a value of another schema."""
        if not value.startswith(self._event_prefix):
            raise ValueError("a value of another schema")
        body = BytesIO(value)
        body.seek(len(self._event_prefix))
        event: Any = fastavro.schemaless_reader(body, self._event_schema, None)
        return event  # type: ignore[no-any-return]  # a record, by its schema

    def matrix(self, events: Sequence[Event]) -> Matrix:
        """A row each, in the order of the model's features."""
        rows = [
            (
                *_NUMBERS(event),
                self._modes[event["mode"]],
                _VIBRATION_OF_NONE if event["vibration"] is None else event["vibration"],
                event["measured_at"],
            )
            for event in events
        ]
        return np.array(rows, dtype=np.float64).astype(np.float32)

    def encode(self, event: Event, score: float, partition: int, offset: int) -> bytes:
        """One prediction."""
        out = BytesIO()
        out.write(self._prediction_prefix)
        prediction = {
            **self._constants,
            "event_id": event["reading_id"],
            "event_time": event["measured_at"],
            "source_partition": partition,
            "source_offset": offset,
            "scores": [score],
        }
        fastavro.schemaless_writer(out, self._prediction_schema, prediction)
        return out.getvalue()


class Model:
    """ONNX Runtime on one thread."""

    def __init__(self, order: Order) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self._session: Any = ort.InferenceSession(order.model, options, providers=providers)
        # The first run of a session allocates; nobody's first run is measured.
        self.scores(np.zeros((1, 12), dtype=np.float32))

    def scores(self, matrix: Matrix) -> list[float]:
        """One for each row."""
        (found,) = self._session.run(["scores"], {"features": matrix})
        scores: list[float] = found[:, 0].tolist()
        return scores
