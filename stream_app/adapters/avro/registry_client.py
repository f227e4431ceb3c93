"""The library's client of a schema registry, made with the files of today.

Decides when it is made anew: a password or an authority that is rotated must be in use at the next
question, for the old one is refused from then on. Files that are half written, empty or gone
leave the client that there is. Refuses to ask anything.
"""

import re
from pathlib import Path
from typing import Any, Final

import structlog
from confluent_kafka.schema_registry import SchemaRegistryClient

from stream_app.adapters.avro.registry_limits import bound_answers
from stream_app.errors import ConfigError
from stream_app.settings import RegistrySettings

log = structlog.get_logger(__name__)

_CREDENTIALS: Final = re.compile(r"//[^/,]*@")

_Contents = tuple[bytes | None, ...]


class RegistryClient:
    """Holds the client; questions come one at a time, on one thread."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Make it; nothing is asked yet.

        Raises:
            ConfigError: none can be made with these settings.
        """
        self._settings = settings
        self._refused: _Contents = ()
        self._in_use = self._contents()
        self._client = _new_client(settings)

    def now(self) -> Any:
        """The client, anew if a file's content has changed since it was made."""
        contents = self._contents()
        if contents not in (self._in_use, self._refused):
            self._renew(contents)
        return self._client

    def _renew(self, contents: _Contents) -> None:
        try:
            for path, content in zip(_files(self._settings), contents, strict=True):
                if not (content or b"").strip():
                    raise ConfigError(f"{path} is empty or cannot be read; write it again")
            fresh = _new_client(self._settings)
        except ConfigError as exc:
            self._refused = contents
            action = "the old ones stay in use"
            log.warning("registry_credentials_refused", reason=str(exc), action=action)
            return
        self._client.close()
        self._client, self._in_use, self._refused = fresh, contents, ()
        log.info("registry_credentials_taken", action="the registry's client is made anew")

    def _contents(self) -> _Contents:
        return tuple(_content(path) for path in _files(self._settings))


def shown(urls: str) -> str:
    """The addresses without the credentials that may stand in them."""
    return _CREDENTIALS.sub("//", urls)


def _files(settings: RegistrySettings) -> list[Path]:
    return [path for path in (settings.password_file, settings.ssl_ca_file) if path is not None]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _new_client(settings: RegistrySettings) -> Any:
    try:
        client = SchemaRegistryClient(_properties(settings))
    except (ValueError, TypeError, OSError) as exc:
        reason = str(exc).replace(settings.url, shown(settings.url))
        raise ConfigError(
            f"expected a usable schema registry, found {type(exc).__name__}: {reason}; correct "
            "registry.url and the other registry settings"
        ) from exc
    bound_answers(client, settings.timeout_s)
    return client


def _properties(settings: RegistrySettings) -> dict[str, Any]:
    if not settings.url:
        raise ConfigError("expected a schema registry, found no registry.url; set it")
    properties: dict[str, Any] = {
        "url": settings.url,
        "timeout": settings.timeout_s,
        "max.retries": 0,  # the loop tries again, and keeps its group alive meanwhile
    }
    password = settings.password.get_secret_value() if settings.password else ""
    if settings.password_file is not None:
        try:
            password = settings.password_file.read_text().strip()
        except OSError as exc:
            raise ConfigError(
                f"expected the registry's password in {settings.password_file}, found "
                f"{exc.strerror}; correct registry.password_file"
            ) from exc
    if settings.username:
        properties["basic.auth.user.info"] = f"{settings.username}:{password}"
    if settings.ssl_ca_file is not None:
        properties["ssl.ca.location"] = str(settings.ssl_ca_file)
    return properties
