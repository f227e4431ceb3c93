"""Files of events: Avro containers, CSV and JSON lines, row by row with their Avro bytes.

Decides the format by the file's name, and names the row and the field of whatever does not fit.
The bytes of a container's rows are taken as they are. Knows nothing of topics and framing.
"""

import csv
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import fastavro

from stream_app.adapters.avro.record_values import row_converter
from stream_app.adapters.avro.scalar_values import ValueMisfitError
from stream_app.adapters.avro.schema_file import EventSchema, event_schema
from stream_app.core.avro.canonical import canonical_form
from stream_app.errors import DataError, UsageError

_CSV_FIELD_LIMIT_BYTES = 16 * 1024 * 1024


__all__ = ["EventFile", "EventSchema", "FileEvent", "FileFormat", "open_events"]


class FileFormat(StrEnum):
    """How events lie in a file."""

    AVRO = "avro"
    CSV = "csv"
    JSONL = "jsonl"


_BY_SUFFIX = {
    ".avro": FileFormat.AVRO,
    ".csv": FileFormat.CSV,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".json": FileFormat.JSONL,
}


@dataclass(frozen=True, slots=True)
class FileEvent:
    """A row of a file.

    Attributes:
        fields: Its values, logical types as the plain values under them (a timestamp is an
            integer).
        avro: The same as Avro bytes of the file's schema, without framing.
    """

    fields: Mapping[str, Any]
    avro: bytes


class EventFile:
    """An open file of events; iterate once, then close.

    Attributes:
        schema: Of its events.
        rows_read: How many were read so far; the last one's number, from 1.
    """

    def __init__(
        self, path: Path, file_format: FileFormat, schema: EventSchema | None, *, lenient: bool
    ) -> None:
        self._path = path
        self._format = file_format
        self._lenient = lenient
        self._file: BinaryIO = path.open("rb")
        self._size = max(1, path.stat().st_size)
        self.rows_read = 0
        try:
            self._blocks = self._container() if file_format is FileFormat.AVRO else None
            self.schema = self._choose(schema)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "EventFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def share_read(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return min(1.0, self._file.tell() / self._size)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """The events' fields; errors as in ``rows``."""
        return (row.fields for row in self.rows())

    def rows(self) -> Iterator[FileEvent]:
        """The events with their bytes.

        Raises:
            DataError: a row that does not fit the schema, by its number and field.
        """
        if self._blocks is not None:
            yield from self._avro_rows(self._blocks)
            return
        is_text = self._format is FileFormat.CSV
        convert = row_converter(self.schema.record, text=is_text)
        known = {field.name for field in self.schema.record.fields}
        parsed = fastavro.parse_schema(self.schema.document)
        for row in self._csv_rows() if is_text else self._json_rows():
            self.rows_read += 1
            try:
                if not self._lenient:
                    _refuse_surplus(row, known)
                fields = convert(row)
                event = FileEvent(fields, _encode(fields, parsed))
            except ValueMisfitError as exc:
                raise DataError(f"{self._path}: row {self.rows_read}: {exc}") from exc
            yield event

    def _avro_rows(self, blocks: Any) -> Iterator[FileEvent]:
        # Logical types are left out of this schema: their values would lose nothing but time.
        plain = fastavro.parse_schema(json.loads(canonical_form(self.schema.record)))
        try:
            for block in blocks:
                buffer = block.bytes_
                content = buffer.getvalue()
                for _ in range(block.num_records):
                    start = buffer.tell()
                    event = fastavro.schemaless_reader(buffer, plain, None)
                    self.rows_read += 1
                    yield FileEvent(event, content[start : buffer.tell()])
        except (ValueError, EOFError, LookupError, OverflowError, zlib.error) as exc:
            raise DataError(
                f"{self._path}: row {self.rows_read + 1}: the container is broken here "
                f"({type(exc).__name__}); write the file again"
            ) from exc

    def _csv_rows(self) -> Iterator[Mapping[str, str]]:
        csv.field_size_limit(_CSV_FIELD_LIMIT_BYTES)
        # The first line may begin with a byte order mark, as spreadsheets write it.
        lines = (line.decode("utf-8" if n else "utf-8-sig") for n, line in enumerate(self._file))
        rows = csv.DictReader(lines, strict=True, restkey="(columns beyond the header)")
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError) as exc:
                raise DataError(f"{self._path}: row {self.rows_read + 1}: no CSV: {exc}") from exc
            if None in row.values():
                raise DataError(
                    f"{self._path}: row {self.rows_read + 1}: fewer cells than the header has "
                    "columns; complete the row"
                )
            yield row

    def _json_rows(self) -> Iterator[Any]:
        for line in self._file:
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as exc:
                raise DataError(
                    f"{self._path}: row {self.rows_read + 1}: not a JSON document on one line"
                ) from exc

    def _container(self) -> Any:
        try:
            return fastavro.block_reader(self._file)
        except Exception as exc:  # the library raises whatever the broken bytes lead to
            raise DataError(
                f"{self._path}: not an Avro container file; correct the path, or give --format"
            ) from exc

    def _choose(self, given: EventSchema | None) -> EventSchema:
        if self._blocks is None:
            if given is None:
                raise UsageError(
                    f"{self._path}: a {self._format} file does not say what its values mean; give "
                    "the Avro schema with --schema"
                )
            return given
        if given is not None:
            raise UsageError(
                f"{self._path}: an Avro container brings its own schema; leave --schema out"
            )
        return event_schema(self._blocks.metadata["avro.schema"], str(self._path))


def _encode(event: Any, parsed: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        fastavro.schemaless_writer(buffer, parsed, event)
    except (ValueError, TypeError, OverflowError) as exc:
        # Not the library's message: it shows values.
        raise ValueMisfitError(
            f"its values cannot be written with the schema ({type(exc).__name__})"
        ) from exc
    return buffer.getvalue()


def _refuse_surplus(row: Any, known: set[str]) -> None:
    if isinstance(row, Mapping) and not known.issuperset(row):
        surplus = ", ".join(sorted(str(name) for name in set(row) - known))
        raise ValueMisfitError(
            f"not in the schema: {surplus}; remove it, or leave such fields out with "
            "--ignore-unknown"
        )


def open_events(
    path: Path,
    file_format: FileFormat | None = None,
    schema: EventSchema | None = None,
    *,
    ignore_unknown: bool = False,
) -> EventFile:
    """Open a file of events.

    Args:
        path: The file.
        file_format: Default: by the file's name.
        schema: For CSV and JSON lines.
        ignore_unknown: Leave out what the schema does not know, instead of refusing it.

    Raises:
        UsageError: the format is not known, or the schema is missing or too much.
        ConfigError: the schema is no Avro schema of a record.
        DataError: the file is not what its name says.
    """
    chosen = file_format or _BY_SUFFIX.get(path.suffix.lower())
    if chosen is None:
        known = ", ".join(_BY_SUFFIX)
        raise UsageError(
            f"{path}: cannot tell its format by its name (known: {known}); give --format"
        )
    return EventFile(path, chosen, schema, lenient=ignore_unknown)
