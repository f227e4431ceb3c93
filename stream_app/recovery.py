"""What is owed after trouble, before records may count again.

Decides the order: wait, then new clients (both when the credentials are new, else the one that is
over), then back to the committed offsets. While anything is owed the partitions concerned bring no
records that count; while we wait none are fetched, but fetching goes on so that the group sees a
live member.
"""

from collections.abc import Mapping, Sequence

import structlog

from stream_app.errors import DeniedError, RetriableError
from stream_app.health import WorkerHealth
from stream_app.ports import Clock, Sink, Source

log = structlog.get_logger(__name__)

_BACKOFF_FIRST_S = 0.1
_BACKOFF_LAST_S = 5.0

_UNITS, _CLIENTS = "units", "clients"
"""Whose reason not to be ready it is: ended by a unit that goes through, by a debt that is paid."""


class Recovery:
    """Debts, and the pauses between attempts to pay them.

    Attributes:
        restoring: Partitions whose state the processor has yet to restore.
    """

    def __init__(self, source: Source, sink: Sink, clock: Clock, health: WorkerHealth) -> None:
        self._source = source
        self._sink = sink
        self._clock = clock
        self._health = health
        self._rewind: dict[int, int] = {}
        self.restoring: set[int] = set()
        self._rebuild = False
        self._renewal = False
        self._retry_at_s: float | None = None
        self._backoff_s = _BACKOFF_FIRST_S

    @property
    def partitions(self) -> frozenset[int]:
        """Those that must be read again from their committed offsets."""
        return frozenset(self._rewind)

    @property
    def is_waiting(self) -> bool:
        """Whether anything is owed, or waited for."""
        owed = bool(self._rewind or self.restoring) or self.owes_client
        return owed or self._retry_at_s is not None

    @property
    def owes_client(self) -> bool:
        """Whether a client must be made anew first: until then nothing can be delivered."""
        return self._rebuild or self._renewal

    def owe_rewind(self, fallback: Mapping[int, int]) -> None:
        """These partitions must go back; to these offsets where none is committed."""
        for partition, offset in fallback.items():
            self._rewind.setdefault(partition, offset)

    def owe_rebuild(self) -> None:
        """The producer is over."""
        self._rebuild = True

    def owe_renewal(self) -> None:
        """The credentials are new: so must both clients be, at once."""
        self._renewal = True
        if self._retry_at_s is not None:
            self._retry_at_s = self._clock.now_s()

    def deny(self, reason: str) -> None:
        """What is wanted is not allowed: not ready until a unit goes through."""
        self._health.deny(_UNITS, reason)

    def release(self, partitions: Sequence[int]) -> None:
        """Another member reads these now: a rewind must not touch them."""
        for partition in partitions:
            self._rewind.pop(partition, None)
            self.restoring.discard(partition)
        if not self._rewind and not self.owes_client:
            self._health.deny(_UNITS, "")

    def wait(self, reason: str) -> None:
        """Bring no records for a while, longer each time until :meth:`succeeded`."""
        self._retry_at_s = self._clock.now_s() + self._backoff_s
        self._backoff_s = min(_BACKOFF_LAST_S, 2 * self._backoff_s)
        self._health.paused = True
        self._source.pause()
        log.warning("paused", reason=reason)

    def succeeded(self) -> None:
        """A unit went through: the next trouble is a new one."""
        self._backoff_s = _BACKOFF_FIRST_S
        self._health.deny(_UNITS, "")

    def settle(self, now_s: float) -> None:
        """Pay what can be paid now; call between fetches.

        Raises:
            FatalError: the producer cannot be made anew.
        """
        if self._retry_at_s is not None and now_s < self._retry_at_s:
            return
        try:
            if self._renewal:
                self._sink.renew()
                self._source.renew()
                self._renewal = self._rebuild = False
            elif self._source.needs_renewal:
                self._source.renew()
            if self._rebuild:
                self._sink.rebuild()
                self._rebuild = False
            if self._rewind:
                self._source.rewind(self._rewind)
                self._rewind.clear()
        except RetriableError as exc:
            if isinstance(exc, DeniedError):
                self._health.deny(_CLIENTS, str(exc))
            self.wait(str(exc))
            return
        self._health.deny(_CLIENTS, "")
        if self._retry_at_s is not None:
            self._retry_at_s = None
            self._source.resume()
            self._health.paused = False
