"""What every part may ask of the process it runs in: the time, a place for measurements, a guard.

As in ``ports.py``, where these are found too: duties, and no library that fulfils them.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from stream_app.core.metrics import Metric


class Clock(Protocol):
    """Time, so that logic is given it and tests can own it."""

    def now_s(self) -> float:
        """Monotonic seconds, for ages and deadlines."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC, as record timestamps are."""


class Telemetry(Protocol):
    """Where measurements go. Never blocks, never raises for a metric of the table."""

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add to a histogram."""

    def forget(self, metric: Metric, *labels: str) -> None:
        """Drop a labelled series that no longer means anything, such as a revoked partition's."""


class Watchdog(Protocol):
    """Ends the process when a call ignores its time-out; the broker then undoes what was open."""

    def tick(self) -> None:
        """The loop turned."""

    def limit(self, what: str, seconds: float) -> AbstractContextManager[None]:
        """End the process (exit status 75) if the block takes longer than ``seconds``."""
