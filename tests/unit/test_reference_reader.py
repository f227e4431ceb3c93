"""Laws of reading past events: as live ones, through the contract; tables by their columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import fastavro
import numpy as np
import pytest

from stream_app.adapters.avro.schema_file import event_schema
from stream_app.adapters.drift.event_reader import CHUNK_ROWS, EventChunk, read_events
from stream_app.core.columns import NO_TIMESTAMP, Kind
from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    InputTensor,
    OnNull,
    OutputBinding,
)
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, DataError


def contract(*features: Feature, dtype: DType = DType.FLOAT32, time: str | None = None) -> Contract:
    width = sum(feature.width for feature in features)
    tensor = InputTensor("x", dtype, features, (width,))
    return Contract((), "id", time, (tensor,), (OutputBinding("y", "y"),))


def csv_of(path: Path, *lines: str) -> Path:
    target = path / "data.csv"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def chunk_of(path: Path, chosen: Contract, **options: object) -> EventChunk:
    with read_events(path, chosen, **options) as reader:  # type: ignore[arg-type]  # by name
        (chunk,) = reader
        assert reader.share_read == 1.0
        assert reader.rows_read == len(chunk.events)
    return chunk


def cells(chunk: EventChunk) -> list[list[object]]:
    found: list[list[object]] = chunk.events.tensors["x"].tolist()
    return found


def faults(chunk: EventChunk) -> list[Fault]:
    return [Fault.of(code) for code in chunk.events.fault.tolist()]


NULLABLE = OnNull.NAN


def test_cells_are_what_the_contract_makes_of_them(tmp_path: Path) -> None:
    features = (
        Feature("amount", on_null=NULLABLE),
        Feature("flag"),
        Feature("kind", categories=("a", "b")),
    )
    path = csv_of(tmp_path, "id,amount,flag,kind", "1,2.5,True,b", "2,,0,c", "3,-1e3,no,a")
    chunk = chunk_of(path, contract(*features))
    assert cells(chunk)[0] == [2.5, 1.0, 1.0]
    assert cells(chunk)[2] == [-1000.0, 0.0, 0.0]
    assert chunk.events.kinds.tolist()[1] == [Kind.NULL, Kind.VALUE, Kind.UNSEEN]
    assert list(chunk.events.ids) == [b"1", b"2", b"3"]
    assert faults(chunk) == [Fault.NONE] * 3


@pytest.mark.parametrize(
    ("dtype", "cell", "expected"),
    [
        (DType.INT64, "9007199254740993", 9007199254740993),
        (DType.INT64, "3.0", 3),
        (DType.INT64, "true", 1),
        (DType.FLOAT64, "0.1", 0.1),
        (DType.BOOL, "1", True),
        (DType.BOOL, "False", False),
        (DType.STRING, "é", "é"),
        (DType.UINT8, "255", 255),
    ],
)
def test_every_type_of_tensor_can_be_filled(
    dtype: DType, cell: str, expected: object, tmp_path: Path
) -> None:
    chunk = chunk_of(csv_of(tmp_path, "id,a", f"1,{cell}"), contract(Feature("a"), dtype=dtype))
    assert cells(chunk) == [[expected]]


@pytest.mark.parametrize(
    ("dtype", "cell"),
    [
        (DType.FLOAT32, "much"),
        (DType.INT64, "1.5"),
        (DType.INT64, str(1 << 63)),
        (DType.BOOL, "2"),
    ],
)
def test_a_cell_of_another_type_is_a_fault_that_names_its_column(
    dtype: DType, cell: str, tmp_path: Path
) -> None:
    path = csv_of(tmp_path, "id,a", f"1,{cell}", "2,1")
    chunk = chunk_of(path, contract(Feature("a"), dtype=dtype))
    assert faults(chunk) == [Fault.WRONG_TYPE, Fault.NONE]
    assert chunk.events.fault_detail[0].startswith("column 'a': expected")
    assert cell not in chunk.events.fault_detail[0], "values are nobody's business"


@pytest.mark.parametrize(
    "cell",
    ["2024-05-01T12:00:00Z", "2024-05-01 14:00:00+02:00", "1714564800000", "2024-05-01T12:00"],
)
def test_times_are_iso_or_milliseconds(cell: str, tmp_path: Path) -> None:
    path = csv_of(tmp_path, "id,at,a", f'1,"{cell}",1')
    chunk = chunk_of(path, contract(Feature("a"), time="at"))
    assert chunk.events.event_time_ms.tolist() == [1_714_564_800_000]


def test_a_table_needs_neither_ids_nor_times(tmp_path: Path) -> None:
    chunk = chunk_of(csv_of(tmp_path, "a", "1", "2"), contract(Feature("a"), time="at"))
    assert faults(chunk) == [Fault.NONE] * 2
    assert chunk.events.event_time_ms.tolist() == [NO_TIMESTAMP] * 2
    assert list(chunk.events.ids) == [b"1", b"2"]


def test_nested_fields_aliases_arrays_and_raw_tensors_are_columns(tmp_path: Path) -> None:
    features = (
        Feature("who.age"),
        Feature("new", aliases=("old",)),
        Feature("pair", shape=(2,)),
        Feature("raw", shape=(1,), encoding=Encoding.RAW),
    )
    path = csv_of(tmp_path, "who.age,old,pair,raw", '7,1,"[[2], [3]]",AACAPw==')
    assert cells(chunk_of(path, contract(*features))) == [[7.0, 1.0, 2.0, 3.0, 1.0]]


def test_an_empty_cell_is_a_category_where_the_contract_says_so(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "id,a", "1,", "2,x")
    assert cells(chunk_of(path, contract(Feature("a", categories=("", "x"))))) == [[0.0], [1.0]]


def test_labels_are_read_beside_the_events(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "a,right", "1,yes", "2,")
    assert list(chunk_of(path, contract(Feature("a")), label="right").labels) == ["yes", ""]
    assert list(chunk_of(path, contract(Feature("a"))).labels) == []


def test_chunks_have_always_the_same_size(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "a", *map(str, range(CHUNK_ROWS + 10)))
    with read_events(path, contract(Feature("a"))) as reader:
        sizes = [len(chunk.events) for chunk in reader]
    assert sizes == [CHUNK_ROWS, 10]


def test_a_schema_says_what_columns_are(tmp_path: Path) -> None:
    text = (
        '{"type": "record", "name": "E", "fields": [{"name": "id", "type": "long"},'
        ' {"name": "a", "type": ["null", "int"]}]}'
    )
    path = csv_of(tmp_path, "id,a", "1,2", "2,", "3,2.5")
    chosen = contract(Feature("a", on_null=NULLABLE))
    chunk = chunk_of(path, chosen, schema=event_schema(text, "x"))
    assert cells(chunk)[0] == [2.0]
    assert faults(chunk) == [Fault.NONE, Fault.NONE, Fault.WRONG_TYPE]


def test_an_event_larger_than_the_live_path_takes_is_a_fault(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "id,a", f"{'9' * 300},1")
    chunk = chunk_of(path, contract(Feature("a")), max_value_bytes=100)
    assert faults(chunk) == [Fault.TOO_LARGE]


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("data.txt", b"", ConfigError, "cannot tell its format by its name"),
        ("data.csv", b"", DataError, "expected CSV whose first line names the columns"),
        ("data.csv", b"a,a\n1,2\n", DataError, "are there twice"),
        ("data.csv", b"b\n1\n", ConfigError, "the contract cannot read it: field 'a'"),
        ("data.csv", b"a\n\xff\n", DataError, "row 1: no CSV"),
        ("data.csv", b"a,b\n1\n", DataError, "row 1: expected 2 cells"),
        ("data.avro", b"nothing", DataError, "not an Avro container"),
    ],
)
def test_a_file_that_is_no_table_of_events_is_told(
    name: str, content: bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=message), read_events(path, contract(Feature("a"))) as reader:
        list(reader)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("absent.csv", "absent.avro"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_events(tmp_path / name, contract(Feature("a")))


def test_a_container_brings_its_own_schema(tmp_path: Path) -> None:
    text = '{"type": "record", "name": "E", "fields": [{"name": "a", "type": "int"}]}'
    with pytest.raises(ConfigError, match="brings its own schema; leave --schema out"):
        read_events(tmp_path / "a.avro", contract(Feature("a")), schema=event_schema(text, "x"))


def test_a_broken_container_ends_it(tmp_path: Path) -> None:
    schema = {
        "type": "record",
        "name": "E",
        "fields": [{"name": "id", "type": "string"}, {"name": "a", "type": "double"}],
    }
    path = tmp_path / "a.avro"
    with path.open("wb") as out:
        fastavro.writer(out, schema, [{"id": str(n), "a": n / 3} for n in range(5_000)])
    path.write_bytes(path.read_bytes()[:-5_000])
    with (
        pytest.raises(DataError, match="the container is broken here"),
        read_events(path, contract(Feature("a"))) as reader,
    ):
        list(reader)


# -- Parquet ---------------------------------------------------------------------------------------


def parquet_of(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    target = path / "data.parquet"
    parquet.write_table(arrow.Table.from_pylist(list(rows)), target)
    return target


def test_parquet_has_types_structs_and_lists(tmp_path: Path) -> None:
    features = (
        Feature("who.age", on_null=NULLABLE),
        Feature("flag"),
        Feature("pair", shape=(2,)),
    )
    rows: list[dict[str, object]] = [
        {"who": {"age": 7}, "flag": True, "pair": [1, 2]},
        {"who": None, "flag": False, "pair": [3, 4]},
    ]
    chunk = chunk_of(parquet_of(tmp_path, rows), contract(*features))
    np.testing.assert_array_equal(cells(chunk), [[7, 1, 1, 2], [np.nan, 0, 3, 4]])
    assert faults(chunk) == [Fault.NONE] * 2


def test_a_broken_parquet_file_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="no Parquet file"):
        read_events(path, contract(Feature("a")))


def test_without_its_library_parquet_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"pip install 'stream-app\[parquet\]'"):
        read_events(path, contract(Feature("a")))
