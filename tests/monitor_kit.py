"""Edges of the monitor for unit tests: outputs in memory, and counted measurements."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream_app.core.drift.alerts import Alert
from stream_app.core.metrics import Metric


@dataclass
class CountingTelemetry:
    """What was counted, and the last value of each gauge."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    gauges: dict[tuple[str, ...], float] = field(default_factory=dict)

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        self.counts[metric.name, *labels] += int(amount)

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        self.gauges[metric.name, *labels] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        raise AssertionError(metric.name)

    def forget(self, metric: Metric, *labels: str) -> None:
        self.gauges.pop((metric.name, *labels), None)

    def counted(self, metric: Metric, *labels: str) -> int:
        return self.counts[metric.name, *labels]

    def shown(self, metric: Metric) -> dict[tuple[str, ...], float]:
        """By labels."""
        return {key[1:]: value for key, value in self.gauges.items() if key[0] == metric.name}


class DeathError(Exception):
    """The process ends here."""


@dataclass
class MemoryOutputs:
    """The store and the alerts topic.

    Attributes:
        store: By key.
        alerts: Partition and record, as written.
        lives: How many more calls there are before a death; each dies before it is done.
    """

    store: dict[str, bytes] = field(default_factory=dict)
    alerts: list[tuple[int, Alert]] = field(default_factory=list)
    lives: int = 1 << 30

    async def put(self, key: str, value: bytes) -> None:
        self._live()
        self.store[key] = value

    async def delete(self, key: str) -> None:
        self._live()
        self.store.pop(key, None)

    async def tell(self, partition: int, alert: Alert) -> None:
        self._live()
        self.alerts.append((partition, alert))

    def published(self) -> Iterable[Alert]:
        return [alert for _, alert in self.alerts]

    def _live(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise DeathError
