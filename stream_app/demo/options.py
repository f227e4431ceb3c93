"""What a run of the demo was asked for, and the sizes that follow from it.

Decides defaults and refuses what a cluster cannot do. Knows no clients and no processes.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from stream_app.errors import UsageError
from stream_app.settings import Delivery

PARTITIONS: Final = 4
"""Of each topic; the mock cluster has no other number."""
STEADY_PER_SECOND: Final = 2_000
STEADY_SECONDS: Final = 3
MALFORMED_SHARE: Final = 0.01
PAGE: Final = Path("drift-report.html")
SEED: Final = 20_251_122
"""Of the choice of events that are broken, so that every run breaks the same ones."""

_WARM_UP_EVENTS: Final = 400
_LEAST_EVENTS: Final = 100
_MOCK_MOST_EVENTS: Final = 100_000
"""A partition of the mock keeps its last 5 MiB: more would be deleted before it is verified."""


class KafkaKind(StrEnum):
    """Which cluster the demo runs on."""

    MOCK = "mock"
    REAL = "real"
    OWN = "own"


_DEFAULT_EVENTS: Final = {KafkaKind.MOCK: 30_000, KafkaKind.REAL: 120_000, KafkaKind.OWN: 50_000}


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """A run of the demo; make one with :meth:`of`.

    Attributes:
        kafka: Which cluster.
        bootstrap_servers: Of one's own cluster; else empty.
        events: Sound ones; some that are broken on purpose come on top.
        workers: Scorer processes.
        kill: Whether one of them is killed half-way.
        keep: Whether topics, settings and logs stay.
        page: Where the report on drift goes.
    """

    kafka: KafkaKind
    bootstrap_servers: str
    events: int
    workers: int
    kill: bool
    keep: bool
    page: Path = PAGE

    @classmethod
    def of(
        cls,
        kafka: KafkaKind = KafkaKind.MOCK,
        bootstrap_servers: str = "",
        events: int | None = None,
        workers: int = 2,
        *,
        kill: bool | None = None,
        keep: bool = False,
        page: Path = PAGE,
    ) -> Self:
        """Fill in what was not given.

        Raises:
            UsageError: the cluster cannot do what was given.
        """
        if bootstrap_servers:
            kafka = KafkaKind.OWN
        if kill and kafka is KafkaKind.MOCK:
            raise UsageError(
                "--kill needs transactions, which the mock cluster has not: a killed worker's last "
                "batch would be scored twice; use --kafka real"
            )
        chosen = _DEFAULT_EVENTS[kafka] if events is None else events
        if chosen < _LEAST_EVENTS:
            raise UsageError(f"--events {chosen}: expected {_LEAST_EVENTS} or more")
        if kafka is KafkaKind.MOCK and chosen > _MOCK_MOST_EVENTS:
            raise UsageError(
                f"--events {chosen}: the mock cluster keeps 5 MiB a partition, which is enough for "
                f"{_MOCK_MOST_EVENTS} events; use --kafka real for more"
            )
        return cls(
            kafka=kafka,
            bootstrap_servers=bootstrap_servers,
            events=chosen,
            workers=workers,
            kill=kafka is KafkaKind.REAL if kill is None else kill,
            keep=keep,
            page=page,
        )

    @property
    def delivery(self) -> Delivery:
        """Exactly once wherever there are transactions."""
        mock = self.kafka is KafkaKind.MOCK
        return Delivery.AT_LEAST_ONCE if mock else Delivery.EXACTLY_ONCE

    @property
    def broken_events(self) -> int:
        """On top of the others."""
        return max(1, round(self.events * MALFORMED_SHARE))

    @property
    def records(self) -> int:
        """All that is sent."""
        return self.events + self.broken_events

    @property
    def warm_up_events(self) -> int:
        """Scored before anything is measured."""
        return min(_WARM_UP_EVENTS, self.records // 10)

    @property
    def steady_events(self) -> int:
        """Sent at a modest rate; latency is measured on them."""
        return min(STEADY_PER_SECOND * STEADY_SECONDS, self.records // 4)

    @property
    def burst_events(self) -> int:
        """Sent as fast as possible; throughput is measured on them."""
        return self.records - self.warm_up_events - self.steady_events
