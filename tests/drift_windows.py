"""Windows of the example's events, made without Kafka, as the aggregator would tell of them.

Decides what tests of reports look at: half a year of applications in windows of two days, of which
the second half drifts, and oddities that real topics have: a gap, too few rows, dead letters, an
older revision, a window that is still open.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

from stream_app.adapters.drift.event_reader import read_events
from stream_app.adapters.drift.reference_file import read_reference
from stream_app.adapters.drift.scored_events import score_events
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.core.drift.counter import WindowCounter, add_delta
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.report_window import WindowCounts, report_window
from stream_app.core.drift.score_map import score_slots
from stream_app.core.drift.sources import SourceReader
from stream_app.core.drift.window_report import ColumnReport, Status, WindowHead, WindowReport
from stream_app.core.faults import Fault
from stream_app.resources import example_dir
from stream_app.settings import ModelSettings
from tests.aggregate_kit import WAY
from tests.window_records import SCHEMA, read_window

DAY_MS = 86_400_000
WINDOW_MS = 2 * DAY_MS
MIN_ROWS = 30
GAP = range(20, 23)
"""Windows that are missing, by their place."""


HOSTILE = "<b>b</b></script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&<b>%{x}"


@cache
def car_loan_windows() -> tuple[WindowReport, ...]:
    """By start."""
    example = example_dir("car_loan")
    files = ModelRepository(example / "models").open("car_loan")
    model = load_model(files, ModelSettings())
    stored = read_reference(files.folder / "reference.avro")
    layout = Layout(stored.reference)
    scores = stored.reference.scores
    assert scores is not None
    sources = SourceReader(stored.reference.columns)
    stream = Stream("car_loan", files.version, "primary", stored.id, WINDOW_MS)
    counter = WindowCounter(layout, WINDOW_MS, WAY)
    reader = read_events(example / "stream.avro", model.contract)
    for chunk in score_events(reader, model, model.contract):
        outputs = chunk.batch.outputs
        found = sources.read(chunk.events, chunk.batch.rows, outputs)
        counter.add(counter.cells(found, score_slots(outputs[scores.tensor]), chunk.times_ms))
    windows = []
    for delta in counter.take():
        state = layout.empty(1)[0]
        assert add_delta(delta, layout, WAY, state)
        head = WindowHead(
            stream=stream,
            start_ms=delta.start_ms,
            length_ms=WINDOW_MS,
            revision=1,
            is_final=True,
            exact=True,
            partitions=1,
            rows=delta.rows,
            letters={},
        )
        windows.append(report_window(layout, WindowCounts(head, state), MIN_ROWS))
    return tuple(windows)


def lifelike() -> list[WindowReport]:
    """As a topic holds them: a gap, dead letters, late revisions, one with too few rows."""
    windows = list(car_loan_windows())
    for at in (5, 60, 61, 62, 63):
        letters = {Fault.UNSEEN_CATEGORY.value: at, Fault.MISSING_FEATURE.value: 4}
        windows[at] = told_again(windows[at], letters=letters)
    last = windows[-1]
    windows[-1] = replace(last, head=replace(last.head, is_final=False), status=Status.INSUFFICIENT)
    first = replace(windows[0], status=Status.INSUFFICIENT)
    stale = told_again(windows[30], revision=1, rows=1)
    newer = told_again(windows[30], revision=2)
    kept = [w for at, w in enumerate(windows) if at not in GAP and at not in {0, 30}]
    return [first, newer, stale, *kept]


def told_again(window: WindowReport, **head: Any) -> WindowReport:
    """The same with another head."""
    return replace(window, head=replace(window.head, **head))


def renamed(window: WindowReport, name: str) -> WindowReport:
    """The same, with all names that come from data made this one."""

    def column(each: ColumnReport) -> ColumnReport:
        bars = tuple(replace(bar, name=name if bar.name else "") for bar in each.bars)
        return replace(each, name=f"{name}{each.name}", bars=bars)

    stream = replace(window.head.stream, model_name=name, model_version=name, role=name)
    assert window.correlation is not None
    return replace(
        told_again(window, stream=stream),
        columns=tuple(map(column, window.columns)),
        correlation=replace(window.correlation, first=name, second=name),
        worst_column=name,
        worst_statistic=name,
        calibration=name,
    )


def write_windows(path: Path, windows: Iterable[WindowReport]) -> Path:
    """An Avro container, as ``stream-app drift run --to`` writes it."""
    codec = WindowCodec()
    with path.open("wb") as out:
        fastavro.writer(out, SCHEMA, [read_window(codec.encode(window)) for window in windows])
    return path
