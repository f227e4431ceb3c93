"""Kafka's wire format as far as a proxy must understand it: where frames begin, and who asks what.

Decides what a frame's head is and when all of it has been seen; a frame passes through in pieces
of whatever size the network delivers. Refuses to know sockets, clocks, and what follows a head.

A request is int32 length, int16 key, int16 version, int32 correlation id, nullable string client
id, ...; a response is int32 length, int32 correlation id, ... (see the protocol guide).
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

_LENGTH = struct.Struct(">i")
_REQUEST = struct.Struct(">ihhih")
_RESPONSE = struct.Struct(">ii")


class Api(IntEnum):
    """Keys of requests; those that our clients send."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    CONSUMER_GROUP_HEARTBEAT = 68


class FrameError(ValueError):
    """These bytes are no Kafka frames."""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request; ``api`` is a bare number where the proxy has no name for it."""

    api: int
    version: int
    correlation_id: int
    client_id: str


@dataclass(frozen=True, slots=True)
class Response:
    """The head of a response."""

    correlation_id: int


Head = TypeVar("Head")


@dataclass(frozen=True, slots=True)
class Piece(Generic[Head]):
    """A part of one frame, with its length and head as they were on the wire.

    Attributes:
        head: Of the frame that the part belongs to; the same object in all parts.
        data: The bytes.
        first: Whether the frame begins here.
        last: Whether it ends here.
    """

    head: Head
    data: bytes
    first: bool
    last: bool


class FrameReader(Generic[Head]):
    """Cuts a stream into pieces, none of which reaches into two frames.

    Args:
        parse: The head of the frame at the begin of a buffer, or ``None`` while it is incomplete.
    """

    def __init__(self, parse: Callable[[bytes], Head | None]) -> None:
        self._parse = parse
        self._early = b""
        self._head: Head | None = None
        self._left = 0

    def feed(self, data: bytes) -> Iterator[Piece[Head]]:
        """The pieces that are complete with these bytes; the head of a frame is never divided.

        Raises:
            FrameError: a frame has a length that none can have.
        """
        data = self._early + data
        self._early = b""
        while data:
            first = self._head is None
            if self._head is None:
                self._head = self._parse(data)
                if self._head is None:
                    self._early = data
                    return
                self._left = _LENGTH.size + _LENGTH.unpack_from(data)[0]
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            head, last = self._head, self._left == 0
            if last:
                self._head = None
            yield Piece(head, part, first, last)


def request_head(data: bytes) -> Request | None:
    """The head of a request, or ``None`` while it is incomplete.

    Raises:
        FrameError: it is shorter than any head.
    """
    if len(data) < _REQUEST.size:
        _check_length(data, _REQUEST.size)
        return None
    length, api, version, correlation_id, client_length = _REQUEST.unpack_from(data)
    client_length = max(0, client_length)
    end = _REQUEST.size + client_length
    if length + _LENGTH.size < end:
        raise FrameError(f"a request of {length} bytes with a client id of {client_length}")
    if len(data) < end:
        return None
    client_id = data[_REQUEST.size : end].decode("utf-8", errors="replace")
    return Request(api, version, correlation_id, client_id)


def response_head(data: bytes) -> Response | None:
    """The head of a response, or ``None`` while it is incomplete.

    Raises:
        FrameError: it is shorter than any head.
    """
    _check_length(data, _RESPONSE.size)
    if len(data) < _RESPONSE.size:
        return None
    return Response(_RESPONSE.unpack_from(data)[1])


def _check_length(data: bytes, least: int) -> None:
    if len(data) >= _LENGTH.size:
        length = _LENGTH.unpack_from(data)[0]
        if length + _LENGTH.size < least:
            raise FrameError(f"a frame of {length} bytes: these are no Kafka frames")


def frame(body: bytes) -> bytes:
    """``body`` with its length before it."""
    return _LENGTH.pack(len(body)) + body


def request(
    api: int, correlation_id: int, body: bytes = b"", *, version: int = 0, client_id: str = "test"
) -> bytes:
    """A whole request, length included."""
    name = client_id.encode()
    head = struct.pack(">hhih", api, version, correlation_id, len(name))
    return frame(head + name + body)


def response(correlation_id: int, body: bytes = b"") -> bytes:
    """A whole response, length included."""
    return frame(_LENGTH.pack(correlation_id) + body)
