"""Laws of the example: its files fit each other, and are what an operator could have made."""

from collections.abc import Mapping
from pathlib import Path

import fastavro
import numpy as np
import pytest

from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelFiles, ModelRepository
from stream_app.core.avro.gates import admit
from stream_app.core.avro.plan import Plan
from stream_app.core.avro.resolve import resolve
from stream_app.resources import example_dir, schema_path
from stream_app.settings import ModelSettings

EXAMPLE = example_dir("car_loan")
ROWS = {"reference.avro": 20_000, "stream.avro": 30_000}
DRIFT_ROW = 15_000


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    return ModelRepository(EXAMPLE / "models").open("car_loan")


@pytest.fixture(scope="module")
def events() -> Mapping[str, list[dict[str, object]]]:
    found = {}
    for name in ROWS:
        with (EXAMPLE / name).open("rb") as container:
            found[name] = [row for row in fastavro.reader(container) if isinstance(row, dict)]
    return found


def column(rows: list[dict[str, object]], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows])


def matrix(files: ModelFiles, rows: list[dict[str, object]]) -> np.ndarray:
    """The contract's work, done the slow way."""
    columns = []
    for feature in files.contract.features:
        values = [row[feature.field] for row in rows]
        if feature.categories is not None:
            values = [feature.categories.index(str(value)) for value in values]
        columns.append(np.array(values, dtype=np.float32))
    return np.stack(columns, axis=1)


def test_the_contract_reads_events_of_the_published_schema(files: ModelFiles) -> None:
    schema = admit(schema_path("event").read_text(encoding="utf-8"))
    assert isinstance(resolve(files.contract, schema), Plan)  # type: ignore[arg-type]  # admitted
    assert files.contract.inputs[0].shape == (7,)


@pytest.mark.parametrize("name", ROWS)
def test_events_are_as_many_as_said_in_order_of_time_and_each_once(
    name: str, events: Mapping[str, list[dict[str, object]]]
) -> None:
    rows = events[name]
    assert len(rows) == ROWS[name]
    times = column(rows, "timestamp")
    assert (times[1:] > times[:-1]).all()
    assert len(set(column(rows, "application_id").tolist())) == len(rows)
    assert {type(rows[0][field]) for field in ("repaid_loan_on_prev_car",)} == {bool}
    assert {type(rows[0][field]) for field in ("salary_range", "size_of_downpayment")} == {str}


def test_the_stream_drifts_in_its_middle_and_only_there(
    files: ModelFiles, events: Mapping[str, list[dict[str, object]]]
) -> None:
    """Scores too: what moves is what the model looks at."""
    model = load_model(files, ModelSettings(), (512,))
    stream, reference = events["stream.avro"], events["reference.avro"]
    cars = [
        column(rows, "car_value").mean()
        for rows in (reference, stream[:DRIFT_ROW], stream[DRIFT_ROW:])
    ]
    assert abs(cars[1] / cars[0] - 1) < 0.02
    assert cars[2] / cars[0] > 1.1
    means = [
        float(model.run({"features": matrix(files, rows)})["probabilities"][:, 1].mean())
        for rows in (reference, stream[:DRIFT_ROW], stream[DRIFT_ROW:])
    ]
    assert abs(means[1] - means[0]) < 0.01
    assert abs(means[2] - means[0]) > 0.02


def test_missing_and_unseen_values_are_the_graphs_matter(files: ModelFiles) -> None:
    model = load_model(files, ModelSettings(), (1,))
    inputs = files.golden.inputs["features"].astype(np.float32)
    unseen = [len(feature.categories or ()) for feature in files.contract.features]
    assert np.isnan(inputs[0, [2, 6]]).all()
    assert inputs[1, 1] == unseen[1]
    assert inputs[2, 5] == unseen[5]
    empty = np.array([[30_000, 4, np.nan, 12, 1, 5, np.nan]], dtype=np.float32)
    probabilities = model.run({"features": empty})["probabilities"].astype(np.float64)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_same_row_scores_the_same_in_batches_of_any_size(
    files: ModelFiles, events: Mapping[str, list[dict[str, object]]]
) -> None:
    model = load_model(files, ModelSettings(), (1, 512))
    inputs = matrix(files, events["stream.avro"][:512])
    whole = model.run({"features": inputs})["probabilities"]
    alone = [model.run({"features": inputs[i : i + 1]})["probabilities"][0] for i in range(512)]
    np.testing.assert_array_equal(whole, np.array(alone))


def test_it_is_small_and_says_where_it_comes_from() -> None:
    paths = [path for path in EXAMPLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in paths) < 5_000_000
    assert not [path for path in paths if path.suffix in {".pkl", ".pickle", ".joblib"}]
    assert "NannyML NV" in Path(EXAMPLE / "NOTICE").read_text()
