"""THE PATH: records in, one outcome each out. Decode, score, encode, and what died goes aside.

A processor of the loop in ``loop.py``. Decides that every row of a batch ends in exactly one
outcome, a prediction or a dead letter, and when so many die that the worker must stop. Refuses
to know Kafka, transactions, Avro and ONNX: those are the ports it is given.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_app.core.breaker import Breaker
from stream_app.core.columns import (
    NO_TIMESTAMP,
    BytesColumn,
    EventBatch,
    OutputBatch,
    RecordBatch,
    ScoreBatch,
)
from stream_app.core.dead_letters import Origin, dead_letters
from stream_app.core.faults import Fault
from stream_app.core.metrics import BATCH_RECORDS, DEAD_LETTERS, PREDICTIONS, STEP_SECONDS
from stream_app.core.time_range import within_range
from stream_app.drift_tally import DriftTally
from stream_app.errors import DataError
from stream_app.ports import Clock, Decoder, Encoder, Model, Telemetry
from stream_app.scoring import ScoringRules, score


@dataclass(frozen=True, slots=True)
class ScorerConfig:
    """What the scorer is told.

    Attributes:
        predictions_topic: Where predictions go.
        origin: Who writes dead letters, and where to.
        rules: What to do with rows that fail in the model.
        timestamp: Of predictions: the input record's, or now.
        on_bad_record: Whether a bad record dies or stops the worker.
        max_time_difference_ms: Between an event's time and its record's; 0: not checked.
    """

    predictions_topic: str
    origin: Origin
    rules: ScoringRules
    timestamp: Literal["input", "now"] = "input"
    on_bad_record: Literal["dead_letter", "stop"] = "dead_letter"
    max_time_difference_ms: int = 0


@dataclass(slots=True)
class _Tally:
    """Outcomes since the last commit; counted for the world only when they are committed."""

    predictions: int = 0
    letters: Counter[Fault] = field(default_factory=Counter)


class Scorer:
    """Scores batches; holds nothing between transactions but counts."""

    def __init__(
        self,
        config: ScorerConfig,
        decoder: Decoder,
        model: Model,
        encoder: Encoder,
        breaker: Breaker,
        clock: Clock,
        telemetry: Telemetry,
        drift: DriftTally | None = None,
    ) -> None:
        self._config = config
        self._drift = drift
        self._decoder = decoder
        self._model = model
        self._encoder = encoder
        self._breaker = breaker
        self._clock = clock
        self._telemetry = telemetry
        self._tally = _Tally()
        self._last_events: EventBatch | None = None

    def process(self, records: RecordBatch) -> Sequence[OutputBatch]:
        """See :class:`~stream_app.ports.Processor`."""
        started_s = self._clock.now_s()
        events = self._decoder.decode(records)
        if self._config.max_time_difference_ms:
            events = within_range(records, events, self._config.max_time_difference_ms)
        decoded_s = self._clock.now_s()
        scores = score(self._model, events, self._config.rules)
        scored_s = self._clock.now_s()
        predictions, scores = self._encode(records, events, scores)
        encoded_s = self._clock.now_s()

        self._refuse_if_told(records, scores)
        letters = self._bury(records, events, scores)
        if self._drift is not None:
            self._drift.count(records, events, scores)
        self._tally.predictions += len(predictions)
        self._last_events = events
        self._telemetry.observe(BATCH_RECORDS, len(records))
        self._telemetry.observe(STEP_SECONDS, decoded_s - started_s, "decode")
        self._telemetry.observe(STEP_SECONDS, scored_s - decoded_s, "score")
        self._telemetry.observe(STEP_SECONDS, encoded_s - scored_s, "encode")
        return [batch for batch in (predictions, letters) if len(batch)]

    def choose(self, records: RecordBatch) -> None:
        """All of them."""

    def condemn(self, records: RecordBatch) -> OutputBatch:
        """Dead letters of records in whose processing the process has died; see `crash_guard`."""
        fault = np.full(len(records), Fault.PROCESS_CRASHED, dtype=np.uint16)
        events = EventBatch.undecoded(fault, {})
        scores = ScoreBatch(np.empty(0, dtype=np.intp), {}, fault)
        self._refuse_if_told(records, scores)
        self._last_events = events
        if self._drift is not None:
            self._drift.count(records, events, scores)
        return self._bury(records, events, scores)

    def _encode(
        self, records: RecordBatch, events: EventBatch, scores: ScoreBatch
    ) -> tuple[OutputBatch, ScoreBatch]:
        """Predictions of the rows that could be encoded, and the faults of those that could not."""
        values, failed = self._encoder.encode(records, events, scores)
        rows = scores.rows
        if failed:
            fault, detail = scores.fault.copy(), dict(scores.fault_detail)
            for position, message in failed.items():
                fault[rows[position]] = Fault.ENCODE_ERROR
                detail[int(rows[position])] = message
            kept = np.array([p for p in range(len(rows)) if p not in failed], dtype=np.intp)
            rows, values = rows[kept], values.take(kept)
            outputs = {name: tensor[kept] for name, tensor in scores.outputs.items()}
            scores = ScoreBatch(rows, outputs, fault, detail)
        return self._predictions(records, rows, values), scores

    def _predictions(
        self, records: RecordBatch, rows: npt.NDArray[np.intp], values: BytesColumn
    ) -> OutputBatch:
        all_rows = len(rows) == len(records)
        as_input = self._config.timestamp == "input"
        return OutputBatch(
            topic=self._config.predictions_topic,
            rows=rows,
            values=values,
            keys=records.keys if all_rows else records.keys.take(rows),
            partition=records.partition[rows],
            timestamp_ms=(
                records.timestamp_ms[rows]
                if as_input
                else np.full(len(rows), NO_TIMESTAMP, dtype=np.int64)
            ),
        )

    def _bury(self, records: RecordBatch, events: EventBatch, scores: ScoreBatch) -> OutputBatch:
        """Dead letters of the faulty rows, unless there are too many of them to believe in."""
        bad = scores.fault != 0
        reason = self._breaker.record(len(records), int(bad.sum()), _trailing_run(bad))
        if reason is not None:
            codes = Counter(Fault.of(code).name for code in scores.fault[bad].tolist())
            most = ", ".join(f"{name} {count}" for name, count in codes.most_common(3))
            message = (
                f"the circuit breaker is open: {reason}; in the last batch: {most}. Nothing of "
                "this batch was committed. Check the model, the contract and what producers sent; "
                "then start again, or raise the limit if this input is really so bad"
            )
            raise DataError(message)
        letters = dead_letters(
            self._config.origin, records, events, scores.fault, scores.fault_detail
        )
        self._tally.letters.update(Fault.of(code) for code in scores.fault[bad].tolist())
        return letters

    def _refuse_if_told(self, records: RecordBatch, scores: ScoreBatch) -> None:
        if self._config.on_bad_record != "stop" or not scores.fault.any():
            return
        row = int(np.flatnonzero(scores.fault)[0])
        fault = Fault.of(int(scores.fault[row]))
        message = (
            f"bad record at {records.topic}[{int(records.partition[row])}] offset "
            f"{int(records.offset[row])}: {fault.name} "
            f"({scores.fault_detail.get(row, fault.meaning)}); "
            'dead_letters.on_bad_record = "stop". Repair it, skip it with `stream-app offsets '
            'reset`, or set on_bad_record = "dead_letter"'
        )
        raise DataError(message)

    def redirect(
        self, records: RecordBatch, outputs: OutputBatch, refused: npt.NDArray[np.intp]
    ) -> OutputBatch:
        """See :class:`~stream_app.ports.Processor`.

        Only predictions are refused: a dead letter is cut to the same limit when it is made.
        """
        events = self._last_events
        if events is None or len(events) != len(records):
            raise ValueError("redirect must follow the process call of the same records")
        rows = outputs.rows[refused]
        fault = np.zeros(len(records), dtype=np.uint16)
        fault[rows] = Fault.OUTPUT_TOO_LARGE
        self._tally.predictions -= len(rows)
        self._tally.letters[Fault.OUTPUT_TOO_LARGE] += len(rows)
        if self._drift is not None:
            self._drift.redirect(rows, Fault.OUTPUT_TOO_LARGE)
        detail = {
            int(row): f"the prediction has {len(outputs.values[int(position)] or b'')} bytes, over "
            "output.max_record_bytes"
            for position, row in zip(refused, rows, strict=True)
        }
        return dead_letters(self._config.origin, records, events, fault, detail)

    def assigned(self, partitions: Sequence[int]) -> None:
        """Nothing to do: there is no state."""

    def restore(self, partitions: Sequence[int]) -> bool:
        """Nothing to restore."""
        del partitions
        return True

    def is_full(self) -> bool:
        """When very many drift windows are open."""
        return self._drift is not None and self._drift.is_full

    def quiet(self, next_offsets: Mapping[int, int]) -> Collection[int]:
        """Drift windows need not wait for partitions that bring nothing."""
        return () if self._drift is None else self._drift.quiet(next_offsets)

    def conclude(self) -> Sequence[OutputBatch]:
        """What the transaction adds to drift windows."""
        partials = None if self._drift is None else self._drift.conclude()
        return () if partials is None else (partials,)

    def committed(self) -> None:
        """Tell the world what is now in the topics."""
        self._telemetry.count(PREDICTIONS, self._tally.predictions)
        for fault, count in self._tally.letters.items():
            self._telemetry.count(DEAD_LETTERS, count, fault.stage.value, fault.name)
        self._tally = _Tally()
        self._breaker.committed()
        if self._drift is not None:
            self._drift.committed()

    def rolled_back(self) -> bool:
        """Forget what was counted; the same records come again."""
        self._tally = _Tally()
        self._breaker.rolled_back()
        if self._drift is not None:
            self._drift.rolled_back()
        return False

    def revoked(self, partitions: Sequence[int]) -> None:
        """Somebody else speaks for them now."""
        if self._drift is not None:
            self._drift.revoked(partitions)

    def metadata(self, partition: int) -> str:
        """Nothing to keep yet."""
        del partition
        return ""


def _trailing_run(bad: npt.NDArray[np.bool_]) -> int:
    """How many bad rows end the batch, one after another."""
    good = np.flatnonzero(~bad)
    return len(bad) - 1 - int(good[-1]) if len(good) else len(bad)
