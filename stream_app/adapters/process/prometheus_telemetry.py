"""Measurements to Prometheus: instruments made from the one table, of one process or of many.

Decides how a metric of ``core/metrics.py`` is counted and written out. Refuses to know what the
numbers mean, and who asks for them.

Three ways to be:

* alone: values live in memory;
* a worker under a supervisor (``PROMETHEUS_MULTIPROC_DIR`` is set): values live in files of that
  folder, named after the worker's number and not its process id, so that a worker started again
  goes on counting where the dead one stopped, and restarts do not pile up files;
* the supervisor (``workers_dir`` is given): its own values in memory, the workers' read from
  their files and merged as the table says.
"""

import math
import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client import values as prometheus_values
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from stream_app.adapters.process.folder_lock import hold_folder
from stream_app.core.metrics import (
    LOOP_TICK_TIMESTAMP_SECONDS,
    METRICS,
    WORKER_READY,
    Merge,
    Metric,
    MetricKind,
)
from stream_app.health import WorkerBeat

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
MAX_SERIES: Final = 2_000
"""Label sets of one metric; later ones are counted together under ``other``.

Enough for the partitions of a large topic; codes and steps have some tens.
"""

_Mode = Literal["livesum", "livemin", "livemax", "livemostrecent"]
_MODES: Final[dict[Merge, _Mode]] = {
    Merge.SUM: "livesum",
    Merge.MIN: "livemin",
    Merge.MAX: "livemax",
    Merge.LATEST: "livemostrecent",
    Merge.SUPERVISOR: "livemax",
}
# What takes part in a merge without changing it: how a series is forgotten in a file, which
# cannot shrink. Series that are left with such a value are not written out.
_NEUTRAL: Final[dict[Merge, float]] = {
    Merge.SUM: 0.0,
    Merge.MIN: math.inf,
    Merge.MAX: -math.inf,
    Merge.LATEST: math.nan,
    Merge.SUPERVISOR: -math.inf,
}
_I = TypeVar("_I", bound=Counter | Gauge | Histogram)


class _Series(Generic[_I]):
    """The label sets of one instrument, found by one dictionary look-up, and bounded."""

    def __init__(self, parent: _I, with_labels: Callable[..., _I], *, labelled: bool) -> None:
        self.parent = parent
        self._with_labels = with_labels
        self._children: dict[tuple[str, ...], _I] = {} if labelled else {(): parent}

    def get(self, labels: tuple[str, ...]) -> _I:
        child = self._children.get(labels)
        if child is None:
            if len(self._children) >= MAX_SERIES:
                labels = ("other",) * len(labels)
            child = self._children[labels] = self._with_labels(*labels)
        return child

    def drop(self, labels: tuple[str, ...]) -> _I | None:
        return self._children.pop(labels, None)


class PrometheusTelemetry(Collector):
    """Fulfils ``ports.Telemetry``; thread-safe. One a process.

    Args:
        workers_dir: Given to the supervisor's: the folder where its workers' files are.
        worker: Names this process's files when ``PROMETHEUS_MULTIPROC_DIR`` is set. No two
            living processes of a folder may have the same; default: the process id.
    """

    def __init__(self, workers_dir: Path | None = None, worker: int | None = None) -> None:
        shared = os.environ.get(DIRECTORY_VARIABLE) if workers_dir is None else None
        self._in_files = shared is not None
        self._directory = Path(shared) if shared is not None else workers_dir
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
            hold_folder(self._directory)  # until the process ends
        _choose_values(in_files=self._in_files, worker=worker)
        self._counters: dict[str, _Series[Counter]] = {}
        self._gauges: dict[str, _Series[Gauge]] = {}
        self._histograms: dict[str, _Series[Histogram]] = {}
        for metric in METRICS:
            self._add(metric)

    def _add(self, metric: Metric) -> None:
        name, text, labels = metric.name, metric.help, metric.labels
        labelled = bool(labels)
        match metric.kind:
            case MetricKind.COUNTER:
                counter = Counter(name, text, labels, registry=None)
                self._counters[name] = _Series(counter, counter.labels, labelled=labelled)
            case MetricKind.HISTOGRAM:
                histogram = Histogram(name, text, labels, registry=None, buckets=metric.buckets)
                self._histograms[name] = _Series(histogram, histogram.labels, labelled=labelled)
            case MetricKind.GAUGE if self._in_files and not labels:
                # Nothing is in the file before the first value: a worker that only starts must
                # not pull a minimum down to nought.
                pass
            case MetricKind.GAUGE:
                self._gauges[name] = _gauge_series(metric)

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""
        self._counters[metric.name].get(labels).inc(amount)

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        series = self._gauges.get(metric.name)
        if series is None:
            series = self._gauges[metric.name] = _gauge_series(metric)
        series.get(labels).set(value)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add to a histogram."""
        self._histograms[metric.name].get(labels).observe(value)

    def forget(self, metric: Metric, *labels: str) -> None:
        """Drop a labelled series of a gauge; counts are kept, since sums must not fall."""
        series = self._gauges.get(metric.name)
        child = series.drop(labels) if series is not None else None
        if series is None or child is None:
            return
        if self._in_files:
            child.set(_NEUTRAL[metric.merge])
        else:
            series.parent.remove(*labels)

    def render(self) -> bytes:
        """All metrics of the table in the Prometheus text format, version 0.0.4."""
        return generate_latest(self)

    def collect(self) -> Iterator[Family]:
        """The table in its order, each family with what samples there are."""
        merged = {} if self._directory is None else _merged(self._directory.glob("*.db"))
        for metric in METRICS:
            name = metric.name.removesuffix("_total")
            family = Family(name, metric.help, metric.kind)
            ours = self._directory is None or (
                not self._in_files and metric.merge is Merge.SUPERVISOR
            )
            found = self._own(metric) if ours else merged.get(name)
            if found is not None:
                family.samples = [
                    sample
                    for sample in found.samples
                    if not sample.name.endswith("_created")
                    and (math.isfinite(sample.value) or metric.kind is not MetricKind.GAUGE)
                ]
            yield family

    def _own(self, metric: Metric) -> Family | None:
        for kind in (self._counters, self._gauges, self._histograms):
            if metric.name in kind:
                return next(iter(kind[metric.name].parent.collect()))
        return None

    @property
    def directory(self) -> Path | None:
        """Where the values of many processes meet; none for a process alone."""
        return self._directory

    def forget_workers(self) -> None:
        """Take the files of an earlier run out of the folder, and nothing else."""
        if self._directory is not None:
            for file in self._directory.glob("*.db"):
                file.unlink(missing_ok=True)

    def worker_ended(self, worker: int) -> None:
        """Take the gauges of a dead worker out of the sums; its counts stay."""
        if self._directory is not None:
            mark_process_dead(worker, str(self._directory))  # type: ignore[no-untyped-call]  # the library has no annotation here

    def worker_beat(self, worker: int) -> WorkerBeat:
        """What a worker's own files say of it."""
        if self._directory is None:
            return WorkerBeat(ready=False, tick_age_s=None)
        families = _merged(self._directory.glob(f"gauge_*_{worker}.db"))
        ready = _single(families.get(WORKER_READY.name))
        tick = _single(families.get(LOOP_TICK_TIMESTAMP_SECONDS.name))
        age = None if tick is None else max(0.0, time.time() - tick)
        return WorkerBeat(ready=bool(ready), tick_age_s=age)


class NullTelemetry:
    """Fulfils ``ports.Telemetry`` for tools and tests that measure nothing."""

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """Do nothing."""

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """Do nothing."""

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Do nothing."""

    def forget(self, metric: Metric, *labels: str) -> None:
        """Do nothing."""


def _gauge_series(metric: Metric) -> _Series[Gauge]:
    mode = _MODES[metric.merge]
    gauge = Gauge(metric.name, metric.help, metric.labels, registry=None, multiprocess_mode=mode)
    return _Series(gauge, gauge.labels, labelled=bool(metric.labels))


def _choose_values(*, in_files: bool, worker: int | None) -> None:
    """Say where the library keeps values; it chooses at import, from the environment alone."""
    if not in_files:
        prometheus_values.ValueClass = prometheus_values.MutexValue
        return
    identity = os.getpid() if worker is None else worker
    prometheus_values.ValueClass = prometheus_values.MultiProcessValue(lambda: identity)  # type: ignore[no-untyped-call]  # the way its documentation gives


def _merged(files: Iterable[Path]) -> dict[str, Family]:
    """All or nothing: one file left out would let a sum fall, which reads as a restart."""
    begun = [str(file) for file in files if _size_bytes(file) > 0]
    try:
        families = MultiProcessCollector.merge(begun)  # type: ignore[no-untyped-call]  # the library has no annotation here
    except (OSError, RuntimeError, ValueError, struct.error) as exc:
        # A file spoilt by a full disk. What is the supervisor's own must still be told.
        structlog.get_logger().warning("worker_metrics_unreadable", error=str(exc))
        return {}
    return {family.name: family for family in families}


def _size_bytes(file: Path) -> int:
    """Nought for a file that a worker is just making, or that went with its worker."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _single(family: Family | None) -> float | None:
    return family.samples[0].value if family is not None and family.samples else None
