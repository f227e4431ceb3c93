"""Metrics of several processes through the files of one folder, merged as the table says."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from stream_app.adapters.process.prometheus_telemetry import DIRECTORY_VARIABLE, PrometheusTelemetry
from stream_app.core.metrics import METRICS, WORKER_RESTARTS, WORKERS_WANTED
from stream_app.health import WorkerBeat

PRELUDE = """
import sys, time
from stream_app.adapters.process.prometheus_telemetry import PrometheusTelemetry
from stream_app.core.metrics import *
from stream_app.core import metrics as m
telemetry = PrometheusTelemetry(worker=int(sys.argv[1]))
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrometheusTelemetry:
    """The supervisor's telemetry."""
    monkeypatch.delenv(DIRECTORY_VARIABLE, raising=False)
    return PrometheusTelemetry(workers_dir=tmp_path)


def work(folder: Path, worker: int, body: str) -> str:
    """Run a worker process with this body to its end; what it printed."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(body), str(worker)],
        env={**os.environ, DIRECTORY_VARIABLE: str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def told(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = "|".join([sample.name.removeprefix("stream_app_"), *sample.labels.values()])
            assert key not in found
            found[key] = sample.value
    return found


def test_each_metric_is_merged_as_the_table_says(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    for worker, bound in enumerate((512, 64, 256)):
        work(
            tmp_path,
            worker,
            f"""
            telemetry.count(m.PREDICTIONS, 10)
            telemetry.count(m.DEAD_LETTERS, {worker}, "decode", "X")
            telemetry.observe(m.BATCH_RECORDS, {bound})
            telemetry.gauge(m.BATCH_BOUND_RECORDS, {bound})
            telemetry.gauge(m.ASSIGNED_PARTITIONS, 2)
            telemetry.gauge(m.LOOP_TICK_TIMESTAMP_SECONDS, {1000 + worker})
            telemetry.gauge(m.MODEL_LOAD_SECONDS, {worker})
            telemetry.gauge(m.CONSUMER_LAG, {worker}, "7")
            """,
        )
    found = told(fleet.render().decode())
    assert found["predictions_total"] == 30
    assert found["dead_letters_total|X|decode"] == 3
    assert found["batch_records_count"] == 3
    assert found["batch_records_bucket|64.0"] == 1
    assert found["batch_records_bucket|+Inf"] == 3
    assert found["batch_bound_records"] == 64
    assert found["assigned_partitions"] == 6
    assert found["loop_tick_timestamp_seconds"] == 1000
    assert found["model_load_seconds"] == 2
    assert found["consumer_lag_records|7"] == 2


def test_a_worker_that_only_starts_changes_no_gauge(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    work(tmp_path, 0, "telemetry.gauge(m.BATCH_BOUND_RECORDS, 512)")
    work(tmp_path, 1, "")
    found = told(fleet.render().decode())
    assert found["batch_bound_records"] == 512
    assert "loop_tick_timestamp_seconds" not in found


def test_a_dead_worker_leaves_its_counts_and_takes_its_gauges(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    body = "telemetry.count(m.PREDICTIONS, 10); telemetry.gauge(m.ASSIGNED_PARTITIONS, 2)"
    work(tmp_path, 0, body)
    work(tmp_path, 1, body)
    fleet.worker_ended(1)
    found = told(fleet.render().decode())
    assert (found["predictions_total"], found["assigned_partitions"]) == (20, 2)
    work(tmp_path, 1, body)
    found = told(fleet.render().decode())
    assert (found["predictions_total"], found["assigned_partitions"]) == (30, 4)


def test_a_partition_that_moves_is_told_by_its_new_owner(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    work(
        tmp_path,
        0,
        "telemetry.gauge(m.CONSUMER_LAG, 5, '3'); telemetry.gauge(m.CONSUMER_LAG, 6, '4')",
    )
    work(tmp_path, 1, "telemetry.gauge(m.CONSUMER_LAG, 9, '3')")
    work(
        tmp_path,
        0,
        "telemetry.gauge(m.CONSUMER_LAG, 5, '3'); telemetry.forget(m.CONSUMER_LAG, '3')",
    )
    found = told(fleet.render().decode())
    assert "consumer_lag_records|3" not in found, "forgotten last"
    assert found["consumer_lag_records|4"] == 6
    work(tmp_path, 1, "telemetry.gauge(m.CONSUMER_LAG, 8, '3')")
    assert told(fleet.render().decode())["consumer_lag_records|3"] == 8


def test_a_model_forgotten_by_one_worker_is_still_told_of_another(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    use = "telemetry.gauge(m.MODEL_INFO, 1, 'loan', '1', 'abc', 'CPU')"
    work(tmp_path, 0, f"{use}; telemetry.forget(m.MODEL_INFO, 'loan', '1', 'abc', 'CPU')")
    assert not [key for key in told(fleet.render().decode()) if key.startswith("model_info")]
    work(tmp_path, 1, use)
    found = told(fleet.render().decode())
    assert [n for key, n in found.items() if key.startswith("model_info")] == [1]


def test_the_supervisor_adds_its_own_metrics_and_no_other(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    work(tmp_path, 0, "telemetry.count(m.PREDICTIONS, 10)")
    fleet.gauge(WORKERS_WANTED, 3)
    fleet.count(WORKER_RESTARTS)
    found = told(fleet.render().decode())
    assert (found["workers_wanted"], found["worker_restarts_total"]) == (3, 1)
    assert found["predictions_total"] == 10
    lines = fleet.render().decode().splitlines()
    for metric in METRICS:
        assert lines.count(f"# HELP {metric.name} {metric.help}") == 1


def test_a_worker_s_beat_is_its_own(fleet: PrometheusTelemetry, tmp_path: Path) -> None:
    assert fleet.worker_beat(0) == WorkerBeat(ready=False, tick_age_s=None)
    work(
        tmp_path,
        1,
        """
        telemetry.gauge(m.WORKER_READY, 1)
        telemetry.gauge(m.LOOP_TICK_TIMESTAMP_SECONDS, time.time() - 100)
        """,
    )
    work(tmp_path, 11, "telemetry.gauge(m.WORKER_READY, 0)")
    beat = fleet.worker_beat(1)
    assert beat.ready
    assert beat.tick_age_s is not None
    assert 100 <= beat.tick_age_s < 160
    assert fleet.worker_beat(11) == WorkerBeat(ready=False, tick_age_s=None)
    fleet.worker_ended(1)
    assert fleet.worker_beat(1) == WorkerBeat(ready=False, tick_age_s=None)
    assert not fleet.worker_beat(11).ready


def test_a_file_that_is_just_being_made_hides_nothing(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    work(tmp_path, 0, "telemetry.count(m.PREDICTIONS, 10)")
    for name in ("counter_1.db", "gauge_livesum_1.db"):
        (tmp_path / name).touch()
    assert told(fleet.render().decode())["predictions_total"] == 10
    assert fleet.worker_beat(1) == WorkerBeat(ready=False, tick_age_s=None)


def test_a_spoilt_file_hides_no_metric_of_the_supervisor_and_lets_no_sum_fall(
    fleet: PrometheusTelemetry, tmp_path: Path
) -> None:
    fleet.gauge(WORKERS_WANTED, 3)
    work(tmp_path, 0, "telemetry.count(m.PREDICTIONS, 10)")
    for spoilt in (b"1", b"\xff\x00\x00\x00" + b"spoilt" * 100):
        (tmp_path / "counter_1.db").write_bytes(spoilt)
        (tmp_path / "gauge_livesum_1.db").write_bytes(spoilt)
        with capture_logs() as logs:
            found = told(fleet.render().decode())
            assert found["workers_wanted"] == 3
            assert "predictions_total" not in found
            assert fleet.worker_beat(1) == WorkerBeat(ready=False, tick_age_s=None)
        assert {line["event"] for line in logs} == {"worker_metrics_unreadable"}


def test_a_worker_can_tell_all_itself(tmp_path: Path) -> None:
    work(tmp_path, 0, "telemetry.count(m.PREDICTIONS, 10)")
    text = work(
        tmp_path, 1, "telemetry.count(m.PREDICTIONS, 5); print(telemetry.render().decode())"
    )
    assert told(text)["predictions_total"] == 15
