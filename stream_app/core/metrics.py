"""The one table of metrics: name, kind, labels and meaning of everything that is measured.

Decides what exists and what it is called. Refuses to know how it is counted or exported: the
Prometheus adapter makes its instruments from this table, the README's table is tested against
it. Names end in their unit; labels have few values, all known beforehand or bounded.
"""

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """The three instruments used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """How one gauge is made of many workers' (counters and histograms always add up)."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    LATEST = "latest"
    """The one set last, by label: what moves from worker to worker, such as a partition."""
    SUPERVISOR = "supervisor"
    """Not the workers' at all: the supervisor's own, and so are counters of this kind."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument.

    Attributes:
        name: With its unit at the end and, for counters, ``_total``.
        kind: Which instrument.
        help: One sentence, as it stands in ``/metrics``.
        labels: Label names, in the order in which values are given.
        buckets: Upper bounds of a histogram.
        merge: How the values of the workers under one supervisor become one.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Merge = Merge.SUM


def _counter(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(name, MetricKind.COUNTER, help_text, labels)


def _gauge(name: str, help_text: str, *labels: str, merge: Merge) -> Metric:
    return Metric(name, MetricKind.GAUGE, help_text, labels, merge=merge)


_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0)


def _seconds(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(name, MetricKind.HISTOGRAM, help_text, labels, _SECONDS)


RECORDS_FETCHED = _counter("stream_app_records_fetched_total", "Records fetched, repeats included.")
RECORDS_STALE = _counter(
    "stream_app_records_stale_total",
    "Records dropped and fetched again because they came under an older assignment.",
)
RECORDS_DELETED_UNREAD = _counter(
    "stream_app_records_deleted_unread_total",
    "Records that were deleted from the input before they were read: lost.",
)
PREDICTIONS = _counter("stream_app_predictions_total", "Predictions committed.")
DEAD_LETTERS = _counter("stream_app_dead_letters_total", "Dead letters committed.", "stage", "code")
BATCH_RECORDS = Metric(
    "stream_app_batch_records", MetricKind.HISTOGRAM, "Records in a micro-batch.", (), _ROWS
)
BATCH_BOUND_RECORDS = _gauge(
    "stream_app_batch_bound_records",
    "Greatest micro-batch now allowed, so that a slow model never costs the group membership.",
    merge=Merge.MIN,
)
STEP_SECONDS = _seconds(
    "stream_app_step_seconds", "Time of one step of the path for one micro-batch.", "step"
)
DRIFT_PARTIAL_BYTES = _counter(
    "stream_app_drift_partial_bytes_total",
    "Bytes of committed drift partials, before compression.",
)
DRIFT_PARTIALS = _counter(
    "stream_app_drift_partials_total",
    "Drift partials merged: applied, repeated (dropped), overlapping (added), malformed.",
    "outcome",
)
DRIFT_WINDOWS = _counter(
    "stream_app_drift_windows_total",
    "Drift windows published: final (revisions too), open (nothing more comes), roll_up.",
    "kind",
)
DRIFT_WINDOWS_KEPT = _gauge(
    "stream_app_drift_windows_kept", "Drift windows whose state is kept.", merge=Merge.SUM
)
DRIFT_LATE = _counter(
    "stream_app_drift_late_records_total",
    "Predictions and dead letters too late for their drift window: behind the retention.",
)
DRIFT_WATERMARK_SECONDS = _gauge(
    "stream_app_drift_watermark_timestamp_seconds",
    "Event time up to which drift windows are complete.",
    "name",
    "version",
    merge=Merge.LATEST,
)
MONITOR_WINDOWS = _counter(
    "stream_app_monitor_windows_total",
    "Window records read: judged, open (not final yet), known (nothing new), left_out (a roll-up "
    "that is not to be judged), unreadable.",
    "outcome",
)
MONITOR_WINDOW_END_SECONDS = _gauge(
    "stream_app_monitor_window_end_timestamp_seconds",
    "Event time at which the last window of a stream that was judged ends.",
    "name",
    "version",
    "role",
    merge=Merge.MAX,
)
MONITOR_WINDOW_TOLD_SECONDS = _gauge(
    "stream_app_monitor_window_told_timestamp_seconds",
    "Unix time at which that window was told of: what is long ago means that nothing comes.",
    "name",
    "version",
    "role",
    merge=Merge.MAX,
)
MONITOR_SCORE = _gauge(
    "stream_app_monitor_score_ratio",
    "Greatest score of a column in that window, by its threshold: above 1 there is drift. Of the "
    "ten columns that are furthest.",
    "name",
    "version",
    "role",
    "column",
    merge=Merge.MAX,
)
MONITOR_ALERTS = _counter(
    "stream_app_monitor_alerts_total", "Alert records written.", "state", "level"
)
MONITOR_ALERTS_OPEN = _gauge(
    "stream_app_monitor_alerts_open",
    "Open alerts, without those of streams of which nothing was heard for long.",
    "level",
    merge=Merge.SUM,
)
MONITOR_WEBHOOK = _counter(
    "stream_app_monitor_webhook_total",
    "Attempts to post an alert: delivered, failed (it is tried again).",
    "result",
)
END_TO_END_SECONDS = _seconds(
    "stream_app_end_to_end_seconds",
    "From the oldest record timestamp of a transaction to its commit.",
)
TRANSACTIONS = _counter(
    "stream_app_transactions_total", "Transactions (or, at least once, commits).", "result"
)
COMMITS_DUE = _counter(
    "stream_app_commits_due_total",
    "Commits by what made them due: time, size, target (of latency), drained (no more to fetch).",
    "reason",
)
COMMIT_SECONDS = _seconds("stream_app_commit_seconds", "Time of a commit.")
CONSUMER_LAG = _gauge(
    "stream_app_consumer_lag_records",
    "Records behind the end of the partition.",
    "partition",
    merge=Merge.LATEST,
)
INPUT_STALLED_SECONDS = _gauge(
    "stream_app_input_stalled_seconds",
    "How long the partition's records have been hidden behind a producer's open transaction.",
    "partition",
    merge=Merge.LATEST,
)
REBALANCES = _counter("stream_app_rebalances_total", "Rebalance events.", "event")
ASSIGNED_PARTITIONS = _gauge(
    "stream_app_assigned_partitions", "Input partitions assigned.", merge=Merge.SUM
)
PRODUCER_REBUILDS = _counter(
    "stream_app_producer_rebuilds_total", "Producers made anew after fencing or an unclear commit."
)
KAFKA_CLIENT_INFO = _gauge(
    "stream_app_kafka_client_info",
    "1 for the Kafka client in use: public, or native.",
    "kind",
    merge=Merge.MAX,
)
CLIENT_ERRORS = _counter(
    "stream_app_client_errors_total", "Errors that the Kafka client reported.", "code"
)
CREDENTIALS_REFUSED = _gauge(
    "stream_app_credentials_refused",
    "Workers whose new credential files are not accepted, so that the old ones stay in use.",
    merge=Merge.SUM,
)
PAUSED = _gauge("stream_app_paused", "Workers that wait for the world to heal.", merge=Merge.SUM)
REGISTRY_REQUESTS = _counter(
    "stream_app_registry_requests_total", "Requests to the schema registry.", "result"
)
WRITER_SCHEMAS = _gauge("stream_app_writer_schemas", "Writer schemas known.", merge=Merge.MAX)
DECODER_FALLBACKS = _counter(
    "stream_app_decoder_fallbacks_total", "Rows decoded by the reference decoder, by choice or not."
)
ENCODER_FALLBACKS = _counter(
    "stream_app_encoder_fallbacks_total",
    "Predictions encoded by the reference encoder, by choice or not.",
)
MODEL_LOAD_SECONDS = _gauge(
    "stream_app_model_load_seconds", "Time to load and warm the model.", merge=Merge.MAX
)
MODEL_INFO = _gauge(
    "stream_app_model_info",
    "1 for the model in use.",
    "name",
    "version",
    "hash",
    "provider",
    merge=Merge.MAX,
)
WORKER_READY = _gauge(
    "stream_app_worker_ready",
    "Workers whose model is warm, whose partitions are known and who wait for nothing.",
    merge=Merge.SUM,
)
LOOP_TICK_TIMESTAMP_SECONDS = _gauge(
    "stream_app_loop_tick_timestamp_seconds",
    "Unix time at which the loop last turned; of many workers, the one longest ago.",
    merge=Merge.MIN,
)
WORKERS_WANTED = _gauge(
    "stream_app_workers_wanted",
    "Worker processes the supervisor keeps.",
    merge=Merge.SUPERVISOR,
)
WORKER_RESTARTS = Metric(
    "stream_app_worker_restarts_total",
    MetricKind.COUNTER,
    "Worker processes started again by the supervisor.",
    merge=Merge.SUPERVISOR,
)

METRICS: tuple[Metric, ...] = tuple(v for v in list(globals().values()) if isinstance(v, Metric))
