"""Make ``models/*/1/reference.avro``: what the bench's events look like when nothing drifts.

    python examples/bench/build_reference.py

needs stream-app itself. The events are the bench's own, of numbers that it never sends.
"""

import io
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import fastavro

from stream_app.__main__ import main as stream_app
from stream_app.bench.events import make_readings, prefix, schema_text

HERE = Path(__file__).resolve().parent
ROWS = 20_000
FIRST = 90_000_000_000
BEGIN_MS = 1_000_000_000_000
"""Of event number 0."""


def write_events(path: Path) -> None:
    """An Avro container file of readings."""
    schema = fastavro.parse_schema(json.loads(schema_text()))
    start = len(prefix())
    values = make_readings(FIRST, ROWS, BEGIN_MS).values
    bodies = (io.BytesIO(value[start:]) for value in values if value is not None)
    with path.open("wb") as out:
        fastavro.writer(
            out, schema, (fastavro.schemaless_reader(body, schema, None) for body in bodies)
        )


def main() -> int:
    """Version 1 of each, replaced on purpose."""
    with TemporaryDirectory() as folder:
        data = Path(folder, "readings.avro")
        write_events(data)
        for model in sorted(path.name for path in (HERE / "models").iterdir()):
            where = ["--set", f"model.repository={HERE / 'models'}"]
            build = ["model", "reference", "build", model, "--version", "1", "--force"]
            status = stream_app([*build, "--data", str(data), *where])
            if status:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
