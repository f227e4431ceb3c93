"""A schema registry on loopback that says what it is told to: also what no good one would."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from stream_app.adapters.local_kafka import free_port
from stream_app.errors import StreamAppError


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a request.

    Attributes:
        status: HTTP status.
        body: Sent as it is.
        headers: Beside the length, which is left out where ``chunks`` is not 1.
        chunks: How many times the body is sent.
        pause_s: Before each of them.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: int = 1
    pause_s: float = 0.0


def found(schema: str, **more: Any) -> Answer:
    """As Confluent's registry answers for a schema."""
    return Answer(body=json.dumps({"schema": schema} | more).encode())


def refused(status: int, code: int, message: str = "no") -> Answer:
    """As Confluent's registry refuses."""
    return Answer(status, json.dumps({"error_code": code, "message": message}).encode())


NOT_FOUND = refused(404, 40403, "Schema not found")


class FakeRegistry:
    """Answers by "METHOD path"; whatever is not listed is a schema that is not there.

    Attributes:
        login: User and password to ask for; whoever has others gets 401.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.login: tuple[str, str] | None = None
        self.stopped = threading.Event()

    def answer(self, method: str, path: str) -> Answer:
        request = f"{method} {path.partition('?')[0]}"
        self.requests.append(request)
        return self.answers.get(request, NOT_FOUND)


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """A registry until the block ends."""
    port = free_port()
    registry = FakeRegistry(f"http://127.0.0.1:{port}")

    class Handler(_Handler):
        fake = registry

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        registry.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[FakeRegistry]

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = self.fake.answer(self.command, self.path)
        if self.fake.login is not None:
            wanted = b64encode(":".join(self.fake.login).encode()).decode()
            if self.headers.get("authorization") != f"Basic {wanted}":
                answer = refused(401, 40101)
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunks == 1:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            for _ in range(answer.chunks):
                self.fake.stopped.wait(answer.pause_s)
                self.wfile.write(answer.body)
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client had enough, as some tests want

    do_GET = do_POST = do_PUT = _answer  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def refused_port_url() -> str:
    """An address at which nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


def timed(call: Any) -> tuple[Any, float]:
    """What ``call`` answers or raises, and how long that took."""
    start_s = time.monotonic()
    try:
        outcome = call()
    except StreamAppError as exc:
        outcome = exc
    return outcome, time.monotonic() - start_s
