"""Parquet files, row by row; the one place that knows pyarrow, which is an extra.

Decides how nested columns are named (a dotted path) and that batches, not the file, are in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_app.errors import ConfigError, DataError

_BATCH_ROWS = 8_192


class ParquetFile:
    """An open file.

    Attributes:
        columns: Names; of fields in structs the dotted path.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ConfigError: pyarrow is not installed.
            DataError: it is no Parquet file.
        """
        try:
            import pyarrow.parquet as library  # noqa: PLC0415  # an extra, and slow to import
        except ImportError as exc:
            raise ConfigError(
                f"--data {path}: Parquet needs pyarrow; pip install 'stream-app[parquet]', or "
                "give the data as Avro or CSV"
            ) from exc
        self._path = path
        with path.open("rb"):  # for the same words about a file that is not there
            pass
        try:
            self._file = library.ParquetFile(path)
        except Exception as exc:  # its errors are of several families
            raise DataError(f"{path}: no Parquet file ({type(exc).__name__})") from exc
        self._rows = max(1, int(self._file.metadata.num_rows))
        self._read: int = 0
        self._is_struct = {field.name: _is_struct(field) for field in self._file.schema_arrow}
        self.columns: Sequence[str] = [
            name for field in self._file.schema_arrow for name in _paths(field, "")
        ]

    @property
    def share_read(self) -> float:
        """How much was read, from 0 to 1."""
        return min(1.0, self._read / self._rows)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The rows, by column; both a struct and its fields are there.

        Raises:
            DataError: the file is broken.
        """
        batches = self._file.iter_batches(batch_size=_BATCH_ROWS)
        while True:
            try:
                batch = next(batches, None)
                rows = [] if batch is None else batch.to_pylist()
            except Exception as exc:  # its errors are of several families
                raise DataError(
                    f"{self._path}: row {self._read + 1}: broken from here on "
                    f"({type(exc).__name__}); write the file again"
                ) from exc
            if batch is None:
                return
            for row in rows:
                self._read += 1
                for name, is_struct in self._is_struct.items():
                    if is_struct:
                        row.update(_flattened(name, row[name]))
                yield _Row(row)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


class _Row(dict[str, Any]):
    """Fields of a struct that is null are null too."""

    def __missing__(self, name: str) -> None:
        return None


def _is_struct(field: Any) -> bool:
    return str(field.type).startswith("struct<")


def _paths(field: Any, prefix: str) -> Iterator[str]:
    path = f"{prefix}{field.name}"
    yield path
    if _is_struct(field):
        for index in range(field.type.num_fields):
            yield from _paths(field.type.field(index), f"{path}.")


def _flattened(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{prefix}.{name}"
            yield path, inner
            yield from _flattened(path, inner)
