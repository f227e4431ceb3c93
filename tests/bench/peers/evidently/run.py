"""Evidently's verdicts on the windows of the folders that it is given.

Decides what its defaults are: ``DriftedColumnsCount``, the part of ``DataDriftPreset`` that counts
columns with drift, without the pictures that make a preset six times as slow; that both count the
same is looked at first. Runs in an environment of its own; sends nothing anywhere.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

os.environ["DO_NOT_TRACK"] = "1"  # before its telemetry is imported

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests.chisquare_stattest import _chi_stat_test
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.core import ColumnType
from evidently.metrics import DriftedColumnsCount
from evidently.presets import DataDriftPreset

from tests.bench.drift.handed import Handed, answer, take

CHECKS = "checks"
SHARE = 0.5
"""Of columns, from which on it calls a dataset drifted."""


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
    numbers = [name for name in frame.columns if name not in handed.categories]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=handed.categories)
    reference = Dataset.from_pandas(frame, data_definition=definition)
    dataset: dict[int, list[bool]] = {}
    anyone: dict[int, list[bool]] = {}
    for size, count in handed.windows.items():
        shares = []
        for at in range(count):
            rows = stream.iloc[at * size : (at + 1) * size].reset_index(drop=True)
            current = Dataset.from_pandas(rows, data_definition=definition)
            shares.append(_share(DriftedColumnsCount(), current, reference))
            if at == 0 and shares[0] != _share(DataDriftPreset(), current, reference):
                sys.exit("the preset counts other columns than DriftedColumnsCount does")
        dataset[size] = [share >= SHARE for share in shares]
        anyone[size] = [share > 0 for share in shares]
    return {
        "verdicts": {"dataset": dataset, "any column": anyone},
        "versions": {name: version(name) for name in ("evidently", "pandas", "scipy")},
    }


def _share(metric: object, current: Dataset, reference: Dataset) -> float:
    """Of columns with drift."""
    told = Report([metric]).run(current, reference).dict()["metrics"]
    (counted,) = (one for one in told if one["metric_name"].startswith("DriftedColumnsCount"))
    return float(counted["value"]["share"])


def _checks(counts: np.ndarray) -> dict[str, object]:
    """Its own index of categories; and what its tests say of data that should not move them."""
    pairs = [tuple(map(_names, pair)) for pair in counts]
    generator = np.random.default_rng(1)
    reference = pd.Series(generator.normal(size=10_000))
    shifted = pd.Series(generator.normal(3.0, 1.0, size=1_000))
    outlier = pd.concat([shifted, pd.Series([1e6])], ignore_index=True)
    known = pd.Series(["a", "b"] * 500)
    unseen = pd.Series(["a", "b"] * 499 + ["a", "c"])
    return {
        "psi": [float(_psi(old, new, ColumnType.Categorical, 0.1)[0]) for old, new in pairs],
        "shifted": float(_psi(reference, shifted, ColumnType.Numerical, 0.1)[0]),
        "shifted and an outlier": float(_psi(reference, outlier, ColumnType.Numerical, 0.1)[0]),
        "one unseen": float(_chi_stat_test(known, unseen, ColumnType.Categorical, 0.05)[0]),
    }


def _names(counts: np.ndarray) -> pd.Series:
    return pd.Series(np.repeat([f"v{at}" for at in range(len(counts))], counts))


if __name__ == "__main__":
    main()
