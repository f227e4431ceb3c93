"""An OAuth token endpoint on loopback that signs tokens, and can be broken in the usual ways.

Decides what it answers to a client's request for a token (client credentials grant). The broker
knows its public key from a file.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from stream_app.adapters.local_kafka import free_port

ISSUER, AUDIENCE, KEY_ID = "https://tokens.test", "kafka", "key-1"
CLIENT_ID, SCOPE = "worker", "kafka-scope"

Mood = Literal["good", "unauthorized", "broken", "wrong key", "slow", "no token"]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class TokenServer:
    """What the endpoint answers; a test changes it at any time.

    Attributes:
        mood: How it answers.
        secret: The client's, as the server knows it.
        lifetime_s: Of a token.
        given: Tokens given out so far.
        asked: Requests so far.
    """

    mood: Mood = "good"
    secret: str = "canary-oauth-secret"  # a canary
    lifetime_s: float = 3600.0
    given: int = 0
    asked: int = 0
    slow_s: float = 15.0
    port: int = field(default_factory=free_port)
    _key: rsa.RSAPrivateKey = field(init=False)
    _other_key: rsa.RSAPrivateKey = field(init=False)
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self._other_key = rsa.generate_private_key(65537, 2048)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    def write_keys(self, path: Path) -> None:
        """The public key, as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": _b64(numbers.n.to_bytes(256, "big")),
            "e": _b64(numbers.e.to_bytes(3, "big")),
        }
        path.write_text(json.dumps({"keys": [key]}), "utf-8")

    def token(self) -> str:
        now_s = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": CLIENT_ID,
            "scope": SCOPE,
            "iat": now_s,
            "exp": now_s + int(self.lifetime_s),
            "jti": f"token-{self.given}",
        }
        head = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
        signed = ".".join(_b64(json.dumps(part).encode()) for part in (head, claims))
        key = self._other_key if self.mood == "wrong key" else self._key
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_b64(signature)}"

    def start(self) -> None:
        """Listen; does nothing when it does."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), _Handler)
            self._server.tokens = self
            threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def reset(self) -> None:
        """As a test finds it."""
        self.mood, self.lifetime_s, self.secret = "good", 3600.0, "canary-oauth-secret"
        self.start()


class _Server(ThreadingHTTPServer):
    tokens: TokenServer
    allow_reuse_address = True
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:  # the library's name
        tokens = self.server.tokens
        tokens.asked += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        basic = base64.b64encode(f"{CLIENT_ID}:{tokens.secret}".encode()).decode()
        if tokens.mood == "slow":
            time.sleep(tokens.slow_s)
        if tokens.mood == "broken":
            self._answer(500, {"error": "server_error"})
        elif tokens.mood == "unauthorized" or self.headers["Authorization"] != f"Basic {basic}":
            self._answer(401, {"error": "invalid_client"})
        elif tokens.mood == "no token":
            self._answer(200, {"token_type": "Bearer"})
        else:
            tokens.given += 1
            self._answer(200, {"access_token": tokens.token(), "token_type": "Bearer"})

    def _answer(self, status: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Nothing on standard error."""


@contextmanager
def token_server() -> Iterator[TokenServer]:
    """One that listens, until the block ends."""
    server = TokenServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
