"""The demo's verdict on drift: what counts as the same, and which half an alert belongs to."""

from dataclasses import replace
from pathlib import Path

import pytest

from stream_app.adapters.drift.report_alerts import computed_alerts
from stream_app.core.drift.alerts import State
from stream_app.demo import drift
from stream_app.demo.drift import DriftVerdict, Watch, WindowKey, judge_drift
from stream_app.drift_report import DriftReport
from stream_app.settings import load_settings
from tests.drift_windows import WINDOW_MS, car_loan_windows

WINDOWS = car_loan_windows()
DRIFT_FROM = 46
"""The first window with applicants of the second half."""

REPORT = computed_alerts(DriftReport(WINDOWS[0].head.stream, WINDOW_MS, WINDOWS))
HASHES = {(w.head.start_ms, w.head.length_ms): w.hashes.inputs for w in WINDOWS}


def verdict(
    monkeypatch: pytest.MonkeyPatch,
    page: Path,
    *,
    report: DriftReport | None = REPORT,
    offline: dict[WindowKey, str] = HASHES,
    drift_from_ms: int = WINDOWS[DRIFT_FROM].head.start_ms,
) -> DriftVerdict:
    monkeypatch.setattr(drift, "_offline", lambda config, data: offline)
    watch = Watch(load_settings(None, {}), report)
    return judge_drift(watch, Path("config"), Path("data"), drift_from_ms, page)


def test_the_same_windows_have_no_differences(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    found = verdict(monkeypatch, page)
    assert found.live_equals_offline
    assert found.faults == []
    assert found.windows == len(WINDOWS)
    assert found.quiet_half_alerts == 0
    assert found.drifted_half_alerts == len(REPORT.last_alerts) > 0
    assert found.columns[0] == "car_value"
    assert "Drift of car_loan" in page.read_text(encoding="utf-8")


def test_a_window_that_differs_or_is_missing_on_a_side_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second, third = list(HASHES)[:3]
    other = HASHES | {first: "0" * 16, (third[0] - 100 * WINDOW_MS, WINDOW_MS): "1" * 16}
    del other[second]
    roll_up = {(0, 7 * WINDOW_MS): "2" * 16}
    found = verdict(monkeypatch, tmp_path / "r.html", offline=other | roll_up)
    assert not found.live_equals_offline
    assert len(found.differences) == 3
    assert f"live none, of the file {'1' * 16}" in found.differences[0]
    assert f"live {HASHES[first]}, of the file {'0' * 16}" in found.differences[1]
    assert f"live {HASHES[second]}, of the file none" in found.differences[2]
    assert "3 windows differ" in found.faults[0]


def test_an_alert_belongs_to_the_half_of_the_window_in_which_it_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    late = WINDOWS[-1].head.start_ms
    found = verdict(monkeypatch, tmp_path / "r.html", drift_from_ms=late)
    assert found.quiet_half_alerts == len(REPORT.last_alerts)
    assert found.drifted_half_alerts == 0
    # A window that has some of both is one of the second half.
    inside = WINDOWS[DRIFT_FROM].head.start_ms + 1
    assert not verdict(monkeypatch, tmp_path / "r.html", drift_from_ms=inside).quiet_half_alerts


def test_what_was_withdrawn_was_no_alert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert REPORT.alerts is not None
    last = REPORT.last_alerts[0]
    gone = replace(last, sequence=last.sequence + 1, state=State.WITHDRAWN)
    report = replace(REPORT, alerts=(*REPORT.alerts, gone))
    found = verdict(monkeypatch, tmp_path / "r.html", report=report)
    assert found.drifted_half_alerts == len(REPORT.last_alerts) - 1


def test_no_windows_are_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = verdict(monkeypatch, tmp_path / "r.html", report=None)
    assert found.faults == ["drift: no window was told of"]
    assert not found.live_equals_offline
