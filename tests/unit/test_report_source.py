"""Laws of which windows are told of."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.drift import report_source
from stream_app.adapters.drift.report_source import (
    MOST_CELLS,
    Wanted,
    most_windows,
    shelved,
    values_of_file,
)
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.core.drift.window_report import WindowReport
from stream_app.drift_report import DriftReport
from stream_app.errors import ConfigError, DataError
from tests.drift_windows import DAY_MS, car_loan_windows, told_again, write_windows

ANY = Wanted()


def chosen(windows: Sequence[WindowReport], wanted: Wanted = ANY) -> DriftReport:
    codec = WindowCodec()
    return shelved(map(codec.encode, windows), wanted).report("here")


def nothing(share: float, records: int) -> None:
    assert 0 <= share <= 1
    assert records


@given(st.permutations([(at, revision) for at in range(3) for revision in (1, 2, 3)]))
def test_the_greatest_revision_counts_whatever_the_order(order: list[tuple[int, int]]) -> None:
    windows = [
        told_again(car_loan_windows()[at], revision=revision, partitions=10 * revision)
        for at, revision in order
    ]
    found = chosen(windows)
    assert [window.head.revision for window in found.windows] == [3, 3, 3]
    assert [window.head.partitions for window in found.windows] == [30, 30, 30]
    starts = [window.head.start_ms for window in found.windows]
    assert starts == sorted(starts)


def test_windows_come_as_they_were_written() -> None:
    windows = car_loan_windows()[:5]
    codec = WindowCodec()
    assert [codec.encode(window) for window in chosen(windows).windows] == [
        codec.encode(window) for window in windows
    ]


def test_a_part_of_the_time_may_be_chosen() -> None:
    windows = car_loan_windows()
    since, until = windows[10].head.start_ms, windows[20].head.start_ms
    found = chosen(windows, Wanted(since_ms=since, until_ms=until))
    assert [w.head.start_ms for w in found.windows] == [w.head.start_ms for w in windows[10:20]]
    with pytest.raises(DataError, match=r"no windows of car_loan .* in that time; see --since"):
        chosen(windows, Wanted(since_ms=windows[-1].head.start_ms + 1))


def test_the_newest_windows_are_kept_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report_source, "MOST_WINDOWS", 20)
    windows = list(car_loan_windows())
    for order in (windows, windows[::-1], [*windows, *windows]):
        found = chosen(order)
        assert [w.head.start_ms for w in found.windows] == [w.head.start_ms for w in windows[-20:]]
        assert found.left_out == 72


def test_many_columns_have_fewer_windows() -> None:
    assert most_windows(10) == 2_000
    assert most_windows(100) == MOST_CELLS // 100
    assert most_windows(10_000) == 24
    assert most_windows(0) == 2_000


def test_of_several_streams_the_newest_primary_is_told_of_and_others_are_named() -> None:
    windows = car_loan_windows()

    def moved(places: slice, version: str, role: str = "primary") -> list[WindowReport]:
        stream = replace(windows[0].head.stream, model_version=version, role=role)
        return [told_again(window, stream=stream) for window in windows[places]]

    old, new = moved(slice(0, 5), "1"), moved(slice(3, 8), "2")
    shadow = moved(slice(20, 30), "3", role="shadow")
    found = chosen([*old, *new, *shadow])
    assert found.stream.model_version == "2"
    assert {(s.model_version, s.role, n) for s, n in found.others} == {
        ("1", "primary", 5),
        ("3", "shadow", 10),
    }
    assert chosen([*old, *new, *shadow], Wanted(version="1")).stream.model_version == "1"
    assert chosen([*old, *new, *shadow], Wanted(role="shadow")).stream.role == "shadow"
    with pytest.raises(DataError, match=r"but of car_loan version 1 \(primary"):
        chosen(old, Wanted(model="other"))


def test_roll_ups_are_told_of_when_they_are_asked_for() -> None:
    windows = car_loan_windows()[:4]
    day = replace(windows[0].head.stream, window_ms=3_600_000)
    hours = [told_again(window, stream=day, length_ms=3_600_000) for window in windows]
    days = [told_again(window, stream=day, length_ms=DAY_MS) for window in windows[:2]]
    assert len(chosen([*hours, *days]).windows) == 4
    found = chosen([*hours, *days], Wanted(roll_up_ms=DAY_MS))
    assert (found.length_ms, len(found.windows)) == (DAY_MS, 2)
    with pytest.raises(DataError, match="no roll-ups of that length yet"):
        chosen(hours, Wanted(roll_up_ms=DAY_MS))


def test_records_that_are_no_windows_are_counted_with_the_first_reason() -> None:
    window = WindowCodec().encode(car_loan_windows()[3])
    shelf = shelved([b"nothing", window, None, window[:-3]], ANY)
    assert shelf.unreadable == 3
    assert shelf.reason.startswith("TOO_SHORT") or shelf.reason.startswith("BAD_MAGIC")
    assert len(shelf.report("here").windows) == 1
    with pytest.raises(DataError, match=r"here holds no windows \(1 records are none: "):
        shelved([None], ANY).report("here")
    with pytest.raises(DataError, match="`stream-app drift aggregate`"):
        shelved([], ANY).report("here")


def test_a_file_holds_the_same_as_the_topic(tmp_path: Path) -> None:
    windows = car_loan_windows()[:6]
    path = write_windows(tmp_path / "windows.avro", windows)
    codec = WindowCodec()
    assert list(values_of_file(path, nothing)) == [codec.encode(window) for window in windows]


@pytest.mark.parametrize("content", [b"", b"nothing", b"Obj\x01nothing"])
def test_a_file_that_is_none_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "windows.avro"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"windows\.avro: no Avro container of window records"):
        list(values_of_file(path, nothing))


def test_a_file_of_other_records_is_told(tmp_path: Path) -> None:
    path = tmp_path / "windows.avro"
    for schema, record in (("string", "text"), (OTHER, {"id": "1"})):
        with path.open("wb") as out:
            fastavro.writer(out, schema, [record])
        with pytest.raises(ConfigError, match="stream-app drift run --to"):
            list(values_of_file(path, nothing))


OTHER = {"type": "record", "name": "Other", "fields": [{"name": "id", "type": "string"}]}


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(values_of_file(tmp_path / "absent.avro", nothing))
