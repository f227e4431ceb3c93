"""Alert records: Avro, single-object encoding, schema ``schemas/drift_alert.avsc``.

Decides the bytes, both ways. Refuses to know topics, and when there is an alert.
"""

from functools import lru_cache
from typing import Any

from stream_app.adapters.drift.framed_records import FramedRecords
from stream_app.core.drift.alerts import Alert, Ground, Level, Reason, State
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.series import Series
from stream_app.core.faults import Fault
from stream_app.ports_drift import Unreadable

FORMAT = 1


class AlertCodec:
    """Values of records; their key is :attr:`Alert.key`."""

    def encode(self, alert: Alert) -> bytes:
        """The value of one record.

        Raises:
            ValueError: ``alert.stream`` is no name of a series.
        """
        return _records().write(alert_record(alert))

    def decode(self, value: bytes | None) -> Alert | Unreadable:
        """What was encoded; or why these bytes are no alert."""
        record = _records().read(value)
        if isinstance(record, Unreadable):
            return record
        if record["format"] != FORMAT:
            return Unreadable(
                Fault.OUT_OF_RANGE, f"format {record['format']}; this stream-app reads {FORMAT}"
            )
        return _alert(record)


def alert_record(alert: Alert) -> dict[str, Any]:
    """Its fields by name, as the schema has them and as JSON shows them.

    Raises:
        ValueError: ``alert.stream`` is no name of a series.
    """
    series = Series.named(alert.stream)
    stream = series.stream
    return {
        "format": FORMAT,
        "id": alert.id,
        "sequence": alert.sequence,
        "state": alert.state.value,
        "level": alert.level.name.lower(),
        "reason": alert.reason.value,
        "model_name": stream.model_name,
        "model_version": stream.model_version,
        "role": stream.role,
        "reference_id": stream.reference_id,
        "window_ms": stream.window_ms,
        "length_ms": series.length_ms,
        "rule": alert.rule,
        "column": alert.column,
        "statistic": alert.statistic,
        "value": alert.value,
        "score": alert.score,
        "threshold": alert.threshold,
        "opened_ms": alert.opened,
        "grounds": [
            {"start_ms": ground.window_start, "revision": ground.revision}
            for ground in alert.grounds
        ],
    }


def _alert(record: dict[str, Any]) -> Alert:
    stream = Stream(
        record["model_name"], record["model_version"], record["role"],
        record["reference_id"], record["window_ms"],
    )  # fmt: skip
    return Alert(
        id=record["id"],
        sequence=record["sequence"],
        state=State(record["state"]),
        level=Level[record["level"].upper()],
        reason=Reason(record["reason"]),
        stream=Series(stream, record["length_ms"]).name,
        rule=record["rule"],
        column=record["column"],
        statistic=record["statistic"],
        value=record["value"],
        score=record["score"],
        threshold=record["threshold"],
        opened=record["opened_ms"],
        grounds=tuple(Ground(each["start_ms"], each["revision"]) for each in record["grounds"]),
    )


@lru_cache(maxsize=1)
def _records() -> FramedRecords:
    return FramedRecords("drift_alert", "a monitor of another version wrote it")
