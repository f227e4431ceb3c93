"""What stands before an event's Avro bytes so that readers find its schema.

Decides between the framings, and that a tool registers a schema only when it is told to.
"""

from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_subjects import ensure_subject, value_subject
from stream_app.adapters.avro.schema_file import EventSchema
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import confluent_prefix, single_object_prefix
from stream_app.core.avro.gates import Rejection, admit
from stream_app.errors import ConfigError, RetriableError, UnavailableError
from stream_app.settings import Framing, Settings


def value_prefix(
    settings: Settings, topic: str, schema: EventSchema, framing: Framing, *, register: bool
) -> bytes:
    """The bytes before every value of ``schema`` in ``topic``.

    Args:
        settings: For the registry.
        topic: Its subject is ``<topic>-value``.
        schema: Of the values.
        framing: Which form.
        register: Make the schema a version of the subject if it is none; else refuse.

    Raises:
        ConfigError: the subject does not have this schema, or would not take it.
        UnavailableError: the registry does not answer.
    """
    if framing is Framing.SINGLE_OBJECT:
        return single_object_prefix(fingerprint(schema.record))
    registry = Registry(settings.registry, NullTelemetry())
    subject = value_subject(topic)
    if register:
        return confluent_prefix(ensure_subject(registry, subject, schema.text, register=True))
    try:
        found = _registered_id(registry, subject, schema)
    except RetriableError as exc:
        raise UnavailableError(str(exc)) from exc
    if found is None:
        raise ConfigError(
            f"the schema of {schema.record.name} is no version of subject {subject!r}; give "
            "--register to make it one, or use --framing single-object, which needs no registry"
        )
    return confluent_prefix(found)


def _registered_id(registry: Registry, subject: str, schema: EventSchema) -> int | None:
    found = registry.id_in_subject(subject, schema.text)
    if found is not None:
        return found
    # Other words in the documentation make another schema to a registry, and the same bytes.
    latest = registry.latest(subject)
    if latest is None:
        return None
    tree = admit(latest.text, latest.references)
    if isinstance(tree, Rejection) or fingerprint(tree) != fingerprint(schema.record):
        return None
    return registry.id_in_subject(subject, latest.text)
