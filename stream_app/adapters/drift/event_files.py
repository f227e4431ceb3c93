"""Files of past events: Avro containers, CSV and Parquet, row by row with their Avro bytes.

Decides what a row of each is. A row that does not fit is told as such, and the next one is read; a
file that is broken ends it. Refuses to know what events mean.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import fastavro

from stream_app.adapters.avro.record_files import EventFile, FileFormat, open_events
from stream_app.adapters.avro.record_values import row_converter
from stream_app.adapters.avro.scalar_values import ValueMisfitError
from stream_app.adapters.avro.schema_file import EventSchema
from stream_app.adapters.drift.parquet_file import ParquetFile
from stream_app.adapters.drift.table_schema import TableSchema
from stream_app.core.contract import Contract
from stream_app.errors import ConfigError, DataError

_CELL_LIMIT_BYTES = 16 * 1024 * 1024
AVRO, CSV, PARQUET = ".avro", ".csv", ".parquet"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a file.

    Attributes:
        fields: Its values by field, or column.
        avro: The event's bytes in the file's schema, without framing; ``None``: it is none.
        misfit: Why it is none, without values.
    """

    fields: Mapping[str, Any]
    avro: bytes | None
    misfit: str = ""


class RowFile(Protocol):
    """An open file; iterate once, then close.

    Attributes:
        schema: Of the events.
        has_time: Whether their time means something.
    """

    schema: EventSchema
    has_time: bool

    @property
    def share_read(self) -> float:
        """How much of the file was read, from 0 to 1."""

    def rows(self) -> Iterator[FileRow]:
        """The rows.

        Raises:
            DataError: the file is broken from here on.
        """

    def has_field(self, path: str) -> bool:
        """Whether rows have this dotted field, or column."""

    def close(self) -> None:
        """Let the file go."""


def open_rows(path: Path, contract: Contract, schema: EventSchema | None = None) -> RowFile:
    """Open a file by its name's ending.

    Args:
        path: ``*.avro``, ``*.csv`` or ``*.parquet``.
        contract: Says what the columns of a table are, where ``schema`` does not.
        schema: For tables whose columns are the fields of a schema.

    Raises:
        ConfigError: it cannot be read, or nobody knows how.
        DataError: the file is not what its name says.
    """
    ending = path.suffix.lower()
    if ending not in {AVRO, CSV, PARQUET}:
        raise ConfigError(
            f"--data {path}: cannot tell its format by its name; give a file that ends in {AVRO}, "
            f"{CSV} or {PARQUET}"
        )
    if ending == AVRO and schema is not None:
        raise ConfigError(f"--data {path}: brings its own schema; leave --schema out")
    try:
        if ending == AVRO:
            return _Container(open_events(path, FileFormat.AVRO))
        table = _Csv(path) if ending == CSV else ParquetFile(path)
    except OSError as exc:
        raise ConfigError(
            f"--data {path}: cannot be read ({exc.strerror}); correct the path"
        ) from exc
    return _TableFile(table, contract, schema)


class _Container:
    def __init__(self, file: EventFile) -> None:
        self._file = file
        self.schema = file.schema
        self.has_time = True

    @property
    def share_read(self) -> float:
        return self._file.share_read

    def rows(self) -> Iterator[FileRow]:
        for event in self._file.rows():
            yield FileRow(event.fields, event.avro)

    def has_field(self, path: str) -> bool:
        return path.partition(".")[0] in {field.name for field in self.schema.record.fields}

    def close(self) -> None:
        self._file.__exit__()


class _Table(Protocol):
    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def share_read(self) -> float: ...

    def rows(self) -> Iterator[Mapping[str, Any]]: ...

    def close(self) -> None: ...


class _TableFile:
    def __init__(self, table: _Table, contract: Contract, schema: EventSchema | None) -> None:
        self._table = table
        if schema is None:
            derived = TableSchema(contract, table.columns)
            self.schema, self.has_time = derived.schema, derived.has_time
            self._event: Callable[[Mapping[str, Any], int], Any] = derived.event
        else:
            self.schema, self.has_time = schema, True
            # Cells of CSV are text; Parquet's values have types already.
            make = row_converter(schema.record, text=True) if isinstance(table, _Csv) else dict
            self._event = lambda row, _: make(row)
        self._parsed = fastavro.parse_schema(self.schema.document)

    @property
    def share_read(self) -> float:
        return self._table.share_read

    def rows(self) -> Iterator[FileRow]:
        for number, row in enumerate(self._table.rows(), 1):
            try:
                yield FileRow(row, self._encode(self._event(row, number)))
            except ValueMisfitError as exc:
                yield FileRow(row, None, str(exc))

    def has_field(self, path: str) -> bool:
        return path in self._table.columns

    def close(self) -> None:
        self._table.close()

    def _encode(self, event: Any) -> bytes:
        buffer = BytesIO()
        try:
            fastavro.schemaless_writer(buffer, self._parsed, event)
        except Exception as exc:  # whatever the library makes of values that do not fit
            # Not the library's message: it shows values.
            raise ValueMisfitError(
                f"its values cannot be written with the schema ({type(exc).__name__})"
            ) from exc
        return buffer.getvalue()


class _Csv:
    def __init__(self, path: Path) -> None:
        csv.field_size_limit(_CELL_LIMIT_BYTES)
        self._path = path
        self._file = path.open("rb")
        self._size = max(1, path.stat().st_size)
        # The first line may begin with a byte order mark, as spreadsheets write it.
        lines = (line.decode("utf-8" if n else "utf-8-sig") for n, line in enumerate(self._file))
        self._rows = csv.reader(lines, strict=True)
        try:
            self.columns: Sequence[str] = next(self._rows)
        except (StopIteration, csv.Error, UnicodeDecodeError) as exc:
            self._file.close()
            raise DataError(f"{path}: expected CSV whose first line names the columns") from exc
        repeated = {name for name in self.columns if self.columns.count(name) > 1}
        if repeated:
            self._file.close()
            raise DataError(f"{path}: columns {sorted(repeated)} are there twice; rename one")

    @property
    def share_read(self) -> float:
        return min(1.0, self._file.tell() / self._size)

    def rows(self) -> Iterator[Mapping[str, str]]:
        number = 0
        while True:
            number += 1
            try:
                cells = next(self._rows)
                if cells:
                    yield dict(zip(self.columns, cells, strict=True))
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError) as exc:
                raise DataError(f"{self._path}: row {number}: no CSV: {exc}") from exc
            except ValueError as exc:
                raise DataError(
                    f"{self._path}: row {number}: expected {len(self.columns)} cells, as the "
                    f"first line has names, found {len(cells)}; correct the row"
                ) from exc

    def close(self) -> None:
        self._file.close()
