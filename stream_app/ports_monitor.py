"""What the drift monitor asks of the world, beside ``ports.py``.

Decides the duties; knows no library that fulfils them. ``MonitorOutputs`` runs on the event loop,
``AlertFeed`` and ``Receiver`` on a thread of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stream_app.core.drift.alerts import Alert
from stream_app.core.drift.window_report import WindowReport
from stream_app.ports_drift import Unreadable


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """A record of the windows topic.

    Attributes:
        partition: Of the windows topic; what follows from it goes to the same of the others.
        told_ms: When it was written, since 1970.
        value: Raw bytes.
    """

    partition: int
    told_ms: int
    value: bytes | None


class WindowDecoder(Protocol):
    """From values of window records to reports."""

    def decode(self, value: bytes | None) -> WindowReport | Unreadable:
        """The report, or why these bytes are none."""


class MonitorOutputs(Protocol):
    """Where the monitor writes; each call returns when the brokers have acknowledged.

    They try again for as long as brokers are away: to write a thing twice changes nothing.
    """

    async def put(self, key: str, value: bytes) -> None:
        """Store a value, in the partition of the record that is looked at."""

    async def delete(self, key: str) -> None:
        """Remove a key from the store; one that is not there is no fault."""

    async def tell(self, partition: int, alert: Alert) -> None:
        """Write a record to this partition of the alerts topic."""


@dataclass(frozen=True, slots=True)
class PlacedAlert:
    """An alert's record, or bytes that are none, where it lies in the alerts topic."""

    partition: int
    offset: int
    alert: Alert | Unreadable


class AlertFeed(Protocol):
    """The alerts topic, read by a group of its own, whose offsets say what was delivered."""

    def read(self, within_s: float) -> Sequence[PlacedAlert]:
        """The next records, some or none; blocks for about ``within_s`` at most.

        Raises:
            RetriableError: not now; ask again, and it goes on where it was.
        """

    def delivered(self, until: PlacedAlert) -> None:
        """All records of its partition up to this one need not be read again, by anyone.

        Raises:
            RetriableError: not now.
        """

    def history(self, until: PlacedAlert) -> Sequence[Alert]:
        """All records of this alert, in order, up to this one.

        Raises:
            RetriableError: not now.
        """

    def close(self) -> None:
        """Let go; safe to call twice."""


class Receiver(Protocol):
    """Who is told of alerts."""

    def post(self, alert: Alert) -> None:
        """Hand it over; returns when it was taken.

        Raises:
            RetriableError: it was not, or perhaps not; the message says why, without secrets.
        """
