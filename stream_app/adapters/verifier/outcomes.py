"""Outcomes as they are read: which position each names, kept as numbers and never as records.

Decides what an outcome is that names none: one of another input, or unreadable, which is foreign.
Refuses to judge, but for what a caller expects of a prediction.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from stream_app.adapters.verifier.kafka import Ends
from stream_app.adapters.verifier.messages import headers_of, record_of
from stream_app.adapters.verifier.records import (
    PredictionReader,
    UnreadableError,
    read_dead_letter,
    scored_by,
)
from stream_app.settings import Settings
from stream_app.verify import Finding, Kind, Offsets, OutputLog
from stream_app.verify.letters import told_time
from stream_app.verify.logical import in_milliseconds
from stream_app.verify.logs import NO_TIME, UNKNOWN_TIME
from stream_app.verify.report import SHOWN

Expected = Callable[[Mapping[str, Any]], str | None]
"""Given a decoded prediction: ``None`` when it is as expected, else what is wrong with it."""

_NO_SOURCE = -1


class Columns:
    """One output partition while it is read."""

    def __init__(self) -> None:
        self.offsets = array("q")
        self.source_partition = array("q")
        self.source_offset = array("q")
        self.codes: Counter[str] = Counter()
        self.time_ms = array("q")
        self.groups = array("q")
        self._numbers: dict[tuple[str, ...], int] = {}

    def tell(self, group: tuple[str, ...], time_ms: int) -> None:
        """What drift needs to know of the outcome that comes next."""
        self.groups.append(self._numbers.setdefault(group, len(self._numbers)))
        self.time_ms.append(time_ms)

    def log(self, topic: str, partition: int, kind: Kind, ends: Ends) -> OutputLog:
        """What was read."""
        return OutputLog(
            topic=topic,
            partition=partition,
            kind=kind,
            begin=ends.begin,
            stable_end=ends.stable,
            end=ends.end,
            offsets=numbers(self.offsets),
            source_partition=numbers(self.source_partition),
            source_offset=numbers(self.source_offset),
            codes=dict(self.codes),
            time_ms=numbers(self.time_ms),
            groups=numbers(self.groups),
            group_names=tuple(self._numbers),
        )


class OutcomeReader:
    """Puts outcomes into columns.

    Args:
        settings: Of the job.
        expected: Looks at each prediction's content.
        for_drift: Keep what is held against drift partials too: 16 bytes more an outcome.
    """

    def __init__(self, settings: Settings, expected: Expected | None, *, for_drift: bool) -> None:
        self._input = settings.input.topic
        self._for_drift = for_drift
        self._has_input_time = settings.output.timestamp == "input"
        self._predictions = PredictionReader(settings)
        self._expected = expected
        self.wrong_content = Finding()
        self.notes: list[str] = []

    def prediction(self, columns: Columns, message: Any) -> None:
        """Take a record of the predictions topic."""
        try:
            source, record = self._predictions.read(message.value())
        except UnreadableError as exc:
            self._unreadable(columns, message, exc)
            return
        if self._for_drift:
            columns.tell(_model_of(record), self._time_of(record, message))
        self._append(columns, message, source)
        wrong = self._expected(record) if self._expected is not None else None
        if wrong is not None:
            place = f"{message.topic()}[{message.partition()}]@{message.offset()}: {wrong}"
            self.wrong_content += Finding(1, (place,))

    def dead_letter(self, columns: Columns, message: Any) -> None:
        """Take a record of the DLQ."""
        headers = headers_of(message)
        try:
            source, code = read_dead_letter(headers)
        except UnreadableError as exc:
            columns.codes["UNREADABLE"] += 1
            self._unreadable(columns, message, exc)
            return
        columns.codes[code] += 1
        if self._for_drift:
            columns.tell((*scored_by(headers), code), NO_TIME)
        self._append(columns, message, source)

    def _append(self, columns: Columns, message: Any, source: tuple[str, int, int]) -> None:
        topic, partition, offset = source
        columns.offsets.append(message.offset())
        columns.source_partition.append(partition if topic == self._input else _NO_SOURCE)
        columns.source_offset.append(offset)

    def _time_of(self, record: Mapping[str, Any], message: Any) -> int:
        """Of the event; where it has none, of its record, if the prediction was sent with that."""
        own = record.get("event_time")
        if isinstance(own, datetime):
            return in_milliseconds(own)
        sent = record_of(message)
        told = told_time(sent, sent.headers) or b""
        if sent.is_brokers_time or not self._has_input_time or not told.lstrip(b"-").isdigit():
            return UNKNOWN_TIME
        return max(int(told), NO_TIME)

    def _unreadable(self, columns: Columns, message: Any, exc: UnreadableError) -> None:
        if self._for_drift:
            columns.tell(("", "", ""), NO_TIME)
        self._append(columns, message, ("", _NO_SOURCE, _NO_SOURCE))
        if len(self.notes) < SHOWN:
            place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
            self.notes.append(f"{place} counts as foreign: {exc}")


def _model_of(record: Mapping[str, Any]) -> tuple[str, str]:
    return str(record.get("model_name")), str(record.get("model_version"))


def numbers(column: "array[int]") -> Offsets:
    """Offsets gathered, as a column."""
    return np.frombuffer(column, dtype=np.int64) if column else np.empty(0, dtype=np.int64)
