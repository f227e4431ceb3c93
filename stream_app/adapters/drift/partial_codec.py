"""Partials as records: Avro, single-object encoding, schema ``schemas/drift_partial.avsc``.

Decides the bytes, both ways; nothing of what is decoded was believed before it was checked.
Refuses to know topics.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from stream_app.adapters.drift.framed_records import FramedRecords
from stream_app.core.columns import NO_TIMESTAMP, BytesColumn
from stream_app.core.drift.merge import partial_fault
from stream_app.core.drift.partial import Coverage, Form, Partial, Stream, WindowDelta
from stream_app.core.faults import Fault
from stream_app.ports_drift import Unreadable

FORMAT = 1
_MOST_STREAMS = 1_000
_FORMS = {int(form): form for form in Form}


def encode_partial(partial: Partial) -> bytes:
    """One record's value."""
    stream = partial.stream
    record = {
        "format": FORMAT,
        "model_name": stream.model_name,
        "model_version": stream.model_version,
        "role": stream.role,
        "reference_id": stream.reference_id,
        "window_ms": stream.window_ms,
        "instance": partial.instance,
        "part": partial.part,
        "parts": partial.parts,
        "coverage": [
            {
                "partition": each.partition,
                "first": each.first,
                "last": each.last,
                "greatest_ms": None if each.greatest_ms == NO_TIMESTAMP else each.greatest_ms,
                "is_idle": each.is_idle,
            }
            for each in partial.coverage
        ],
        "windows": [
            {
                "start_ms": each.start_ms,
                "rows": each.rows,
                "letters": _letters(each.letters),
                "form": int(each.form),
                "counts": each.counts,
            }
            for each in partial.windows
        ],
        "rows_without_time": partial.rows_without_time,
        "letters_without_time": _letters(partial.letters_without_time),
    }
    return _records().write(record)


def _letters(letters: Any) -> list[dict[str, int]]:
    return [{"code": code, "count": count} for code, count in sorted(letters.items())]


class PartialCodec:
    """See :class:`~stream_app.ports_drift.PartialDecoder`."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str, str, str, int], Stream] = {}

    def decode(self, values: BytesColumn) -> Sequence[Partial | Unreadable]:
        """See the port."""
        return [self._decode(value) for value in values]

    def _decode(self, value: bytes | None) -> Partial | Unreadable:
        record = _records().read(value)
        if isinstance(record, Unreadable):
            return record
        try:
            partial = self._partial(record)
        except ValueError as exc:
            return Unreadable(Fault.OUT_OF_RANGE, str(exc))
        fault = partial_fault(partial)
        return partial if fault is None else Unreadable(Fault.OUT_OF_RANGE, fault)

    def _partial(self, record: Any) -> Partial:
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']}; this stream-app reads {FORMAT}")
        names = (
            record["model_name"], record["model_version"], record["role"],
            record["reference_id"], record["window_ms"],
        )  # fmt: skip
        stream = self._streams.get(names)
        if stream is None:
            if len(self._streams) >= _MOST_STREAMS:
                self._streams.clear()
            stream = self._streams[names] = Stream(*names)
        return Partial(
            stream,
            record["instance"],
            record["part"],
            record["parts"],
            tuple(_coverage(entry) for entry in record["coverage"]),
            tuple(
                WindowDelta(
                    each["start_ms"],
                    each["rows"],
                    _counted(each["letters"]),
                    _form(each["form"]),
                    each["counts"],
                )
                for each in record["windows"]
            ),
            record["rows_without_time"],
            _counted(record["letters_without_time"]),
        )


def _coverage(entry: Mapping[str, Any]) -> Coverage:
    greatest = entry["greatest_ms"]
    return Coverage(
        entry["partition"],
        entry["first"],
        entry["last"],
        NO_TIMESTAMP if greatest is None else greatest,
        entry["is_idle"],
    )


def _form(number: int) -> Form:
    if number not in _FORMS:
        raise ValueError(f"form {number} of counts is none of {sorted(_FORMS)}")
    return _FORMS[number]


def _counted(letters: Sequence[Mapping[str, int]]) -> dict[int, int]:
    return {each["code"]: each["count"] for each in letters} if letters else {}


@lru_cache(maxsize=1)
def _records() -> FramedRecords:
    return FramedRecords(
        "drift_partial",
        "a scorer of another version wrote it; update the aggregator, then send it again",
    )
