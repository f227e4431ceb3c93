"""Laws of the bench's small parts: what is measured, what children are told, what is shown."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_app.adapters.bench import meter as meter_module
from stream_app.adapters.bench.meter import Meter, peak_rss_bytes
from stream_app.bench import children as children_module
from stream_app.bench import tables
from stream_app.bench.acts import ways
from stream_app.bench.children import Children
from stream_app.bench.options import COUNTED, Contender
from stream_app.bench.orders import (
    ChildError,
    Kind,
    Order,
    answer_text,
    error_text,
    read_answer,
)
from stream_app.bench.report import Report
from stream_app.bench.telemetry import AddingTelemetry
from stream_app.core.metrics import (
    COMMIT_SECONDS,
    DEAD_LETTERS,
    PREDICTIONS,
    RECORDS_FETCHED,
    STEP_SECONDS,
    TRANSACTIONS,
)
from stream_app.errors import ConfigError, ExitStatus, RetriableError
from tests.bench_kit import REPORT

# -- measuring ------------------------------------------------------------------------------------


def test_nothing_counts_before_the_first_record() -> None:
    meter = Meter()
    meter.add("fetch", 5.0)
    meter.fetched()
    meter.add("fetch", 1.0)
    meter.predictions = 3
    meter.committed()
    assert meter.figures()["steps"]["fetch"] == 1.0  # type: ignore[index]  # a mapping


def test_a_run_without_a_commit_has_no_figures() -> None:
    meter = Meter()
    meter.fetched()
    with pytest.raises(ValueError, match="nothing was committed"):
        meter.figures()


def test_the_workers_own_metrics_become_steps() -> None:
    meter = Meter()
    telemetry = AddingTelemetry(meter)
    telemetry.observe(STEP_SECONDS, 9.0, "fetch")  # an idle one, before anything came
    telemetry.count(RECORDS_FETCHED, 0)
    assert not meter.running
    telemetry.count(RECORDS_FETCHED, 100)
    for step, seconds in (("decode", 1.0), ("score", 2.0), ("encode", 3.0), ("drift", 0.75)):
        telemetry.observe(STEP_SECONDS, seconds, step)
    telemetry.observe(STEP_SECONDS, 10.0, "process_and_deliver")
    telemetry.observe(STEP_SECONDS, 0.5, "fetch")
    telemetry.count(PREDICTIONS, 97)
    telemetry.count(DEAD_LETTERS, 3, "decode", "BAD_MAGIC")
    telemetry.count(TRANSACTIONS, 1, "aborted")
    telemetry.observe(COMMIT_SECONDS, 0.25)
    assert meter.outcomes == 100
    assert (meter.commits, meter.aborts) == (1, 1)
    assert meter.figures()["steps"] == {
        "fetch": 0.5,
        "decode": 1.0,
        "score": 2.0,
        "encode": 3.0,
        "drift": 0.75,
        "deliver": 3.25,
        "commit": 0.25,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is getrusage's")
def test_memory_is_this_process_s_and_not_its_starter_s() -> None:
    """``ru_maxrss`` of a new program begins with the greatest of who started it."""
    ballast = bytearray(150 * 1024 * 1024)
    code = f"from {meter_module.__name__} import peak_rss_bytes; print(peak_rss_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < len(ballast) < peak_rss_bytes()


# -- children -------------------------------------------------------------------------------------


def test_an_order_arrives_as_it_was_given() -> None:
    order = Order(Kind.MODEL, (0, 1), "x.toml", {"a.b": "c"}, 5, 0.5, 7.0, 8.0, "t", (1, 8), (1,))
    assert Order.of_text(order.to_text()) == order


def test_an_answer_is_found_whatever_else_is_printed() -> None:
    assert read_answer(f"noise\n{answer_text({'a': 1})}\n", "x") == {"a": 1}
    assert read_answer("", "x") is None
    assert read_answer("noise", "x") is None
    assert read_answer(f"{answer_text({'a': 1})}\nthe profiler's farewell", "x") == {"a": 1}
    assert read_answer("3", "x") is None


def test_a_child_s_fault_keeps_its_words_and_its_status() -> None:
    with pytest.raises(ChildError, match="who: the reason") as caught:
        read_answer(error_text(ConfigError("the reason")), "who")
    assert caught.value.exit_status == ExitStatus.CONFIG


ORDER = Order(Kind.ECHO)


@pytest.fixture
def child_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Children]:
    def children(code: str) -> Children:
        monkeypatch.setattr(children_module, "_COMMAND", (sys.executable, "-c", code))
        return Children(tmp_path)

    return children


def test_a_child_reads_its_order_and_answers(child_is: Callable[[str], Children]) -> None:
    echo = "import json, sys; print(json.dumps({'answer': json.load(sys.stdin)}))"
    with child_is(echo) as children:
        assert children.run(ORDER, "x")["kind"] == "echo"


def test_a_child_that_dies_is_told_with_the_end_of_its_log(
    child_is: Callable[[str], Children],
) -> None:
    code = "import os, sys; sys.stderr.write('the last words\\n'); sys.stderr.flush(); os.abort()"
    with child_is(code) as children, pytest.raises(ChildError, match="the last words") as caught:
        children.run(ORDER, "who")
    assert "who: ended with SIGABRT" in str(caught.value)
    assert caught.value.exit_status == ExitStatus.SOFTWARE


def test_a_child_that_takes_too_long_is_ended(child_is: Callable[[str], Children]) -> None:
    with child_is("import time; time.sleep(60)") as children:
        child = children.start(ORDER, "who")
        with pytest.raises(RetriableError, match="not done within 0 s; fewer --records"):
            child.wait(0.05)
    assert child.process.returncode == -signal.SIGTERM


def test_no_child_outlives_its_bench(child_is: Callable[[str], Children]) -> None:
    with child_is("import time; time.sleep(60)") as children:
        started = [children.start(ORDER, "x") for _ in range(2)]
    for child in started:
        with pytest.raises(ProcessLookupError):
            os.kill(child.process.pid, 0)


# -- the report -----------------------------------------------------------------------------------


def test_ratios_are_of_medians_and_missing_where_somebody_is() -> None:
    assert REPORT.ratio(Contender.NATIVE, Contender.PLAIN_LOOP) == 4.0
    assert REPORT.ratio(Contender.NATIVE, Contender.ONNX) == 0.5
    assert REPORT.ratio(Contender.NATIVE, Contender.ECHO_PUBLIC) is None


def test_the_document_holds_every_figure_and_is_plain_json() -> None:
    document = json.loads(json.dumps(REPORT.to_json()))
    assert document["ok"] is True
    assert document["contenders"]["stream-app-native"]["of_plain_loop"] == 4.0
    assert document["contenders"]["onnx"]["runs"][0]["predictions"] == 800_000
    assert document["latency"]["echo"]["unanswered"] == 1
    assert document["latency"]["echo"]["p50_s"]["median"] == 0.001
    assert document["model_cost"][1] == {"batch": 64, "threads": 1, "rows_per_second": 1e6}
    assert document["recommendations"][0]["value"] == "64"


def test_the_slowest_is_shown_first_and_steps_leave_the_model_out() -> None:
    columns, rows = tables.throughput(REPORT)
    assert [row[0] for row in rows] == [
        "plain-loop",
        "stream-app-native",
        "stream-app-native-without-drift",
        "onnx",
    ]
    assert all(len(row) == len(columns) for row in rows)
    step_columns, step_rows = tables.steps(REPORT)
    assert [row[0] for row in step_rows] == [row[0] for row in rows if row[0] != "onnx"]
    assert all(len(row) == len(step_columns) for row in step_rows)


@pytest.mark.parametrize("table", [tables.model_cost, tables.advice])
def test_every_row_has_a_cell_for_each_column(
    table: Callable[[Report], tuple[list[str], list[list[object]]]],
) -> None:
    columns, rows = table(REPORT)
    assert rows
    assert all(len(row) == len(columns) for row in rows)


def test_drift_costs_what_the_same_makes_without_it() -> None:
    assert REPORT.drift_cost(Contender.NATIVE) == pytest.approx(0.2)
    assert REPORT.drift_cost(Contender.PUBLIC) is None
    written = REPORT.to_json()["drift"]
    assert isinstance(written, dict)
    assert written["cost"] == {"stream-app-native": 0.2}
    _, rows = tables.drift(REPORT)
    # By rate, the least first; the cost stands once.
    assert rows == [
        ["stream-app-native", "20%", "2,000", "30.00"],
        ["", "", "400,000", "0.11"],
    ]


def test_latency_is_shown_in_milliseconds() -> None:
    _, rows = tables.latency(REPORT.latencies)
    assert rows == [["echo", "1.0", "2.0", "2.0", "2.0"]]


def test_latency_is_also_measured_without_transactions_and_never_of_the_model() -> None:
    found = ways(tuple(Contender))
    assert Contender.ONNX not in {way.contender for way in found}
    without = {way.name for way in found if way.overrides == {"delivery": "at_least_once"}}
    assert without == {
        "echo-native, no transactions",
        "stream-app-public, at least once",
        "stream-app-native, at least once",
    }
    others = {Contender.ONNX, *COUNTED}
    assert len([way for way in found if not way.overrides]) == len(set(Contender) - others)
