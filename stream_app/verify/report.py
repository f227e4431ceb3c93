"""The verdict as a value: what was found, how often, where first; whether it breaks the promise.

Decides which findings are faults under which promise. Refuses to find anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

FORMAT = 1
"""Of :meth:`Report.to_json`: keys may be added; one that goes or changes meaning is another."""

SHOWN = 5
"""Positions named for each kind of finding."""


class Promise(StrEnum):
    """What the run was told to guarantee; decides which findings are faults."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


class Isolation(StrEnum):
    """How outcomes were read; only ``READ_COMMITTED`` hides what was aborted."""

    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


@dataclass(frozen=True, slots=True)
class Finding:
    """How often something was found, and where first."""

    count: int = 0
    first: tuple[str, ...] = ()

    def __add__(self, other: "Finding") -> "Finding":
        return Finding(self.count + other.count, (self.first + other.first)[:SHOWN])


NOTHING = Finding()


@dataclass(frozen=True, slots=True)
class Content:
    """What comparing outcomes with an independent computation found.

    Attributes:
        tolerance: Of scores.
        compared: Outcomes that were compared, right and wrong ones.
        not_compared: Outcomes that could not be, by reason.
        wrong_content: Predictions that say something else of their event.
        wrong_letter: Dead letters that are not their record, or name a cause that is not its.
        wrongly_scored: Predictions of events that cannot be scored: undecodable, or refused by
            the contract.
        wrongly_dead: Dead letters of events that can be scored.
    """

    tolerance: float
    compared: int = 0
    not_compared: Mapping[str, int] = field(default_factory=dict)
    wrong_content: Finding = NOTHING
    wrong_letter: Finding = NOTHING
    wrongly_scored: Finding = NOTHING
    wrongly_dead: Finding = NOTHING

    def to_json(self) -> dict[str, object]:
        """How contents were compared; what was found stands with the other findings."""
        return {
            "tolerance": self.tolerance,
            "compared": self.compared,
            "not_compared": dict(sorted(self.not_compared.items())),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict.

    Attributes:
        promise: What was judged for.
        isolation: How outcomes were read.
        events: Input records.
        predictions: Records in the predictions topic.
        dead_letters: Records in the DLQ, by fault code.
        lost: Committed input records without an outcome.
        deleted_unread: Offsets between the committed one and the first record still there.
        beyond_end: Partitions whose committed offset is beyond their end.
        duplicated: Outcomes beyond the first of an input record.
        reordered: Outcomes behind a later one of the same input partition, in one output partition.
        misplaced: Outcomes in another partition than their record's, where both topics have as
            many.
        torn: Outcomes of input records that are not committed.
        foreign: Outcomes that name no record of the input.
        hanging: Output partitions with a transaction that nobody ends.
        wrong_content: Predictions that differ from what was expected, where that was checked.
        wrong_letter: As in :class:`Content`; likewise.
        wrongly_scored: As in :class:`Content`; likewise.
        wrongly_dead: As in :class:`Content`; likewise.
        uncommitted: Input records that the group has not committed yet.
        members: Of the group while it was read; workers that go on after a verdict are not in it.
            ``None`` where the coordinator did not say.
        content: How contents were compared; ``None`` where they were not.
        notes: What limits this verdict.
    """

    promise: Promise
    isolation: Isolation
    events: int
    predictions: int
    dead_letters: Mapping[str, int]
    lost: Finding = NOTHING
    deleted_unread: Finding = NOTHING
    beyond_end: Finding = NOTHING
    duplicated: Finding = NOTHING
    reordered: Finding = NOTHING
    misplaced: Finding = NOTHING
    torn: Finding = NOTHING
    foreign: Finding = NOTHING
    hanging: Finding = NOTHING
    wrong_content: Finding = NOTHING
    wrong_letter: Finding = NOTHING
    wrongly_scored: Finding = NOTHING
    wrongly_dead: Finding = NOTHING
    uncommitted: int = 0
    members: int | None = None
    content: Content | None = None
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> dict[str, Finding]:
        """All kinds of findings by name, those with nothing found included."""
        return {name: getattr(self, name) for name in _ALL_FINDINGS}

    @property
    def sound(self) -> bool:
        """Nothing committed breaks the promise; records not yet committed do not count."""
        faults = (
            _ALL_FINDINGS if self.promise is Promise.EXACTLY_ONCE else _FAULTS_WHEN_AT_LEAST_ONCE
        )
        return all(getattr(self, name).count == 0 for name in faults)

    @property
    def ok(self) -> bool:
        """Sound, every input record is committed, and something was there to judge by."""
        return self.sound and self.uncommitted == 0 and self.events > 0 and not self.blind

    @property
    def blind(self) -> bool:
        """Contents were to be compared, and none could be."""
        return self.content is not None and self.events > 0 and self.content.compared == 0

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dumps``; findings as numbers, their places under ``first``."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "sound": self.sound,
            "promise": self.promise.value,
            "isolation": self.isolation.value,
            "events": self.events,
            "predictions": self.predictions,
            "dead_letters": dict(sorted(self.dead_letters.items())),
            **{name: finding.count for name, finding in self.findings.items()},
            "uncommitted": self.uncommitted,
            "members": self.members,
            "content": None if self.content is None else self.content.to_json(),
            "first": {n: list(f.first) for n, f in self.findings.items() if f.count},
            "notes": list(self.notes),
        }


_FAULTS_WHEN_AT_LEAST_ONCE = (
    "lost",
    "deleted_unread",
    "beyond_end",
    "misplaced",
    "foreign",
    "hanging",
    "wrong_content",
    "wrong_letter",
    "wrongly_scored",
    "wrongly_dead",
)
_ALL_FINDINGS = ("duplicated", "reordered", "torn", *_FAULTS_WHEN_AT_LEAST_ONCE)
