"""The whole data set that the car-loan example was cut from, out of nannyml's own package.

Decides what its rows are here: the model's inputs and the score that comes with the data; the step
lies at row 25,000 of the analysis set. The files are nannyml's, Apache-2.0, copyright 2022 NannyML
NV (``examples/car_loan/NOTICE``); they stay in the environment that pip put them into.
"""

import csv
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from stream_app.core.drift.reference import Float64Array
from tests.drift_claims.rows import Field, Rows

DRIFT_ROW: Final = 25_000
"""Of the analysis set."""

_NUMBERS: Final = (
    "car_value",
    "debt_to_income_ratio",
    "loan_length",
    "driver_tenure",
    "y_pred_proba",
)
_CATEGORIES: Final = ("salary_range", "repaid_loan_on_prev_car", "size_of_downpayment")
_FILES: Final = "lib/python*/site-packages/nannyml/datasets/data"


class Loans(NamedTuple):
    """The data set.

    Attributes:
        history: Its reference set: 50,000 rows without drift, in order of time.
        quiet: Of its analysis set, which follows, the 25,000 rows before the drift.
        drifted: The 25,000 rows from it on.
    """

    history: Rows
    quiet: Rows
    drifted: Rows


def read_loans(home: Path) -> Loans:
    """The data set of an environment that has nannyml.

    Args:
        home: The environment's folder.
    """
    (folder,) = home.glob(_FILES)
    history, analysis = (
        _read(folder / f"synthetic_car_loan_{name}.csv") for name in ("reference", "analysis")
    )
    labels = [tuple(sorted({row[name] for row in history})) for name in _CATEGORIES]
    fields = [*map(Field, _NUMBERS), *map(Field, _CATEGORIES, labels)]
    first, second = (_rows(fields, rows) for rows in (history, analysis))
    return Loans(first, second.part(0, DRIFT_ROW), second.part(DRIFT_ROW, len(second)))


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _rows(fields: list[Field], rows: list[dict[str, str]]) -> Rows:
    columns = []
    for field in fields:
        texts = [row[field.name] for row in rows]
        if field.labels is None:
            columns.append([float(text) for text in texts])
        else:
            places = {label: float(at) for at, label in enumerate(field.labels)}
            columns.append([places.get(text, float(len(places))) for text in texts])
    return Rows(tuple(fields), np.array(columns).T)


class Scored(NamedTuple):
    """Scores that come with the data.

    Attributes:
        scores: float64, shape ``(rows,)``.
        labels: The right answers; empty where the file has none.
    """

    scores: Float64Array
    labels: list[str]


def read_scored(home: Path) -> tuple[Scored, Scored]:
    """Of the reference set, with its labels, and of the analysis set."""
    (folder,) = home.glob(_FILES)
    found = []
    for name in ("reference", "analysis"):
        rows = _read(folder / f"synthetic_car_loan_{name}.csv")
        scores = np.array([float(row["y_pred_proba"]) for row in rows])
        found.append(Scored(scores, [row["repaid"] for row in rows if "repaid" in row]))
    first, second = found
    return first, second
