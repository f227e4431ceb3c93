"""Laws of the monitor: store, then publish, then forget; and whatever it dies at, the same."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.core.drift.alerts import Alert, State
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.window_report import Status, WindowReport
from stream_app.core.metrics import (
    MONITOR_ALERTS,
    MONITOR_ALERTS_OPEN,
    MONITOR_SCORE,
    MONITOR_WINDOW_END_SECONDS,
    MONITOR_WINDOWS,
)
from stream_app.monitor import Monitor, MonitorConfig
from stream_app.ports_monitor import WindowRecord
from tests.fakes import FakeClock
from tests.monitor_feed import expected_records, planted
from tests.monitor_kit import CountingTelemetry, DeathError, MemoryOutputs
from tests.unit.drift.reports import STREAM, drifting

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def record(report: WindowReport, told_ms: int = 0, partition: int = 2) -> WindowRecord:
    return WindowRecord(partition, told_ms, WindowCodec().encode(report))


def monitor(
    telemetry: CountingTelemetry | None = None, *, roll_ups: bool = True, keep: int = 288
) -> Monitor:
    config = MonitorConfig(keep, roll_ups)
    return Monitor(config, WindowCodec(), FakeClock(0.0), telemetry or CountingTelemetry())


async def begin(outputs: MemoryOutputs, telemetry: CountingTelemetry | None = None) -> Monitor:
    made = monitor(telemetry, keep=32)
    await made.begin(outputs.store.items(), outputs.published(), outputs)
    return made


async def watch(
    log: Sequence[WindowReport], outputs: MemoryOutputs, telemetry: CountingTelemetry | None = None
) -> Monitor:
    made = await begin(outputs, telemetry)
    for report in log:
        await made.take(record(report), outputs)
    return made


def by_key(outputs: MemoryOutputs) -> dict[str, Alert]:
    found: dict[str, Alert] = {}
    for _, alert in outputs.alerts:
        assert found.setdefault(alert.key, alert) == alert
    return found


def test_alerts_are_those_of_the_pure_functions() -> None:
    log, outputs = planted(7, 40), MemoryOutputs()
    asyncio.run(watch(log, outputs))
    assert by_key(outputs) == expected_records(log)
    assert {partition for partition, _ in outputs.alerts} == {2}, "as their windows"


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=8), st.integers(0, 5))
def test_whatever_it_dies_at_the_next_one_writes_the_same(lives: list[int], back: int) -> None:
    """Each time, the broker gives the last records once more."""
    log, outputs = planted(8, 15), MemoryOutputs()

    async def live(at: int) -> int:
        try:
            made = await begin(outputs)
            for report in log[at:]:
                await made.take(record(report), outputs)
                at += 1
        except DeathError:
            return max(0, at - back)
        return at

    at = 0
    for count in lives:
        outputs.lives = count
        at = asyncio.run(live(at))
    outputs.lives = 1 << 30
    assert asyncio.run(live(at)) == len(log)
    assert by_key(outputs) == expected_records(log)


def test_what_was_to_be_deleted_is_deleted_by_the_next_one() -> None:
    log, outputs = planted(8, 80, [STREAM]), MemoryOutputs()

    async def live(at: int) -> int:
        try:
            made = await begin(outputs)
            for report in log[at:]:
                await made.take(record(report), outputs)
                at += 1
        except DeathError:
            pass
        return at

    at = 0
    while at < len(log):
        outputs.lives = 70
        at = asyncio.run(live(at))
    outputs.lives = 1 << 30
    asyncio.run(live(at - 1))
    tidy = MemoryOutputs()
    asyncio.run(watch(log, tidy))
    assert outputs.store == tidy.store


def test_a_record_is_done_when_all_that_follows_is_written() -> None:
    outputs = MemoryOutputs(lives=1)
    loud = drifting({"x": 2.0})

    async def take() -> None:
        made = monitor()
        await made.take(record(loud), outputs)

    with pytest.raises(DeathError):
        asyncio.run(take())
    assert (len(outputs.store), outputs.alerts) == (1, []), "stored first"


def test_roll_ups_are_series_of_their_own_unless_they_are_left_out() -> None:
    hour = drifting({"x": 2.0}, length_ms=HOUR_MS)
    for wanted, outcome in ((True, "judged"), (False, "left_out")):
        telemetry, outputs = CountingTelemetry(), MemoryOutputs()
        made = monitor(telemetry, roll_ups=wanted)
        asyncio.run(made.take(record(hour), outputs))
        assert telemetry.counted(MONITOR_WINDOWS, outcome) == 1
        assert bool(outputs.alerts) is wanted
        assert telemetry.shown(MONITOR_SCORE) == {}, "gauges are of windows alone"


def test_what_cannot_be_read_is_passed_over_and_said_until_something_can() -> None:
    telemetry, outputs = CountingTelemetry(), MemoryOutputs()
    made = monitor(telemetry)
    asyncio.run(made.take(WindowRecord(0, 0, b"what"), outputs))
    assert "cannot be read" in made.unreadable
    asyncio.run(made.take(record(drifting({"x": 1.0})), outputs))
    assert made.unreadable == ""
    assert telemetry.counted(MONITOR_WINDOWS, "unreadable") == 1


def test_gauges_show_the_ten_columns_that_are_furthest() -> None:
    telemetry = CountingTelemetry()
    scores = {f"x{n}": 0.1 * (n + 1) for n in range(15)}
    made = asyncio.run(watch([drifting(scores)], MemoryOutputs(), telemetry))
    shown = telemetry.shown(MONITOR_SCORE)
    labels = ("loans", "1", "primary")
    assert set(shown) == {(*labels, f"x{n}") for n in range(5, 15)}
    assert shown[(*labels, "x14")] == pytest.approx(1.5 / 1.3)
    assert telemetry.shown(MONITOR_WINDOW_END_SECONDS) == {labels: 60.0}
    other = drifting({"y": 1.0}, at=1)
    asyncio.run(made.take(record(other), MemoryOutputs()))
    assert set(telemetry.shown(MONITOR_SCORE)) == {(*labels, "y")}
    few = drifting({"y": 9.0}, at=2, status=Status.INSUFFICIENT)
    asyncio.run(made.take(record(few), MemoryOutputs()))
    assert telemetry.shown(MONITOR_SCORE) == {}
    assert telemetry.shown(MONITOR_WINDOW_END_SECONDS) == {labels: 180.0}


def test_open_alerts_are_counted_by_level_until_the_series_falls_silent() -> None:
    telemetry, outputs = CountingTelemetry(), MemoryOutputs()
    made = asyncio.run(watch([drifting({"x": 2.0, "y": 9.0})], outputs, telemetry))
    assert telemetry.shown(MONITOR_ALERTS_OPEN) == {("warn",): 1, ("alert",): 0, ("critical",): 1}
    assert telemetry.counted(MONITOR_ALERTS, "opened", "critical") == 1
    made._clock = FakeClock(DAY_MS / 1000 + 60)
    made.refresh()
    assert set(telemetry.shown(MONITOR_ALERTS_OPEN).values()) == {0}


def test_a_version_that_scores_no_more_is_closed_and_forgotten() -> None:
    telemetry, outputs = CountingTelemetry(), MemoryOutputs()
    old = drifting({"x": 2.0})
    new = drifting({"x": 1.0}, stream=replace(STREAM, model_version="2"))

    async def go() -> Monitor:
        made = await watch([old], outputs, telemetry)
        await made.take(record(new, 13 * DAY_MS), outputs)
        assert len(outputs.alerts) == 1
        await made.take(record(new, 20 * DAY_MS, partition=1), outputs)
        assert len(outputs.alerts) == 1, "another partition says nothing of this one"
        again = drifting({"x": 1.0}, stream=new.head.stream, at=1)
        await made.take(record(again, 20 * DAY_MS), outputs)
        return made

    made = asyncio.run(go())
    assert [(a.state, a.reason.value) for _, a in outputs.alerts[1:]] == [(State.CLOSED, "silent")]
    assert [view["version"] for view in made.view()] == ["2"]
    assert not any("/1/" in key for key in outputs.store)
    labels = {labels[1] for labels in telemetry.shown(MONITOR_SCORE)}
    assert labels <= {"2"}


def test_a_version_whose_ending_was_cut_off_is_ended_later() -> None:
    old = drifting({"x": 2.0})
    new = drifting({"x": 1.0}, stream=replace(STREAM, model_version="2"))
    for lives in range(5):
        outputs = MemoryOutputs()
        made = asyncio.run(watch([old], outputs))
        outputs.lives = lives
        with pytest.raises(DeathError):
            asyncio.run(made.take(record(new, 20 * DAY_MS), outputs))
        outputs.lives = 1 << 30

        async def go(outputs: MemoryOutputs = outputs) -> None:
            next_one = await begin(outputs)
            await next_one.take(record(new, 20 * DAY_MS), outputs)

        asyncio.run(go())
        assert [a.state for a in by_key(outputs).values()] == [State.OPENED, State.CLOSED]
        assert not any("/1/" in key for key in outputs.store), lives


def test_the_view_is_json_and_has_what_is_open() -> None:
    log = [drifting({"x": 1.0, "y": float("nan")}), drifting({"x": 5.0}, at=1)]
    made = asyncio.run(watch(log, MemoryOutputs()))
    (series,) = json.loads(json.dumps(made.view(), allow_nan=False))
    assert (series["model"], series["version"], series["window_s"]) == ("loans", "1", 60.0)
    newest, oldest = series["windows"]
    assert (newest["start"], newest["end"]) == ("1970-01-01T00:01:00Z", "1970-01-01T00:02:00Z")
    assert newest["distribution"] == {
        "threshold": 1.3, "worst_column": "x", "statistic": "w", "value": 0.5, "score": 5.0,
    }  # fmt: skip
    assert oldest["quality"]["worst_column"] is None
    assert [(a["column"], a["level"]) for a in series["alerts"]] == [("x", "critical")]


def test_alerts_of_a_stream_whose_windows_are_not_stored_stand() -> None:
    outputs = MemoryOutputs()
    asyncio.run(watch([drifting({"x": 2.0})], outputs))
    outputs.store.clear()
    before = list(outputs.alerts)
    asyncio.run(begin(outputs))
    assert outputs.alerts == before


def test_streams_of_other_partitions_do_not_hear_each_other() -> None:
    """A stream is what its key says."""
    streams = [Stream("m", str(n), "primary", "r", 60_000) for n in range(3)]
    log = planted(9, 20, streams)
    outputs = MemoryOutputs()

    async def go() -> None:
        made = await begin(outputs)
        for report in log:
            partition = int(report.head.stream.model_version)
            await made.take(record(report, partition=partition), outputs)

    asyncio.run(go())
    assert by_key(outputs) == expected_records(log)
    assert {int(a.stream.split("/")[1]) == p for p, a in outputs.alerts} == {True}
