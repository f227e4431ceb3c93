"""A receiver of alerts that fails as it is told to, and remembers what it took."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """Requests so far.

    Attributes:
        url: Where to post.
        refuse: So many requests more are refused, each in another way.
        taken: Bodies that were answered 200, by their idempotency key, with how often.
        refused: How many were not.
        tokens: All ``Authorization`` headers.
    """

    url: str = ""
    refuse: int = 0
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refused: int = 0
    tokens: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def webhook_server(refuse: int = 0) -> Iterator[Received]:
    """Listens on this machine until the block ends."""
    received = Received(refuse=refuse)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with received.lock:
                received.tokens.add(self.headers.get("Authorization", ""))
                if received.refuse:
                    received.refuse -= 1
                    received.refused += 1
                    way = received.refused % 3
                else:
                    way = 3
                    received.taken.setdefault(self.headers["Idempotency-Key"], []).append(body)
            if way == 0:
                self.close_connection = True
                return
            self.send_response({1: 503, 2: 302, 3: 200}[way])
            self.send_header("Content-Length", "0")
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:  # likewise
            """Where a redirect leads; nobody should follow it."""
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
