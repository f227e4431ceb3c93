"""The Avro parts that settings ask for: which store, decoder and encoder, and what they would meet.

Decides between registry and folder. Knows no Kafka, and leaves what is in a schema to the parts.
"""

from collections.abc import Iterator
from pathlib import Path

from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.adapters.avro.fastavro_encoder import FastavroEncoder
from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_subjects import lookup_registered_id, value_subject
from stream_app.adapters.avro.schema_stores import (
    FolderSchemaStore,
    RegistrySchemaStore,
    read_schema_text,
)
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import confluent_prefix, single_object_prefix
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.parser import SchemaError
from stream_app.core.avro.prediction import check_prediction_schema
from stream_app.core.avro.schema import Schema
from stream_app.core.avro.store import SchemaStore
from stream_app.core.contract import Contract
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError
from stream_app.ports import Clock, Decoder, Encoder, Model, Telemetry
from stream_app.resources import schema_path
from stream_app.settings import Framing, Settings

_DEFAULT_PREDICTION_SCHEMA = "prediction"


def build_store(settings: Settings, clock: Clock, telemetry: Telemetry) -> SchemaStore:
    """Where the writer schemas of the input come from.

    Raises:
        ConfigError: the settings that the framing needs are missing or wrong.
    """
    retry_s = settings.registry.unknown_retry_s
    if settings.input.framing is Framing.SINGLE_OBJECT:
        return FolderSchemaStore(_schema_dir(settings), clock, unknown_retry_s=retry_s)
    return RegistrySchemaStore(
        Registry(settings.registry, telemetry),
        clock,
        subjects=settings.registry.subjects,
        unknown_retry_s=retry_s,
    )


def build_decoder(
    settings: Settings, contract: Contract, clock: Clock, telemetry: Telemetry, *, compiled: bool
) -> Decoder:
    """The decoder of the input; ``compiled`` when kernels are ready.

    Raises:
        ConfigError: as :func:`build_store`.
    """
    reference = FastavroDecoder(
        contract,
        build_store(settings, clock, telemetry),
        settings.input.framing,
        telemetry=telemetry,
        clock=clock,
        max_value_bytes=settings.input.max_value_bytes,
    )
    if not compiled:
        return reference
    from stream_app.adapters.avro.compiled_decoder import CompiledDecoder  # noqa: PLC0415  # numba

    return CompiledDecoder(
        contract,
        reference,
        settings.input.framing,
        max_value_bytes=settings.input.max_value_bytes,
    )


def build_encoder(
    settings: Settings, contract: Contract, model: Model, telemetry: Telemetry, *, compiled: bool
) -> Encoder:
    """The encoder of predictions; ``compiled`` when kernels are ready.

    Raises:
        ConfigError: the schema does not fit the contract, or is not registered.
        UnavailableError: the registry does not answer.
    """
    text = prediction_schema(settings)
    reference = FastavroEncoder(
        contract,
        text,
        prefix=prediction_prefix(settings, text),
        model_name=model.name,
        model_version=model.version,
        model_hash=model.content_hash,
        telemetry=telemetry,
    )
    if not compiled:
        return reference
    from stream_app.adapters.avro.compiled_encoder import CompiledEncoder  # noqa: PLC0415  # numba

    return CompiledEncoder(reference)


def prediction_schema(settings: Settings) -> str:
    """The JSON of the prediction schema: the user's, or ours.

    Raises:
        ConfigError: it cannot be read.
    """
    path = settings.output.prediction_schema or schema_path(_DEFAULT_PREDICTION_SCHEMA)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"output.prediction_schema {path}: cannot be read ({exc})") from exc


def output_schema_faults(settings: Settings, contract: Contract) -> list[str]:
    """What is wrong with the prediction schema for this contract, registration included.

    Raises:
        UnavailableError: the registry does not answer.
    """
    text = prediction_schema(settings)
    faults = check_prediction_schema(contract, text)
    if not faults:
        try:
            prediction_prefix(settings, text)
        except ConfigError as exc:
            faults.append(str(exc))
    return faults


def writer_schemas(settings: Settings) -> Iterator[tuple[str, Schema | Rejection]]:
    """Schemas that the input's events may have, as far as they are known now, with their names.

    Raises:
        RetriableError: the registry does not answer.
        ConfigError: the folder cannot be read.
    """
    if settings.input.framing is Framing.SINGLE_OBJECT:
        for path in sorted(_schema_dir(settings).glob("*.avsc")):
            yield path.name, _admit_file(path)
        return
    registry = Registry(settings.registry, NullTelemetry())
    for subject in settings.registry.subjects or [value_subject(settings.input.topic)]:
        found = registry.latest(subject)
        if found is not None:
            yield f"subject {subject}", admit(found.text, found.references)


def _admit_file(path: Path) -> Schema | Rejection:
    try:
        return admit(read_schema_text(path))
    except SchemaError as exc:
        return Rejection(Fault.SCHEMA_INCOMPATIBLE, str(exc))


def prediction_prefix(settings: Settings, text: str) -> bytes:
    """What stands before every prediction."""
    if settings.output_framing is Framing.SINGLE_OBJECT:
        schema = admit(text)
        if isinstance(schema, Rejection):
            raise ConfigError(f"output.prediction_schema: {schema.detail}")
        return single_object_prefix(fingerprint(schema))
    registry = Registry(settings.registry, NullTelemetry())
    subject = value_subject(settings.predictions_topic)
    return confluent_prefix(lookup_registered_id(registry, subject, text))


def _schema_dir(settings: Settings) -> Path:
    if settings.input.schema_dir is None:
        raise ConfigError(
            "input.framing = single-object needs input.schema_dir: a folder of *.avsc"
        )
    return settings.input.schema_dir
