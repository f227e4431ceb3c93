"""Windows in a file: an Avro container of the very records that the windows topic holds.

Decides that the file is whole or not there: it is written beside its name and then moved. Refuses
to know where windows come from.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import fastavro
from fastavro.write import Writer

from stream_app.adapters.drift.framed_records import FramedRecords
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.core.drift.window_report import WindowReport
from stream_app.errors import ConfigError
from stream_app.ports_drift import Unreadable
from stream_app.resources import schema_path

_SCHEMA = "drift_window"
_CODEC = "deflate"


class WindowFile:
    """An open file; see :func:`write_windows`."""

    def __init__(self, out: Any) -> None:
        schema = json.loads(schema_path(_SCHEMA).read_text(encoding="utf-8"))
        self._records = FramedRecords(_SCHEMA, "")
        self._codec = WindowCodec()
        self._writer = Writer(out, fastavro.parse_schema(schema), codec=_CODEC)

    def add(self, report: WindowReport) -> None:
        """One more window."""
        record = self._records.read(self._codec.encode(report))
        if isinstance(record, Unreadable):
            raise TypeError(f"our own record: {record.detail}")
        self._writer.write(record)

    def flush(self) -> None:
        """All that was added is handed to the system."""
        self._writer.flush()


@contextmanager
def write_windows(path: Path, *, force: bool = False) -> Iterator[WindowFile]:
    """A container of windows; it is there when the block has ended without an error.

    Args:
        path: Where; its name ends in ``.avro``.
        force: Replace what is there.

    Raises:
        ConfigError: there is a file already, and no ``force``; or it cannot be written.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path}: is there already; give --force to replace it")
    with ExitStack() as stack:
        try:
            aside = stack.enter_context(
                NamedTemporaryFile(prefix=".windows-", dir=path.parent, delete=False)
            )
        except OSError as exc:
            raise ConfigError(f"{path}: cannot be written ({exc.strerror})") from exc
        stack.callback(Path(aside.name).unlink, missing_ok=True)
        windows = WindowFile(aside)
        yield windows
        windows.flush()
        aside.flush()
        Path(aside.name).chmod(0o644)
        Path(aside.name).replace(path)
