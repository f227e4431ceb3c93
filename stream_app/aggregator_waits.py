"""What the aggregator waits for: references that are not there yet, and streams that say nothing.

Decides how long. A reference may come with the rollout of its version, but may not keep other
models' windows from being told of; a stream whose scorers are gone says nothing, not even that
nothing more comes, yet what it had counted is to be seen.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Stream
from stream_app.errors import RetriableError
from stream_app.ports import Clock
from stream_app.ports_drift import References

Place = tuple[int, str]
"""Partition and key of a stream."""


class PatientReferences:
    """References that are waited for, but not for ever."""

    def __init__(self, references: References, clock: Clock, wait_s: float) -> None:
        self._references = references
        self._clock = clock
        self._wait_s = wait_s
        self._missing_s: dict[Stream, float] = {}

    def of(self, stream: Stream) -> Layout | None:
        """How the stream's states lie in memory; ``None``: it was waited for long enough.

        Raises:
            RetriableError: it is waited for.
        """
        try:
            layout = self._references.of(stream)
        except RetriableError:
            now_s = self._clock.now_s()
            since_s = self._missing_s.setdefault(stream, now_s)
            if now_s - since_s < self._wait_s:
                raise
            return None
        self._missing_s.pop(stream, None)
        return layout

    def known(self, stream: Stream) -> Layout | None:
        """The same, without waiting."""
        try:
            return self._references.of(stream)
        except RetriableError:
            return None


@dataclass(slots=True)
class Pending:
    """Streams whose windows are still to be told of, though none of their partials comes.

    Attributes:
        clock: Of this process.
        silence_s: A stream from which nothing comes for so long is silent.
        unfinished: Those that had more windows than went into the transactions before.
        heard_s: When each was heard of, until its open windows were told of after a silence.
    """

    clock: Clock
    silence_s: float
    unfinished: set[Place] = field(default_factory=set)
    heard_s: dict[Place, float] = field(default_factory=dict)

    def silent(self) -> set[Place]:
        """Nothing was heard of them for long, and their open windows were not told of yet."""
        now_s = self.clock.now_s()
        return {p for p, at_s in self.heard_s.items() if now_s - at_s >= self.silence_s}

    def of(self, partitions: Collection[int]) -> set[Place]:
        """All that are pending in these partitions."""
        return {place for place in self.unfinished | self.silent() if place[0] in partitions}

    def restored(self, places: Collection[Place], unfinished: Collection[Place]) -> None:
        """These are ours now; of the ``unfinished`` windows are due already."""
        self.heard_s |= dict.fromkeys(places, self.clock.now_s())
        self.unfinished |= set(unfinished)

    def told(
        self, places: Collection[Place], silent: Collection[Place], unfinished: Collection[Place]
    ) -> None:
        """What was due of these is told of.

        Args:
            places: Of which.
            silent: Those whose open windows were told of too.
            unfinished: Those that have more.
        """
        now_s = self.clock.now_s()
        self.unfinished = (self.unfinished - set(places)) | set(unfinished)
        for place in places:
            if place not in silent:
                self.heard_s[place] = now_s
            elif place not in self.unfinished:
                self.heard_s.pop(place, None)

    def forget(self, places: Collection[Place]) -> None:
        """They are over."""
        self.unfinished -= set(places)
        for place in places:
            self.heard_s.pop(place, None)

    def revoked(self, partitions: Collection[int]) -> None:
        """Somebody else tells of theirs now."""
        self.forget([p for p in {*self.unfinished, *self.heard_s} if p[0] in partitions])

    def clear(self) -> None:
        """Of all."""
        self.unfinished.clear()
        self.heard_s.clear()
