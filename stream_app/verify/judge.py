"""The verdict: was every input record answered exactly once, and in order?

Decides from positions alone. Works on a cluster that is still running: what must be there is
measured against the offsets committed *before* the outcomes were read, what may be there against
those committed *after*.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_app.verify.logs import InputLog, Kind, Offsets, OutputLog
from stream_app.verify.report import (
    NOTHING,
    SHOWN,
    Content,
    Drift,
    Finding,
    Isolation,
    Promise,
    Report,
)


def judge(
    inputs: Sequence[InputLog],
    outputs: Sequence[OutputLog],
    *,
    promise: Promise = Promise.EXACTLY_ONCE,
    isolation: Isolation = Isolation.READ_COMMITTED,
    wrong_content: Finding = NOTHING,
    content: Content | None = None,
    drift: Drift | None = None,
    members: int | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Compare what went in with what came out.

    Args:
        inputs: Every partition of the input topic.
        outputs: Every partition of the predictions topic and of the DLQ.
        promise: What the run was told to guarantee.
        isolation: How ``outputs`` were read.
        wrong_content: Found by the reader, which alone sees values.
        content: What comparing with the model found, if that was done.
        drift: What comparing with drift partials found, likewise.
        members: Of the group, while it was read.
        notes: Limits of the verdict that the reader knows of.
    """
    codes: dict[str, int] = {}
    for log in outputs:
        for code, count in log.codes.items():
            codes[code] = codes.get(code, 0) + count
    lost = duplicated = NOTHING
    for source in inputs:
        missing, repeated = _counted(source, outputs)
        lost, duplicated = lost + missing, duplicated + repeated
    open_logs = [_hanging(log) for log in outputs if log.stable_end < log.end]
    hanging = Finding(len(open_logs), tuple(open_logs[:SHOWN]))
    hanging += drift.hanging if drift else NOTHING
    return Report(
        promise=promise,
        isolation=isolation,
        events=sum(len(source.offsets) for source in inputs),
        predictions=sum(len(log.offsets) for log in outputs if log.kind is Kind.PREDICTION),
        dead_letters=codes,
        lost=lost,
        deleted_unread=sum((_deleted_unread(source) for source in inputs), NOTHING),
        beyond_end=sum((_beyond_end(source) for source in inputs), NOTHING),
        duplicated=duplicated,
        misplaced=sum((_misplaced(log, inputs, outputs) for log in outputs), NOTHING),
        reordered=sum((_reordered(log) for log in outputs), NOTHING),
        torn=sum((_torn(log, inputs) for log in outputs), NOTHING),
        foreign=sum((_foreign(log, inputs) for log in outputs), NOTHING),
        hanging=hanging if isolation is Isolation.READ_COMMITTED else NOTHING,
        wrong_content=wrong_content + (content.wrong_content if content else NOTHING),
        wrong_letter=content.wrong_letter if content else NOTHING,
        wrongly_scored=content.wrongly_scored if content else NOTHING,
        wrongly_dead=content.wrongly_dead if content else NOTHING,
        drift_gaps=drift.gaps if drift else NOTHING,
        drift_overlaps=drift.overlaps if drift else NOTHING,
        drift_torn=drift.torn if drift else NOTHING,
        drift_miscounted=drift.miscounted if drift else NOTHING,
        drift_unreadable=drift.unreadable if drift else NOTHING,
        uncommitted=sum(_uncommitted(source) for source in inputs),
        members=members,
        content=content,
        drift=drift,
        notes=(*notes, *_limits(inputs, outputs, promise, isolation)),
    )


def _counted(source: InputLog, outputs: Sequence[OutputLog]) -> tuple[Finding, Finding]:
    """Which records have no outcome, and which have several."""
    answers = np.zeros(len(source.offsets), dtype=np.int64)
    for log in outputs:
        named = log.source_offset[log.source_partition == source.partition]
        at, there = _find(source.offsets, named)
        answers += np.bincount(at[there], minlength=len(answers))
    lost = source.offsets[(answers == 0) & (source.offsets < source.due)]
    repeated = answers > 1
    return (
        Finding(len(lost), _places(source, lost)),
        Finding(int((answers[repeated] - 1).sum()), _places(source, source.offsets[repeated])),
    )


def _deleted_unread(source: InputLog) -> Finding:
    """Offsets that nobody can read any more; a few of them may have been no records."""
    if source.committed is None or source.committed >= source.begin:
        return NOTHING
    count = source.begin - source.committed
    place = f"input[{source.partition}]: committed {source.committed}, begins at {source.begin}"
    return Finding(count, (place,))


def _beyond_end(source: InputLog) -> Finding:
    """The topic was cut or made anew: events committed before are not here."""
    committed = max(source.committed or 0, source.committed_after or 0)
    if committed <= source.end:
        return NOTHING
    place = f"input[{source.partition}]: committed {committed}, ends at {source.end}"
    return Finding(1, (place,))


def _misplaced(log: OutputLog, inputs: Sequence[InputLog], outputs: Sequence[OutputLog]) -> Finding:
    """Outcomes outside the partition of their record's number, where the counts are equal."""
    count = sum(other.topic == log.topic and other.kind is log.kind for other in outputs)
    if count != len(inputs):
        return NOTHING
    known = np.isin(log.source_partition, [source.partition for source in inputs])
    return _outcomes(log, np.flatnonzero(known & (log.source_partition != log.partition)))


def _reordered(log: OutputLog) -> Finding:
    """Outcomes behind a later one of their input partition; repeats are not counted again."""
    found = NOTHING
    for partition in np.unique(log.source_partition[log.source_partition >= 0]).tolist():
        rows = np.flatnonzero(log.source_partition == partition)
        _, first = np.unique(log.source_offset[rows], return_index=True)
        rows = rows[np.sort(first)]
        order = log.source_offset[rows]
        behind = rows[1:][order[1:] < np.maximum.accumulate(order)[:-1]]
        found += _outcomes(log, behind)
    return found


def _torn(log: OutputLog, inputs: Sequence[InputLog]) -> Finding:
    found = NOTHING
    for source in inputs:
        if source.committed_after is not None:
            ahead = log.source_offset >= source.committed_after
            exists = log.source_offset < source.end
            ours = log.source_partition == source.partition
            found += _outcomes(log, np.flatnonzero(ours & ahead & exists))
    return found


def _foreign(log: OutputLog, inputs: Sequence[InputLog]) -> Finding:
    foreign = np.ones(len(log.offsets), dtype=np.bool_)
    for source in inputs:
        rows = np.flatnonzero(log.source_partition == source.partition)
        named = log.source_offset[rows]
        _, there = _find(source.offsets, named)
        # Neither records that retention has deleted nor those that came since can be looked up.
        gone = (named >= 0) & (named < source.begin)
        newer = (named >= source.stable_end) & (named < source.end)
        foreign[rows[there | gone | newer]] = False
    return _outcomes(log, np.flatnonzero(foreign))


def _find(offsets: Offsets, wanted: Offsets) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where each wanted offset is in the sorted ones, and whether it is there at all."""
    at = np.searchsorted(offsets, wanted)
    if len(offsets) == 0:
        return at, np.zeros(len(wanted), dtype=np.bool_)
    return at, offsets[np.minimum(at, len(offsets) - 1)] == wanted


def _uncommitted(source: InputLog) -> int:
    if source.committed is None:
        return 0
    return int((source.offsets >= source.committed).sum())


def _places(source: InputLog, offsets: Offsets) -> tuple[str, ...]:
    return tuple(f"input[{source.partition}]@{offset}" for offset in offsets[:SHOWN].tolist())


def _outcomes(log: OutputLog, rows: npt.NDArray[np.intp]) -> Finding:
    return Finding(len(rows), tuple(str(log.outcome(row)) for row in rows[:SHOWN].tolist()))


def _hanging(log: OutputLog) -> str:
    return f"{log.topic}[{log.partition}]: open from offset {log.stable_end}, end {log.end}"


def _limits(
    inputs: Sequence[InputLog],
    outputs: Sequence[OutputLog],
    promise: Promise,
    isolation: Isolation,
) -> list[str]:
    notes = []
    if isolation is Isolation.READ_UNCOMMITTED:
        notes.append(
            "outcomes were read uncommitted: aborted ones count as if they were valid, and a "
            "transaction that nobody ends is not seen"
        )
    if promise is Promise.AT_LEAST_ONCE:
        notes.append("delivery is at_least_once: duplicates, their order and torn are no faults")
    if not any(len(source.offsets) for source in inputs):
        notes.append("the input holds no record: there was nothing to judge; is it the right one?")
    notes.extend(
        f"{log.topic}[{log.partition}] begins at offset {log.begin}: outcomes before it were "
        "deleted, and their events count as lost"
        for log in outputs
        if log.begin > 0
    )
    notes.extend(
        f"input[{source.partition}] begins at offset {source.begin}: earlier events were deleted "
        "and are not judged"
        for source in inputs
        if source.begin > 0
    )
    return notes
