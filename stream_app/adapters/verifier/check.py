"""An event and its outcomes against the model, asked once more.

Decides which outcomes can be judged at all, and of what kind a difference is. Refuses to know
where records come from, and what a right prediction is (``verify/compare.py``) or a right dead
letter (``verify/letters.py``, ``verify/death.py``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_app.adapters.verifier.model import Model, Models
from stream_app.adapters.verifier.records import PredictionReader, read_dead_letter, scored_by
from stream_app.adapters.verifier.schemas import UnreadableError, WriterSchemas
from stream_app.settings import Settings
from stream_app.verify import Content, Finding, Kind
from stream_app.verify.codes import Place
from stream_app.verify.compare import Answer, difference
from stream_app.verify.death import Known, Ruling, rule
from stream_app.verify.event import Event, EventPlan
from stream_app.verify.letters import Record, keeps_time, letter_difference
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import parse

Position = tuple[int, int]
"""Input partition and offset."""

_MOST_REASONS = 20
_MOST_LETTERS = 60
"""Of a name out of a record, in a message."""

_TOGETHER = b"dead_letters.bisect_limit"
"""Stands in the message of a row that died with others because its batch failed too often."""


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """One outcome of an event, as it lies in its topic."""

    place: str
    kind: Kind
    record: Record


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it lies in its topic, with its outcomes."""

    position: Position
    record: Record
    outcomes: Sequence[OutcomeRecord]


@dataclass(frozen=True, slots=True)
class _Case:
    """An outcome to be judged: ``says`` is the prediction, empty of a dead letter."""

    event: EventRecord
    outcome: OutcomeRecord
    says: Mapping[str, Any]


class ContentCheck:
    """Compares, and counts what it finds."""

    def __init__(self, settings: Settings, tolerance: float) -> None:
        self._settings = settings
        self._models = Models(settings.model)
        self._predictions = PredictionReader(settings)
        self._schemas = WriterSchemas(settings)
        self._tolerance = tolerance
        self._most_ms = round(1000 * settings.input.max_time_difference_s)
        on_cpu = settings.model.execution_provider == "CPUExecutionProvider"
        self._known = Known(on_cpu=on_cpu, limits_time=self._most_ms > 0)
        self._compared = 0
        self._not_compared: Counter[str] = Counter()
        self._found = {
            name: Finding()
            for name in ("wrong_content", "wrong_letter", "wrongly_scored", "wrongly_dead")
        }

    def content(self) -> Content:
        """What was found."""
        return Content(
            tolerance=self._tolerance,
            compared=self._compared,
            not_compared=dict(self._not_compared),
            **self._found,
        )

    def judge(self, batch: Sequence[EventRecord]) -> None:
        """Compare the outcomes of these events; each model that made some is asked once."""
        by_model: dict[tuple[str, str], list[_Case]] = {}
        for event in batch:
            if any(_code(outcome) == "PROCESS_CRASHED" for outcome in event.outcomes):
                self._without_the_model(event)
                continue
            for outcome in event.outcomes:
                who, says = self._who(outcome)
                if not self._is_of_another_record(event, outcome, who[0]):
                    by_model.setdefault(who, []).append(_Case(event, outcome, says))
        for (name, version), cases in by_model.items():
            model = self._models.get(name, version)
            if model is None:
                shown = f"model {name!r} version {version[:_MOST_LETTERS]!r}"
                self.leave_out(f"{shown} is not in model.repository", len(cases))
                continue
            events = {case.event.position: case.event for case in cases}
            answers = dict(zip(events, self._answers(model, [*events.values()]), strict=True))
            for case in cases:
                self._compare(model, case, answers[case.event.position])

    def leave_out(self, reason: str, count: int) -> None:
        """Count outcomes that are not compared; reasons come from records, hence the bound."""
        known = reason in self._not_compared or len(self._not_compared) < _MOST_REASONS
        self._not_compared[reason if known else "other reasons"] += count

    def _without_the_model(self, event: EventRecord) -> None:
        """This event may end our process too: its outcomes are not compared with an answer."""
        for outcome in event.outcomes:
            who, _ = self._who(outcome)
            if not self._is_of_another_record(event, outcome, who[0]):
                self.leave_out("PROCESS_CRASHED: the event may end this process too", 1)

    def _who(self, outcome: OutcomeRecord) -> tuple[tuple[str, str], Mapping[str, Any]]:
        """The model that made an outcome, and the prediction; both were readable a moment ago."""
        if outcome.kind is Kind.DEAD_LETTER:
            return scored_by(outcome.record.headers), {}
        _, record = self._predictions.read(outcome.record.value)
        return (str(record.get("model_name")), str(record.get("model_version"))), record

    def _is_of_another_record(
        self, event: EventRecord, outcome: OutcomeRecord, model_name: str
    ) -> bool:
        """Whether it is wrong already by what needs no model; then it is counted."""
        wrong: str | None = None
        if model_name != self._settings.model.name:
            wrong = f"its model is not model.name but {model_name[:_MOST_LETTERS]!r}"
        elif outcome.kind is Kind.DEAD_LETTER:
            wrong = letter_difference(outcome.record, event.record)
        elif outcome.record.key != event.record.key:
            wrong = "its key is not its record's"
        elif self._settings.output.timestamp == "input" and not keeps_time(
            outcome.record, event.record, outcome.record.headers
        ):
            wrong = "its timestamp is not its record's"
        if wrong is not None:
            name = "wrong_letter" if outcome.kind is Kind.DEAD_LETTER else "wrong_content"
            self._count(event, outcome, name, wrong)
        return wrong is not None

    def _answers(self, model: Model, events: Sequence[EventRecord]) -> list[Answer | RefusedError]:
        read = [self._event(model, event.record) for event in events]
        good = [event for event in read if isinstance(event, Event)]
        answers = iter(model.answers(good) if good else [])
        return [event if isinstance(event, RefusedError) else next(answers) for event in read]

    def _event(self, model: Model, record: Record) -> Event | RefusedError:
        value = record.value
        try:
            if value is None:
                return RefusedError("its value is null", place=Place.NULL)
            if len(value) > self._settings.input.max_value_bytes:
                return RefusedError("its value is over input.max_value_bytes", place=Place.SIZE)
            framing = self._settings.input.framing
            framed = self._schemas.of(value, record.headers, framing)
            plan = model.plans.get(framed.key)
            if plan is None:
                plan = model.plans[framed.key] = _plan(model, framed.documents)
            event = plan if isinstance(plan, RefusedError) else plan.read(value, framed.start)
        except UnreadableError as exc:
            reason = str(exc) if exc.certain else "its schema is not known"
            place = Place.FRAMING if exc.certain else Place.SCHEMA
            return RefusedError(reason, certain=exc.certain, place=place)
        except RefusedError as refused:
            return refused
        except RecursionError:
            return RefusedError("its schema is too deep", certain=False, place=Place.SCHEMA)
        return event if isinstance(event, RefusedError) else self._in_time(event, record)

    def _in_time(self, event: Event, record: Record) -> Event | RefusedError:
        if not self._most_ms or event.time_ms is None or record.timestamp_ms < 0:
            return event
        if abs(event.time_ms - record.timestamp_ms) <= self._most_ms:
            return event
        reason = "its time is too far from its record's (input.max_time_difference_s)"
        return RefusedError(reason, place=Place.TIME)

    def _compare(self, model: Model, case: _Case, answer: Answer | RefusedError) -> None:
        if case.outcome.kind is Kind.DEAD_LETTER:
            self._judge_death(model, case, answer)
            return
        if isinstance(answer, RefusedError):
            by_the_device = answer.place is Place.OUTPUT and not self._known.on_cpu
            if answer.certain and not by_the_device:
                self._count(case.event, case.outcome, "wrongly_scored", str(answer))
            else:
                self.leave_out(f"predictions of events that cannot be judged: {answer}", 1)
        elif case.says.get("model_hash") != model.hash:
            wrong = f"model_hash is not the repository's, {model.hash}"
            self._count(case.event, case.outcome, "wrong_content", wrong)
        else:
            wrong_field = difference(case.says, answer, model.contract.outputs, self._tolerance)
            self._count(case.event, case.outcome, "wrong_content", wrong_field)

    def _judge_death(self, model: Model, case: _Case, answer: Answer | RefusedError) -> None:
        code = _code(case.outcome)
        if code == "MODEL_FAILED" and _reaches_the_model(answer):
            if any(_TOGETHER in (value or b"") for _, value in case.outcome.record.headers):
                self.leave_out(f"dead letters {code} of rows not told apart from others", 1)
                return
            # In a batch it may pass; the scorer says that it fails alone.
            (answer,) = self._answers(model, [case.event])
        ruling, why = rule(code, answer, self._known)
        if ruling is Ruling.UNCLEAR:
            self.leave_out(why, 1)
            return
        name = "wrongly_dead" if ruling is Ruling.NEEDLESS else "wrong_letter"
        self._count(case.event, case.outcome, name, why or None)

    def _count(
        self, event: EventRecord, outcome: OutcomeRecord, name: str, wrong: str | None
    ) -> None:
        """One more is compared, and wrong in this way if it is."""
        self._compared += 1
        if wrong is not None:
            partition, offset = event.position
            place = f"{outcome.place} (input[{partition}]@{offset}): {wrong}"
            self._found[name] += Finding(1, (place,))


def _code(outcome: OutcomeRecord) -> str:
    """The fault code of a dead letter; empty of a prediction."""
    if outcome.kind is Kind.PREDICTION:
        return ""
    return read_dead_letter(outcome.record.headers)[1]


def _reaches_the_model(answer: Answer | RefusedError) -> bool:
    return isinstance(answer, Answer) or answer.place in {Place.MODEL, Place.OUTPUT}


def _plan(model: Model, documents: Sequence[Any]) -> EventPlan | RefusedError:
    try:
        return EventPlan(model.contract, parse(documents))
    except RefusedError as refused:
        refused.place = Place.SCHEMA
        return refused
