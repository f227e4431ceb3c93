"""Laws of what is said when TLS fails: a fault of settings only where the answer shows one."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka.admin import ClientErrors, translate
from stream_app.adapters.kafka.tls_probe import tls_fault
from stream_app.errors import UnavailableError
from stream_app.settings import load_settings
from stream_app.settings_kafka import KafkaSettings

Answer = Callable[[socket.socket], None]
_INTERNAL_ERROR = b"\x15\x03\x01\x00\x02\x02\x50"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as open_:
        yield open_


def serve(listener: socket.socket, answer: Answer) -> KafkaSettings:
    """Give every connection this answer and close it; the settings that lead there."""

    def go() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                answer(connection)

    Thread(target=go, daemon=True).start()
    host, port = listener.getsockname()
    told = {"kafka.bootstrap_servers": f"{host}:{port}", "kafka.security_protocol": "SSL"}
    return load_settings(overrides=told).kafka


def close(connection: socket.socket) -> None:
    """As a balancer whose broker is away."""


def reset(connection: socket.socket) -> None:
    """As one that does not even wait for what it was sent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def take_and_close(connection: socket.socket) -> None:
    connection.recv(65_536)


def stumble(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(_INTERNAL_ERROR)


def plain_kafka(connection: socket.socket) -> None:
    """A broker takes a greeting of TLS for a request of 369 megabytes, and closes."""
    (size,) = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))
    if size < 100_000_000:
        request = connection.recv(size, socket.MSG_WAITALL)
        connection.sendall(struct.pack(">i", 10) + request[4:8] + bytes(6))


def web(connection: socket.socket) -> None:
    connection.recv(4)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("answer", [close, reset, take_and_close, stumble])
def test_who_takes_a_connection_and_drops_it_is_away(
    listener: socket.socket, answer: Answer
) -> None:
    kafka = serve(listener, answer)
    assert tls_fault(kafka) is None
    errors = ClientErrors()
    timed_out = KafkaException(KafkaError(KafkaError._TRANSPORT))
    told = translate("reading the list of topics", timed_out, errors, kafka)
    assert isinstance(told, UnavailableError), told
    assert "no broker answers" in str(told)
    assert "PLAINTEXT" not in str(told)


@pytest.mark.parametrize("answer", [plain_kafka, web])
def test_who_answers_without_tls_is_a_fault_of_the_settings(
    listener: socket.socket, answer: Answer
) -> None:
    told = tls_fault(serve(listener, answer))
    assert told is not None
    assert "does not speak TLS" in told
    assert "kafka.security_protocol is SSL; set it to PLAINTEXT" in told


def test_a_balancer_without_a_broker_does_not_hide_the_next_address(
    listener: socket.socket,
) -> None:
    kafka = serve(listener, close)
    with closing(socket.create_server(("127.0.0.1", 0))) as second:
        other = serve(second, plain_kafka)
        both = f"{kafka.bootstrap_servers},{other.bootstrap_servers}"
        told = tls_fault(kafka.model_copy(update={"bootstrap_servers": both}))
    assert told is not None
    assert told.startswith(other.bootstrap_servers)
