"""What is handed to a contender in an environment of its own, and what comes back.

Decides the form: arrays and names in files of one folder, an answer as JSON. Imports nothing but
numpy, which every environment has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ANSWER = "answer.json"

Frame = dict[str, npt.NDArray[Any]]
"""By field: numbers, or names of categories."""


@dataclass(frozen=True)
class Handed:
    """One stream to judge.

    Attributes:
        reference: Of a time without drift.
        stream: What is judged.
        categories: Names of those fields that are categories.
        windows: By size: how many are to be cut from the beginning of the stream.
    """

    reference: Frame
    stream: Frame
    categories: list[str]
    windows: dict[int, int]


def put(
    folder: Path,
    labels: Mapping[str, list[str] | None],
    reference: npt.NDArray[np.float64],
    stream: npt.NDArray[np.float64],
    windows: Mapping[int, int],
) -> None:
    """Write it down.

    Args:
        folder: Is made.
        labels: By field, in order: the names of its categories; ``None``: it is a number.
        reference: float64, shape ``(rows, fields)``: numbers, or places among the names.
        stream: Likewise.
        windows: See :class:`Handed`.
    """
    folder.mkdir(parents=True)
    np.save(folder / "reference.npy", reference)
    np.save(folder / "stream.npy", stream)
    about = {"labels": labels, "windows": {str(size): count for size, count in windows.items()}}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def take(folder: Path) -> Handed:
    """Read it."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    labels = about["labels"]
    frames = {
        name: {
            field: _column(values, labels[field])
            for field, values in zip(labels, np.load(folder / f"{name}.npy").T, strict=True)
        }
        for name in ("reference", "stream")
    }
    return Handed(
        frames["reference"],
        frames["stream"],
        [field for field, names in labels.items() if names is not None],
        {int(size): count for size, count in about["windows"].items()},
    )


def answer(folder: Path, told: Mapping[str, Any]) -> None:
    """Write what was found."""
    (folder / ANSWER).write_text(json.dumps(told), encoding="utf-8")


def _column(values: npt.NDArray[Any], names: list[str] | None) -> npt.NDArray[Any]:
    if names is None:
        return values
    return np.array(names, dtype=object)[values.astype(np.int64)]
