"""An event and its outcomes against the model, asked once more.

Decides which outcomes can be judged at all, and of what kind a difference is. Refuses to know
where records come from, and what a right prediction is (``verify/compare.py``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_app.adapters.verifier.model import Model, Models
from stream_app.adapters.verifier.records import PredictionReader, read_dead_letter, scored_by
from stream_app.adapters.verifier.schemas import Headers, UnreadableError, WriterSchemas
from stream_app.settings import Settings
from stream_app.verify import Content, Finding, Kind
from stream_app.verify.compare import Answer, difference
from stream_app.verify.event import Event, EventPlan
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import parse

Position = tuple[int, int]
"""Input partition and offset."""

_OF_ITS_TIME = frozenset({"MODEL_FAILED", "ENCODE_ERROR", "OUTPUT_TOO_LARGE", "UNKNOWN_SCHEMA"})
"""Fault codes, beside those of schemas, that depend on more than event, contract and model: on
what the registry knew, the device, the broker's limits."""

_MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """One outcome of an event, as it lies in its topic."""

    place: str
    kind: Kind
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it lies in its topic, with its outcomes."""

    position: Position
    value: bytes | None
    headers: Headers
    outcomes: list[OutcomeRecord]


class ContentCheck:
    """Compares, and counts what it finds."""

    def __init__(self, settings: Settings, tolerance: float) -> None:
        self._settings = settings
        self._models = Models(settings.model)
        self._predictions = PredictionReader(settings)
        self._schemas = WriterSchemas(settings)
        self._tolerance = tolerance
        self._compared = 0
        self._not_compared: Counter[str] = Counter()
        self._found = {"content": Finding(), "scored": Finding(), "dead": Finding()}

    def content(self) -> Content:
        """What was found."""
        return Content(
            tolerance=self._tolerance,
            compared=self._compared,
            not_compared=dict(self._not_compared),
            wrong_content=self._found["content"],
            wrongly_scored=self._found["scored"],
            wrongly_dead=self._found["dead"],
        )

    def judge(self, batch: Sequence[EventRecord]) -> None:
        """Compare the outcomes of these events; each model that made some is asked once."""
        by_model: dict[
            tuple[str, str], list[tuple[EventRecord, OutcomeRecord, Mapping[str, Any]]]
        ] = {}
        for event in batch:
            for outcome in event.outcomes:
                who, record = self._who(outcome)
                by_model.setdefault(who, []).append((event, outcome, record))
        for (name, version), outcomes in by_model.items():
            model = self._models.get(name, version)
            if model is None:
                reason = f"model {name!r} version {version!r} is not in model.repository"
                self._leave_out(reason, len(outcomes))
                continue
            events = {event.position: event for event, _, _ in outcomes}
            answers = dict(zip(events, self._answers(model, [*events.values()]), strict=True))
            for event, outcome, record in outcomes:
                self._compare(model, event, outcome, record, answers[event.position])

    def _leave_out(self, reason: str, count: int) -> None:
        """Count outcomes that are not compared; reasons come from records, hence the bound."""
        known = reason in self._not_compared or len(self._not_compared) < _MOST_REASONS
        self._not_compared[reason if known else "other reasons"] += count

    def _who(self, outcome: OutcomeRecord) -> tuple[tuple[str, str], Mapping[str, Any]]:
        """The model that made an outcome, and the prediction; both were readable a moment ago."""
        if outcome.kind is Kind.DEAD_LETTER:
            return scored_by(outcome.headers), {}
        _, record = self._predictions.read(outcome.value)
        return (str(record.get("model_name")), str(record.get("model_version"))), record

    def _answers(self, model: Model, events: Sequence[EventRecord]) -> list[Answer | RefusedError]:
        read = [self._event(model, event) for event in events]
        good = [event for event in read if isinstance(event, Event)]
        answers = iter(model.answers(good) if good else [])
        return [event if isinstance(event, RefusedError) else next(answers) for event in read]

    def _event(self, model: Model, event: EventRecord) -> Event | RefusedError:
        try:
            if event.value is None:
                return RefusedError("its value is null")
            if len(event.value) > self._settings.input.max_value_bytes:
                return RefusedError("its value is over input.max_value_bytes")
            framing = self._settings.input.framing
            framed = self._schemas.of(event.value, event.headers, framing)
            plan = model.plans.get(framed.key)
            if plan is None:
                plan = model.plans[framed.key] = _plan(model, framed.documents)
            return plan if isinstance(plan, RefusedError) else plan.read(event.value, framed.start)
        except UnreadableError as exc:
            reason = str(exc) if exc.certain else "its schema is not known"
            return RefusedError(reason, certain=exc.certain)
        except RefusedError as refused:
            return refused

    def _compare(
        self,
        model: Model,
        event: EventRecord,
        outcome: OutcomeRecord,
        record: Mapping[str, Any],
        answer: Answer | RefusedError,
    ) -> None:
        unclear = _unclear(outcome, answer)
        if unclear is not None:
            self._leave_out(unclear, 1)
            return
        self._compared += 1
        wrong: str | None = None
        if outcome.kind is Kind.DEAD_LETTER:
            kind = "dead"
            if isinstance(answer, Answer):
                _, code = read_dead_letter(outcome.headers)
                wrong = f"{code}, and the event can be scored"
        elif isinstance(answer, RefusedError):
            kind, wrong = "scored", str(answer)
        elif record.get("model_hash") != model.hash:
            kind, wrong = "content", f"model_hash is not the repository's, {model.hash}"
        else:
            kind = "content"
            wrong = difference(record, answer, model.contract.outputs, self._tolerance)
        if wrong is not None:
            partition, offset = event.position
            place = f"{outcome.place} (input[{partition}]@{offset}): {wrong}"
            self._found[kind] += Finding(1, (place,))


def _unclear(outcome: OutcomeRecord, answer: Answer | RefusedError) -> str | None:
    """Why nobody can say now whether this outcome is right, or ``None``."""
    is_dead = outcome.kind is Kind.DEAD_LETTER
    if isinstance(answer, RefusedError):
        return (
            None
            if answer.certain or is_dead
            else f"predictions of events that cannot be judged: {answer}"
        )
    if is_dead:
        _, code = read_dead_letter(outcome.headers)
        if code in _OF_ITS_TIME or code.startswith("SCHEMA_"):
            return f"dead letters {code}: they depend on what scorer and broker had then"
    return None


def _plan(model: Model, documents: Sequence[Any]) -> EventPlan | RefusedError:
    try:
        return EventPlan(model.contract, parse(documents))
    except RefusedError as refused:
        return refused
