"""Laws of the registry's client and of output subjects, on a real registry."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stream_app.adapters.avro.codec import AvroCodec, UndecodableError
from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_subjects import (
    ensure_subject,
    lookup_registered_id,
    value_subject,
)
from stream_app.adapters.avro.schema_stores import RegistrySchemaStore
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.store import WriterSchema
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError
from stream_app.settings import Framing, RegistrySettings
from tests.avro_kit import CountedTelemetry, HandClock, event_schema

PREDICTION = Path(__file__).parents[2].joinpath("schemas", "prediction.avsc").read_text()
TEXT = event_schema({"name": "f", "type": "double"})


@pytest.fixture
def registry(registry_url: str) -> Registry:
    return Registry(RegistrySettings(url=registry_url), CountedTelemetry())


@pytest.fixture
def topic() -> str:
    return f"topic-{uuid.uuid4().hex[:8]}"


def _with_field(text: str, **field: Any) -> str:
    schema = json.loads(text)
    schema["fields"].append(field)
    return json.dumps(schema)


def test_registering_twice_gives_the_same_id_and_layout_does_not_matter(
    registry: Registry, topic: str
) -> None:
    subject = value_subject(topic)
    first = ensure_subject(registry, subject, PREDICTION, register=True)
    assert ensure_subject(registry, subject, PREDICTION, register=True) == first
    compact = json.dumps(json.loads(PREDICTION), separators=(",", ":"))
    assert lookup_registered_id(registry, subject, compact) == first


def test_a_new_subject_is_set_to_backward(registry: Registry, topic: str) -> None:
    subject = value_subject(topic)
    ensure_subject(registry, subject, TEXT, register=True)
    assert registry.compatibility(subject) == "BACKWARD"


def test_a_stricter_level_is_left_alone(registry: Registry, topic: str) -> None:
    subject = value_subject(topic)
    ensure_subject(registry, subject, TEXT, register=True)
    registry.set_compatibility(subject, "FULL")
    wider = _with_field(TEXT, name="g", type="int", default=0)
    ensure_subject(registry, subject, wider, register=True)
    assert registry.compatibility(subject) == "FULL"


def test_what_readers_could_not_read_is_never_registered(registry: Registry, topic: str) -> None:
    subject = value_subject(topic)
    ensure_subject(registry, subject, TEXT, register=True)
    with pytest.raises(ConfigError, match="defaults"):
        ensure_subject(registry, subject, _with_field(TEXT, name="g", type="int"), register=True)
    wider = _with_field(TEXT, name="g", type="int", default=0)
    assert registry.id_in_subject(subject, wider) is None
    second = ensure_subject(registry, subject, wider, register=True)
    assert lookup_registered_id(registry, subject, wider) == second


def test_looking_for_what_is_not_registered_says_what_to_do(registry: Registry, topic: str) -> None:
    with pytest.raises(ConfigError, match="topics create"):
        lookup_registered_id(registry, value_subject(topic), TEXT)


def test_schemas_come_back_by_id_with_their_subjects(registry: Registry, topic: str) -> None:
    subject = value_subject(topic)
    schema_id = ensure_subject(registry, subject, TEXT, register=True)
    assert subject in registry.subjects_of_id(schema_id)
    store = RegistrySchemaStore(registry, HandClock(), subjects=[subject])
    answer = store.get(schema_id)
    assert isinstance(answer, WriterSchema)
    assert json.loads(answer.text) == json.loads(TEXT)
    elsewhere = RegistrySchemaStore(registry, HandClock(), subjects=["other-value"]).get(schema_id)
    assert isinstance(elsewhere, Rejection)
    assert elsewhere.fault is Fault.SCHEMA_NOT_ALLOWED


def test_unknown_ids_and_guids_are_unknown(registry: Registry) -> None:
    store = RegistrySchemaStore(registry, HandClock(), unknown_retry_s=0)
    for key in (2**31 - 1, str(uuid.uuid4())):
        answer = store.get(key)
        assert isinstance(answer, Rejection)
        assert answer.fault is Fault.UNKNOWN_SCHEMA


def test_the_codec_and_confluents_serializers_read_each_other(
    registry: Registry, registry_url: str, topic: str
) -> None:
    with SchemaRegistryClient({"url": registry_url}) as client:
        context = SerializationContext(topic, MessageField.VALUE)
        serializer = AvroSerializer(client, TEXT)
        codec = AvroCodec(
            RegistrySchemaStore(registry, HandClock(), unknown_retry_s=0), Framing.CONFLUENT
        )
        event = {"id": "a", "f": 1.5}
        value = serializer(event, context)
        assert value is not None
        assert codec.decode(value) == event
        schema_id = client.lookup_schema(value_subject(topic), Schema(TEXT, "AVRO")).schema_id
        ours = codec.encode(TEXT, event, schema_id=schema_id)
        assert ours == value
        assert AvroDeserializer(client)(ours, context) == event
        with pytest.raises(UndecodableError, match="TRAILING_BYTES"):
            codec.decode(value + b"\x00")
