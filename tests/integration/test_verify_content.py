"""Contents on a real broker: what a scorer could have left behind, each way wrong once."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
from confluent_kafka import Producer

from stream_app.adapters.verifier import check, content
from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.adapters.verifier.reader import verify
from stream_app.errors import ExitStatus
from stream_app.verify import Report
from stream_app.verify.codes import STAGES
from stream_app.verify.letters import Record
from tests.car_loan import BROKEN, ROOT, Event, answers, encoded, event
from tests.command_line import command_line
from tests.kafka_fixtures import RealKafka, unique
from tests.worker import Job, car_loan_job

PARTITIONS = 4
EVENTS = 48
MODEL_HASH = "fb0d21bec87a"
WAYS = list(BROKEN.values())


class Left:
    """Input, predictions and dead letters as a good scorer leaves them, and changes of them."""

    def __init__(self, job: Job, event_prefix: bytes = b"", prediction_prefix: bytes = b"") -> None:
        self.job = job
        self.settings = job.settings
        self._event_prefix = event_prefix
        self._schema, self._prefix = self._predictions(prediction_prefix)
        self._producer = Producer(
            {"bootstrap.servers": self.settings.kafka.bootstrap_servers, "log_level": 0}
        )
        self.good: dict[tuple[int, int], dict[str, Any]] = {}
        self.bad: dict[tuple[int, int], str] = {}
        self.records: dict[tuple[int, int], Record] = {}

    @staticmethod
    def _predictions(prefix: bytes) -> tuple[Any, bytes]:
        schema = json.loads((ROOT / "schemas" / "prediction.avsc").read_text(encoding="utf-8"))
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        return fastavro.parse_schema(schema), prefix or b"\xc3\x01" + fingerprint

    def fill(self) -> None:
        """Events with one in eight broken, and the outcome of each."""
        sent: dict[tuple[int, int], Event] = {}
        odd: list[Any] = [b"", None, b"key"]
        for number in range(EVENTS):
            position = number % PARTITIONS, number // PARTITIONS
            made = event(number)
            value: bytes | None = encoded(made)
            if number % 8 == 3:
                code, broken = WAYS[(number // 8) % len(WAYS)]
                value, self.bad[position] = broken(made), code
            else:
                sent[position] = made
                if self._event_prefix:
                    value = self._event_prefix + encoded(made)[10:]
            key, trace = odd[number % 3], [("trace", [b"", None, b"7"][number % 3])]
            kept = Record(key, value, trace[: number % 2], 1_700_000_000_000 + number)
            self.records[position] = kept
            self._send(self.settings.input.topic, position[0], kept)
        for position, answer in zip(sent, answers(sent.values()), strict=True):
            self.good[position] = {
                "event_id": answer.event_id,
                "event_time": answer.event_time,
                "model_name": "car_loan",
                "model_version": "1",
                "model_hash": MODEL_HASH,
                "scores": list(answer.scores),
                "label": answer.label,
            }
        self.flush()

    def answer(
        self, at: tuple[int, int] | None = None, write: Callable[[], None] | None = None
    ) -> None:
        """Each event's outcome, in order; ``write`` writes the one of the event ``at``."""
        for position in sorted({*self.good, *self.bad}):
            if write is not None and position == at:
                write()
            elif position in self.good:
                self.predict(position)
            else:
                self.bury(position, self.bad[position])
        self.flush()

    def predict(self, position: tuple[int, int], **changes: Any) -> None:
        lineage = {
            "source_topic": self.settings.input.topic,
            "source_partition": position[0],
            "source_offset": position[1],
        }
        some = next(iter(self.good.values()))
        body = io.BytesIO(self._prefix)
        body.seek(0, io.SEEK_END)
        record = {**self.good.get(position, some), **lineage, **changes}
        fastavro.schemaless_writer(body, self._schema, record)
        of = self.records[position]
        sent = Record(of.key, body.getvalue(), (), of.timestamp_ms)
        self._send(self.settings.predictions_topic, position[0], sent)

    def bury(self, position: tuple[int, int], code: str, **kept: Any) -> None:
        of = self.records[position]
        told = {
            "err.topic": self.settings.input.topic,
            "err.partition": position[0],
            "err.offset": position[1],
            "err.timestamp": of.timestamp_ms,
            "err.code": code,
            "err.stage": STAGES[code],
            "err.model": "car_loan",
            "err.model_version": "1",
        }
        ours = [(name, str(value).encode()) for name, value in told.items()]
        letter = replace(of, **{"headers": [*of.headers, *ours], **kept})
        self._send(self.settings.dlq_topic, position[0], letter)

    def _send(self, topic: str, partition: int, record: Record) -> None:
        self._producer.produce(
            topic,
            record.value,
            record.key,
            partition=partition,
            timestamp=record.timestamp_ms,
            headers=list(record.headers),
        )

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def verdict(self, **options: Any) -> Report:
        report = verify(self.settings, committed=False, content=True, **options)
        assert report.content is not None
        return report


@pytest.fixture(params=[(20_000, 256), (10, 3)], ids=["one window", "many windows"])
def left(
    kafka: RealKafka,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Left]:
    window, batch = request.param
    monkeypatch.setattr(content, "_WINDOW_RECORDS", window)
    monkeypatch.setattr(content, "_BATCH_RECORDS", batch)
    made = Left(car_loan_job(kafka, tmp_path))
    made.fill()
    yield made
    made.flush()


def found(report: Report) -> dict[str, int]:
    return {name: finding.count for name, finding in report.findings.items() if finding.count}


def test_a_good_run_is_right_in_every_outcome(left: Left) -> None:
    left.answer()
    told: list[tuple[str, int, int]] = []
    report = left.verdict(progress=lambda *now: told.append(now))
    assert found(report) == {}
    assert report.ok
    assert report.notes == ()
    assert report.content is not None
    assert report.content.compared == EVENTS
    assert [now for now in told if now[0].endswith("(contents)")][-1][1:] == (EVENTS, EVENTS)
    assert verify(left.settings, committed=False).content is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scores": [0.9, 0.1]}, "scores differs by"),
        ({"label": 7}, "label differs"),
        ({"event_id": "somebody else"}, "event_id differs"),
        ({"event_time": None}, "event_time differs"),
        ({"model_hash": "0" * 12}, "model_hash is not the repository's"),
        ({"model_name": "another"}, "its model is not model.name"),
    ],
)
def test_a_planted_wrong_content_is_found(left: Left, changes: Any, said: str) -> None:
    left.answer((2, 5), lambda: left.predict((2, 5), **changes))
    report = left.verdict()
    assert found(report) == {"wrong_content": 1}
    (place,) = report.wrong_content.first
    assert place.startswith(f"{left.settings.predictions_topic}[2]@")
    assert f"(input[2]@5): {said}" in place
    assert not report.ok


def test_scores_within_the_tolerance_are_right(left: Left) -> None:
    near = [score + 5e-4 for score in left.good[2, 5]["scores"]]
    left.answer((2, 5), lambda: left.predict((2, 5), scores=near))
    assert found(left.verdict()) == {"wrong_content": 1}
    assert left.verdict(tolerance=1e-3).ok


def test_a_dead_letter_of_a_good_event_is_found(left: Left) -> None:
    left.answer((1, 4), lambda: left.bury((1, 4), "NON_FINITE"))
    report = left.verdict()
    assert found(report) == {"wrongly_dead": 1}
    assert report.wrongly_dead.first[0].endswith("NON_FINITE, and the event can be scored")


@pytest.mark.parametrize("changes", [{"value": b"?"}, {"key": b"?"}, {"timestamp_ms": 1}])
def test_a_dead_letter_that_is_not_its_record_is_found(left: Left, changes: Any) -> None:
    position, code = next(iter(left.bad.items()))
    left.answer(position, lambda: left.bury(position, code, **changes))
    report = left.verdict()
    assert found(report) == {"wrong_letter": 1}
    assert report.wrong_letter.first[0].endswith("is not its record's")


def test_outcomes_that_are_gone_when_they_are_read_again_are_told(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    left.answer()
    reading, looks = VerifyKafka.read, Counter[str]()

    def read(self: VerifyKafka, topic: str, ranges: Any, take: Any, progress: Any) -> None:
        looks[topic] += 1
        if looks[topic] == 2:  # retention came in between: the first is not there any more
            ranges = {p: (first + (p == 0), end) for p, (first, end) in ranges.items()}
        reading(self, topic, ranges, take, progress)

    monkeypatch.setattr(VerifyKafka, "read", read)
    report = left.verdict()
    assert report.content is not None
    gone = report.content.not_compared
    assert report.content.compared == EVENTS - sum(gone.values())
    assert {"they were gone when they were read again", "their events were gone"} >= gone.keys()
    assert gone


@pytest.mark.parametrize("code", ["OUTPUT_TOO_LARGE", "UNKNOWN_SCHEMA", "SCHEMA_LIMIT"])
def test_a_dead_letter_that_depends_on_its_time_is_left_out_and_the_report_says_so(
    left: Left, code: str
) -> None:
    left.answer((1, 4), lambda: left.bury((1, 4), code))
    report = left.verdict()
    assert report.ok
    assert any(f"1 outcomes were not compared: dead letters {code}" in n for n in report.notes)


def test_a_prediction_of_a_broken_event_is_found(left: Left) -> None:
    position = next(p for p, code in left.bad.items() if code == "BAD_MAGIC")
    left.answer(position, lambda: left.predict(position))
    report = left.verdict()
    assert found(report) == {"wrongly_scored": 1}
    assert "its framing is not single-object" in report.wrongly_scored.first[0]


def test_other_versions_are_counted_apart(left: Left) -> None:
    left.answer((0, 1), lambda: left.predict((0, 1), model_version="99", scores=[9.0, 9.0]))
    report = left.verdict()
    assert report.ok
    assert report.content is not None
    assert report.content.compared == EVENTS - 1
    reason = "model 'car_loan' version '99' is not in model.repository"
    assert report.content.not_compared == {reason: 1}
    assert f"1 outcomes were not compared: {reason}" in report.notes


def test_where_nothing_could_be_compared_the_command_does_not_say_ok(
    left: Left, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for position in [*left.good]:
        left.good[position]["model_version"] = "99"
    for position in [*left.bad]:
        left.bad[position] = "PROCESS_CRASHED"
    left.answer()
    run = command_line(left.settings.kafka.bootstrap_servers, monkeypatch, capsys)
    given = {name.replace(".", "__", 1): value for name, value in left.job.overrides.items()}
    shown = run("verify", "--no-committed", "--content", **given)
    assert shown.status == ExitStatus.DATA
    assert "NOT SHOWN" in shown.out
    assert "not compared" in shown.out


def test_a_repeat_out_of_order_is_compared_too(left: Left) -> None:
    left.answer()
    left.predict((2, 2), label=7)
    left.flush()
    report = left.verdict()
    assert found(report) == {"duplicated": 1, "wrong_content": 1}


def test_reasons_for_leaving_out_are_bounded(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_MOST_REASONS", 2)
    left.answer()
    for version in range(100, 105):
        left.predict((3, 2), model_version=str(version))
    left.flush()
    report = left.verdict()
    assert report.content is not None
    assert sorted(report.content.not_compared.values()) == [1, 1, 3]
    assert report.content.not_compared["other reasons"] == 3


def test_the_command_compares_when_told_and_says_when_it_did_not(
    left: Left, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left.answer((2, 5), lambda: left.predict((2, 5), scores=[0.9, 0.1]))
    bootstrap = left.settings.kafka.bootstrap_servers
    run = command_line(bootstrap, monkeypatch, capsys)
    given = {name.replace(".", "__", 1): value for name, value in left.job.overrides.items()}
    without = run("verify", "--no-committed", **given)
    assert without.status == ExitStatus.OK
    assert "contents were not compared" in without.out
    assert run("verify", "--no-committed", "--json", **given).document["content"] is None
    wrong = run("verify", "--no-committed", "--content", **given)
    assert wrong.status == ExitStatus.DATA
    assert "outcomes came exactly once and are WRONG" in wrong.out
    document = run("verify", "--no-committed", "--content", "--json", **given).document
    assert (document["format"], document["wrong_content"]) == (1, 1)
    near = run("verify", "--no-committed", "--content", "--tolerance", "1", **given)
    assert near.status == ExitStatus.OK
    assert "exactly once, and the right one" in near.out
    missing = run("verify", "--content", **{**given, "model__name": "other"})
    assert missing.status == ExitStatus.CONFIG
    assert "--no-content" in missing.err


def test_events_and_predictions_of_a_registry_are_compared(
    kafka: RealKafka, tmp_path: Path, registry_url: str
) -> None:
    def registered(name: str) -> bytes:
        text = (ROOT / "schemas" / f"{name}.avsc").read_text(encoding="utf-8")
        answer = httpx.post(
            f"{registry_url}/subjects/{unique(name)}-value/versions",
            json={"schema": text},
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        return b"\0" + int(answer.raise_for_status().json()["id"]).to_bytes(4, "big")

    job = car_loan_job(kafka, tmp_path, input__framing="confluent", registry__url=registry_url)
    left = Left(job, registered("event"), registered("prediction"))
    left.fill()
    # The broken ones are framed the other way, and the one that was not is framed like this.
    other = {"UNKNOWN_SCHEMA", "SCHEMA_NOT_ALLOWED", "DECODE_ERROR"}
    for at, code in left.bad.items():
        left.bad[at] = "BAD_MAGIC" if code in other else code
        left.bad[at] = "UNKNOWN_SCHEMA" if code == "BAD_MAGIC" else left.bad[at]
    position = next(iter(left.good))
    left.answer(position, lambda: left.predict(position, label=7))
    report = left.verdict()
    assert found(report) == {"wrong_content": 1}
    assert report.content is not None
    assert report.content.compared == EVENTS
