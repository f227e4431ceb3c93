"""The drift half of the demo: the group's windows, the same computed from a file, and the alerts.

Decides when there is nothing more to wait for, and what the verdict says. The windows of the file
are computed by a process of its own that never sees Kafka: what it has in common with the live ones
are the events and the code.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stream_app import __version__
from stream_app.adapters.drift.report_alerts import computed_alerts, published_alerts
from stream_app.adapters.drift.report_page import write_report
from stream_app.adapters.drift.report_source import Wanted, shelved, values_of_topic
from stream_app.core.drift.alerts import Alert, State
from stream_app.drift_report import DriftReport
from stream_app.errors import DataError, FatalError
from stream_app.settings import Settings

_LOOK_EVERY_S: Final = 0.5
_OFFLINE_WITHIN_S: Final = 300.0
_MOST_NAMED: Final = 3

WindowKey = tuple[int, int]
"""Start and length, in milliseconds."""


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """What came out.

    Attributes:
        windows: Live ones, each in its last revision.
        differences: Windows whose live and offline hashes are not the same, one line each.
        quiet_half_alerts: Alerts that opened before the applicants changed.
        drifted_half_alerts: And after.
        columns: Of the latter, the most certain first.
        page: The report.
    """

    windows: int
    differences: tuple[str, ...]
    quiet_half_alerts: int
    drifted_half_alerts: int
    columns: tuple[str, ...]
    page: Path

    @property
    def live_equals_offline(self) -> bool:
        """Whether all windows are the same, and there are some."""
        return self.windows > 0 and not self.differences

    @property
    def faults(self) -> list[str]:
        """What is wrong, one line each."""
        found = []
        if not self.windows:
            found.append("drift: no window was told of")
        if self.differences:
            told = "; ".join(self.differences[:_MOST_NAMED])
            found.append(
                f"drift: {len(self.differences)} windows differ from those of the file: {told}"
            )
        return found

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dumps``."""
        return {
            "windows": self.windows,
            "live_equals_offline": self.live_equals_offline,
            "quiet_half_alerts": self.quiet_half_alerts,
            "drifted_half_alerts": self.drifted_half_alerts,
            "columns": list(self.columns),
            "report": str(self.page),
        }


@dataclass(slots=True)
class Watch:
    """Looks at the windows and the alerts as they are written.

    Attributes:
        settings: Of the job.
        report: At the last look; ``None``: there was no window yet.
    """

    settings: Settings
    report: DriftReport | None = None
    _looked_s: float = field(default=0.0)

    def has_counted(self, predictions: int) -> bool:
        """Whether all predictions are in windows that were told of."""
        if self._looks_again():
            self.report = self._windows()
        return self.report is not None and _rows(self.report) == predictions

    def has_alerted(self) -> bool:
        """Whether the monitor has written all alerts to which the windows lead."""
        if not self._looks_again():
            return False
        # The windows too: some may have become final since, and only then be judged.
        report = self._windows()
        if report is None:
            return False
        self.report = published_alerts(self.settings, report, _nobody)
        found = {alert.id: alert.state for alert in self.report.last_alerts}
        wanted = computed_alerts(report).last_alerts
        return all(found.get(alert.id) == alert.state for alert in wanted)

    def _looks_again(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return False
        self._looked_s = now_s
        return True

    def _windows(self) -> DriftReport | None:
        settings = self.settings
        values = values_of_topic(settings, settings.windows_topic, _nobody)
        try:
            return shelved(values, Wanted()).report(settings.windows_topic)
        except DataError:
            return None  # the first window is not told of yet


def judge_drift(
    watch: Watch, config: Path, data: Path, drift_from_ms: int, page: Path
) -> DriftVerdict:
    """Compute the same windows from a file, compare, and write the report.

    Args:
        watch: With what was found in the topics.
        config: The settings file.
        data: The events that were sent and are sound.
        drift_from_ms: When the applicants change.
        page: The report's file.

    Raises:
        StreamAppError: the offline run failed, or the page cannot be written.
    """
    report = watch.report
    if report is None:
        return DriftVerdict(0, (), 0, 0, (), page)
    write_report(page, report, f"Made by stream-app {__version__} demo, {datetime.now(UTC):%F}.")
    quiet, drifted = _by_half(report, drift_from_ms)
    return DriftVerdict(
        windows=len(report.windows),
        differences=_differences(report, _offline(config, data)),
        quiet_half_alerts=len(quiet),
        drifted_half_alerts=len(drifted),
        columns=tuple(dict.fromkeys(alert.column for alert in drifted)),
        page=page,
    )


def _by_half(report: DriftReport, drift_from_ms: int) -> tuple[list[Alert], list[Alert]]:
    """Alerts of windows that end before the change, and all others; the furthest first."""
    stand = [alert for alert in report.last_alerts if alert.state is not State.WITHDRAWN]
    alerts = sorted(stand, key=lambda alert: alert.threshold / alert.score)
    quiet = [alert for alert in alerts if alert.opened + report.length_ms <= drift_from_ms]
    return quiet, [alert for alert in alerts if alert not in quiet]


def _offline(config: Path, data: Path) -> dict[WindowKey, str]:
    """The hash of each window, computed by a fresh process from the file."""
    command = ["drift", "run", "--config", str(config), "--data", str(data), "--json"]
    ended = subprocess.run(
        [sys.executable, "-m", "stream_app", *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=_OFFLINE_WITHIN_S,
    )
    if ended.returncode:
        raise FatalError(f"stream-app {' '.join(command)} failed: {ended.stderr.strip()}")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return {(line["start_ms"], line["length_ms"]): line["input_hash"] for line in lines}


def _differences(report: DriftReport, offline: Mapping[WindowKey, str]) -> tuple[str, ...]:
    live = {(w.head.start_ms, w.head.length_ms): w.hashes.inputs for w in report.windows}
    lengths = {length for _, length in live}
    own = {key: name for key, name in offline.items() if key[1] in lengths}
    return tuple(
        f"{datetime.fromtimestamp(start / 1000, UTC):%F}: live "
        f"{live.get((start, length), 'none')}, of the file {own.get((start, length), 'none')}"
        for start, length in sorted(live.keys() | own.keys())
        if live.get((start, length)) != own.get((start, length))
    )


def _rows(report: DriftReport) -> int:
    return sum(window.head.rows for window in report.windows)


def _nobody(share: float, records: int) -> None:
    """Nobody watches the reading."""
