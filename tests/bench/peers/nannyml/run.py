"""NannyML's verdicts on the windows of the folders that it is given.

Decides what its defaults are: ``UnivariateDriftCalculator`` as it comes, with chunks of the size of
windows, fitted on the reference. Runs in an environment of its own; sends nothing anywhere.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before it is imported

import nannyml
import numpy as np
import pandas as pd
from nannyml.datasets import load_synthetic_car_loan_dataset
from nannyml.drift.univariate.methods import FeatureType, MethodFactory

from tests.bench.drift.handed import Handed, answer, take

CHECKS = "checks"
CHUNK = 5_000


def main() -> None:
    """One folder after the other."""
    for name in sys.argv[1:]:
        folder = Path(name)
        if folder.name == CHECKS:
            answer(folder, _checks(np.load(folder / "counts.npy")))
        else:
            answer(folder, _judged(take(folder)))


def _judged(handed: Handed) -> dict[str, object]:
    frame, stream = pd.DataFrame(handed.reference), pd.DataFrame(handed.stream)
    anyone: dict[int, list[bool]] = {}
    for size, count in handed.windows.items():
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=list(frame.columns),
            treat_as_categorical=handed.categories,
            chunk_size=size,
        )
        calculator.fit(frame)
        found = calculator.calculate(stream.iloc[: size * count].reset_index(drop=True))
        told = found.filter(period="analysis").to_df()
        alerts = told.loc[:, [column for column in told.columns if column[2] == "alert"]]
        anyone[size] = [bool(one) for one in alerts.to_numpy(dtype=bool).any(axis=1)]
    return {
        "verdicts": {"any column": anyone},
        "versions": {name: version(name) for name in ("nannyml", "pandas", "scipy")},
    }


def _checks(counts: np.ndarray) -> dict[str, object]:
    """Its own distances of categories; and the accuracy that it expects of unlabelled rows."""
    distances: dict[str, object] = {
        method: [_distance(method, *map(_names, pair)) for pair in counts]
        for method in ("jensen_shannon", "hellinger")
    }
    reference, analysis, _ = load_synthetic_car_loan_dataset()
    for rows in (reference, analysis):
        # Its own column cuts at .65; without a label in the answer, half is where we cut.
        rows["y_pred"] = (rows["y_pred_proba"] >= 0.5).astype(int)
    estimator = nannyml.CBPE(
        metrics=["accuracy", "roc_auc", "f1"],
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="repaid",
        problem_type="classification_binary",
        chunk_size=CHUNK,
    )
    estimator.fit(reference)
    told = estimator.estimate(analysis).filter(period="analysis").to_df()
    expected = {
        metric: [float(value) for value in told[metric, "value"]]
        for metric in ("accuracy", "roc_auc", "f1")
    }
    return {**distances, "expected": expected}


def _distance(method: str, reference: pd.Series, current: pd.Series) -> float:
    fitted = MethodFactory.create(
        key=method,
        feature_type=FeatureType.CATEGORICAL,
        chunker=nannyml.chunk.DefaultChunker(),
        threshold=nannyml.thresholds.ConstantThreshold(upper=1.0),
        computation_params={},
    )
    fitted.fit(reference)
    return float(fitted.calculate(current))


def _names(counts: np.ndarray) -> pd.Series:
    return pd.Series(np.repeat([f"v{at}" for at in range(len(counts))], counts), name="v")


if __name__ == "__main__":
    main()
