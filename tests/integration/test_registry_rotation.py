"""Laws of a registry's password and authority that are replaced while a worker runs."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_client import RegistryClient
from stream_app.core.avro.store import WriterSchema
from stream_app.errors import RetriableError
from stream_app.settings import RegistrySettings
from tests.avro_kit import CountedTelemetry, event_schema
from tests.fake_registry import FakeRegistry, fake_registry, found
from tests.security.certificates import Authority

TEXT = event_schema({"name": "f", "type": "double"})
SCHEMA = WriterSchema(TEXT)


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        registry.answers = {f"GET /schemas/ids/{key}": found(TEXT) for key in range(1, 9)}
        registry.login = ("worker", "canary-old")
        yield registry


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("canary-old\n", "utf-8")
    return path


@pytest.fixture
def registry(server: FakeRegistry, password_file: Path) -> Registry:
    settings = RegistrySettings(url=server.url, username="worker", password_file=password_file)
    return Registry(settings, CountedTelemetry())


def test_a_password_that_is_replaced_is_in_use_at_the_next_question(
    server: FakeRegistry, password_file: Path, registry: Registry
) -> None:
    assert registry.by_id(1) == SCHEMA
    server.login = ("worker", "canary-new")
    with pytest.raises(RetriableError, match=r"401; check registry\.username"):
        registry.by_id(2)
    with capture_logs() as logged:
        password_file.write_text("canary-new\n", "utf-8")
        assert registry.by_id(2) == SCHEMA
        assert registry.by_id(3) == SCHEMA
    assert [line["event"] for line in logged] == ["registry_credentials_taken"]
    assert "canary" not in repr(logged)


@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_a_file_that_is_gone_or_half_written_leaves_the_old_password_in_use(
    server: FakeRegistry, password_file: Path, registry: Registry, content: bytes | None
) -> None:
    if content is None:
        password_file.unlink()
    else:
        password_file.write_bytes(content)
    with capture_logs() as logged:
        assert registry.by_id(1) == SCHEMA
        assert registry.by_id(2) == SCHEMA
    assert [line["event"] for line in logged] == ["registry_credentials_refused"], "told once"
    assert str(password_file) in logged[0]["reason"]
    server.login = ("worker", "canary-new")
    password_file.write_text("canary-new", "utf-8")
    assert registry.by_id(3) == SCHEMA


def test_files_that_stay_the_same_keep_the_client(
    server: FakeRegistry, password_file: Path
) -> None:
    client = RegistryClient(RegistrySettings(url=server.url, password_file=password_file))
    first = client.now()
    password_file.write_text("canary-old\n", "utf-8")
    assert client.now() is first


class _Schemas(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = found(TEXT).body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def https_registry(authority: Authority) -> Iterator[tuple[str, ssl.SSLContext]]:
    """A registry whose certificate ``authority`` signed; its context takes another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("registry").both)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Schemas) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}", context
        finally:
            server.shutdown()
            thread.join()


def test_an_authority_that_is_replaced_is_trusted_at_the_next_question(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(old.certificate.read_bytes())
    with https_registry(old) as (url, context):
        settings = RegistrySettings(url=url, ssl_ca_file=trusted)
        registry = Registry(settings, CountedTelemetry())
        assert registry.by_id(1) == SCHEMA
        context.load_cert_chain(new.issue("registry").both)
        with pytest.raises(RetriableError, match="ConnectError"):
            registry.by_id(2)
        trusted.write_bytes(new.certificate.read_bytes()[:200])
        with capture_logs() as logged, pytest.raises(RetriableError):
            registry.by_id(2)
        assert [line["event"] for line in logged] == ["registry_credentials_refused"]
        trusted.write_bytes(new.certificate.read_bytes())
        assert registry.by_id(2) == SCHEMA
