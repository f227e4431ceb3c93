"""Make everything in this folder: event files, the model, its contract, its manifest.

    python -m pip download --no-deps --only-binary :all: nannyml==0.13.1
    python examples/car_loan/build.py nannyml-0.13.1-py3-none-any.whl

needs stream-app itself, scikit-learn and skl2onnx. The data lies in the wheel as CSV files, which
are read from it directly; nannyml and the many packages that it needs are not installed.

The same wheel and the same package versions give the same files. Training sees rows 0 to 29,999
of the reference set, ``reference.avro`` has the other 20,000, so that the model's scores on it are
honest. ``stream.avro`` is 30,000 rows of the analysis set around the step drift in its middle.
"""

import argparse
import csv
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import onnxruntime as ort
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from stream_app.adapters.model.contract_file import dump_contract
from stream_app.adapters.model.pack import pack_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.core.contract import Contract, DType, Feature, InputTensor, OnNull, OutputBinding
from stream_app.resources import schema_path

HERE = Path(__file__).resolve().parent
WHEEL_SHA256 = "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869"
DATA = "nannyml/datasets/data/synthetic_car_loan_{}.csv"

SALARY_RANGES = ("0 - 20K €", "20K - 40K €", "40K - 60K €", "60K+ €")
DOWNPAYMENTS = ("0%", "10%", "20%", "30%", "40%")

TRAINING_ROWS = slice(0, 30_000)
REFERENCE_ROWS = slice(30_000, 50_000)
STREAM_ROWS = slice(10_000, 40_000)
DRIFT_ROW = 25_000
"""Of the analysis set; row 15,000 of the stream."""

Row = dict[str, Any]

CONTRACT = Contract(
    record_names=("io.streamapp.examples.CarLoanApplication",),
    id_field="application_id",
    time_field="timestamp",
    inputs=(
        InputTensor(
            name="features",
            dtype=DType.FLOAT32,
            features=(
                Feature("car_value"),
                Feature("salary_range", categories=SALARY_RANGES),
                Feature("debt_to_income_ratio", on_null=OnNull.NAN),
                Feature("loan_length"),
                Feature("repaid_loan_on_prev_car"),
                Feature("size_of_downpayment", categories=DOWNPAYMENTS),
                Feature("driver_tenure", on_null=OnNull.NAN),
            ),
            shape=(7,),
        ),
    ),
    outputs=(OutputBinding("scores", "probabilities"), OutputBinding("label", "label")),
)
NUMBERS, FLAGS, CATEGORIES = [0, 2, 3, 6], [4], [1, 5]
"""Columns of the matrix by what the pipeline does with them."""


def read(wheel: zipfile.ZipFile, name: str) -> list[Row]:
    """One of the data set's files, as it is."""
    with wheel.open(DATA.format(name)) as raw:
        return list(csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline="")))


def to_event(row: Row) -> Row:
    """A row as the event that an application would have sent."""
    return {
        "application_id": f"loan-{int(row['id']):06d}",
        "timestamp": datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC),
        "car_value": float(row["car_value"]),
        "salary_range": row["salary_range"],
        "debt_to_income_ratio": float(row["debt_to_income_ratio"]),
        "loan_length": float(row["loan_length"]),
        "repaid_loan_on_prev_car": {"True": True, "False": False}[row["repaid_loan_on_prev_car"]],
        "size_of_downpayment": row["size_of_downpayment"],
        "driver_tenure": float(row["driver_tenure"]),
    }


def write_events(path: Path, events: list[Row]) -> None:
    """An Avro container file; the sync marker is fixed, so that the bytes are."""
    schema = json.loads(schema_path("event").read_text(encoding="utf-8"))
    marker = hashlib.md5(path.name.encode(), usedforsecurity=False).digest()
    with path.open("wb") as out:
        fastavro.writer(
            out, schema, events, codec="deflate", codec_compression_level=9, sync_marker=marker
        )


def to_matrix(events: list[Row]) -> np.ndarray:
    """What the contract makes of events: the model's input."""
    return np.array([list(_cells(event)) for event in events], dtype=np.float32)


def _cells(event: Row) -> Iterator[float]:
    for feature in CONTRACT.features:
        value = event[feature.field]
        yield feature.categories.index(value) if feature.categories else float(value)


def train(features: np.ndarray, labels: np.ndarray) -> Any:
    """Fit the pipeline: all preparation is part of it, and so of the exported graph.

    Scaling is nothing to trees. It is here because a model of one's own may need it, and shows
    that the graph, not the service, does it.
    """
    encoder = OneHotEncoder(
        categories=[np.arange(len(f.categories), dtype=np.float32) for f in _categorical()],
        handle_unknown="ignore",  # The contract's code for unseen values is one past the last.
        sparse_output=False,
        dtype=np.float32,
    )
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("flags", SimpleImputer(strategy="most_frequent"), FLAGS),
            ("categories", encoder, CATEGORIES),
        ]
    )
    trees = GradientBoostingClassifier(
        n_estimators=60,
        max_depth=6,
        learning_rate=0.2,
        subsample=0.8,
        min_samples_leaf=20,
        random_state=7,
    )
    return make_pipeline(prepare, trees).fit(features, labels)


def _categorical() -> list[Feature]:
    return [CONTRACT.features[column] for column in CATEGORIES]


def export(pipeline: Any) -> bytes:
    """The pipeline as ONNX, with probabilities as a matrix instead of maps."""
    model = to_onnx(
        pipeline,
        initial_types=[("features", FloatTensorType([None, len(CONTRACT.features)]))],
        # Division as scikit-learn does it: a multiplication by the inverse rounds otherwise, and
        # a value beside a tree's threshold then takes the other branch.
        options={id(pipeline): {"zipmap": False}, StandardScaler: {"div": "div"}},
        target_opset={"": 17, "ai.onnx.ml": 3},
        name="car_loan",
    )
    model.doc_string = "Will this car loan be paid back? Trained on nannyml's synthetic data."
    # They come out of a set; sorted, so that the bytes are the same each time.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))


def samples(events: list[Row]) -> dict[str, np.ndarray]:
    """Golden rows: typical ones, and each way in which a cell can be missing or unseen."""
    matrix = to_matrix(events)
    matrix[0, [2, 6]] = np.nan
    matrix[1, 1] = len(SALARY_RANGES)
    matrix[2, 5] = len(DOWNPAYMENTS)
    return {"features": matrix}


def pack(model: bytes, reference: list[Row]) -> None:
    """Version 1 of the repository here, replaced on purpose."""
    shutil.rmtree(HERE / "models", ignore_errors=True)
    pack_model(
        model=model,
        contract=dump_contract(CONTRACT).encode(),
        repository=HERE / "models",
        name="car_loan",
        version="1",
        samples=samples(reference[:: len(reference) // 64][:64]),
        created_by="examples/car_loan/build.py",
    )


def report(name: str, scores: np.ndarray, labels: np.ndarray, theirs: np.ndarray) -> None:
    """Quality of this model, and of the one that came with the data."""
    mine, nannyml = ((scores >= 0.5) == labels).mean(), (theirs == labels).mean()
    auc = roc_auc_score(labels, scores)
    print(f"{name:26} {len(labels):6} rows  accuracy {mine:.4f} ({nannyml:.4f})  AUC {auc:.4f}")


def main() -> None:
    """Build all, then say how good it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="nannyml-0.13.1-py3-none-any.whl")
    path = parser.parse_args().wheel
    if hashlib.sha256(path.read_bytes()).hexdigest() != WHEEL_SHA256:
        parser.error(f"{path} is not the published wheel of nannyml 0.13.1")
    with zipfile.ZipFile(path) as wheel:
        history, analysis = read(wheel, "reference"), read(wheel, "analysis")
        truth = {row["id"]: float(row["repaid"]) for row in read(wheel, "analysis_target")}
    past, now = [to_event(row) for row in history], [to_event(row) for row in analysis]
    write_events(HERE / "reference.avro", past[REFERENCE_ROWS])
    write_events(HERE / "stream.avro", now[STREAM_ROWS])

    past_labels = np.array([float(row["repaid"]) for row in history])
    now_labels = np.array([truth[row["id"]] for row in analysis])
    pipeline = train(to_matrix(past[TRAINING_ROWS]), past_labels[TRAINING_ROWS])
    pack(export(pipeline), past[REFERENCE_ROWS])

    model = ModelRepository(HERE / "models").open("car_loan").model
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    matrices = {"past": to_matrix(past), "now": to_matrix(now)}
    scores = {
        name: session.run(["probabilities"], {"features": matrix})[0][:, 1]
        for name, matrix in matrices.items()
    }
    gap = np.abs(pipeline.predict_proba(matrices["now"])[:, 1] - scores["now"])
    print(f"ONNX against scikit-learn: greatest difference {gap.max():.2e}")
    for name, rows, key, labels, source in (
        ("training", TRAINING_ROWS, "past", past_labels, history),
        ("reference", REFERENCE_ROWS, "past", past_labels, history),
        ("analysis before the drift", slice(0, DRIFT_ROW), "now", now_labels, analysis),
        ("analysis after the drift", slice(DRIFT_ROW, None), "now", now_labels, analysis),
    ):
        theirs = np.array([float(row["y_pred"]) for row in source[rows]])
        report(name, scores[key][rows], labels[rows], theirs)


if __name__ == "__main__":
    main()
