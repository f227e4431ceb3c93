"""Laws of the registry store, against a server on loopback that misbehaves on request."""

import gzip
import json
from collections.abc import Iterator

import pytest

from stream_app.adapters.avro import schema_stores
from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_limits import MAX_ANSWER_BYTES
from stream_app.adapters.avro.registry_subjects import ensure_subject, lookup_registered_id
from stream_app.adapters.avro.schema_patience import ASK_EVERY_S, RECHECK_S
from stream_app.adapters.avro.schema_stores import RegistrySchemaStore
from stream_app.core.avro.framing import SchemaKey
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.store import NotYetKnownError, WriterSchema
from stream_app.core.faults import Fault
from stream_app.core.metrics import REGISTRY_REQUESTS
from stream_app.errors import ConfigError, RetriableError, UnavailableError
from stream_app.settings import RegistrySettings
from tests.avro_kit import CountedTelemetry, HandClock, event_schema
from tests.fake_registry import (
    Answer,
    FakeRegistry,
    fake_registry,
    found,
    refused,
    refused_port_url,
    timed,
)

TEXT = event_schema({"name": "f", "type": "double"})
GUID = "89791762-2336-4186-9674-299b90a802e2"
TIMEOUT_S = 0.3


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


def _registry(url: str, telemetry: CountedTelemetry | None = None) -> Registry:
    settings = RegistrySettings(url=url, timeout_s=TIMEOUT_S)
    return Registry(settings, telemetry or CountedTelemetry())


def _store(
    server: FakeRegistry, clock: HandClock | None = None, subjects: tuple[str, ...] = ()
) -> RegistrySchemaStore:
    return RegistrySchemaStore(
        _registry(server.url), clock or HandClock(), subjects=subjects, unknown_retry_s=5.0
    )


def test_a_schema_is_fetched_by_id_once(server: FakeRegistry) -> None:
    server.answers["GET /schemas/ids/7"] = found(TEXT)
    store = _store(server)
    assert [store.get(7) for _ in range(3)] == [WriterSchema(TEXT)] * 3
    assert server.requests == ["GET /schemas/ids/7"]


def test_a_schema_is_fetched_by_guid_once(server: FakeRegistry) -> None:
    # As Confluent Platform 8 answers.
    server.answers[f"GET /schemas/guids/{GUID}"] = found(TEXT, schemaType="AVRO", guid=GUID)
    store = _store(server)
    assert [store.get(GUID) for _ in range(3)] == [WriterSchema(TEXT)] * 3
    assert server.requests == [f"GET /schemas/guids/{GUID}"]


def test_what_was_fetched_outlives_the_registry(server: FakeRegistry) -> None:
    server.answers["GET /schemas/ids/7"] = found(TEXT)
    store = _store(server)
    store.get(7)
    server.answers["GET /schemas/ids/7"] = refused(500, 50001)
    assert store.get(7) == WriterSchema(TEXT)


def test_an_unknown_id_is_hoped_for_then_refused_then_asked_for_again(
    server: FakeRegistry,
) -> None:
    clock = HandClock()
    store = _store(server, clock)
    start_s = clock.time_s
    while clock.time_s < start_s + 5.0:
        with pytest.raises(NotYetKnownError):
            store.get(7)
        clock.time_s += 0.125
    assert len(server.requests) == 5.0 / ASK_EVERY_S
    clock.time_s += ASK_EVERY_S
    refusal = store.get(7)
    assert isinstance(refusal, Rejection)
    assert refusal.fault is Fault.UNKNOWN_SCHEMA
    asked = len(server.requests)
    clock.time_s += RECHECK_S - 1
    assert store.get(7) == refusal
    assert len(server.requests) == asked
    clock.time_s += 2
    assert store.get(7) == refusal  # asked for again, and no second time of grace
    assert len(server.requests) == asked + 1
    server.answers["GET /schemas/ids/7"] = found(TEXT)
    clock.time_s += RECHECK_S + 1
    assert store.get(7) == WriterSchema(TEXT)


def test_an_id_that_appears_in_time_is_found(server: FakeRegistry) -> None:
    clock = HandClock()
    store = _store(server, clock)
    with pytest.raises(NotYetKnownError):
        store.get(7)
    server.answers["GET /schemas/ids/7"] = found(TEXT)
    clock.time_s += ASK_EVERY_S
    assert store.get(7) == WriterSchema(TEXT)


def test_memory_for_unknown_ids_is_bounded(
    server: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_app.adapters.avro.schema_patience.MAX_UNKNOWN", 3)
    store = _store(server)
    for key in range(1, 6):
        with pytest.raises(NotYetKnownError):
            store.get(key)
    assert len(store._patience._misses) == 3


def test_memory_for_schemas_is_bounded(
    server: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_stores, "MAX_SCHEMAS", 2)
    store = _store(server)
    for key in range(1, 5):
        server.answers[f"GET /schemas/ids/{key}"] = found(TEXT)
        store.get(key)
    store.get(4)
    assert len(server.requests) == 4
    store.get(1)
    assert len(server.requests) == 5


@pytest.mark.parametrize("key", [0, 2**31, 2**32 - 1, b"12345678"])
def test_keys_that_no_registry_has_cost_no_request(server: FakeRegistry, key: SchemaKey) -> None:
    refusal = _store(server).get(key)
    assert isinstance(refusal, Rejection)
    assert refusal.fault is Fault.UNKNOWN_SCHEMA
    assert server.requests == []


TROUBLES = {
    "500": refused(500, 50001),
    "503 without a body": Answer(503),
    "429": refused(429, 42901),
    "401": refused(401, 401),
    "403": refused(403, 40301),
    "a redirect": Answer(302, headers={"Location": "http://127.0.0.1:9/"}),
    "404 of another server": Answer(404, b"<html>no such page</html>"),
    "404 without the registry's code": refused(404, 404),
    "HTML": Answer(body=b"<html>welcome</html>"),
    "no schema in the answer": Answer(body=b"[]"),
    "an empty answer": Answer(),
    "silence": Answer(pause_s=10 * TIMEOUT_S, body=b"{}"),
    "an answer that drips": Answer(body=b" ", chunks=200, pause_s=TIMEOUT_S / 10),
    "an endless answer": Answer(body=b" " * 65_536, chunks=10_000),
    "a large answer": found("x" * MAX_ANSWER_BYTES),
    "a packed answer": Answer(
        body=gzip.compress(b'{"schema": "' + b" " * 10_000_000 + b'"}'),
        headers={"Content-Encoding": "gzip"},
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_trouble_of_the_registry_is_never_a_fault_and_never_lasts(
    server: FakeRegistry, trouble: Answer
) -> None:
    server.answers["GET /schemas/ids/7"] = trouble
    clock = HandClock()
    store = _store(server, clock)
    outcome, took_s = timed(lambda: store.get(7))
    assert isinstance(outcome, RetriableError)
    assert not isinstance(outcome, NotYetKnownError)
    assert server.url in str(outcome)
    assert took_s < 6 * TIMEOUT_S
    server.answers["GET /schemas/ids/7"] = found(TEXT)
    clock.time_s += ASK_EVERY_S
    assert store.get(7) == WriterSchema(TEXT)


def test_a_registry_that_is_not_there_is_trouble() -> None:
    telemetry = CountedTelemetry()
    store = RegistrySchemaStore(_registry(refused_port_url(), telemetry), HandClock())
    with pytest.raises(RetriableError, match="ConnectError"):
        store.get(7)
    assert telemetry.counts == {(REGISTRY_REQUESTS.name, "unreachable"): 1}


def test_a_registry_that_is_away_is_asked_once_per_interval(server: FakeRegistry) -> None:
    clock = HandClock()
    store = _store(server, clock)
    for key in range(1, 9):
        server.answers[f"GET /schemas/ids/{key}"] = refused(500, 50001)
        with pytest.raises(RetriableError):
            store.get(key)
    assert len(server.requests) == 1


def test_an_outage_neither_starts_nor_ends_the_patience_with_an_id(server: FakeRegistry) -> None:
    clock = HandClock()
    store = _store(server, clock)
    server.answers["GET /schemas/ids/7"] = refused(500, 50001)
    for _ in range(20):
        with pytest.raises(RetriableError):
            store.get(7)
        clock.time_s += 1.0
    del server.answers["GET /schemas/ids/7"]
    with pytest.raises(NotYetKnownError):
        store.get(7)


def test_a_guid_is_unknown_where_none_are_served(server: FakeRegistry) -> None:
    # As Apicurio 2.6 answers; any producer can write that header, so it must not stop a worker.
    server.answers[f"GET /schemas/guids/{GUID}"] = refused(404, 0)
    clock = HandClock()
    store = _store(server, clock)
    with pytest.raises(NotYetKnownError):
        store.get(GUID)
    clock.time_s += 5.0
    assert isinstance(store.get(GUID), Rejection)


def test_only_listed_subjects_are_accepted(server: FakeRegistry) -> None:
    for key, subject in ((7, "events-value"), (8, "other-value")):
        server.answers[f"GET /schemas/ids/{key}"] = found(TEXT)
        server.answers[f"GET /schemas/ids/{key}/versions"] = Answer(
            body=json.dumps([{"subject": subject, "version": 1}]).encode()
        )
    clock = HandClock()
    store = _store(server, clock, subjects=("events-value",))
    assert store.get(7) == WriterSchema(TEXT)
    asked = len(server.requests)
    refusal = store.get(8)
    assert isinstance(refusal, Rejection)
    assert refusal.fault is Fault.SCHEMA_NOT_ALLOWED
    assert store.get(8) == refusal
    assert len(server.requests) == asked + 2
    server.answers["GET /schemas/ids/8/versions"] = server.answers["GET /schemas/ids/7/versions"]
    clock.time_s += RECHECK_S + 1
    assert store.get(8) == WriterSchema(TEXT)


def test_listed_subjects_hold_for_guids_too(server: FakeRegistry) -> None:
    server.answers[f"GET /schemas/guids/{GUID}"] = found(TEXT)
    store = _store(server, subjects=("events-value",))
    refusal = store.get(GUID)
    assert isinstance(refusal, Rejection)
    assert refusal.fault is Fault.SCHEMA_NOT_ALLOWED
    server.answers["POST /subjects/events-value"] = found(
        TEXT, subject="events-value", version=1, id=7
    )
    assert _store(server, subjects=("events-value",)).get(GUID) == WriterSchema(TEXT)


def test_references_are_fetched_in_the_order_of_their_use(server: FakeRegistry) -> None:
    cents = '{"type": "record", "name": "Cents", "fields": [{"name": "n", "type": "long"}]}'
    money = '{"type": "record", "name": "Money", "fields": [{"name": "c", "type": "Cents"}]}'
    bill = event_schema({"name": "sum", "type": "Money"})

    def needs(name: str) -> list[dict[str, object]]:
        return [{"name": name, "subject": name, "version": 1}]

    server.answers["GET /schemas/ids/7"] = found(bill, references=needs("Money"))
    server.answers["GET /subjects/Money/versions/1"] = found(money, references=needs("Cents"))
    server.answers["GET /subjects/Cents/versions/1"] = found(cents)
    schema = _store(server).get(7)
    assert schema == WriterSchema(bill, (cents, money))
    assert not isinstance(admit(schema.text, schema.references), Rejection)


def test_references_in_a_circle_end(server: FakeRegistry) -> None:
    circle = [{"name": "a", "subject": "a", "version": 1}]
    server.answers["GET /schemas/ids/7"] = found(TEXT, references=circle)
    server.answers["GET /subjects/a/versions/1"] = found('"string"', references=circle)
    assert _store(server).get(7) == WriterSchema(TEXT, ('"string"',))


def test_requests_are_counted_by_result(server: FakeRegistry) -> None:
    telemetry = CountedTelemetry()
    registry = _registry(server.url, telemetry)
    server.answers["GET /schemas/ids/7"] = found(TEXT)
    server.answers["GET /schemas/ids/9"] = refused(500, 50001)
    registry.by_id(7)
    registry.by_id(8)
    with pytest.raises(RetriableError):
        registry.by_id(9)
    results = ("found", "not_found", "refused")
    assert telemetry.counts == {(REGISTRY_REQUESTS.name, result): 1 for result in results}


def test_messages_hide_the_credentials_of_the_address(server: FakeRegistry) -> None:
    server.answers["GET /schemas/ids/7"] = refused(401, 401)
    url = server.url.replace("://", "://user:canary@")
    with pytest.raises(RetriableError) as caught:
        _registry(url).by_id(7)
    assert "canary" not in str(caught.value)
    assert "registry.password" in str(caught.value)


def test_messages_hide_credentials_in_every_address_of_a_list() -> None:
    away = refused_port_url().removeprefix("http://")
    settings = RegistrySettings(url=f"http://user:canary@{away},http://{away}", timeout_s=TIMEOUT_S)
    with pytest.raises(RetriableError) as caught:
        Registry(settings, CountedTelemetry()).by_id(7)
    assert "canary" not in str(caught.value)
    assert str(caught.value).count(away) == 2
    with pytest.raises(ConfigError) as refused_at_start:
        _registry("ftp://user:canary@registry")
    assert "canary" not in str(refused_at_start.value)


@pytest.mark.parametrize("url", ["", "registry:8081", "ftp://registry"])
def test_an_address_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"registry\.url"):
        _registry(url)


def test_start_time_questions_say_that_the_registry_is_away() -> None:
    registry = _registry(refused_port_url())
    with pytest.raises(UnavailableError):
        lookup_registered_id(registry, "predictions-value", TEXT)
    with pytest.raises(UnavailableError):
        ensure_subject(registry, "predictions-value", TEXT, register=True)


def test_looking_up_registers_nothing(server: FakeRegistry) -> None:
    with pytest.raises(ConfigError, match="topics create"):
        lookup_registered_id(_registry(server.url), "predictions-value", TEXT)
    assert server.requests == ["POST /subjects/predictions-value"]
