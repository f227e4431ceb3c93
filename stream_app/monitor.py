"""The drift monitor: windows come, alerts go.

Decides what is done with each record of the windows topic, in which order: first it is stored, then
what follows is published, then what is old is forgotten, each when the one before is acknowledged.
So whatever a monitor dies at, the next one finds all it needs, and does the rest. Refuses to know
Faust, topics and webhooks (``adapters/monitor/``), and when there is an alert (``core/drift/``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from stream_app.core.drift.alerts import Alert, Level
from stream_app.core.drift.kept_windows import key_of, read_kept, value_of
from stream_app.core.drift.score_window import RULES, window_scores
from stream_app.core.drift.series import Series
from stream_app.core.drift.watch_series import (
    Forgetting,
    Forgotten,
    KeptWindow,
    WatchedSeries,
)
from stream_app.core.drift.window_report import WindowReport
from stream_app.core.metrics import (
    MONITOR_ALERTS,
    MONITOR_ALERTS_OPEN,
    MONITOR_SCORE,
    MONITOR_WINDOW_END_SECONDS,
    MONITOR_WINDOW_TOLD_SECONDS,
    MONITOR_WINDOWS,
)
from stream_app.monitor_log import log_alert
from stream_app.monitor_view import WORST_SHOWN, column_ratios, is_silent, series_view
from stream_app.ports import Clock, Telemetry
from stream_app.ports_drift import Unreadable
from stream_app.ports_monitor import MonitorOutputs, WindowDecoder, WindowRecord

log = structlog.get_logger(__name__)

_SILENT_MS: Final = 14 * 86_400_000
"""A series that nothing was told of for so long, while others were, is over."""


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """What is watched.

    Attributes:
        keep: How many windows of a series are kept at least.
        roll_ups: Whether hours and days are judged too.
    """

    keep: int
    roll_ups: bool


class Monitor:
    """All series; one call at a time. ``view`` may be asked from any thread."""

    def __init__(
        self, config: MonitorConfig, decoder: WindowDecoder, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._config = config
        self._decoder = decoder
        self._clock = clock
        self._telemetry = telemetry
        self._series: dict[str, WatchedSeries] = {}
        self._partitions: dict[str, int] = {}
        self._left_over: dict[int, list[str]] = {}
        self._shown: dict[str, set[str]] = {}
        self._views: Mapping[str, Mapping[str, object]] = {}
        self._unreadable = ""

    @property
    def unreadable(self) -> str:
        """Why the last window record could not be read; empty: it could."""
        return self._unreadable

    def view(self) -> list[Mapping[str, object]]:
        """All series, as JSON shows them."""
        views = self._views
        return [views[name] for name in sorted(views)]

    async def begin(
        self,
        stored: Iterable[tuple[str, bytes]],
        published: Iterable[Alert],
        outputs: MonitorOutputs,
    ) -> None:
        """Forget what is in memory, take what is stored and published, and write what is due.

        Args:
            stored: Keys and values of the store.
            published: All records of the alerts topic.
            outputs: Where to write.

        Raises:
            FatalError: the store cannot be read.
        """
        self._series, self._partitions, self._views = {}, {}, {}
        windows: dict[str, list[KeptWindow]] = {}
        memories: dict[str, list[Forgotten]] = {}
        for key, value in stored:
            name, partition, kept = read_kept(key, value)
            self._partitions[name] = partition
            if isinstance(kept, Forgotten):
                memories.setdefault(name, []).append(kept)
            else:
                windows.setdefault(name, []).append(kept)
        self._left_over = {}
        for name, partition in self._partitions.items():
            left = self._of(name).restore(windows.get(name, []), memories.get(name, []))
            keys = self._left_over.setdefault(partition, [])
            keys += [key_of(name, each) for each in left]
        for alert in published:
            self._of(alert.stream).wrote(alert)
        for series in self._series.values():
            await self._publish(series, outputs)
            self._show(series)
        log.info("monitor_ready", series=len(self._series), windows=self._kept())

    async def take(self, record: WindowRecord, outputs: MonitorOutputs) -> None:
        """Deal with one record; returns when all that follows from it is acknowledged.

        Raises:
            FatalError: something could not be written, for good.
        """
        report = self._decoder.decode(record.value)
        if isinstance(report, Unreadable):
            self._tell_unreadable(report)
            return
        self._unreadable = ""
        name = Series(report.head.stream, report.head.length_ms).name
        outcome = await self._take(name, report, record, outputs)
        self._telemetry.count(MONITOR_WINDOWS, 1, outcome)

    def refresh(self) -> None:
        """Count open alerts anew: streams fall silent by the clock alone."""
        now_ms = self._clock.wall_ms()
        count = dict.fromkeys(Level, 0)
        for series in self._series.values():
            if not is_silent(series, now_ms):
                for alert in series.open_alerts():
                    count[alert.level] += 1
        for level, number in count.items():
            self._telemetry.gauge(MONITOR_ALERTS_OPEN, number, level.name.lower())

    async def _take(
        self, name: str, report: WindowReport, record: WindowRecord, outputs: MonitorOutputs
    ) -> str:
        if report.head.is_roll_up and not self._config.roll_ups:
            return "left_out"
        self._partitions[name] = record.partition
        for key in self._left_over.pop(record.partition, ()):
            await outputs.delete(key)
        for each in [found for found in self._series if self._has_fallen_silent(found, record)]:
            await self._end(each, outputs)
        series = self._of(name)
        step = series.take(_kept(report, record))
        if step is None:
            return "known"
        await self._put(name, step.window, outputs)
        await self._publish(series, outputs)
        if step.replaced is not None:
            await outputs.delete(key_of(name, step.replaced))
        forgetting = series.forget()
        if forgetting is not None:
            await self._forget(name, forgetting, outputs)
        self._show(series)
        return "judged" if step.window.is_final else "open"

    async def _forget(self, name: str, forgetting: Forgetting, outputs: MonitorOutputs) -> None:
        await self._put(name, forgetting.memory, outputs)
        for window in forgetting.windows:
            await outputs.delete(key_of(name, window))
        if forgetting.before is not None:
            await outputs.delete(key_of(name, forgetting.before))

    def _has_fallen_silent(self, name: str, record: WindowRecord) -> bool:
        """By the times of records: whoever reads them again finds the same."""
        series, told_ms = self._series[name], self._series[name].told_ms
        is_old = told_ms is not None and told_ms < record.told_ms - _SILENT_MS
        return self._partitions.get(name) == record.partition and (series.is_over or is_old)

    async def _end(self, name: str, outputs: MonitorOutputs) -> None:
        """A version that scores no more: nothing is left of it but its alerts, closed."""
        series = self._series[name]
        ending = series.end()
        await self._forget(name, ending, outputs)
        await self._publish(series, outputs)
        await outputs.delete(key_of(name, ending.memory))
        log.info("series_ended", series=name)
        self._views = {other: view for other, view in self._views.items() if other != name}
        self._forget_gauges(name)
        del self._series[name]

    async def _put(self, name: str, kept: KeptWindow | Forgotten, outputs: MonitorOutputs) -> None:
        await outputs.put(key_of(name, kept), value_of(self._partitions[name], kept))

    async def _publish(self, series: WatchedSeries, outputs: MonitorOutputs) -> None:
        for alert in series.due():
            await outputs.tell(self._partitions[series.name], alert)
            series.wrote(alert)
            log_alert(alert)
            self._telemetry.count(MONITOR_ALERTS, 1, alert.state.value, alert.level.name.lower())

    def _of(self, name: str) -> WatchedSeries:
        if name not in self._series:
            self._series[name] = WatchedSeries(name, self._config.keep)
        return self._series[name]

    def _kept(self) -> int:
        return sum(len(series.windows) for series in self._series.values())

    def _tell_unreadable(self, found: Unreadable) -> None:
        """Passed over: another version wrote it, and to stop here would stop all streams."""
        self._unreadable = f"window records cannot be read: {found.detail}"
        self._telemetry.count(MONITOR_WINDOWS, 1, "unreadable")
        log.error(
            "window_unreadable",
            code=found.fault.name,
            reason=found.detail,
            action="passed over; update the monitor, then set monitor.group back",
        )

    def _show(self, series: WatchedSeries) -> None:
        """To the view and the gauges."""
        now_ms, name = self._clock.wall_ms(), series.name
        self._views = {**self._views, name: series_view(series)}
        self.refresh()
        watched = Series.named(name)
        final = [window for window in series.windows.values() if window.is_final]
        if watched.is_roll_up or not final or is_silent(series, now_ms):
            return
        last = max(final, key=lambda window: window.start_ms)
        stream = watched.stream
        labels = (stream.model_name, stream.model_version, stream.role)
        end_ms = last.start_ms + watched.length_ms
        self._telemetry.gauge(MONITOR_WINDOW_END_SECONDS, end_ms / 1000, *labels)
        self._telemetry.gauge(MONITOR_WINDOW_TOLD_SECONDS, last.told_ms / 1000, *labels)
        ratios = dict(column_ratios(last)[:WORST_SHOWN])
        for column in self._shown.get(name, set()) - set(ratios):
            self._telemetry.forget(MONITOR_SCORE, *labels, column)
        for column, ratio in ratios.items():
            self._telemetry.gauge(MONITOR_SCORE, ratio, *labels, column)
        self._shown[name] = set(ratios)

    def _forget_gauges(self, name: str) -> None:
        stream = Series.named(name).stream
        labels = (stream.model_name, stream.model_version, stream.role)
        for column in self._shown.pop(name, set()):
            self._telemetry.forget(MONITOR_SCORE, *labels, column)
            self._telemetry.forget(MONITOR_WINDOW_END_SECONDS, *labels)
            self._telemetry.forget(MONITOR_WINDOW_TOLD_SECONDS, *labels)


def _kept(report: WindowReport, record: WindowRecord) -> KeptWindow:
    return KeptWindow(
        start_ms=report.head.start_ms,
        revision=report.head.revision,
        is_final=report.head.is_final,
        told_ms=record.told_ms,
        scores={rule: window_scores(report, rule) for rule in RULES},
    )
