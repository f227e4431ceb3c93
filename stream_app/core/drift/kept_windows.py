"""What a monitor keeps, as keys and values of its store, both ways.

Decides the format. No value ever takes another's place: a window's key has its revision, a memory's
how far it reaches, so that what is written late, by one who was away meanwhile, overwrites nothing.
Refuses to know where it is stored.

    <series>|<start>|<revision>     a window's scores
    <series>|memory|<through>       what is left of windows up to there
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final, TypeVar

from stream_app.core.drift.alerts import Alert, Ground, Level, Reason, State
from stream_app.core.drift.cusum import Sum
from stream_app.core.drift.json_values import integer, items, mapping, number, text
from stream_app.core.drift.rules import ColumnMemory, Loud
from stream_app.core.drift.score_window import RULES
from stream_app.core.drift.watch_series import Forgotten, KeptWindow
from stream_app.core.drift.window_report import Status
from stream_app.core.drift.window_scores import Score, WindowScores
from stream_app.errors import FatalError

FORMAT: Final = 1
_BAR: Final = "|"
_MEMORY: Final = "memory"

_T = TypeVar("_T")


def key_of(series: str, kept: KeptWindow | Forgotten) -> str:
    """Where it is stored."""
    if isinstance(kept, Forgotten):
        return _BAR.join([series, _MEMORY, str(kept.through_ms)])
    return _BAR.join([series, str(kept.start_ms), str(kept.revision)])


def value_of(partition: int, kept: KeptWindow | Forgotten) -> bytes:
    """What is stored; equal for equal content.

    Args:
        partition: Of the windows topic, in which the series is.
        kept: A window or a memory.
    """
    body = _memory(kept) if isinstance(kept, Forgotten) else _window(kept)
    return json.dumps(
        {"format": FORMAT, "partition": partition, **body}, separators=(",", ":")
    ).encode()


def read_kept(key: str, value: bytes) -> tuple[str, int, KeptWindow | Forgotten]:
    """Series, partition and what is kept.

    Raises:
        FatalError: it is of another version, or damaged; says what to do.
    """
    try:
        series, kind, _ = key.split(_BAR)
        record = mapping(json.loads(value))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']}, this stream-app reads {FORMAT}")
        kept = _read_memory(record) if kind == _MEMORY else _read_window(record)
        return series, integer(record["partition"]), kept
    except (ValueError, KeyError, TypeError) as exc:
        raise FatalError(
            f"a record of the monitor's store cannot be read ({exc}); go on with the version that "
            "wrote it, or delete the records of monitor.changelog_topic (kafka-delete-records) and "
            "set monitor.group back to the first window (kafka-consumer-groups --reset-offsets "
            "--to-earliest): alerts are then compared with the windows that are still there"
        ) from exc


def _window(kept: KeptWindow) -> dict[str, object]:
    return {
        "start_ms": kept.start_ms,
        "revision": kept.revision,
        "is_final": kept.is_final,
        "told_ms": kept.told_ms,
        "scores": {rule: _scores(kept.scores[rule]) for rule in RULES},
    }


def _scores(of: WindowScores) -> dict[str, object]:
    return {
        "n": of.n,
        "status": of.status.value,
        "threshold": of.threshold,
        "scores": [
            [s.column, s.statistic, s.value, s.score, int(s.large), s.mean, s.sd] for s in of.scores
        ],
    }


def _memory(kept: Forgotten) -> dict[str, object]:
    return {
        "through_ms": kept.through_ms,
        "is_over": kept.is_over,
        "memory": {rule: [asdict(column) for column in kept.memory[rule]] for rule in RULES},
    }


def _read_window(record: Mapping[str, object]) -> KeptWindow:
    start, revision = integer(record["start_ms"]), integer(record["revision"])
    by_rule = mapping(record["scores"])
    return KeptWindow(
        start_ms=start,
        revision=revision,
        is_final=bool(record["is_final"]),
        told_ms=integer(record["told_ms"]),
        scores={rule: _read_scores(mapping(by_rule[rule]), start, revision) for rule in RULES},
    )


def _read_scores(of: Mapping[str, object], start: int, revision: int) -> WindowScores:
    return WindowScores(
        window_start=start,
        revision=revision,
        n=integer(of["n"]),
        status=Status(text(of["status"])),
        threshold=number(of["threshold"]),
        scores=_each(of["scores"], _read_score),
    )


def _read_score(found: object) -> Score:
    column, statistic, value, score, large, mean, sd = items(found)
    return Score(
        text(column), text(statistic), number(value), number(score), bool(large), number(mean),
        number(sd),
    )  # fmt: skip


def _read_memory(record: Mapping[str, object]) -> Forgotten:
    by_rule = mapping(record["memory"])
    memory = {rule: _each(by_rule[rule], _read_column) for rule in RULES}
    return Forgotten(integer(record["through_ms"]), memory, bool(record["is_over"]))


def _read_column(found: object) -> ColumnMemory:
    of = mapping(found)
    return ColumnMemory(
        column=text(of["column"]),
        loud=_each(of["loud"], _read_loud),
        quiet=_each(of["quiet"], _read_ground),
        sums=_each(of["sums"], _read_sum),
        alert=None if of["alert"] is None else _read_alert(mapping(of["alert"])),
    )


def _read_loud(found: object) -> Loud:
    ground, ago = items(found)
    return Loud(_read_ground(ground), integer(ago))


def _read_sum(found: object) -> Sum:
    statistic, value, grounds = items(found)
    return Sum(text(statistic), number(value), _each(grounds, _read_ground))


def _read_ground(found: object) -> Ground:
    of = mapping(found)
    return Ground(integer(of["window_start"]), integer(of["revision"]))


def _read_alert(of: Mapping[str, object]) -> Alert:
    return Alert(
        id=text(of["id"]),
        sequence=integer(of["sequence"]),
        state=State(text(of["state"])),
        level=Level(integer(of["level"])),
        reason=Reason(text(of["reason"])),
        stream=text(of["stream"]),
        rule=text(of["rule"]),
        column=text(of["column"]),
        statistic=text(of["statistic"]),
        value=number(of["value"]),
        score=number(of["score"]),
        threshold=number(of["threshold"]),
        opened=integer(of["opened"]),
        grounds=_each(of["grounds"], _read_ground),
    )


def _each(found: object, read: Callable[[object], _T]) -> tuple[_T, ...]:
    return tuple(read(one) for one in items(found))
