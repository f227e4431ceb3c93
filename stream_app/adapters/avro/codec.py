"""Any record of any schema, to and from its framed bytes: what the tools need, not the path.

Decides how a tool sees a record: as a dict with Avro's logical types made into Python's. The same
framing, stores, gates and strict walk as the path's decoder, so that a tool never shows as good
what the path would refuse as bytes.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import fastavro

from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.document import document
from stream_app.core.avro.framing import (
    Misframed,
    SchemaKey,
    confluent_prefix,
    read_confluent,
    read_single_object,
    single_object_prefix,
)
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.schema import Schema
from stream_app.core.avro.store import SchemaStore, WriterSchema
from stream_app.core.avro.wire import Walk, WireError
from stream_app.core.columns import Header
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, StreamAppError
from stream_app.settings import Framing

_MAX_CACHED: Final = 100


class UndecodableError(StreamAppError):
    """These bytes are no record; ``fault`` and ``detail`` say why, without values."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault.name}: {detail}")
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Parsed:
    schema: Schema
    walk: Walk
    library: Any


class AvroCodec:
    """Encodes and decodes single records."""

    def __init__(self, store: SchemaStore, framing: Framing) -> None:
        """``store`` is only asked to decode; with no patience it answers at once."""
        self._store = store
        self._framing = framing
        self._by_key: OrderedDict[SchemaKey, _Parsed] = OrderedDict()
        self._by_text: OrderedDict[str, _Parsed] = OrderedDict()

    def encode(
        self, schema: str, record: Mapping[str, Any], *, schema_id: int | None = None
    ) -> bytes:
        """The framed bytes of ``record``.

        Args:
            schema: JSON.
            record: Values as fastavro takes them: also datetimes, decimals and uuids.
            schema_id: The registry's, for Confluent framing.

        Raises:
            ConfigError: the schema cannot be used, or its id is missing.
            ValueError: the record does not fit the schema.
        """
        parsed = self._of_text(schema)
        buffer = BytesIO()
        buffer.write(self._prefix(parsed.schema, schema_id))
        try:
            fastavro.schemaless_writer(buffer, parsed.library, record)
        except Exception as exc:
            # Not the library's message: it shows values.
            raise ValueError(f"the record does not fit its schema ({type(exc).__name__})") from exc
        return buffer.getvalue()

    def decode(self, value: bytes | None, headers: Sequence[Header] = ()) -> dict[str, Any]:
        """The record in ``value``.

        Raises:
            UndecodableError: there is none.
            RetriableError: its schema cannot be fetched now.
        """
        if value is None:
            raise UndecodableError(Fault.TOMBSTONE, "the value is null")
        if self._framing is Framing.SINGLE_OBJECT:
            framed = read_single_object(value)
        else:
            framed = read_confluent(value, headers)
        if isinstance(framed, Misframed):
            raise UndecodableError(framed.fault, framed.detail)
        parsed = self._of_key(framed.key)
        payload = value[framed.start :]
        try:
            parsed.walk.check(payload, 0)
            record: dict[str, Any] = fastavro.schemaless_reader(
                BytesIO(payload), parsed.library, None
            )
        except WireError as exc:
            raise UndecodableError(exc.fault, exc.detail) from exc
        except Exception as exc:
            # The bytes are right, so a logical type is wrong: the library alone looks at those.
            raise UndecodableError(
                Fault.BAD_LOGICAL_VALUE, f"{type(exc).__name__} from the Avro library"
            ) from exc
        return record

    def _prefix(self, schema: Schema, schema_id: int | None) -> bytes:
        if self._framing is Framing.SINGLE_OBJECT:
            return single_object_prefix(fingerprint(schema))
        if schema_id is None:
            raise ConfigError("Confluent framing needs the schema's id in the registry, found none")
        return confluent_prefix(schema_id)

    def _of_text(self, text: str) -> _Parsed:
        if text not in self._by_text:
            parsed = _parse(WriterSchema(text))
            if isinstance(parsed, Rejection):
                raise ConfigError(f"expected a usable Avro schema, found: {parsed.detail}")
            self._by_text[text] = parsed
            _trim(self._by_text)
        return self._by_text[text]

    def _of_key(self, key: SchemaKey) -> _Parsed:
        if key not in self._by_key:
            answer = self._store.get(key)
            parsed = answer if isinstance(answer, Rejection) else _parse(answer)
            if isinstance(parsed, Rejection):
                raise UndecodableError(parsed.fault, parsed.detail)
            self._by_key[key] = parsed
            _trim(self._by_key)
        return self._by_key[key]


def _parse(writer: WriterSchema) -> _Parsed | Rejection:
    schema = admit(writer.text, writer.references)
    if isinstance(schema, Rejection):
        return schema
    try:
        library = fastavro.parse_schema(document(schema))
    except Exception as exc:  # noqa: BLE001  # fastavro does not list what it raises
        return Rejection(
            Fault.SCHEMA_INCOMPATIBLE, f"the Avro library refuses it: {type(exc).__name__}"
        )
    return _Parsed(schema, Walk(schema), library)


def _trim(cache: OrderedDict[Any, _Parsed]) -> None:
    if len(cache) > _MAX_CACHED:
        cache.popitem(last=False)
