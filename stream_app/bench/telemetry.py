"""The worker's own metrics, added up for one run: what ``/metrics`` would say, as a few numbers.

Decides which metrics tell the steps of the path. The worker under test is measured by nothing
that it does not measure in production, so measuring costs what it costs there.
"""

from stream_app.adapters.bench.meter import Meter
from stream_app.core.metrics import (
    BATCH_RECORDS,
    COMMIT_SECONDS,
    DEAD_LETTERS,
    PREDICTIONS,
    RECORDS_FETCHED,
    STEP_SECONDS,
    TRANSACTIONS,
    Metric,
)

_DELIVERY = "process_and_deliver"
_PROCESSING = ("decode", "score", "encode", "drift")


class AddingTelemetry:
    """Fulfils ``ports.Telemetry``; tells a :class:`Meter`."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._first_fetch = True

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""
        if metric is RECORDS_FETCHED and amount:
            self._meter.fetched()
        elif metric is PREDICTIONS:
            self._meter.predictions += int(amount)
        elif metric is DEAD_LETTERS:
            self._meter.dead_letters += int(amount)
        elif metric is TRANSACTIONS and labels == ("aborted",):
            self._meter.aborts += 1

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """Nothing of it belongs to a run."""

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a step's time."""
        meter = self._meter
        if metric is COMMIT_SECONDS:
            meter.add("commit", value)
            meter.committed()
        elif metric is BATCH_RECORDS:
            meter.batches += 1
        elif metric is STEP_SECONDS:
            self._step(labels[0], value)

    def forget(self, metric: Metric, *labels: str) -> None:
        """Nothing is kept by label."""

    def _step(self, step: str, seconds: float) -> None:
        if step == _DELIVERY:
            # It is told of last, and holds the others.
            self._meter.add("deliver", seconds)
        elif step in _PROCESSING:
            self._meter.add(step, seconds)
            self._meter.add("deliver", -seconds)
        elif not self._first_fetch:
            self._meter.add("fetch", seconds)
        else:
            # It ended when measuring began.
            self._first_fetch = False
