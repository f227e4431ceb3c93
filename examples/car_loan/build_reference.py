"""Make ``models/car_loan/1/reference.avro``: what the model's events are compared with.

    python examples/car_loan/build_reference.py nannyml-0.13.1-py3-none-any.whl

needs stream-app itself and the wheel that ``build.py`` names. The events are those of
``reference.avro``; the wheel has the right answer to each, which is put beside it as the field
``repaid``. The same files give the same reference, by its id.
"""

import argparse
import csv
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import fastavro

from stream_app.__main__ import main as stream_app
from stream_app.resources import schema_path

HERE = Path(__file__).resolve().parent
WHEEL_SHA256 = "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869"
DATA = "nannyml/datasets/data/synthetic_car_loan_reference.csv"
LABEL = "repaid"


def answers(path: Path) -> dict[str, int]:
    """By application, whether the loan was paid back."""
    with zipfile.ZipFile(path) as wheel, wheel.open(DATA) as raw:
        rows = csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline=""))
        return {f"loan-{int(row['id']):06d}": int(float(row[LABEL])) for row in rows}


def write_labelled(path: Path, truth: dict[str, int]) -> None:
    """The events of ``reference.avro``, each with its answer."""
    schema = json.loads(schema_path("event").read_text(encoding="utf-8"))
    schema["fields"].append({"name": LABEL, "type": "int"})
    with (HERE / "reference.avro").open("rb") as events, path.open("wb") as out:
        labelled = ({**row, LABEL: truth[row["application_id"]]} for row in fastavro.reader(events))
        fastavro.writer(out, schema, labelled)


def main() -> int:
    """Build it, as anybody would with a file of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="nannyml-0.13.1-py3-none-any.whl")
    wheel = parser.parse_args().wheel
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        parser.error(f"{wheel} is not the published wheel of nannyml 0.13.1")
    with TemporaryDirectory() as folder:
        data = Path(folder, "labelled.avro")
        write_labelled(data, answers(wheel))
        where = ["--set", f"model.repository={HERE / 'models'}"]
        build = ["model", "reference", "build", "car_loan", "--version", "1", "--force"]
        return stream_app([*build, "--data", str(data), "--label", LABEL, *where])


if __name__ == "__main__":
    sys.exit(main())
