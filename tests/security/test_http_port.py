"""The operations port under attack: who reaches it, what it gives away, and what it survives."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from stream_app.adapters.process.http_server import HttpServer
from stream_app.settings import Settings
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, Workers, car_loan_job

_LISTENING = "0A"
_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


class Fine:
    """All is well."""

    def live(self) -> tuple[bool, list[str]]:
        return True, []

    def ready(self) -> tuple[bool, list[str]]:
        return True, []


@pytest.fixture
def server() -> Iterator[HttpServer]:
    fine = Fine()
    with HttpServer("127.0.0.1", 0, fine, lambda: b"# HELP\n", connection_limit_s=3.0) as running:
        yield running


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def answer(server: HttpServer, request: bytes) -> bytes:
    """All that comes back until the port closes the connection."""
    received = b""
    with connect(server) as client, suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(request)
        while chunk := client.recv(65536):
            received += chunk
    return received


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def probe(server: HttpServer) -> bool:
    return answer(server, _GET).startswith(b"HTTP/1.1 200")


def listening(worker: Worker) -> list[str]:
    """Local addresses on which the process listens, as the kernel says (IPv4 and IPv6)."""
    descriptors = Path(f"/proc/{worker.pid}/fd").iterdir()
    own = {str(each.readlink()) for each in descriptors if each.is_symlink()}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{worker.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in own:
                found.append(fields[1].partition(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("told", "bound"), [("", "0100007F"), ("0.0.0.0", "00000000")])
def test_a_worker_listens_on_loopback_alone_unless_it_is_told(
    kafka: RealKafka, tmp_path: Path, told: str, bound: str
) -> None:
    assert Settings().http.host == "127.0.0.1"
    more = {"http__host": told} if told else {}
    job = car_loan_job(kafka, tmp_path, **more)  # type: ignore[arg-type]  # settings are text
    with Workers(job) as workers:
        worker = workers.start()
        worker.wait_for("http")
        assert listening(worker) == [bound]


@pytest.mark.parametrize(
    "path", ["/settings", "/config", "/env", "/debug/pprof", "/v1/config", "/metrics/../settings"]
)
def test_no_path_shows_settings(server: HttpServer, path: str) -> None:
    assert answer(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).startswith(
        (b"HTTP/1.1 404", b"HTTP/1.1 400")
    )


def test_a_second_request_on_a_connection_is_not_answered(server: HttpServer) -> None:
    received = answer(server, _GET + b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in received


def test_a_request_hidden_in_a_body_is_not_answered(server: HttpServer) -> None:
    smuggled = (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n"
        b"\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    received = answer(server, smuggled)
    assert received.count(b"HTTP/1.") <= 1
    assert b"# HELP" not in received
    assert probe(server)


def test_probes_are_answered_beside_a_crowd_that_sends_a_byte_now_and_then(
    server: HttpServer,
) -> None:
    stop = threading.Event()

    def dawdle(seed: int) -> int:
        """Connects, sends a byte at a time, and starts again when it is cut off."""
        chance, connections = random.Random(seed), 0
        while not stop.is_set():
            with suppress(OSError), connect(server) as client:
                connections += 1
                for byte in b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 10_000:
                    client.sendall(bytes([byte]))
                    if stop.wait(chance.uniform(0.01, 0.05)):
                        break
        return connections

    with ThreadPoolExecutor(40) as pool:
        crowd = [pool.submit(dawdle, seed) for seed in range(40)]
        try:
            begun_s = time.monotonic()
            answered = [probe(server) for _ in range(30)]
            # Longer than a connection may live: the crowd was cut off, and came again.
            while time.monotonic() - begun_s < 4.0:
                answered.append(probe(server))
        finally:
            stop.set()
        connections = sum(each.result(60) for each in crowd)
    assert all(answered)
    assert connections > 40, "nobody was cut off for being slow"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_ten_thousand_connections_leave_nothing_behind(server: HttpServer) -> None:
    descriptors, threads = open_files(), threading.active_count()
    for number in range(10_000):
        with connect(server) as client:
            if number % 100 == 0:
                client.sendall(_GET[: number % 37])
    assert probe(server)
    deadline_s = time.monotonic() + 30
    while open_files() > descriptors + 2 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert open_files() <= descriptors + 2
    assert threading.active_count() <= threads + 1


@pytest.mark.parametrize("seed", range(5))
def test_bytes_at_random_are_never_answered_with_success(server: HttpServer, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        length = chance.choice([1, 7, 100, 5_000])
        garbage = chance.randbytes(length) + b"\r\n\r\n"
        head = chance.choice([b"", b"GET ", b"GET /livez ", b"GET /livez HTTP/1.1\r\n"])
        received = answer(server, head + garbage)
        assert received == b"" or received.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4")), received
    assert probe(server)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"
        + b"z" * 10_000_000,
        b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET http://elsewhere.example/livez\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["negative", "two lengths", "endless", "10 MB", "version", "nul", "http2"],
)
def test_requests_that_are_not_as_they_must_be_are_refused(
    server: HttpServer, request_bytes: bytes
) -> None:
    received = answer(server, request_bytes)
    assert received == b"" or received.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4")), received
    assert probe(server)
