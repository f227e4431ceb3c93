"""The verifier's own reading of framing, and where it has schemas from."""

import json
import uuid
from pathlib import Path

import fastavro
import pytest

from stream_app.adapters.verifier.schemas import UnreadableError, WriterSchemas
from stream_app.errors import UnavailableError
from stream_app.settings import Framing, Settings, load_settings
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import parse
from tests.avro_kit import single_object
from tests.fake_registry import fake_registry, found, refused, refused_port_url

TEXT = json.dumps({"type": "record", "name": "E", "fields": [{"name": "a", "type": "int"}]})
GUID = uuid.UUID(int=7)
HEADER = "__value_schema_id"


def of_registry(url: str) -> WriterSchemas:
    return WriterSchemas(load_settings(overrides={"registry.url": url}))


def of_folder(folder: Path) -> tuple[Settings, WriterSchemas]:
    settings = load_settings(overrides={"input.schema_dir": str(folder)})
    return settings, WriterSchemas(settings)


def test_a_registrys_schemas_are_asked_for_once_by_prefix_and_by_header() -> None:
    with fake_registry() as registry:
        registry.answers["GET /schemas/ids/9"] = found(TEXT)
        registry.answers[f"GET /schemas/guids/{GUID}"] = found(TEXT)
        schemas = of_registry(registry.url)
        for _ in range(2):
            framed = schemas.of(b"\0\0\0\0\x09rest")
            assert (framed.start, framed.documents) == (5, [json.loads(TEXT)])
            assert schemas.of(b"bare", [(HEADER, b"\0\0\0\0\x09")]).start == 0
            assert schemas.of(b"bare", [(HEADER, b"\1" + GUID.bytes)]).start == 0
        assert len(registry.requests) == 2


def test_schemas_that_a_schema_refers_to_come_before_it_and_circles_end() -> None:
    def using(name: str, other: str) -> str:
        fields = [{"name": "f", "type": other}]
        return json.dumps({"type": "record", "name": name, "fields": fields})

    def refers(subject: str) -> dict[str, object]:
        return {"references": [{"name": "x", "subject": subject, "version": 1}]}

    with fake_registry() as registry:
        registry.answers["GET /schemas/ids/1"] = found(using("A", "B"), **refers("b"))
        registry.answers["GET /subjects/b/versions/1"] = found(using("B", "int"), **refers("c"))
        registry.answers["GET /subjects/c/versions/1"] = found('"int"', **refers("b"))
        documents = of_registry(registry.url).of(b"\0\0\0\0\x01rest").documents
        assert parse(documents).name == "A"
        assert len(documents) == 3


def test_unknown_schemas_are_told_from_a_registry_that_does_not_answer() -> None:
    with fake_registry() as registry:
        registry.answers["GET /schemas/ids/1"] = refused(500, 50001)
        registry.answers["GET /schemas/ids/7"] = refused(422, 42201)
        schemas = of_registry(registry.url)
        with pytest.raises(UnreadableError, match="no schema with id 7"):
            schemas.of(b"\0\0\0\0\x07rest")
        for _ in range(2):
            with pytest.raises(UnreadableError, match="no schema with id 8 is known") as caught:
                schemas.of(b"\0\0\0\0\x08rest")
            assert not caught.value.certain
        assert len(registry.requests) == 2
        with pytest.raises(
            UnavailableError, match=r"schema with id 1 .*HTTPStatusError 500.*check registry\.url"
        ):
            schemas.of(b"\0\0\0\0\x01rest")
    with pytest.raises(UnavailableError, match=r"cannot be had from http://127[^@]*$"):
        of_registry(refused_port_url().replace("//", "//user:secret@")).of(b"\0\0\0\0\x01rest")
    with pytest.raises(UnavailableError, match=r"registry\.url is not set"):
        WriterSchemas(load_settings()).of(b"\0\0\0\0\x01rest")


def test_of_several_addresses_the_next_is_asked_where_one_does_not_answer() -> None:
    with fake_registry() as registry:
        registry.answers["GET /schemas/ids/9"] = found(TEXT)
        for urls in (
            f"{refused_port_url()},{registry.url}",
            f"{registry.url}/,{refused_port_url()}",
            f" {registry.url} , ",
        ):
            assert of_registry(urls).of(b"\0\0\0\0\x09rest").documents == [json.loads(TEXT)]
    two = f"{refused_port_url()},{refused_port_url()}"
    with pytest.raises(UnavailableError, match=r"check registry\.url"):
        of_registry(two).of(b"\0\0\0\0\x09rest")


@pytest.mark.parametrize("text", ["[" * 10_000, "no schema", '{"type":' * 5_000])
def test_a_registrys_text_that_is_no_schema_condemns_its_records_alone(text: str) -> None:
    with fake_registry() as registry:
        registry.answers["GET /schemas/ids/9"] = found(text)
        documents = of_registry(registry.url).of(b"\0\0\0\0\x09rest").documents
    with pytest.raises(RefusedError) as caught:
        parse(documents)
    assert not caught.value.certain


def test_an_empty_value_has_no_framing_whatever_its_headers_say() -> None:
    with pytest.raises(UnreadableError, match="neither") as caught:
        WriterSchemas(load_settings()).of(b"", [(HEADER, b"\0\0\0\0\x09")])
    assert caught.value.certain


def test_a_folders_schemas_are_found_by_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "event.avsc").write_text(TEXT)
    (tmp_path / "broken.avsc").write_text("no schema")
    _, schemas = of_folder(tmp_path)
    assert schemas.of(single_object(TEXT, b"x")).documents == [json.loads(TEXT)]
    other = b"\xc3\x01" + bytes(8) + b"x"
    with pytest.raises(UnreadableError, match="no schema with fingerprint 0000000000000000"):
        schemas.of(other)


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0\x01", b"\xc3\x01" + bytes(8), b"\x07" * 20])
def test_values_without_framing_are_refused_for_certain(value: bytes) -> None:
    with pytest.raises(UnreadableError, match="neither") as caught:
        WriterSchemas(load_settings()).of(value)
    assert caught.value.certain


def test_a_header_of_another_form_and_another_framing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "event.avsc").write_text(TEXT)
    _, schemas = of_folder(tmp_path)
    value = single_object(TEXT, b"x")
    with pytest.raises(UnreadableError, match="neither an id nor a GUID"):
        schemas.of(value, [(HEADER, b"\7")])
    with pytest.raises(UnreadableError, match="framing is not confluent"):
        schemas.of(value, only=Framing.CONFLUENT)
    with pytest.raises(UnreadableError, match="framing is not single-object"):
        schemas.of(b"\0\0\0\0\x01rest", only=Framing.SINGLE_OBJECT)
    # Single-object encoding knows no such header.
    assert schemas.of(value, [(HEADER, b"\7")], only=Framing.SINGLE_OBJECT).start == 10
    assert fastavro.parse_schema(schemas.of(value).documents[0])


@pytest.mark.parametrize("size", ["1e999", "-1e999", '"many"', "null", "[]"])
def test_a_size_that_is_none_refuses_the_schema_and_nothing_more(size: str) -> None:
    document = json.loads(f'{{"type": "fixed", "name": "F", "size": {size}}}')
    with pytest.raises(RefusedError, match="none that we read"):
        parse([document])
