"""Which schema wrote a value: its framing, and the schema's text from a folder or a registry.

Decides how a value names its schema and where its Avro bytes begin, with a reading of framing of
its own: the scorer's would agree with the scorer's mistakes. Refuses to decode.
"""

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import httpx

from stream_app.errors import UnavailableError
from stream_app.settings import Framing, RegistrySettings, Settings
from stream_app.verify.letters import Headers

_HEADER = "__value_schema_id"
_NEVER_STATUSES = frozenset({400, 404, 410, 422})
"""The registry will never say more about this key."""
_MOST_REFERENCES = 64
_NO_USABLE_ANSWER = (
    OSError,
    httpx.HTTPError,
    httpx.InvalidURL,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
)
_CREDENTIALS = re.compile(r"//[^/]*@")


class UnreadableError(Exception):
    """A value says no schema that can be had; the message says why.

    ``certain`` is false where a scorer may have known the schema.
    """

    def __init__(self, reason: str, *, certain: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain


@dataclass(frozen=True, slots=True)
class Framed:
    """Where a value's Avro bytes begin, and its schema.

    Attributes:
        key: The same for all values of one schema.
        documents: The schema's JSON, after those of the schemas whose names it uses.
        start: Where the bytes begin.
    """

    key: object
    documents: Sequence[Any]
    start: int


class WriterSchemas:
    """Schemas by what stands before a value; each is asked for once."""

    def __init__(self, settings: Settings, paths: Iterable[Path] = ()) -> None:
        """Read the schema files.

        Args:
            settings: Where the registry is.
            paths: Schema files for single-object encoding; further ones are in the input's folder.

        Raises:
            UnavailableError: a file cannot be read.
        """
        self._registry = settings.registry
        self._known: dict[object, Sequence[Any] | None] = {}
        folder = settings.input.schema_dir
        for path in [*paths, *sorted(folder.glob("*.avsc") if folder is not None else ())]:
            self._remember(path)

    def of(self, value: bytes, headers: Headers = (), only: Framing | None = None) -> Framed:
        """The framing of ``value``, which must be ``only`` this one if one is named.

        Raises:
            UnreadableError: it has none, or its schema is not known.
            UnavailableError: the registry does not answer.
        """
        is_single = only is Framing.SINGLE_OBJECT
        key, start = _framing(value, () if is_single else headers)
        if only is not None and isinstance(key, bytes) != is_single:
            raise UnreadableError(f"its framing is not {only}")
        if key not in self._known:
            self._known[key] = None if isinstance(key, bytes) else self._ask(key)
        documents = self._known[key]
        if documents is None:
            raise UnreadableError(f"no schema with {_named(key)} is known", certain=False)
        return Framed(key, documents, start)

    def _remember(self, path: Path) -> None:
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
            canonical = fastavro.schema.to_parsing_canonical_form(schema)
            # fastavro gives the fingerprint as the specification sends it, the low byte first.
            fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        except OSError as exc:
            raise UnavailableError(f"the schema {path} cannot be read: {exc.strerror}") from exc
        except Exception:  # noqa: BLE001 - a file that is no schema: whoever needs it is told
            return
        self._known[fingerprint] = [schema]

    def _ask(self, key: int | str) -> Sequence[Any] | None:
        registry = self._registry
        if not registry.url:
            raise UnavailableError(
                "values carry a registry's schema id and registry.url is not set; set it"
            )
        place = f"/schemas/ids/{key}" if isinstance(key, int) else f"/schemas/guids/{key}"
        try:
            with _client(registry) as client:
                answer = _get(client, registry, place)
                return None if answer is None else _with_references(client, registry, answer)
        except _NO_USABLE_ANSWER as exc:
            status = (
                f" {exc.response.status_code}" if isinstance(exc, httpx.HTTPStatusError) else ""
            )
            raise UnavailableError(
                f"the schema with {_named(key)} cannot be had from "
                f"{_CREDENTIALS.sub('//', registry.url)} ({type(exc).__name__}{status}); see that "
                "it runs, and check registry.url and the other registry settings"
            ) from exc


def _framing(value: bytes, headers: Headers) -> tuple[int | str | bytes, int]:
    """The schema's key, an id, a GUID or a fingerprint, and where the Avro bytes begin."""
    if not value:
        raise UnreadableError("its value is empty, with neither framing nor an event")
    for name, content in headers:
        if name == _HEADER and content is not None:
            if content[:1] == b"\x01" and len(content) == 17:
                return str(uuid.UUID(bytes=content[1:])), 0
            if content[:1] == b"\x00" and len(content) == 5:
                return int.from_bytes(content[1:], "big"), 0
            raise UnreadableError(f"its header {_HEADER} is neither an id nor a GUID")
    if value[:2] == b"\xc3\x01" and len(value) > 10:
        return value[2:10], 10
    if value[:1] == b"\x00" and len(value) > 5:
        return int.from_bytes(value[1:5], "big"), 5
    raise UnreadableError("neither Confluent's framing nor single-object encoding")


def _named(key: int | str | bytes) -> str:
    if isinstance(key, bytes):
        return f"fingerprint {key.hex()}"
    return f"id {key}" if isinstance(key, int) else f"GUID {key}"


def _client(registry: RegistrySettings) -> httpx.Client:
    password = registry.password.get_secret_value() if registry.password else ""
    if registry.password_file is not None:
        password = registry.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    return httpx.Client(
        timeout=registry.timeout_s,
        verify=str(registry.ssl_ca_file) if registry.ssl_ca_file else True,
        auth=(registry.username, password) if registry.username else None,
    )


def _get(client: httpx.Client, registry: RegistrySettings, place: str) -> Any:
    """An answer of the first address, of several with commas between, that has one."""
    urls = [url.strip().rstrip("/") for url in registry.url.split(",") if url.strip()]
    for url in urls[:-1]:
        try:
            return _get_from(client, url + place)
        except _NO_USABLE_ANSWER:
            continue
    return _get_from(client, urls[-1] + place)


def _get_from(client: httpx.Client, url: str) -> Any:
    answer = client.get(url)
    never = answer.status_code in _NEVER_STATUSES
    return None if never else answer.raise_for_status().json()


def _with_references(client: httpx.Client, registry: RegistrySettings, answer: Any) -> list[Any]:
    """The documents of a registry's answer, each after those that it refers to."""
    documents: list[Any] = []
    asked: set[str] = set()

    def collect(answer: Any) -> None:
        for used in answer.get("references") or ():
            place = f"/subjects/{used['subject']}/versions/{used['version']}"
            if place in asked or len(asked) >= _MOST_REFERENCES:
                continue
            asked.add(place)
            found = _get(client, registry, place)
            if found is not None:
                collect(found)
        documents.append(_document(answer["schema"]))

    collect(answer)
    return documents


def _document(text: str) -> Any:
    """The JSON of a schema; ``None``, which is no schema, where there is none or it is too deep."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return None
