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
class Drift:
    """What drift partials say beside the outcomes.

    Attributes:
        skipped: Why nothing was judged; empty where it was.
        partials: Records of their topic.
        models: Name and version of those that are counted.
        windows: Compared.
        rows: Predictions that are in partials that could be compared;
        dead_letters: and dead letters.
        before: Committed records from before their model began to be counted, or whose partials
            were deleted.
        deleted: What retention has taken of the partials; empty: nothing.
        other_roles: Partials that tell of other predictions, by role; they are not judged.
        gaps: Committed records that no partial covers.
        overlaps: Records that several partials cover, each one beyond the first.
        torn: Ranges of partials that reach beyond what is committed.
        miscounted: Windows and fault codes of which partials say another number than there is.
        unreadable: Records of the topic that are no partials.
        hanging: Its partitions with a transaction that nobody ends; counted with the outcomes'.
    """

    skipped: str = ""
    partials: int = 0
    models: tuple[str, ...] = ()
    windows: int = 0
    rows: int = 0
    dead_letters: int = 0
    before: int = 0
    deleted: str = ""
    other_roles: Mapping[str, int] = field(default_factory=dict)
    gaps: Finding = NOTHING
    overlaps: Finding = NOTHING
    torn: Finding = NOTHING
    miscounted: Finding = NOTHING
    unreadable: Finding = NOTHING
    hanging: Finding = NOTHING

    def to_json(self) -> dict[str, object]:
        """What was compared; what was found stands with the other findings."""
        if self.skipped:
            return {"skipped": self.skipped}
        return {
            "partials": self.partials,
            "models": list(self.models),
            "windows": self.windows,
            "rows": self.rows,
            "dead_letters": self.dead_letters,
            "before": self.before,
            "deleted": self.deleted,
            "other_roles": dict(sorted(self.other_roles.items())),
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
        drift_gaps: As in :class:`Drift`, where that was judged; likewise the following.
        drift_overlaps: Likewise.
        drift_torn: Likewise.
        drift_miscounted: Likewise.
        drift_unreadable: Likewise.
        uncommitted: Input records that the group has not committed yet.
        members: Of the group while it was read; workers that go on after a verdict are not in it.
            ``None`` where the coordinator did not say.
        content: How contents were compared; ``None`` where they were not.
        drift: What partials were held against; ``None`` where nobody asked.
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
    drift_gaps: Finding = NOTHING
    drift_overlaps: Finding = NOTHING
    drift_torn: Finding = NOTHING
    drift_miscounted: Finding = NOTHING
    drift_unreadable: Finding = NOTHING
    uncommitted: int = 0
    members: int | None = None
    content: Content | None = None
    drift: Drift | None = None
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> dict[str, Finding]:
        """All kinds of findings by name, those with nothing found included."""
        return {name: getattr(self, name) for name in _ALL_FINDINGS}

    @property
    def sound(self) -> bool:
        """Nothing committed breaks the promise; records not yet committed do not count."""
        return not self.faults

    @property
    def faults(self) -> frozenset[str]:
        """Findings that break the promise, by name."""
        kinds = (
            _ALL_FINDINGS if self.promise is Promise.EXACTLY_ONCE else _FAULTS_WHEN_AT_LEAST_ONCE
        )
        return frozenset(name for name in kinds if getattr(self, name).count)

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
            "drift": None if self.drift is None else self.drift.to_json(),
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
    "drift_gaps",
    "drift_unreadable",
)
_ALL_FINDINGS = (
    *("duplicated", "reordered", "torn"),
    *("drift_overlaps", "drift_torn", "drift_miscounted"),
    *_FAULTS_WHEN_AT_LEAST_ONCE,
)
