"""The operations port over real sockets, polite clients and others."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from stream_app.adapters.process.http_server import HttpServer
from stream_app.errors import ConfigError


@dataclass
class Views:
    """What the port is told; a test changes it."""

    live_reasons: list[str] = field(default_factory=list)
    ready_reasons: list[str] = field(default_factory=list)
    metrics: Callable[[], bytes] = lambda: b"# HELP a b\n"

    def live(self) -> tuple[bool, list[str]]:
        return not self.live_reasons, self.live_reasons

    def ready(self) -> tuple[bool, list[str]]:
        return not self.ready_reasons, self.ready_reasons

    def render(self) -> bytes:
        return self.metrics()


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.fixture
def server(views: Views) -> Iterator[HttpServer]:
    with HttpServer(
        "127.0.0.1", 0, views, views.render, connection_limit_s=1.0, max_connections=8
    ) as running:
        yield running


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def until_closed(client: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionResetError):  # how a connection that is cut off ends
        while chunk := client.recv(65536):
            received += chunk
    return received


def ask(
    server: HttpServer, path: str, method: str = "GET", more: bytes = b""
) -> tuple[int, str, bytes]:
    """Status, head and body of one answer, after which the connection is closed."""
    with connect(server) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode() + (more or b"\r\n"))
        head, _, body = until_closed(client).partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    return int(head.split()[1]), head.decode(), body


def test_metrics_are_what_was_rendered(server: HttpServer, views: Views) -> None:
    status, head, body = ask(server, "/metrics")
    assert (status, body) == (200, b"# HELP a b\n")
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    views.metrics = lambda: b"x" * 5_000_000
    assert len(ask(server, "/metrics")[2]) == 5_000_000


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_answers_yes_or_no_with_reasons(
    server: HttpServer, views: Views, path: str
) -> None:
    status, _, body = ask(server, path)
    assert (status, json.loads(body)) == (200, {"status": "ok", "reasons": []})
    views.live_reasons = views.ready_reasons = ["for a reason"]
    status, _, body = ask(server, path)
    assert status == 503
    assert json.loads(body) == {"status": "unavailable", "reasons": ["for a reason"]}


def test_live_and_ready_are_two_questions(server: HttpServer, views: Views) -> None:
    views.ready_reasons = ["warming up"]
    assert (ask(server, "/livez")[0], ask(server, "/readyz")[0]) == (200, 503)


def test_the_index_names_the_paths_and_all_else_is_absent(server: HttpServer) -> None:
    assert b"/readyz" in ask(server, "/")[2]
    for path in ("/metrics/", "/../etc/passwd", "/livez%2f", "/settings"):
        assert ask(server, path)[0] == 404
    assert ask(server, "/livez?verbose=1")[0] == 200


def test_documents_are_json_and_named_in_the_index(views: Views) -> None:
    documents = {"/drift": lambda: {"streams": [1, 2]}}
    with HttpServer("127.0.0.1", 0, views, views.render, documents=documents) as server:
        status, head, body = ask(server, "/drift")
        assert (status, json.loads(body)) == (200, {"streams": [1, 2]})
        assert "application/json" in head
        assert b"/drift" in ask(server, "/")[2]
        assert ask(server, "/drif")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_only_get_is_answered(server: HttpServer, method: str) -> None:
    status, head, _ = ask(server, "/readyz", method)
    assert status == 405
    assert "Allow: GET" in head


def test_a_body_is_refused(server: HttpServer) -> None:
    assert ask(server, "/metrics", more=b"Content-Length: 5\r\n\r\nhello")[0] == 413
    assert ask(server, "/metrics", more=b"Content-Length: 99999999999\r\n\r\n")[0] == 413
    chunked = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert ask(server, "/metrics", more=chunked)[0] == 413


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(10_000)) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\r\n\r\nnonsense\r\n\r\n",
    ],
    ids=["path", "header", "headers", "tls", "nonsense"],
)
def test_oversized_and_malformed_requests_are_refused_and_harm_nobody(
    server: HttpServer, head: bytes
) -> None:
    with connect(server) as client:
        client.sendall(head)
        answer = until_closed(client)
    assert answer == b"" or answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert ask(server, "/livez")[0] == 200


def test_a_client_that_writes_slowly_is_cut_off(server: HttpServer) -> None:
    started = time.monotonic()
    with connect(server) as client:
        client.settimeout(0.05)
        client.sendall(b"GET /metrics HTTP/1.1\r\n")
        closed = False
        while not closed and time.monotonic() < started + 10:
            try:
                client.sendall(b"X: y\r\n")
                closed = client.recv(1) == b""
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                closed = True
    assert closed
    assert 0.5 < time.monotonic() - started < 5


def test_a_client_that_says_nothing_or_reads_nothing_is_cut_off(
    server: HttpServer, views: Views
) -> None:
    views.metrics = lambda: b"x" * 50_000_000  # more than the sockets' buffers hold
    with connect(server) as silent, connect(server) as deaf:
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert silent.recv(1) == b""
        assert len(until_closed(deaf)) < 50_000_000
    assert ask(server, "/livez")[0] == 200


def test_a_crowd_of_silent_clients_does_not_shut_a_probe_out(views: Views) -> None:
    with HttpServer(
        "127.0.0.1", 0, views, views.render, connection_limit_s=60, max_connections=8
    ) as server:
        crowd = [connect(server) for _ in range(100)]
        try:
            assert ask(server, "/readyz")[0] == 200
            assert [until_closed(client) for client in crowd[:92]] == [b""] * 92
            crowd[99].sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert until_closed(crowd[99]).startswith(b"HTTP/1.1 200"), "the newest stayed"
        finally:
            for client in crowd:
                client.close()


def test_a_request_in_small_pieces_is_answered(server: HttpServer) -> None:
    with connect(server) as client:
        for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n":
            client.sendall(bytes([byte]))
        assert until_closed(client).startswith(b"HTTP/1.1 200")


def test_a_fault_in_a_view_is_an_error_answer_and_the_port_lives_on(
    server: HttpServer, views: Views
) -> None:
    def broken() -> bytes:
        raise OSError("no room for secrets")

    views.metrics = broken
    status, _, body = ask(server, "/metrics")
    assert status == 500
    assert b"secrets" not in body
    assert ask(server, "/livez")[0] == 200


def test_a_port_in_use_is_a_configuration_error_that_names_the_setting(
    server: HttpServer, views: Views
) -> None:
    with pytest.raises(ConfigError, match=r"http\.port"):
        HttpServer("127.0.0.1", server.port, views, views.render)


def test_an_address_of_another_machine_is_a_configuration_error(views: Views) -> None:
    with pytest.raises(ConfigError, match=r"http\.host"):
        HttpServer("192.0.2.1", 0, views, views.render)


def test_close_frees_the_port_and_may_be_called_twice(views: Views) -> None:
    server = HttpServer("127.0.0.1", 0, views, views.render)
    port = server.port
    with connect(server) as idle:
        server.close()
        assert until_closed(idle) == b""
    server.close()
    with HttpServer("127.0.0.1", port, views, views.render) as again:
        assert ask(again, "/livez")[0] == 200
