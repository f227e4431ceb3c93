"""Laws of making a reference: the same rows give the same id, whatever file they come in."""

from pathlib import Path

import numpy as np
import pytest

from stream_app.core.drift.reference import Apart, Role
from stream_app.errors import ConfigError, DataError
from tests.reference_kit import Loans, Row, event_schema, open_loans, write_avro, write_csv

COUNT = 600


@pytest.fixture(scope="module")
def loans() -> Loans:
    return open_loans(COUNT)


@pytest.fixture(scope="module")
def gappy(loans: Loans) -> list[Row]:
    """Some rows with gaps, and categories that the contract does not list."""
    rows = [dict(row) for row in loans.rows]
    for row in rows[::7]:
        row["driver_tenure"] = None
    for row in rows[3::50]:
        row["salary_range"] = "unheard of"
    return rows


def test_the_same_rows_give_the_same_id(loans: Loans, gappy: list[Row], tmp_path: Path) -> None:
    made = loans.build(write_avro(tmp_path / "a.avro", gappy))
    assert loans.build(write_csv(tmp_path / "a.csv", gappy)).id == made.id
    assert loans.build(write_avro(tmp_path / "b.avro", gappy), compiled=True).id == made.id
    assert loans.build(write_avro(tmp_path / "c.avro", gappy[1:])).id != made.id
    later = [dict(row) for row in gappy]
    later[17]["car_value"] += 1
    assert loans.build(write_avro(tmp_path / "d.avro", later)).id != made.id


def test_parquet_gives_the_same_id(loans: Loans, gappy: list[Row], tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(gappy), tmp_path / "a.parquet")
    made = loans.build(write_avro(tmp_path / "a.avro", gappy))
    assert loans.build(tmp_path / "a.parquet").id == made.id


def test_columns_are_what_the_model_sees(loans: Loans, gappy: list[Row], tmp_path: Path) -> None:
    reference = loans.build(write_avro(tmp_path / "a.avro", gappy)).reference
    columns = {column.name: column for column in reference.columns}
    inputs = [c.name for c in reference.columns if c.origin.role is Role.INPUT]
    assert inputs == list(loans.files.contract.feature_names)
    assert list(columns)[len(inputs) :] == ["scores[1]", "entropy(scores)", "label"]
    assert columns["driver_tenure"].apart[Apart.NULL] == len(gappy[::7])
    assert columns["salary_range"].counts[-1] == len(gappy[3::50])
    assert columns["repaid_loan_on_prev_car"].values.tolist() == [0.0, 1.0]
    value = columns["car_value"].moments
    assert value is not None
    seen = np.array([row["car_value"] for row in gappy], dtype=np.float32).astype(np.float64)
    assert value.mean == pytest.approx(seen.mean(), rel=1e-12)
    assert value.greatest == seen.max()


def test_a_sample_cuts_the_bins_and_all_rows_are_counted(loans: Loans, tmp_path: Path) -> None:
    path = write_avro(tmp_path / "a.avro", loans.rows)
    whole, part = loans.build(path), loans.build(path, sample_rows=250)
    assert part.id != whole.id
    assert (part.making.sample_rows, whole.making.sample_rows) == (250, COUNT)
    for mine, theirs in zip(part.reference.columns, whole.reference.columns, strict=True):
        assert mine.valid == theirs.valid
        assert mine.moments == theirs.moments


def test_rows_with_a_fault_are_counted_by_its_code(loans: Loans, tmp_path: Path) -> None:
    rows = [dict(row) for row in loans.rows]
    for row in rows[:20]:
        row["car_value"] = float("inf")
    stored = loans.build(write_avro(tmp_path / "a.avro", rows))
    assert stored.making.faults == {"NON_FINITE": 20}
    assert stored.reference.rows == COUNT - 20
    again = loans.build(write_avro(tmp_path / "a.avro", rows), sample_rows=250)
    assert again.making.faults == {"NON_FINITE": 20}, "counted on the first look alone"


def test_a_cell_that_does_not_fit_is_a_fault_and_the_next_row_is_read(
    loans: Loans, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", loans.rows)
    text = path.read_text(encoding="utf-8").splitlines()
    text[5] = text[5].replace(str(loans.rows[4]["car_value"]), "dear")
    path.write_text("\n".join(text), encoding="utf-8")
    stored = loans.build(path)
    assert stored.making.faults == {"WRONG_TYPE": 1}
    assert stored.reference.rows == COUNT - 1


def test_more_than_a_tenth_of_faults_is_too_many(loans: Loans, tmp_path: Path) -> None:
    rows = [dict(row) for row in loans.rows]
    for row in rows[: COUNT // 10 + 1]:
        row["car_value"] = float("nan")
    with pytest.raises(DataError, match=r"61 of 600 rows cannot be scored \(NON_FINITE 61\)"):
        loans.build(write_avro(tmp_path / "a.avro", rows))


def test_few_rows_are_no_reference(loans: Loans, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="199 rows that can be scored; a reference needs 200"):
        loans.build(write_avro(tmp_path / "a.avro", loans.rows[:199]))


def test_the_order_of_times_is_told(loans: Loans, tmp_path: Path) -> None:
    times = loans.build(write_avro(tmp_path / "a.avro", loans.rows)).making.times
    assert times is not None
    assert times.in_order
    assert times.first_ms == int(loans.rows[0]["timestamp"].timestamp() * 1000)
    mixed = [*loans.rows[300:], *loans.rows[:300]]
    mixed_times = loans.build(write_avro(tmp_path / "b.avro", mixed)).making.times
    assert mixed_times is not None
    assert not mixed_times.in_order
    assert (mixed_times.first_ms, mixed_times.last_ms) == (times.first_ms, times.last_ms)


def test_calibration_is_of_neighbours_only_where_rows_are_in_order(
    loans: Loans, tmp_path: Path
) -> None:
    rows = [*loans.rows[300:], *loans.rows[:300]]
    mixed = loans.build(write_avro(tmp_path / "b.avro", rows), calibrated=True).reference
    assert mixed.calibration is not None
    assert mixed.calibration.kind == "iid"
    ordered = write_avro(tmp_path / "a.avro", loans.rows)
    calibration = loans.build(ordered, calibrated=True).reference.calibration
    assert calibration is not None
    assert calibration.kind == "contiguous"


# -- labels ----------------------------------------------------------------------------------------


def labelled(loans: Loans, path: Path, avro: str, *labels: object) -> Path:
    rows = [{**row, "truth": labels[n % len(labels)]} for n, row in enumerate(loans.rows)]
    return write_avro(path, rows, event_schema(truth=avro))


def test_labels_become_a_map_from_scores_to_accuracy(loans: Loans, tmp_path: Path) -> None:
    unlabelled = loans.build(write_avro(tmp_path / "a.avro", loans.rows)).reference
    assert unlabelled.scores is None
    path = labelled(loans, tmp_path / "b.avro", "boolean", True, False, True)
    scores = loans.build(path, label="truth").reference.scores
    assert scores is not None
    assert (scores.tensor, scores.classes, scores.labels) == ("probabilities", 2, ("0", "1"))
    assert scores.counts.sum() == COUNT
    assert 0 < scores.right.sum() < COUNT
    assert (np.diff(scores.probability, axis=1) >= 0).all()


def test_labels_of_other_names_need_to_be_told(loans: Loans, tmp_path: Path) -> None:
    path = labelled(loans, tmp_path / "a.avro", "string", "paid", "lost")
    with pytest.raises(ConfigError, match=r"no class of the model, which has 0, 1; it holds lost"):
        loans.build(path, label="truth")
    scores = loans.build(path, label="truth", classes=["lost", "paid"]).reference.scores
    assert scores is not None
    assert scores.labels == ("lost", "paid")
    with pytest.raises(ConfigError, match="expected 2 names of classes, found 1"):
        loans.build(path, label="truth", classes=["lost"])


def test_a_label_that_is_not_there_is_told(loans: Loans, tmp_path: Path) -> None:
    path = write_avro(tmp_path / "a.avro", loans.rows)
    with pytest.raises(ConfigError, match=r"--label truth: .* has no such field"):
        loans.build(path, label="truth")
