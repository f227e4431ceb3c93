"""The codec of the tools: whatever a topic of ours holds, with what the settings say about it.

Decides where schemas are looked for: the registry, or the schema folder and our own schemas. An
unknown schema is told at once; nothing is waited for.
"""

from stream_app.adapters.avro.codec import AvroCodec
from stream_app.adapters.avro.parts import prediction_schema
from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.schema_stores import FolderSchemaStore, RegistrySchemaStore
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import SchemaKey
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.store import SchemaStore, WriterSchema
from stream_app.core.faults import Fault
from stream_app.settings import Framing, Settings


def tool_codec(settings: Settings, framing: Framing) -> AvroCodec:
    """A codec for values in ``framing``.

    Raises:
        ConfigError: no registry is set, or a schema file is none.
    """
    return AvroCodec(_store(settings, framing), framing)


def topic_framing(settings: Settings, topic: str) -> Framing:
    """How the values of a topic are framed, by the settings."""
    return (
        settings.output_framing if topic == settings.predictions_topic else settings.input.framing
    )


def _store(settings: Settings, framing: Framing) -> SchemaStore:
    if framing is Framing.CONFLUENT:
        registry = Registry(settings.registry, NullTelemetry())
        return RegistrySchemaStore(registry, SystemClock(), unknown_retry_s=0.0)
    folder = settings.input.schema_dir
    return _KnownSchemas(
        [prediction_schema(settings)],
        None if folder is None else FolderSchemaStore(folder, SystemClock(), unknown_retry_s=0),
    )


class _KnownSchemas:
    """Single schemas, and behind them those of a folder."""

    def __init__(self, texts: list[str], folder: SchemaStore | None) -> None:
        self._folder = folder
        self._schemas = {
            fingerprint(schema): WriterSchema(text)
            for text in texts
            if not isinstance(schema := admit(text), Rejection)
        }

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        """See ``SchemaStore``."""
        if isinstance(key, bytes) and key in self._schemas:
            return self._schemas[key]
        if self._folder is not None:
            return self._folder.get(key)
        shown = key.hex() if isinstance(key, bytes) else str(key)
        return Rejection(
            Fault.UNKNOWN_SCHEMA,
            f"no schema is known as {shown}; put its .avsc into a folder and set input.schema_dir",
        )
