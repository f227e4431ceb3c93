"""Does what scorers told of drift add up to the outcomes, and to each event once?

Decides from positions, times and counts alone. What partials say is held against the predictions
and dead letters of the very records that they cover, so that a group that goes on, or one that
began to count later, is judged fairly. Refuses to judge the statistics made of the counts.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from stream_app.verify.logs import NO_TIME, UNKNOWN_TIME, InputLog, Kind, Offsets, OutputLog
from stream_app.verify.partials import Model, PartialSums
from stream_app.verify.report import NOTHING, SHOWN, Drift, Finding


def judge_drift(
    inputs: Sequence[InputLog], outputs: Sequence[OutputLog], sums: PartialSums
) -> Drift:
    """Compare what was counted with what came out.

    Args:
        inputs: Every partition of the input, with what was committed before and after.
        outputs: Every partition of predictions and dead letters, with times and models.
        sums: Of all partials.
    """
    gaps = overlaps = torn = NOTHING
    before = 0
    for source in inputs:
        found = _Coverage(source, sums, outputs)
        gaps, overlaps, torn = gaps + found.gaps, overlaps + found.overlaps, torn + found.torn
        before += found.before
    counts = _Counts(sums, outputs)
    wrong = [*counts.wrong_windows(), *counts.wrong_letters()]
    return Drift(
        partials=sums.records,
        models=tuple(sorted("/".join(model) for model in sums.models)),
        windows=counts.windows,
        rows=sum(sums.rows.values()) + sums.timeless.total(),
        dead_letters=sums.letters.total(),
        before=before,
        deleted=sums.deleted,
        other_roles=dict(sums.roles),
        gaps=gaps,
        overlaps=overlaps,
        torn=torn,
        miscounted=Finding(len(wrong), tuple(wrong[:SHOWN])),
        unreadable=sums.unreadable,
        hanging=sums.hanging,
    )


class _Coverage:
    """How often each committed record of one input partition is covered."""

    def __init__(self, source: InputLog, sums: PartialSums, outputs: Sequence[OutputLog]) -> None:
        own = [(m, *r.sorted()) for (m, p), r in sums.ranges.items() if p == source.partition]
        records = source.offsets[source.offsets < source.due]
        change = np.zeros(len(records) + 1, dtype=np.int64)
        for _, first, last in own:
            np.add.at(change, np.searchsorted(records, first, side="left"), 1)
            np.add.at(change, np.searchsorted(records, last, side="right"), -1)
        covered = np.cumsum(change)[:-1]
        twice = covered > 1
        self.overlaps = Finding(
            int((covered[twice] - 1).sum()), _named(source.partition, records[twice])
        )
        begun = {model: int(first[0]) for model, first, _ in own}
        counted = sums.models
        after, self.before = [], 0
        for offset, model in _answered(source.partition, records[covered == 0], outputs):
            if model in begun and offset > begun[model]:
                after.append(offset)
            elif model in counted:
                self.before += 1
        missed = np.unique(np.array(after, dtype=np.int64))
        self.gaps = Finding(len(missed), _named(source.partition, missed))
        self.torn = NOTHING
        if source.committed_after is not None:
            ahead = [
                f"input[{source.partition}]@{a}-{b}"
                for _, first, last in own
                for a, b in zip(first.tolist(), last.tolist(), strict=True)
                if b >= source.committed_after
            ]
            self.torn = Finding(len(ahead), tuple(ahead[:SHOWN]))


def _answered(
    partition: int, offsets: Offsets, outputs: Sequence[OutputLog]
) -> Iterator[tuple[int, Model]]:
    """Offset and model of the outcomes of these records."""
    if not len(offsets):
        return
    for log in outputs:
        theirs = (log.source_partition == partition) & np.isin(log.source_offset, offsets)
        for row in np.flatnonzero(theirs).tolist():
            yield int(log.source_offset[row]), _model(log, int(log.groups[row]))


def _named(partition: int, offsets: Offsets) -> tuple[str, ...]:
    return tuple(f"input[{partition}]@{offset}" for offset in offsets[:SHOWN].tolist())


def _model(log: OutputLog, group: int) -> Model:
    name, version, *_ = log.group_names[group]
    return name, version


@dataclass(frozen=True, slots=True)
class _Covered:
    """Which records partials that count are about, by input partition: firsts, greatest lasts."""

    ranges: dict[int, tuple[Offsets, Offsets]]

    @classmethod
    def of(cls, sums: PartialSums) -> "_Covered":
        made = {}
        for partition, ranges in sums.settled.items():
            first, last = ranges.sorted()
            made[partition] = first, np.maximum.accumulate(last)
        return cls(made)

    def rows(self, log: OutputLog) -> npt.NDArray[np.bool_]:
        """Which outcomes answer such a record."""
        found = np.zeros(len(log.offsets), dtype=np.bool_)
        for partition, (first, last) in self.ranges.items():
            rows = np.flatnonzero(log.source_partition == partition)
            at = np.searchsorted(first, log.source_offset[rows], side="right") - 1
            found[rows] = (at >= 0) & (log.source_offset[rows] <= last[at])
        return found


class _Counts:
    """What partials say beside what lies in the topics."""

    def __init__(self, sums: PartialSums, outputs: Sequence[OutputLog]) -> None:
        self._covered = _Covered.of(sums)
        self._told_letters = sums.letters
        self._found: Counter[tuple[Model, int | None]] = Counter()
        self._found_letters: Counter[tuple[Model, str]] = Counter()
        times = [each for log in outputs for each in self._times(log)]
        # Where a prediction does not tell in which window it is, only totals can be compared.
        blind = {model for model, of in times if (of == UNKNOWN_TIME).any()}
        self._widths = {m: w for m, w in _widths(sums).items() if m not in blind}
        for model, of in times:
            self._count(model, of)
        for log in outputs:
            if log.kind is Kind.DEAD_LETTER:
                self._letters(log)
        self._told: Counter[tuple[Model, int | None]] = Counter()
        for (model, _, start), rows in sums.rows.items():
            width = self._widths.get(model)
            self._told[model, None if width is None else start // width * width] += rows
        for model, rows in sums.timeless.items():
            self._told[model, None] += rows
        self.windows = sum(start is not None for _, start in self._told)

    def _times(self, log: OutputLog) -> Iterator[tuple[Model, Offsets]]:
        """By model, the times of predictions that partials tell of."""
        if log.kind is Kind.PREDICTION:
            covered = self._covered.rows(log)
            for group in np.unique(log.groups[covered]).tolist():
                yield _model(log, group), log.time_ms[covered & (log.groups == group)]

    def _count(self, model: Model, times: Offsets) -> None:
        width = self._widths.get(model)
        if width is None:
            self._found[model, None] += len(times)
            return
        known = times[times != NO_TIME]
        self._found[model, None] += len(times) - len(known)
        starts, rows = np.unique(known // width * width, return_counts=True)
        for start, count in zip(starts.tolist(), rows.tolist(), strict=True):
            self._found[model, start] += count

    def _letters(self, log: OutputLog) -> None:
        groups = log.groups[self._covered.rows(log)]
        for group, count in zip(*np.unique(groups, return_counts=True), strict=True):
            code = log.group_names[int(group)][2]
            self._found_letters[_model(log, int(group)), code] += int(count)

    def wrong_windows(self) -> Iterator[str]:
        """Where the two differ, by model and window."""
        for key in sorted(self._told.keys() | self._found.keys(), key=_order):
            told, found = self._told[key], self._found[key]
            if told != found:
                model, start = key
                where = "in no window" if start is None else f"window {_utc(start)}"
                yield f"{'/'.join(model)} {where}: {told} counted, {found} predictions"

    def wrong_letters(self) -> Iterator[str]:
        """Likewise, by model and code."""
        for key in sorted(self._told_letters.keys() | self._found_letters.keys()):
            told, found = self._told_letters[key], self._found_letters[key]
            if told != found:
                model, code = key
                yield f"{'/'.join(model)} {code}: {told} counted, {found} dead letters"


def _widths(sums: PartialSums) -> dict[Model, int]:
    """By model, windows that all of its streams' windows fit into; it may have had several."""
    lengths: dict[Model, set[int]] = {}
    for model, window_ms, _ in sums.rows:
        lengths.setdefault(model, set()).add(window_ms)
    greatest = {model: max(of) for model, of in lengths.items()}
    return {m: w for m, w in greatest.items() if all(w % each == 0 for each in lengths[m])}


def _order(key: tuple[Model, int | None]) -> tuple[Model, bool, int]:
    model, start = key
    return model, start is not None, start or 0


def _utc(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(time_ms)
