"""Questions to a schema registry: the one place that knows what confluent_kafka answers.

Decides what an answer means: found, not there, or "the registry cannot be asked now", which is
never a record's fault. Refuses to know what is done about it. Answers are not followed elsewhere
(redirects), not unpacked, and not read beyond a bound of size and time.
"""

from collections.abc import Callable
from operator import methodcaller
from typing import Any, Final

from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryError,
)

from stream_app.adapters.avro.registry_client import RegistryClient, shown
from stream_app.core.avro.store import WriterSchema
from stream_app.core.metrics import REGISTRY_REQUESTS
from stream_app.errors import RetriableError
from stream_app.ports import Telemetry
from stream_app.settings import RegistrySettings

MAX_REFERENCES: Final = 64
_NORMALIZE: Final = True
"""Two texts that differ in layout alone are one schema."""
_NOT_FOUND: Final = 404
_NOT_FOUND_CODES: Final = frozenset({40401, 40402, 40403})
"""Subject, version, schema: a registry's own 404s; any other 404 is a wrong address."""
_NO_LEVEL_CODES: Final = frozenset({40401, 40408})
_NEVER_STATUSES: Final = frozenset({400, 410, 422})
"""The registry understood, and will never say more about this key."""


class Registry:
    """A Confluent-compatible schema registry. Every call blocks for about ``timeout_s`` at most."""

    def __init__(self, settings: RegistrySettings, telemetry: Telemetry) -> None:
        """Make a client; nothing is asked yet.

        Raises:
            ConfigError: no client can be made with these settings.
        """
        self._where = f"schema registry {shown(settings.url)}"
        self._telemetry = telemetry
        self._client = RegistryClient(settings)

    def by_id(self, schema_id: int) -> WriterSchema | None:
        """The schema of this id; ``None``: the registry has none."""
        found = self._ask(methodcaller("get_schema", schema_id), _is_absent)
        return None if found is None else self._with_references(found)

    def by_guid(self, guid: str) -> WriterSchema | None:
        """The schema of this GUID; ``None``: the registry has none, or knows no GUIDs."""
        found = self._ask(methodcaller("get_schema_by_guid", guid), _is_absent_or_unserved)
        return None if found is None else self._with_references(found)

    def latest(self, subject: str) -> WriterSchema | None:
        """The newest version of ``subject``; ``None``: there is no such subject."""
        # The client caches this answer, and would go on giving it after a newer registration.
        self.forget()
        found = self._ask(methodcaller("get_latest_version", subject), _is_absent)
        return None if found is None else self._with_references(found.schema)

    def subjects_of_id(self, schema_id: int) -> frozenset[str]:
        """The subjects that have the schema of this id."""
        versions = self._ask(methodcaller("get_schema_versions", schema_id), _is_absent)
        return frozenset(str(version.subject) for version in versions or ())

    def id_in_subject(self, subject: str, text: str) -> int | None:
        """The id of the schema ``text`` as a version of ``subject``; ``None``: it is none."""
        found = self._ask(
            methodcaller("lookup_schema", subject, Schema(text, "AVRO"), _NORMALIZE),
            _is_absent,
        )
        return None if found is None else int(found.schema_id)

    def compatibility(self, subject: str) -> str | None:
        """The level set for ``subject`` itself; ``None``: none is."""
        level = self._ask(methodcaller("get_compatibility", subject), _is_no_level)
        return None if level is None else str(level)

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the level of ``subject``."""
        self._ask(methodcaller("set_compatibility", subject, level), _is_never)

    def register(self, subject: str, text: str) -> int | None:
        """Make the schema ``text`` the next version of ``subject`` and say its id.

        Returns:
            ``None``: the registry says that it is no schema, or not compatible.
        """
        registered = self._ask(
            methodcaller("register_schema", subject, Schema(text, "AVRO"), _NORMALIZE),
            _is_refusal,
        )
        return None if registered is None else int(registered)

    def forget(self) -> None:
        """Empty the client's own cache, which has no bound."""
        self._client.now().clear_caches()

    def _with_references(self, schema: Any) -> WriterSchema:
        texts: dict[tuple[str, int], str] = {}
        self._collect(schema, texts, ())
        return WriterSchema(str(schema.schema_str), tuple(texts.values()))

    def _collect(
        self, schema: Any, texts: dict[tuple[str, int], str], open_: tuple[tuple[str, int], ...]
    ) -> None:
        """Put the texts of all references into ``texts``, each after those that it uses."""
        for reference in schema.references or ():
            key = (str(reference.subject), int(reference.version))
            if key in texts or key in open_ or len(texts) + len(open_) >= MAX_REFERENCES:
                continue  # what is missing then is an unknown name, which rejects the schema
            subject, version = key
            found = self._ask(methodcaller("get_version", subject, version), _is_absent)
            if found is not None:
                self._collect(found.schema, texts, (*open_, key))
                texts[key] = str(found.schema.schema_str)

    def _ask(self, call: Callable[[Any], Any], none_if: Callable[[int, int], bool]) -> Any:
        """What the client of today answers; ``None`` where ``none_if(HTTP status, its code)``."""
        try:
            answer = call(self._client.now())
        except SchemaRegistryError as exc:
            if none_if(exc.http_status_code, exc.error_code):
                self._telemetry.count(REGISTRY_REQUESTS, 1, "not_found")
                return None
            self._telemetry.count(REGISTRY_REQUESTS, 1, "refused")
            raise RetriableError(
                f"{self._where}: HTTP {exc.http_status_code}; {_remedy(exc.http_status_code)}"
            ) from exc
        except Exception as exc:  # the client passes on whatever HTTP and JSON raise
            self._telemetry.count(REGISTRY_REQUESTS, 1, "unreachable")
            raise RetriableError(
                f"{self._where}: no usable answer ({type(exc).__name__}); see that it runs and "
                "that registry.url leads to it"
            ) from exc
        self._telemetry.count(REGISTRY_REQUESTS, 1, "found")
        return answer


def _is_absent(status: int, code: int) -> bool:
    return (status == _NOT_FOUND and code in _NOT_FOUND_CODES) or status in _NEVER_STATUSES


def _is_absent_or_unserved(status: int, code: int) -> bool:
    """Also where no GUIDs are served: any producer can write that header, and none may stop us."""
    return status == _NOT_FOUND or _is_absent(status, code)


def _is_no_level(status: int, code: int) -> bool:
    return status == _NOT_FOUND and code in _NO_LEVEL_CODES


def _is_refusal(status: int, code: int) -> bool:
    del code
    return status in {409, 422}


def _is_never(status: int, code: int) -> bool:
    del status, code
    return False


def _remedy(status: int) -> str:
    if status in {401, 403}:
        return "check registry.username and registry.password, and their rights"
    if 300 <= status < 400:
        return "redirects are not followed: set registry.url to where it leads"
    if status == _NOT_FOUND:
        return "no registry answers under this path; check registry.url"
    return "it is tried again"
