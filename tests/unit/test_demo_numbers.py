"""The demo's numbers and its verdict: arithmetic, keys, and each way in which a run can fail."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stream_app.cli.demo import conclude
from stream_app.demo.drift import DriftVerdict
from stream_app.demo.measure import latencies, percentile, rate
from stream_app.demo.summary import Measured, Summary
from stream_app.errors import ExitStatus
from stream_app.verify import Finding, Isolation, Promise, Report

GOOD = Summary(
    kafka="real",
    delivery="exactly_once",
    workers=2,
    acknowledged=1_000,
    planted={"TOMBSTONE": 4, "TOO_SHORT": 6},
    killed=("worker 1 (SIGKILL) after 500 outcomes",),
    seconds=12.3456,
    measured=Measured(
        latency_p50_s=0.0123456,
        latency_p99_s=0.05,
        latency_records=200,
        records_per_second=12_345.67,
        records_per_second_before_kill=20_000.0,
        take_over_s=6.0,
    ),
    report=Report(
        promise=Promise.EXACTLY_ONCE,
        isolation=Isolation.READ_COMMITTED,
        events=1_000,
        predictions=990,
        dead_letters={"TOO_SHORT": 6, "TOMBSTONE": 4},
    ),
    drift=DriftVerdict(
        windows=27,
        differences=(),
        quiet_half_alerts=0,
        drifted_half_alerts=2,
        columns=("car_value", "[b]salary"),
        page=Path("drift-report.html"),
    ),
    faults_seen=(),
    examples=(
        {
            "event_id": "[b]7",
            "label": 1,
            "scores": [0.25, 0.75],
            "source_partition": 3,
            "source_offset": 17,
        },
    ),
    reasons={"TOMBSTONE": "the value is null"},
    versions={"python": "3.11"},
)
ONE = Finding(1, ("events[0]@7",))


def with_drift(**changes: object) -> Summary:
    return dataclasses.replace(GOOD, drift=dataclasses.replace(GOOD.drift, **changes))  # type: ignore[arg-type]  # names and values of fields


def with_report(**changes: object) -> Summary:
    return dataclasses.replace(GOOD, report=dataclasses.replace(GOOD.report, **changes))  # type: ignore[arg-type]  # names and values of fields


def test_the_summary_has_the_keys_that_are_promised() -> None:
    written = json.loads(json.dumps(GOOD.to_json()))
    promised = {
        "events": 1_000,
        "predictions": 990,
        "dead_letters": {"TOMBSTONE": 4, "TOO_SHORT": 6},
        "lost": 0,
        "duplicated": 0,
        "records_per_second": 12_345.7,
        "latency_p50_s": 0.012346,
        "latency_p99_s": 0.05,
        "delivery": "exactly_once",
        "kafka": "real",
        "workers": 2,
        "killed": ["worker 1 (SIGKILL) after 500 outcomes"],
        "seconds": 12.346,
        "drift": {
            "windows": 27,
            "live_equals_offline": True,
            "quiet_half_alerts": 0,
            "drifted_half_alerts": 2,
            "columns": ["car_value", "[b]salary"],
            "report": "drift-report.html",
        },
        "versions": {"python": "3.11"},
    }
    assert {key: written[key] for key in promised} == promised
    assert written["ok"] is True
    assert written["faults"] == []


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        (with_report(lost=ONE, predictions=989), "lost: 1, first events[0]@7"),
        (with_report(duplicated=ONE, predictions=991), "duplicated: 1, first events[0]@7"),
        (with_report(torn=ONE), "torn: 1, first events[0]@7"),
        (with_drift(windows=0), "drift: no window was told of"),
        (
            with_drift(differences=("2019-01-03: live aa, of the file bb",)),
            "drift: 1 windows differ from those of the file: 2019-01-03: live aa, of the file bb",
        ),
        (
            with_report(promise=Promise.AT_LEAST_ONCE, duplicated=ONE, predictions=991),
            "duplicated: 1, first events[0]@7",
        ),
        (with_report(uncommitted=2), "2 events were never committed by the workers"),
        (with_report(predictions=989), "1000 events have 999 outcomes, expected one for each"),
        (
            with_report(dead_letters={"TOO_SHORT": 10}),
            "dead letters by code are TOO_SHORT 10, expected those of the events broken on "
            "purpose: TOMBSTONE 4, TOO_SHORT 6",
        ),
        (
            dataclasses.replace(GOOD, acknowledged=1_001),
            "the cluster took 1001 events, and 1000 were found when the input was read again",
        ),
        (dataclasses.replace(GOOD, faults_seen=("worker 0 ...",)), "worker 0 ..."),
    ],
)
def test_whatever_is_wrong_is_told_and_fails(summary: Summary, told: str, tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    console = Console(width=200, record=True, file=(tmp_path / "screen").open("w"))
    assert conclude(summary, console, path) == ExitStatus.DATA
    console.file.close()
    written = json.loads(path.read_text())
    assert told in written["faults"]
    assert written["ok"] is False
    shown = console.export_text()
    assert told in shown
    assert "nothing was lost" not in shown


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_good_run_reads_well_at_any_width(width: int, tmp_path: Path) -> None:
    with (tmp_path / "screen").open("w") as file:
        console = Console(width=width, record=True, file=file)
        assert conclude(GOOD, console, None) == ExitStatus.OK
    shown = console.export_text()
    assert all(len(line) <= width for line in shown.splitlines())
    words = " ".join(shown.split())
    assert "nothing was lost, nothing was repeated." in words
    assert "[b]7" in shown
    assert "2 alerts: car_value, [b]salary" in words


def test_latency_counts_only_events_seen_at_both_ends() -> None:
    sent = {(0, 1): 1.0, (0, 2): 2.0, (1, 1): 3.0}
    seen = {(0, 1): 1.5, (1, 1): 3.25, (9, 9): 4.0}
    assert latencies(sent, seen, list(sent)) == [0.25, 0.5]


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(
    values: list[float], share: float
) -> None:
    ascending = sorted(values)
    found = percentile(ascending, share)
    assert found is not None
    at_most = sum(value <= found for value in ascending)
    below = sum(value < found for value in ascending)
    assert at_most >= share * len(values) - 1e-9
    assert below < share * len(values) + 1e-9


def test_nothing_seen_has_no_percentile_and_no_rate() -> None:
    assert percentile([], 0.5) is None
    assert rate([], 0) is None
    assert rate([(1.0, 10)], 0) is None
    assert rate([(1.0, 10), (1.0, 20)], 0) is None


def test_the_rate_runs_from_the_first_outcome_of_the_burst_to_the_last() -> None:
    samples = [(1.0, 100), (5.0, 200), (6.0, 700), (7.0, 1_200), (20.0, 1_300)]
    assert rate(samples, since=100) == pytest.approx(1_100 / 15)
    assert rate(samples, since=100, until_s=7.0) == pytest.approx(500.0)
