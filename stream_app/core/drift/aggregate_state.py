"""What the aggregator keeps in its changelog: keys and values as bytes, both ways.

Decides the format. A value is the number of its format, a checksum, a head in JSON and, of
windows, the state as ``write_sparse`` has it. Whoever has read all records of a partition in order
has its state. Refuses to know Kafka.

    position                      the next partial of this partition; in every transaction
    stream/<stream>               coverage, watermark, floor, counters; a tombstone at its end
    window/<stream>/<start>       one window; a tombstone when it is over
    roll-up/<stream>/<length>/<start>    likewise; its counts are those of its windows
"""

import json
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from stream_app.core.drift.json_values import integer, mapping
from stream_app.core.drift.merge import Covered, RollUp, StreamState, Window
from stream_app.core.drift.partial import SEPARATOR, Stream
from stream_app.errors import FatalError

FORMAT = 1
POSITION_KEY = b"position"

_REMEDY = (
    "the changelog cannot be trusted: delete its records (kafka-delete-records), set the group "
    "back to the first partial (kafka-consumer-groups --reset-offsets --to-earliest), and all "
    "partials that are still there are counted again"
)
_HEAD_AT = 9
_NUMBERS = (
    "watermark_ms",
    "floor_ms",
    "next_floor_ms",
    "next_floor_sent_ms",
    "first_sent_ms",
    "last_sent_ms",
)
"""Of a stream's state, as they are."""


@dataclass(slots=True)
class PartitionState:
    """All that is known from one partition of partials.

    Attributes:
        next_offset: Of the next partial, as the changelog has it; ``None``: it has none.
        streams: By key.
    """

    next_offset: int | None = None
    streams: dict[str, StreamState] = field(default_factory=dict)

    def of(self, stream: Stream) -> StreamState:
        """A stream's state, empty at first."""
        key = stream.to_key()
        if key not in self.streams:
            self.streams[key] = StreamState(stream)
        return self.streams[key]

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take over a record of the changelog; later ones replace those before.

        Raises:
            FatalError: it is damaged, or of a later format; says what to do.
        """
        try:
            kind, _, rest = (key or b"").decode().partition(SEPARATOR)
            head, packed = ({}, b"") if value is None else _read(value)
            self._take(kind, rest, head, packed, is_gone=value is None)
        except FatalError:
            raise
        except Exception as exc:  # damaged bytes break what reads them in any way
            raise FatalError(
                f"a record of the drift changelog is damaged ({type(exc).__name__}); {_REMEDY}"
            ) from exc

    def _take(
        self, kind: str, rest: str, head: Mapping[str, object], packed: bytes, *, is_gone: bool
    ) -> None:
        if kind == POSITION_KEY.decode():
            self.next_offset = integer(head["next"])
        elif kind == "stream":
            if is_gone:
                self.streams.pop(rest, None)
            else:
                self._take_stream(head)
        elif kind == "window":
            stream, _, start = rest.rpartition(SEPARATOR)
            if not is_gone:
                self._named(stream).windows[int(start)] = _window(head, packed)
            elif stream in self.streams:
                self.streams[stream].windows.pop(int(start), None)
        elif kind == "roll-up":
            stream, length, start = rest.rsplit(SEPARATOR, 2)
            key = int(length), int(start)
            if not is_gone:
                self._named(stream).roll_ups[key] = RollUp(**head)  # type: ignore[arg-type]  # a wrong one raises
            elif stream in self.streams:
                self.streams[stream].roll_ups.pop(key, None)
        else:
            raise ValueError(kind)

    def _named(self, key: str) -> StreamState:
        # Compaction may have moved a stream's own record behind its windows.
        return self.of(_stream(key))

    def _take_stream(self, head: Mapping[str, object]) -> None:
        fields = dict(head)
        stream = Stream(**mapping(fields.pop("stream")))  # type: ignore[arg-type]  # likewise
        covered = {
            int(partition): Covered(**mapping(entry))  # type: ignore[arg-type]  # likewise
            for partition, entry in mapping(fields.pop("covered")).items()
        }
        counters = Counter(
            {name: integer(n) for name, n in mapping(fields.pop("counters")).items()}
        )
        state = self.of(stream)
        state.covered, state.counters = covered, counters
        for name in _NUMBERS:
            number = fields.pop(name)
            setattr(state, name, None if number is None else integer(number))


def position_record(next_offset: int) -> tuple[bytes, bytes]:
    """Key and value: all partials before it are in the state."""
    return POSITION_KEY, _written({"next": next_offset})


def stream_record(state: StreamState) -> tuple[bytes, bytes]:
    """Key and value of all of a stream but its windows."""
    head = {
        "stream": asdict(state.stream),
        "covered": {str(p): asdict(covered) for p, covered in sorted(state.covered.items())},
        "counters": dict(sorted(state.counters.items())),
        **{name: getattr(state, name) for name in _NUMBERS},
    }
    return stream_key(state.stream), _written(head)


def stream_key(stream: Stream) -> bytes:
    """Of a stream's record, or of its tombstone."""
    return SEPARATOR.join(["stream", stream.to_key()]).encode()


def window_key(stream: Stream, start_ms: int) -> bytes:
    """Of a window's record, or of its tombstone."""
    return SEPARATOR.join(["window", stream.to_key(), str(start_ms)]).encode()


def window_record(stream: Stream, window: Window) -> tuple[bytes, bytes]:
    """Key and value of a window that is packed."""
    head = {
        "start_ms": window.start_ms,
        "rows": window.rows,
        "letters": {str(code): count for code, count in sorted(window.letters.items())},
        "revision": window.revision,
        "is_final": window.is_final,
        "exact": window.exact,
        "is_changed": window.is_changed,
    }
    return window_key(stream, window.start_ms), _written(head, window.packed)


def roll_up_key(stream: Stream, length_ms: int, start_ms: int) -> bytes:
    """Of a roll-up's record, or of its tombstone."""
    return SEPARATOR.join(["roll-up", stream.to_key(), str(length_ms), str(start_ms)]).encode()


def roll_up_record(stream: Stream, roll_up: RollUp) -> tuple[bytes, bytes]:
    """Key and value of a roll-up."""
    key = roll_up_key(stream, roll_up.length_ms, roll_up.start_ms)
    return key, _written(asdict(roll_up))


def _written(head: Mapping[str, object], packed: bytes = b"") -> bytes:
    text = json.dumps(head, separators=(",", ":")).encode()
    body = len(text).to_bytes(4, "big") + text + packed
    return bytes([FORMAT]) + zlib.crc32(body).to_bytes(4, "big") + body


def _read(value: bytes) -> tuple[dict[str, object], bytes]:
    if value[0] != FORMAT:
        raise FatalError(
            f"a record of the drift changelog has format {value[0]}, this stream-app reads "
            f"{FORMAT}; go on with the version that wrote it, or: {_REMEDY}"
        )
    if zlib.crc32(value[5:]) != int.from_bytes(value[1:5], "big"):
        raise FatalError(f"a record of the drift changelog fails its checksum; {_REMEDY}")
    end = _HEAD_AT + int.from_bytes(value[5:_HEAD_AT], "big")
    return mapping(json.loads(value[_HEAD_AT:end])), value[end:]


def _window(head: Mapping[str, object], packed: bytes) -> Window:
    letters = Counter({int(c): integer(n) for c, n in mapping(head["letters"]).items()})
    return Window(
        start_ms=integer(head["start_ms"]),
        rows=integer(head["rows"]),
        letters=letters,
        packed=packed,
        revision=integer(head["revision"]),
        is_final=bool(head["is_final"]),
        exact=bool(head["exact"]),
        is_changed=bool(head["is_changed"]),
    )


def _stream(key: str) -> Stream:
    model, version, role, reference, window_ms = key.split(SEPARATOR)
    return Stream(model, version, role, reference, int(window_ms))
