"""Schemas of the job's topics, put into the registry before anything is scored.

Decides which subjects there are and whether each schema is there already; compatibility is the
business of ``avro/registry_subjects.py``.
"""

from dataclasses import dataclass
from pathlib import Path

from stream_app.adapters.avro.parts import prediction_schema
from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_subjects import ensure_subject, value_subject
from stream_app.adapters.avro.schema_file import read_schema_file
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.errors import RetriableError, UnavailableError
from stream_app.settings import Framing, Settings


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one schema.

    Attributes:
        subject: Where.
        action: ``registered``, ``exists``, or ``would register``.
        schema_id: ``None`` where it is not registered.
    """

    subject: str
    action: str
    schema_id: int | None


def register_schemas(
    settings: Settings, event_schema: Path | None, *, dry_run: bool = False
) -> list[Registration]:
    """Register the prediction schema, and the event schema if one is given.

    Only topics whose framing is Confluent's have subjects; for others nothing is done.

    Raises:
        ConfigError: a schema cannot be used, or its subject would not take it.
        UnavailableError: the registry does not answer.
    """
    wanted: list[tuple[str, str]] = []
    if event_schema is not None and settings.input.framing is Framing.CONFLUENT:
        wanted.append((settings.input.topic, read_schema_file(event_schema).text))
    if settings.output_framing is Framing.CONFLUENT:
        wanted.append((settings.predictions_topic, prediction_schema(settings)))
    if not wanted:
        return []
    registry = Registry(settings.registry, NullTelemetry())
    return [
        _register(registry, value_subject(topic), text, dry_run=dry_run) for topic, text in wanted
    ]


def _register(registry: Registry, subject: str, text: str, *, dry_run: bool) -> Registration:
    try:
        found = registry.id_in_subject(subject, text)
    except RetriableError as exc:
        raise UnavailableError(str(exc)) from exc
    if found is not None:
        return Registration(subject, "exists", found)
    if dry_run:
        return Registration(subject, "would register", None)
    schema_id = ensure_subject(registry, subject, text, register=True)
    return Registration(subject, "registered", schema_id)
