"""Is a dead letter the record that died? Key, value, headers and time, byte for byte.

Decides what an outcome must have kept of its record. Written from ``docs/dead-letters.md``, not
from what writes them. Messages name what differs, never what it is.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream_app.verify.codes import STAGES

Headers = Sequence[tuple[str, bytes | None]]

UNREADABLE_HEADERS: tuple[str, bytes | None] = ("stream_app.headers_unreadable", b"true")
"""In the place of all headers where the client hands none over: a name is not UTF-8."""

_OURS = ("err.", "__connect.errors.")
_MOVED = "stream_app.timestamp"
"""Holds the timestamp that brokers refused."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record of any topic.

    Attributes:
        key: Raw bytes.
        value: Raw bytes.
        headers: In their order.
        timestamp_ms: As the client tells it.
        is_brokers_time: Whether the timestamp is the broker's, whatever was sent.
    """

    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int = -1
    is_brokers_time: bool = False


def letter_difference(letter: Record, record: Record) -> str | None:
    """What a dead letter says otherwise than the record that died, or ``None``."""
    own = [header for header in record.headers if not header[0].startswith(_OURS)]
    told = {name: value or b"" for name, value in letter.headers if name.startswith(_OURS)}
    if "err.headers_dropped" in told:
        if told["err.headers_dropped"] != str(len(own)).encode():
            return "err.headers_dropped is not the number of its record's headers"
        own = []
    if list(letter.headers[: len(own)]) != own:
        return "its record's headers are not kept"
    added = letter.headers[len(own) :]
    if any(not name.startswith((*_OURS, _MOVED)) for name, _ in added):
        return "it has headers that its record has not"
    for what, kept, whole in (
        ("value", letter.value, record.value),
        ("key", letter.key, record.key),
    ):
        if not _is_kept(what, kept, whole, told):
            return f"its {what} is not its record's"
    if told.get("err.timestamp") != str(record.timestamp_ms).encode():
        return "err.timestamp is not its record's"
    if not keeps_time(letter, record, added):
        return "its timestamp is not its record's"
    code = told.get("err.code", b"").decode(errors="replace")
    if code not in STAGES:
        return f"err.code is none that there is: {code[:40]!r}"
    if told.get("err.stage") != STAGES[code].encode():
        return f"err.stage is not that of {code}"
    return None


def keeps_time(sent: Record, record: Record, added: Headers) -> bool:
    """Whether an outcome carries its record's timestamp, in a header if brokers refused it.

    Not judged: topics that the broker stamps, and records without a time, which are sent as now.
    """
    if sent.is_brokers_time or record.timestamp_ms <= 0:
        return True
    return told_time(sent, added) == str(record.timestamp_ms).encode()


def told_time(sent: Record, added: Headers) -> bytes | None:
    """The timestamp of its record that an outcome tells, in milliseconds as text."""
    moved = [value for name, value in added if name == _MOVED]
    return moved[-1] if moved else str(sent.timestamp_ms).encode()


def _is_kept(what: str, kept: bytes | None, whole: bytes | None, told: Mapping[str, bytes]) -> bool:
    """Whether these are the bytes, or the beginning of those that length and digest name."""
    length = told.get(f"err.{what}_length")
    if length is None:
        return kept == whole
    return (
        whole is not None
        and told.get("err.truncated") == b"true"
        and length == str(len(whole)).encode()
        and told.get(f"err.{what}_sha256") == hashlib.sha256(whole).hexdigest().encode()
        and whole.startswith(kept or b"")
    )
