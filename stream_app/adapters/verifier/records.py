"""What an outcome says it answers: read from a prediction's value or a dead letter's headers.

Decides which input position a record names, with a reading of framing and Avro of its own: the
scorer's would agree with the scorer's mistakes. Refuses to judge.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fastavro
import httpx

from stream_app.errors import UnavailableError
from stream_app.resources import schema_path
from stream_app.settings import RegistrySettings, Settings

Headers = Sequence[tuple[str, bytes | None]]
Source = tuple[str, int, int]
"""Topic, partition, offset."""

_NOT_FOUND = 404


class UnreadableError(Exception):
    """The record does not say what it answers; the message says why."""


class PredictionReader:
    """Decodes predictions; remembers schemas."""

    def __init__(self, settings: Settings) -> None:
        self._registry = settings.registry
        self._schemas: dict[bytes, Any] = {}
        paths = [settings.output.prediction_schema or schema_path("prediction")]
        if settings.input.schema_dir is not None:
            paths += sorted(settings.input.schema_dir.glob("*.avsc"))
        for path in paths:
            self._remember(path)

    def read(self, value: bytes | None) -> tuple[Source, Mapping[str, Any]]:
        """The position that a prediction answers, and the whole of it.

        Raises:
            UnreadableError: it is no prediction that we can read.
            UnavailableError: the registry does not answer.
        """
        schema, start = self._schema_of(value or b"")
        body = io.BytesIO((value or b"")[start:])
        try:
            record: Any = fastavro.schemaless_reader(body, schema, None)
            source = _source(
                record["source_topic"], record["source_partition"], record["source_offset"]
            )
        except Exception as exc:  # a decoder meets any bytes, and fails in any way
            raise UnreadableError(f"no prediction under its schema: {type(exc).__name__}") from exc
        if body.read(1):
            raise UnreadableError("bytes are left over behind the prediction")
        return source, record

    def _schema_of(self, value: bytes) -> tuple[Any, int]:
        if value[:2] == b"\xc3\x01" and len(value) >= 10:
            if value[:10] not in self._schemas:
                raise UnreadableError(f"no schema with fingerprint {value[2:10].hex()} is known")
            return self._schemas[value[:10]], 10
        if value[:1] == b"\x00" and len(value) >= 5:
            if value[:5] not in self._schemas:
                number = int.from_bytes(value[1:5], "big")
                self._schemas[value[:5]] = fastavro.parse_schema(_ask(self._registry, number))
            return self._schemas[value[:5]], 5
        raise UnreadableError("neither Confluent's framing nor single-object encoding")

    def _remember(self, path: Path) -> None:
        schema = json.loads(path.read_text(encoding="utf-8"))
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        # fastavro gives the fingerprint as the specification sends it, the low byte first.
        fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        self._schemas[b"\xc3\x01" + fingerprint] = fastavro.parse_schema(schema)


def read_dead_letter(headers: Headers | None) -> tuple[Source, str]:
    """The position and the fault code that a dead letter's headers name.

    Raises:
        UnreadableError: they do not.
    """
    found = {name: value or b"" for name, value in headers or ()}
    try:
        source = _source(
            found["err.topic"].decode(), int(found["err.partition"]), int(found["err.offset"])
        )
        return source, found["err.code"].decode()
    except (KeyError, ValueError) as exc:
        raise UnreadableError("its err.* headers do not name a position and a code") from exc


def _source(topic: str, partition: int, offset: int) -> Source:
    if not (0 <= partition < 2**31 and 0 <= offset < 2**63):
        raise ValueError("no possible position")
    return topic, partition, offset


def _ask(registry: RegistrySettings, number: int) -> Any:
    if not registry.url:
        raise UnavailableError(
            "predictions carry a registry's schema id and registry.url is not set; set it"
        )
    url = f"{registry.url.rstrip('/')}/schemas/ids/{number}"
    password = registry.password.get_secret_value() if registry.password else ""
    try:
        if registry.password_file is not None:
            password = registry.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        with httpx.Client(
            timeout=registry.timeout_s,
            verify=str(registry.ssl_ca_file) if registry.ssl_ca_file else True,
            auth=(registry.username, password) if registry.username else None,
        ) as client:
            answer = client.get(url)
        if answer.status_code == _NOT_FOUND:
            raise UnreadableError(f"the registry knows no schema with id {number}")
        return json.loads(answer.raise_for_status().json()["schema"])
    except (OSError, httpx.HTTPError, KeyError, ValueError) as exc:
        raise UnavailableError(
            f"schema {number} cannot be had from {registry.url}: {exc}; check registry.url"
        ) from exc
