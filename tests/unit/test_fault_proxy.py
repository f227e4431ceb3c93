"""The proxy of the fault bench against a server that echoes frames: each fault, done and not done.

What is tested here is what every test of a network fault rests on.
"""

import gc
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from stream_app.adapters.local_kafka import free_port
from tests.fault.kafka_frames import Api, request, response
from tests.fault.proxy import HOST, Network, nobody_listens
from tests.fault.proxy_rules import (
    BlackHole,
    Cut,
    Delay,
    DropRequest,
    DropResponse,
    Fault,
    Hold,
    Throttle,
)
from tests.worker import until

SOON_S = 10.0
"""For what must happen, on a machine that does much else."""

QUIET_S = 0.15
"""For what must not happen."""


@dataclass
class EchoServer:
    """Answers each request with its own body, in order; keeps what it got and how clients left."""

    got: list[bytes] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        with client:
            try:
                while head := _exactly(client, 4):
                    body = _exactly(client, struct.unpack(">i", head)[0])
                    self.got.append(body)
                    client.sendall(response(struct.unpack_from(">i", body, 4)[0], body))
                self.left.append("closed")
            except OSError:
                self.left.append("reset")


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            return b""
        data += part
    return data


@contextmanager
def listening(server: EchoServer) -> Iterator[int]:
    with socket.socket() as door, ThreadPoolExecutor(8) as pool:
        door.bind((HOST, free_port()))
        door.listen()

        def accept() -> None:
            while True:
                client, _ = door.accept()
                if ended.is_set():
                    client.close()
                    return
                pool.submit(server.serve, client)

        ended = threading.Event()
        accepting = pool.submit(accept)
        try:
            yield door.getsockname()[1]
        finally:
            ended.set()
            socket.create_connection(door.getsockname()).close()
            accepting.result(SOON_S)


@pytest.fixture
def server() -> EchoServer:
    return EchoServer()


@pytest.fixture
def network(server: EchoServer) -> Iterator[Network]:
    with listening(server) as port, Network() as network:
        network.connect(port)
        yield network


class Client:
    """A connection to a door."""

    def __init__(self, network: Network, door: int = 0) -> None:
        self._sock = socket.create_connection((HOST, network.ports[door]), timeout=SOON_S)
        self._number = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, api: Api, body: bytes = b"", client_id: str = "test") -> int:
        """Send a request; its correlation id."""
        self._number += 1
        self.send_raw(request(api, self._number, body, client_id=client_id))
        return self._number

    def send_raw(self, data: bytes) -> None:
        self._sock.sendall(data)

    def answer(self) -> int:
        """The correlation id of the next response; 0 when the server has closed."""
        head = _exactly(self._sock, 4)
        if not head:
            return 0
        return int(struct.unpack_from(">i", _exactly(self._sock, struct.unpack(">i", head)[0]))[0])

    def ask(self, api: Api, body: bytes = b"", client_id: str = "test") -> int:
        """Send, and return which request the next response is for."""
        self.send(api, body, client_id)
        return self.answer()

    def hears_nothing(self) -> bool:
        self._sock.settimeout(QUIET_S)
        try:
            return self._sock.recv(1) == b"never"
        except TimeoutError:
            return True
        finally:
            self._sock.settimeout(SOON_S)

    def end(self) -> None:
        """Half-close: nothing more to say, still listening."""
        self._sock.shutdown(socket.SHUT_WR)


def test_without_rules_everything_passes_unchanged(network: Network, server: EchoServer) -> None:
    with Client(network) as client:
        assert client.ask(Api.METADATA, b"abc") == 1
        assert client.ask(Api.PRODUCE, bytes(3_000_000)) == 2
        assert server.got[0].endswith(b"abc")
        assert len(server.got[1]) == 3_000_000 + 8 + 2 + len("test")
    assert network.requests == {(Api.METADATA, 0): 1, (Api.PRODUCE, 0): 1}


def test_frames_in_pieces_of_one_byte_are_understood(network: Network, server: EchoServer) -> None:
    with Client(network) as client, network.during(DropRequest(api=Api.END_TXN)) as rule:
        both = request(Api.END_TXN, 1) + request(Api.FETCH, 2)
        for byte in both:
            client.send_raw(bytes([byte]))
        assert client.answer() == 2
        assert (rule.fired, len(server.got)) == (1, 1)


def test_a_half_closed_connection_still_gets_its_answers(
    network: Network, server: EchoServer
) -> None:
    with Client(network) as client:
        client.send(Api.FETCH)
        client.send(Api.FETCH)
        client.end()
        assert [client.answer(), client.answer(), client.answer()] == [1, 2, 0]
    until("the server hears of it", lambda: server.left == ["closed"], SOON_S)


@pytest.mark.parametrize("answered", [False, True])
def test_a_cut_resets_the_connection_before_or_after_the_broker_acts(
    network: Network, server: EchoServer, answered: bool
) -> None:
    with Client(network) as client, Client(network) as other:
        rule = network.add(Cut(api=Api.END_TXN, answered=answered))
        assert client.ask(Api.FETCH) == 1
        assert rule.fired == 0
        client.send(Api.END_TXN)
        with pytest.raises(ConnectionResetError):
            client.answer()
        rule.wait_fired(SOON_S)
        assert len(server.got) == 1 + answered
        assert other.ask(Api.END_TXN) == 1, "once only, and only that connection"
        until("the server hears of it", lambda: server.left == ["reset"], SOON_S)


def test_all_connections_can_be_cut_at_once(network: Network) -> None:
    with Client(network) as one, Client(network) as two:
        assert (one.ask(Api.FETCH), two.ask(Api.FETCH)) == (1, 1)
        assert network.connections() == 2
        assert network.cut() == 2
        for client in (one, two):
            with pytest.raises(ConnectionResetError):
                client.answer()
    with Client(network) as client:
        assert client.ask(Api.FETCH) == 1


def test_a_dropped_request_is_not_done_and_the_connection_lives(
    network: Network, server: EchoServer
) -> None:
    with Client(network) as client:
        rule = network.add(DropRequest(api=Api.END_TXN, nth=2, times=2))
        asked = [client.send(Api.END_TXN, bytes(200_000)) for _ in range(4)]
        assert [client.answer(), client.answer()] == [asked[0], asked[3]]
        assert (rule.seen, rule.fired, len(server.got)) == (4, 2, 2)


def test_a_dropped_response_leaves_the_request_done(network: Network, server: EchoServer) -> None:
    with Client(network) as client:
        rule = network.add(DropResponse(api=Api.END_TXN))
        assert client.ask(Api.FETCH) == 1
        client.send(Api.END_TXN, bytes(200_000))
        rule.wait_fired(SOON_S)
        assert len(server.got) == 2
        assert client.hears_nothing()
        assert client.ask(Api.END_TXN) == 3
        assert rule.fired == 1


def test_a_held_request_goes_out_later_though_its_client_is_gone(
    network: Network, server: EchoServer
) -> None:
    rule = network.add(Hold(api=Api.END_TXN, cut=True))
    with Client(network) as client:
        client.send(Api.END_TXN, b"late" * 50_000)
        with pytest.raises(ConnectionResetError):
            client.answer()
        rule.wait_fired(SOON_S)
    with Client(network) as client:
        assert client.ask(Api.END_TXN, b"in time") == 1
    assert [body[-7:] for body in server.got] == [b"in time"]
    (answer,) = network.release(rule)
    assert answer.endswith(b"late" * 50_000)
    assert [body[-4:] for body in server.got] == [b"time", b"late"]
    assert network.release(rule) == []


def test_a_held_request_does_not_disturb_its_connection(
    network: Network, server: EchoServer
) -> None:
    with Client(network) as client, network.during(Hold(api=Api.END_TXN)) as rule:
        client.send(Api.END_TXN)
        rule.wait_fired(SOON_S)
        assert client.ask(Api.END_TXN) == 2
        assert len(server.got) == 1


def test_a_black_hole_keeps_connections_and_lets_nothing_through_until_it_ends(
    network: Network, server: EchoServer
) -> None:
    with Client(network) as client:
        assert client.ask(Api.FETCH) == 1
        rule = network.add(BlackHole())
        client.send(Api.FETCH)
        rule.wait_fired(SOON_S)
        with Client(network) as late:
            late.send(Api.FETCH)
            rule.wait_fired(SOON_S, times=2)
            assert late.hears_nothing()
            assert client.hears_nothing()
            assert len(server.got) == 1
            network.heal()
            assert (late.answer(), client.answer()) == (1, 2)


def test_a_black_hole_can_begin_with_a_request(network: Network, server: EchoServer) -> None:
    with Client(network) as client, Client(network) as other:
        with network.during(BlackHole(api=Api.END_TXN, nth=2)) as rule:
            assert client.ask(Api.END_TXN) == 1
            assert other.ask(Api.FETCH) == 1
            client.send(Api.END_TXN)
            rule.wait_fired(SOON_S)
            other.send(Api.FETCH)
            assert other.hears_nothing()
            assert len(server.got) == 2
        assert (client.answer(), other.answer()) == (2, 2)


def test_a_client_that_gave_up_in_a_black_hole_is_heard_when_it_ends(
    network: Network, server: EchoServer
) -> None:
    with network.during(BlackHole()) as rule:
        with Client(network) as client:
            client.send(Api.END_TXN, b"late")
            rule.wait_fired(SOON_S)
        assert server.got == []
    until("the late request comes through", lambda: len(server.got) == 1, SOON_S)


def test_a_delay_is_at_least_as_long_as_told_and_only_for_its_requests(network: Network) -> None:
    with Client(network) as client:
        rule = network.add(Delay(api=Api.END_TXN, by_s=0.3, jitter_s=0.1))
        begin_s = time.monotonic()
        assert client.ask(Api.END_TXN) == 1
        assert time.monotonic() - begin_s >= 0.2
        assert rule.fired == 1
        assert client.ask(Api.FETCH) == 2
        assert rule.fired == 1


def test_a_delay_of_everything_costs_time_and_not_room(network: Network) -> None:
    with Client(network) as client, network.during(Delay(by_s=0.1)):
        begin_s = time.monotonic()
        asked = []
        for _ in range(100):
            asked.append(client.send(Api.FETCH))
            time.sleep(0.001)  # a frame at a time
        assert [client.answer() for _ in asked] == asked
        took_s = time.monotonic() - begin_s
        assert 0.2 <= took_s < 5, "a hundred requests wait side by side, not one after another"


def test_a_throttle_holds_to_its_rate_and_ends_when_healed(
    network: Network, server: EchoServer
) -> None:
    with Client(network) as client:
        network.add(Throttle(bytes_per_s=20_000))
        begin_s = time.monotonic()
        assert client.ask(Api.PRODUCE, bytes(5_000)) == 1
        assert time.monotonic() - begin_s >= 0.5, "5 kB there and 5 kB back at 20 kB/s"
        client.send(Api.PRODUCE, bytes(300_000))  # half a minute, at that rate
        assert client.hears_nothing()
        network.heal()
        assert client.answer() == 2
        assert len(server.got) == 2


def test_a_rule_may_be_for_one_client_only(network: Network, server: EchoServer) -> None:
    with Client(network) as client:
        rule = network.add(DropRequest(client="stream-app", times=None))
        asked = [client.send(Api.FETCH, client_id=name) for name in ("other", "stream-app-tool")]
        assert client.ask(Api.FETCH, client_id="other") == asked[0]
        assert client.answer() == 3
        assert (rule.fired, len(server.got)) == (1, 2)


def test_a_rule_may_be_for_one_door_only() -> None:
    servers = EchoServer(), EchoServer()
    with listening(servers[0]) as one, listening(servers[1]) as two, Network(2) as network:
        network.connect(one, two)
        with Client(network, 0) as here, Client(network, 1) as there:
            rule = network.add(BlackHole(door=1))
            there.send(Api.FETCH)
            rule.wait_fired(SOON_S)
            assert here.ask(Api.FETCH) == 1
            assert there.hears_nothing()
            assert network.connections(1) == 1
            assert network.cut(1) == 1
            assert here.ask(Api.FETCH) == 2
    assert (len(servers[0].got), len(servers[1].got)) == (2, 0)


def test_a_raw_network_passes_anything_and_refuses_rules_for_requests() -> None:
    with listening(EchoServer()) as port, Network(raw=True) as network:
        network.connect(port)
        with Client(network) as client:
            rule = network.add(BlackHole())
            assert client.send(Api.FETCH) == 1
            rule.wait_fired(SOON_S)
            assert client.hears_nothing()
            network.remove(rule)
            assert client.answer() == 1
        assert network.requests == {}
        faults: list[Fault] = [Cut(), DropResponse(), Hold(), Delay(api=Api.FETCH, by_s=1)]
        for fault in faults:
            with pytest.raises(ValueError, match="a raw network knows none"):
                network.add(fault)


def test_what_is_no_kafka_frame_is_reset(network: Network) -> None:
    with Client(network) as client:
        client.send_raw(b"\x00\x00\x00\x01GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.answer()


def test_a_server_that_is_away_resets_the_connection() -> None:
    with Network(2) as network:
        network.connect(nobody_listens())
        for door in (0, 1):
            with pytest.raises(ConnectionError), Client(network, door) as client:
                client.ask(Api.FETCH)


def test_a_rule_that_never_fires_says_what_it_saw(network: Network) -> None:
    rule = network.add(Cut(api=Api.END_TXN, nth=2))
    with Client(network) as client:
        assert client.ask(Api.END_TXN) == 1
        with pytest.raises(AssertionError, match=r"fired 0 of 1 times, having seen 1 requests"):
            rule.wait_fired(0.01)


def test_closing_leaves_no_thread_no_socket_and_no_warning(server: EchoServer) -> None:
    before = set(threading.enumerate())  # other tests' clusters stand behind such doors too
    with listening(server) as port:
        network = Network()
        with network:
            network.connect(port)
            with Client(network) as idle, Client(network) as stuck:
                assert (idle.ask(Api.FETCH), stuck.ask(Api.FETCH)) == (1, 1)
                network.add(Delay(by_s=1_000))
                network.add(Throttle(bytes_per_s=1))
                network.add(BlackHole())
                stuck.send(Api.FETCH)
                assert stuck.hears_nothing()
                network.close()
                for client in (idle, stuck):
                    with pytest.raises(ConnectionError):
                        client.answer()
        left = set(threading.enumerate()) - before
        assert [thread.name for thread in left if thread.name == "proxy"] == []
    until("the server is left too", lambda: server.left == ["reset", "reset"], SOON_S)
    with pytest.raises(ConnectionRefusedError):
        Client(network)
    gc.collect()
