"""Events and outcomes of a scorer, made by hand for the comparison with the model: no cluster.

Decides what is right of each outcome; a test changes one thing, and says what must be found.
"""

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

from stream_app.adapters.verifier.check import ContentCheck, EventRecord, OutcomeRecord
from stream_app.settings import Settings, load_settings
from stream_app.verify import Content, Kind
from stream_app.verify.codes import STAGES
from stream_app.verify.compare import TOLERANCE
from stream_app.verify.letters import Headers, Record
from tests.car_loan import BROKEN, ROOT, answers, encoded, event

GOOD, BAD = 3, BROKEN["cut off"][1](event(3))


def settings(**more: str) -> Settings:
    return load_settings(
        overrides={
            "input.topic": "loans",
            "input.framing": "single-object",
            "input.schema_dir": str(ROOT / "schemas"),
            "model.repository": str(ROOT / "examples" / "car_loan" / "models"),
            "model.name": "car_loan",
        }
        | {name.replace("__", "."): value for name, value in more.items()}
    )


@cache
def _prediction_schema() -> tuple[Any, bytes]:
    schema = fastavro.schema.load_schema(Path(ROOT / "schemas" / "prediction.avsc"))
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return schema, b"\xc3\x01" + fingerprint


def record(number: int = GOOD, value: bytes | None = None, **changes: Any) -> Record:
    """An event as it lies in the input; a day after its own time."""
    made = event(number)
    time_ms = int(made["timestamp"].timestamp() * 1000) + 86_400_000
    plain = Record(b"key-%d" % number, value or encoded(made), [("trace", b"7")], time_ms)
    return replace(plain, **changes)


def predicted(number: int = GOOD, kept: Mapping[str, Any] | None = None, **says: Any) -> Any:
    (answer,) = answers([event(number)])
    said: Mapping[str, Any] = {
        "event_id": answer.event_id,
        "event_time": answer.event_time,
        "model_name": "car_loan",
        "model_version": "1",
        "model_hash": "fb0d21bec87a",
        "source_topic": "loans",
        "source_partition": 0,
        "source_offset": number,
        "scores": list(answer.scores),
        "label": answer.label,
        **says,
    }
    schema, prefix = _prediction_schema()
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, said)
    of = record(number)
    sent = Record(of.key, prefix + body.getvalue(), (), of.timestamp_ms)
    return OutcomeRecord(f"out[0]@{number}", Kind.PREDICTION, replace(sent, **(kept or {})))


def buried(
    code: str, of: Record | None = None, headers: Mapping[str, str] | None = None, **kept: Any
) -> OutcomeRecord:
    """A dead letter of a record as it must be, but for ``headers`` and what is ``kept`` of it."""
    of = of or record()
    told = {
        "err.topic": "loans",
        "err.partition": "0",
        "err.offset": str(GOOD),
        "err.timestamp": str(of.timestamp_ms),
        "err.code": code,
        "err.stage": STAGES.get(code, ""),
        "err.model": "car_loan",
        "err.model_version": "1",
        **(headers or {}),
    }
    ours: Headers = [(name, value.encode()) for name, value in told.items()]
    own = kept.pop("own", of.headers)
    letter = replace(of, **{"headers": [*own, *ours], **kept})
    return OutcomeRecord(f"out.dlq[0]@{GOOD}", Kind.DEAD_LETTER, letter)


def contents(outcome: OutcomeRecord, of: Record | None = None, **more: str) -> Content:
    """Five good events and their predictions, but for the fourth's."""
    check = ContentCheck(settings(**more), TOLERANCE)
    check.judge(
        [
            EventRecord(
                (0, number),
                (of or record()) if number == GOOD else record(number),
                [outcome if number == GOOD else predicted(number)],
            )
            for number in range(5)
        ]
    )
    return check.content()


def found(content: Content) -> dict[str, int]:
    names = ("wrong_content", "wrong_letter", "wrongly_scored", "wrongly_dead")
    return {name: count for name in names if (count := getattr(content, name).count)}


BROKEN_RECORD = record(value=BAD)


def one(outcome: OutcomeRecord, of: Record | None = None, **more: str) -> Content:
    """The event alone, and this outcome of it."""
    check = ContentCheck(settings(**more), TOLERANCE)
    check.judge([EventRecord((0, GOOD), of or record(), [outcome])])
    return check.content()
