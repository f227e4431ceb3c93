"""What tests of references share: the car-loan model, and small files of its events."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro

from stream_app.adapters.drift.reference_build import BuildOptions, build_reference
from stream_app.adapters.drift.reference_file import StoredReference, store
from stream_app.adapters.model.onnx_model import OnnxModel, load_model
from stream_app.adapters.model.repository import ModelFiles, ModelRepository
from stream_app.resources import example_dir, schema_path
from stream_app.settings import ModelSettings

EXAMPLE = example_dir("car_loan")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loans:
    """The example's model, and rows of its reference data."""

    files: ModelFiles
    model: OnnxModel
    rows: list[Row]

    def build(self, path: Path, **options: Any) -> StoredReference:
        """A reference of a file, not calibrated unless told."""
        chosen = BuildOptions(path, **{"calibrated": False, **options})
        return store(*build_reference(self.files, self.model, chosen), created_ms=1_700_000_000_000)


def open_loans(count: int) -> Loans:
    """With the first ``count`` rows."""
    files = ModelRepository(EXAMPLE / "models").open("car_loan")
    with (EXAMPLE / "reference.avro").open("rb") as events:
        reader = fastavro.reader(events)
        rows = [row for row, _ in zip(reader, range(count), strict=False) if isinstance(row, dict)]
    return Loans(files, load_model(files, ModelSettings()), rows)


def event_schema(**more: str) -> Row:
    """The example's schema, with further fields."""
    schema: Row = json.loads(schema_path("event").read_text(encoding="utf-8"))
    schema["fields"] += [{"name": name, "type": avro} for name, avro in more.items()]
    return schema


def write_avro(path: Path, rows: Iterable[Row], schema: Mapping[str, Any] | None = None) -> Path:
    """An Avro container."""
    with path.open("wb") as out:
        fastavro.writer(out, schema or event_schema(), rows)
    return path


def write_csv(path: Path, rows: Iterable[Row]) -> Path:
    """The same as CSV: times in ISO, nothing for null."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
