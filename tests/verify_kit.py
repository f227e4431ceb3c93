"""Logs made by hand, for tests of the verdict: no cluster, a fault more or less."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from stream_app.verify import InputLog, Kind, Offsets, Outcome, OutputLog, Report
from stream_app.verify.logs import NO_TIME
from stream_app.verify.partials import PRIMARY, PartialRecord

MODEL = ("car_loan", "1")


def offsets(values: Iterable[int]) -> Offsets:
    return np.array(list(values), dtype=np.int64)


def source(partition: int, present: Iterable[int], committed: int | None = None) -> InputLog:
    """An input partition with records at these offsets."""
    present = list(present)
    end = present[-1] + 1 if present else 0
    return InputLog(
        partition=partition,
        begin=0,
        offsets=offsets(present),
        stable_end=end,
        end=end,
        committed=committed,
        committed_after=committed,
    )


def logs(outcomes: Iterable[Outcome], partitions: int = 0) -> list[OutputLog]:
    """Output partitions holding these outcomes, in the order given; so many predictions' at least.

    Without a number there are those that hold something: fewer than the input's, as a rule, and
    then outcomes may lie in any.
    """
    by_place: dict[tuple[str, int, Kind], list[Outcome]] = {
        ("out", partition, Kind.PREDICTION): [] for partition in range(partitions)
    }
    for outcome in outcomes:
        by_place.setdefault((outcome.topic, outcome.partition, outcome.kind), []).append(outcome)
    return [
        OutputLog(
            topic=topic,
            partition=partition,
            kind=kind,
            begin=0,
            stable_end=2 * len(held),
            end=2 * len(held),
            offsets=offsets(range(len(held))),
            source_partition=offsets(o.source_partition for o in held),
            source_offset=offsets(o.source_offset for o in held),
            codes=Counter(o.code for o in held) if kind is Kind.DEAD_LETTER else {},
        )
        for (topic, partition, kind), held in by_place.items()
    ]


def told_logs(
    outcomes: Iterable[Outcome],
    time_ms: Callable[[int, int], int],
    model: Callable[[int, int], tuple[str, str]],
) -> list[OutputLog]:
    """The same, with what drift needs to know; given an event's position its time and model."""
    made = []
    by_place: dict[tuple[Kind, int], list[Outcome]] = {}
    for outcome in outcomes:
        by_place.setdefault((outcome.kind, outcome.partition), []).append(outcome)
    for held in by_place.values():
        (log,) = logs(held)
        names: dict[tuple[str, ...], int] = {}
        groups = []
        for o in held:
            code = (o.code,) if o.kind is Kind.DEAD_LETTER else ()
            of = (*model(o.source_partition, o.source_offset), *code)
            groups.append(names.setdefault(of, len(names)))
        made.append(
            replace(
                log,
                time_ms=offsets(
                    NO_TIME
                    if o.kind is Kind.DEAD_LETTER
                    else time_ms(o.source_partition, o.source_offset)
                    for o in held
                ),
                groups=offsets(groups),
                group_names=tuple(names),
            )
        )
    return made


def told_partials(
    outcomes: Iterable[Outcome], time_ms: Callable[[int, int], int], size: int, window_ms: int = 10
) -> list[PartialRecord]:
    """What a scorer tells of these outcomes, in transactions of so many records."""
    told: dict[tuple[int, int], list[Outcome]] = {}
    for outcome in outcomes:
        told.setdefault((outcome.source_partition, outcome.source_offset // size), []).append(
            outcome
        )
    made = []
    for (partition, _), held in sorted(told.items()):
        places = [outcome.source_offset for outcome in held]
        rows = Counter(
            time_ms(partition, outcome.source_offset) // window_ms * window_ms
            for outcome in held
            if outcome.kind is Kind.PREDICTION
        )
        letters = Counter(o.code for o in held if o.kind is Kind.DEAD_LETTER)
        ranges = ((partition, min(places), max(places)),)
        made.append(PartialRecord(MODEL, PRIMARY, window_ms, 0, ranges, rows, 0, letters))
    return made


def prediction(partition: int, offset: int) -> Outcome:
    return Outcome("out", partition, 0, Kind.PREDICTION, partition, offset)


def dead_letter(partition: int, offset: int, code: str = "TOO_SHORT") -> Outcome:
    return Outcome("out.dlq", partition, 0, Kind.DEAD_LETTER, partition, offset, code)


def found(report: Report) -> dict[str, int]:
    """Findings that are there, by name."""
    return {name: finding.count for name, finding in report.findings.items() if finding.count}
