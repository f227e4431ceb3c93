"""One client's connection through a proxy, and its twin to the server.

Decides how bytes go through in both directions: in order, late if they must be, and half-closed
or reset as the two ends do it. Which rules act it asks of the network. Frames are never gathered,
except those that a rule holds.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tests.fault.kafka_frames import (
    FrameError,
    FrameReader,
    Piece,
    Request,
    Response,
    request_head,
    response_head,
)
from tests.fault.proxy_rules import (
    BlackHole,
    Cut,
    Delay,
    DropRequest,
    DropResponse,
    Held,
    Hold,
    Rule,
)

if TYPE_CHECKING:
    from tests.fault.proxy import Network

_CHUNK = 65_536
_QUEUED = 64
"""Chunks on their way, each direction; then the sender has to wait."""

_NARROW_CHUNK = 2_048
"""Of a throttled stream, so that it trickles."""


_Part = tuple[float, bytes]
"""What goes on, and how long it must wait."""


class Streams(NamedTuple):
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class CutError(Exception):
    """A rule wants this connection reset."""


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: what is under way is thrown away, and the other end is told so."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _Direction:
    """Bytes on their way to one end: each has its time, and none overtakes another."""

    def __init__(self, network: "Network", door: int, writer: asyncio.StreamWriter) -> None:
        self._network = network
        self._door = door
        self._writer = writer
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
        self._free_s = 0.0
        """When a throttled line has room again."""

    async def put(self, data: bytes, delay_s: float = 0.0) -> None:
        """Send this on, not before its time; waits while too much is on its way."""
        network, now_s = self._network, asyncio.get_running_loop().time()
        if network.is_dark(self._door):
            network.swallow(self._door)
        due_s = now_s + delay_s + network.delay_s(self._door)
        rate = network.rate(self._door)
        if rate is None:
            await self._queue.put((due_s, data))
            return
        for start in range(0, len(data), _NARROW_CHUNK):
            part = data[start : start + _NARROW_CHUNK]
            self._free_s = max(self._free_s, now_s) + len(part) / rate
            await self._queue.put((max(due_s, self._free_s), part))

    async def end(self) -> None:
        """Nothing more comes."""
        await self._queue.put((0.0, b""))

    async def write(self) -> None:
        """Until the end has gone through too."""
        while True:
            due_s, data = await self._queue.get()
            await self._wait(due_s)
            if not data:
                self._writer.write_eof()
                return
            self._writer.write(data)
            await self._writer.drain()

    async def _wait(self, due_s: float) -> None:
        """For the light and for the time; a network that is healed is quick at once."""
        loop, network, door = asyncio.get_running_loop(), self._network, self._door
        while network.is_dark(door):
            await network.turn()
        while network.is_slow(door) and (left_s := due_s - loop.time()) > 0:
            await network.turn(left_s)


class Link:
    """Both directions of one connection."""

    def __init__(self, network: "Network", door: int, client: Streams) -> None:
        self.door = door
        self._network = network
        self._client = client
        self._awaited: dict[int, list[Rule]] = {}
        """Rules for responses to come, by correlation id."""
        self._requests = FrameReader(request_head)
        self._responses = FrameReader(response_head)
        self._holding: tuple[Rule, bytearray] | None = None
        self._swallowing = {Request: False, Response: False}

    async def run(self, host: str, port: int) -> None:
        """Until both ends have closed, or one of them, a rule or the network resets it."""
        server: Streams | None = None
        orderly = False
        try:
            server = Streams(*await asyncio.open_connection(host, port))
            await self._both_ways(server)
            orderly = True
        except* (CutError, FrameError, OSError):
            pass  # both ends hear of it by a reset
        finally:
            await _end([each.writer for each in (self._client, server) if each], orderly=orderly)

    def forget(self) -> None:
        """Whatever became of it, even if it never ran, nothing of it stays open."""
        reset(self._client.writer)

    async def _both_ways(self, server: Streams) -> None:
        there = _Direction(self._network, self.door, server.writer)
        back = _Direction(self._network, self.door, self._client.writer)
        requests = _whatever_comes if self._network.raw else self._request_parts
        responses = _whatever_comes if self._network.raw else self._response_parts
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass(self._client.reader, there, requests))
            group.create_task(_pass(server.reader, back, responses))
            group.create_task(there.write())
            group.create_task(back.write())

    # -- requests -------------------------------------------------------------------------------

    def _request_parts(self, data: bytes) -> Iterator[_Part]:
        for piece in self._requests.feed(data):
            delay_s = self._begin_request(piece.head) if piece.first else 0.0
            if self._holding is not None:
                self._hold(*self._holding, piece)
            elif not self._swallowing[Request]:
                yield delay_s, piece.data

    def _begin_request(self, head: Request) -> float:
        """Do what the rules say of it; the delay of this request."""
        self._swallowing[Request] = False
        delay_s = 0.0
        for rule in self._network.taken_by(self.door, head):
            match rule.fault:
                case Cut(answered=True) | DropResponse():
                    self._awaited.setdefault(head.correlation_id, []).append(rule)
                case Cut():
                    rule.fire()
                    raise CutError
                case DropRequest():
                    rule.fire()
                    self._swallowing[Request] = True
                case Hold():
                    self._holding = self._holding or (rule, bytearray())
                case Delay(api=int()):
                    delay_s += self._network.drawn_s(rule)
                case BlackHole(api=int()):
                    self._network.darken(rule)
                case _:
                    pass  # it concerns all that passes
        return delay_s

    def _hold(self, rule: Rule, data: bytearray, piece: Piece[Request]) -> None:
        data += piece.data
        if not piece.last:
            return
        self._holding = None
        rule.held.append(Held(self.door, piece.head, bytes(data)))
        rule.fire()
        if isinstance(rule.fault, Hold) and rule.fault.cut:
            raise CutError

    # -- responses ------------------------------------------------------------------------------

    def _response_parts(self, data: bytes) -> Iterator[_Part]:
        for piece in self._responses.feed(data):
            if piece.first:
                self._begin_response(piece.head)
            if not self._swallowing[Response]:
                yield 0.0, piece.data

    def _begin_response(self, head: Response) -> None:
        rules = self._awaited.pop(head.correlation_id, [])
        for rule in rules:
            rule.fire()
        if any(isinstance(rule.fault, Cut) for rule in rules):
            raise CutError
        self._swallowing[Response] = bool(rules)


def _whatever_comes(data: bytes) -> Iterator[_Part]:
    yield 0.0, data


async def _pass(
    reader: asyncio.StreamReader, onward: _Direction, parts: Callable[[bytes], Iterator[_Part]]
) -> None:
    while data := await reader.read(_CHUNK):
        for delay_s, part in parts(data):
            await onward.put(part, delay_s)
    await onward.end()


async def _end(writers: Sequence[asyncio.StreamWriter], *, orderly: bool) -> None:
    for writer in writers:
        if orderly:
            writer.close()
        else:
            reset(writer)
    for writer in writers:
        with suppress(OSError):
            await writer.wait_closed()
