"""Laws of the windows of a file: what is in them, whatever the file's order and format."""

import json
import math
import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import fastavro
import pytest

from stream_app.adapters.drift.event_reader import CHUNK_ROWS
from stream_app.adapters.drift.window_file import write_windows
from stream_app.core.columns import Tensor
from stream_app.core.drift.closing import DAY_MS, HOUR_MS
from stream_app.core.drift.window_report import WindowReport
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, DataError
from stream_app.resources import schema_path
from tests.car_loan import Event, event
from tests.drift_run_kit import (
    WINDOW_S,
    avro_file,
    drift_run,
    events,
    hashes,
    windows,
    without_time,
)
from tests.partials import expected_bins, expected_rows
from tests.reference_kit import open_loans, write_csv

WINDOW_MS = 1000 * WINDOW_S
INPUTS = 7


def bins_of(report: WindowReport) -> list[Counter[int]]:
    """Rows by bin of each input column; null is -1."""
    found = []
    for column in report.columns[:INPUTS]:
        counter = Counter(dict(enumerate(column.counts)))
        counter[-1] = next(d.count for d in column.defects if d.name == "null")
        found.append(+counter)
    return found


class Moody:
    """The example's model, but for its answers to some rows."""

    def __init__(self, output: str, answer: float, every: int) -> None:
        self._model = open_loans(0).model
        self._output, self._answer, self._every = output, answer, every
        self.name, self.version = self._model.name, self._model.version
        self.content_hash = self._model.content_hash

    def run(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        answers = {name: values.copy() for name, values in self._model.run(tensors).items()}
        answers[self._output][:: self._every] = self._answer
        return answers


def narrow_schema(folder: Path) -> Path:
    """A prediction schema whose labels have 32 bits."""
    document = json.loads(schema_path("prediction").read_text(encoding="utf-8"))
    (label,) = (field for field in document["fields"] if field["name"] == "label")
    label["type"] = ["null", "int"]
    path = folder / "prediction.avsc"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_each_row_is_in_the_window_and_the_bins_that_it_must_be_in(tmp_path: Path) -> None:
    rows = events(600)
    found = windows(avro_file(tmp_path, rows))
    own = {start: report for (length, start), report in found.items() if length == WINDOW_MS}
    assert {start: report.head.rows for start, report in own.items()} == expected_rows(
        rows, WINDOW_MS
    )
    assert {start: bins_of(report) for start, report in own.items()} == expected_bins(
        rows, WINDOW_MS
    )
    assert all(report.head.is_final and report.head.exact for report in found.values())


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    rows = events(2 * CHUNK_ROWS + 100)
    in_order = windows(avro_file(tmp_path, rows), settings={"drift.window_s": "86400"})
    random.Random(3).shuffle(rows)
    shuffled = windows(avro_file(tmp_path, rows), settings={"drift.window_s": "86400"})
    assert hashes(shuffled) == hashes(in_order)


def test_a_roll_up_is_a_window_of_its_length(tmp_path: Path) -> None:
    path = avro_file(tmp_path, events(200))
    fine = hashes(windows(path, settings={"drift.window_s": "900"}))
    for length_ms in (HOUR_MS, DAY_MS):
        whole = hashes(windows(path, settings={"drift.window_s": str(length_ms // 1000)}))
        own = {place for place in whole if place[0] == length_ms}
        assert own
        assert {place: fine[place] for place in fine if place[0] == length_ms} == {
            place: whole[place] for place in own
        }


def test_roll_ups_are_those_that_live_has_windows_for(tmp_path: Path) -> None:
    path = avro_file(tmp_path, events(60))
    settings = {"drift.window_s": "900", "drift.retention_s": "7200"}
    assert {length for length, _ in windows(path, settings=settings)} == {900_000, HOUR_MS}


def test_csv_and_parquet_give_the_windows_of_a_container(tmp_path: Path) -> None:
    rows = events(150)
    wanted = hashes(windows(avro_file(tmp_path, rows)))
    assert hashes(windows(write_csv(tmp_path / "events.csv", rows))) == wanted
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "events.parquet")
    assert hashes(windows(tmp_path / "events.parquet")) == wanted


def test_a_part_of_the_time_gives_those_windows_that_lie_in_it(tmp_path: Path) -> None:
    path = avro_file(tmp_path, events(400))
    all_of_them = hashes(windows(path))
    starts = sorted(start for length, start in all_of_them if length == WINDOW_MS)
    since, until = starts[2] - 1, starts[-2]
    part = hashes(windows(path, since_ms=since, until_ms=until))
    assert part == {
        (length, start): both
        for (length, start), both in all_of_them.items()
        if start >= since and start + length <= until
    }
    assert {length for length, _ in part} == {WINDOW_MS, DAY_MS}


def test_windows_of_a_file_in_order_are_told_of_while_it_is_read(tmp_path: Path) -> None:
    rows = events(3 * CHUNK_ROWS)
    run = drift_run(
        avro_file(tmp_path, rows),
        settings={"drift.window_s": "86400"},
        max_windows=CHUNK_ROWS // 30,
    )
    reached = [run.totals.rows_read for _ in run]
    assert reached == sorted(reached)
    assert len(set(reached)) == 3
    assert run.totals.rows_read == len(rows)


def test_a_time_that_cannot_be_closes_no_window(tmp_path: Path) -> None:
    rows = events(2 * CHUNK_ROWS)
    wanted = hashes(windows(avro_file(tmp_path, rows), settings={"drift.window_s": "86400"}))
    far = {**event(0), "timestamp": rows[0]["timestamp"] + timedelta(days=40_000)}
    found = hashes(windows(avro_file(tmp_path, [far, *rows]), settings={"drift.window_s": "86400"}))
    assert {place: found[place] for place in wanted} == wanted
    assert len(found) == len(wanted) + 1


def test_too_many_open_windows_end_it_and_the_remedies_are_named(tmp_path: Path) -> None:
    rows = events(600)
    path = avro_file(tmp_path, rows)
    with pytest.raises(DataError, match=r"more than 3 windows .*--window-s.*--max-windows"):
        windows(path, max_windows=3)


def test_an_event_at_fault_is_a_dead_letter_of_no_window(tmp_path: Path) -> None:
    good = events(100)
    bad: list[Event] = [{**event(7), "car_value": math.inf}, {**event(8), "application_id": ""}]
    run = drift_run(avro_file(tmp_path, [*good[:50], *bad, *good[50:]]))
    found = {(r.head.length_ms, r.head.start_ms): r for r in run}
    assert run.totals.letters_without_window == {Fault.NON_FINITE: 1, Fault.MISSING_ID: 1}
    assert (run.totals.predictions, run.totals.rows_read) == (100, 102)
    assert hashes(found) == hashes(windows(avro_file(tmp_path, good)))


@pytest.mark.parametrize(
    ("output", "answer", "fault"),
    [
        ("probabilities", math.nan, Fault.NON_FINITE_OUTPUT),
        ("label", 1 << 40, Fault.ENCODE_ERROR),
    ],
)
def test_a_sound_event_that_dies_later_is_a_dead_letter_of_its_window(
    output: str, answer: float, fault: Fault, tmp_path: Path
) -> None:
    rows = events(120)
    path, model = avro_file(tmp_path, rows), Moody(output, answer, every=10)
    settings = {"output.prediction_schema": str(narrow_schema(tmp_path))}
    found, without = windows(path, model=model, settings=settings), windows(path)
    letters = {
        start: report.head.letters[fault]
        for (length, start), report in found.items()
        if length == WINDOW_MS and report.head.letters
    }
    assert letters == expected_rows(rows[::10], WINDOW_MS)
    assert sum(r.head.rows for (length, _), r in found.items() if length == WINDOW_MS) == 108
    for place, report in found.items():
        same = report.hashes.inputs == without[place].hashes.inputs
        assert same == (not report.head.letters)


def test_without_times_the_reason_and_the_remedy_are_named(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "timestamp"} for row in events(10)]
    with pytest.raises(ConfigError, match=r"has no 'timestamp'.*give a file with that column"):
        windows(write_csv(tmp_path / "events.csv", rows))
    with pytest.raises(ConfigError, match=r"records' timestamps.*\[event\] time"):
        drift_run(avro_file(tmp_path, events(10)), loans=without_time(open_loans(0)))


def test_a_file_without_rows_has_no_windows(tmp_path: Path) -> None:
    assert windows(avro_file(tmp_path, [])) == {}


def test_compiled_kernels_give_the_same(tmp_path: Path) -> None:
    path = avro_file(tmp_path, events(300))
    assert hashes(windows(path, compiled=True)) == hashes(windows(path))


def test_the_file_of_windows_holds_the_records_of_the_topic(tmp_path: Path) -> None:
    found = windows(avro_file(tmp_path, events(200)))
    target = tmp_path / "windows.avro"
    with write_windows(target) as out:
        for report in found.values():
            out.add(report)
    with target.open("rb") as file:
        records = [dict(r) for r in fastavro.reader(file) if isinstance(r, dict)]
    assert [(r["length_ms"], r["start_ms"], r["input_hash"]) for r in records] == [
        (*place, report.hashes.inputs) for place, report in found.items()
    ]
    assert [r["columns"][0]["counts"] for r in records] == [
        list(report.columns[0].counts) for report in found.values()
    ]


def test_a_file_of_windows_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "windows.avro"
    with pytest.raises(RuntimeError, match="on the way"), write_windows(target):
        raise RuntimeError("on the way")
    assert list(tmp_path.iterdir()) == []
    target.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="--force"), write_windows(target):
        """Not entered."""
    with write_windows(target, force=True):
        """No window."""
    assert target.read_bytes() != b"mine"
    with pytest.raises(ConfigError, match="cannot be written"):  # noqa: SIM117  # one at a time
        with write_windows(tmp_path / "absent" / "windows.avro"):
            """Not entered."""
