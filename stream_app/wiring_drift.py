"""Where the drift aggregator is put together: the scorer's loop and edges, with another processor.

Decides which settings the edges see: partials are their input, windows their output, and the group
is the aggregators' own. Holds no logic of the path.
"""

from contextlib import ExitStack
from typing import Final

import structlog

from stream_app import __version__, failpoints
from stream_app.adapters.drift.partial_codec import PartialCodec
from stream_app.adapters.drift.parts import arithmetic
from stream_app.adapters.drift.references import RepositoryReferences
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.changelog import KafkaChangelog
from stream_app.adapters.kafka.credential_files import KafkaCredentialFiles
from stream_app.adapters.kafka.source import KafkaSource
from stream_app.adapters.kafka.transactional_sink import TransactionalSink
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.http_server import HttpServer
from stream_app.adapters.process.prometheus_telemetry import PrometheusTelemetry
from stream_app.adapters.process.signals import StopSignal
from stream_app.adapters.process.slots import acquire_slot, default_instance
from stream_app.adapters.process.watchdog import ThreadWatchdog
from stream_app.adapters.process.worker_process import die_with_supervisor
from stream_app.aggregator import Aggregator, AggregatorConfig
from stream_app.core.batching import BatchBound, TransactionPolicy
from stream_app.core.dead_letters import Origin
from stream_app.core.drift.closing import ClosingRules
from stream_app.core.metrics import WORKERS_WANTED
from stream_app.credentials import Credentials
from stream_app.health import WorkerHealth
from stream_app.loop import Loop, LoopConfig
from stream_app.patience import wait_for
from stream_app.ports import Clock, Telemetry, Watchdog
from stream_app.preflight_drift import DriftPreflight
from stream_app.readiness import ready_client, ready_kernels
from stream_app.settings import Delivery, Settings, StartAt
from stream_app.wiring import with_member_name

log = structlog.get_logger(__name__)

_BATCH_BUDGET_SHARE: Final = 0.2
"""Of the transaction time-out, that one micro-batch may take."""

_PUBLISH_SHARE: Final = 0.2
"""Likewise, that the windows of one transaction may take."""

_DRAIN_SHARE: Final = 0.6
"""Of the grace period, for the last commit; the rest is for leaving the group."""

_UNSEEN_WAITS: Final = 2
"""Times the span after which the owner of a quiet partition says so: by then all have spoken."""

_REPLAY_WAIT_MS: Final = 600_000
"""Scorers that read the past again are no further apart than this, whatever times events have."""


def aggregator_settings(settings: Settings) -> Settings:
    """The same, as the edges of the aggregator's loop are to read them.

    A new group begins with the first partial, and delivery is exactly once whatever the scorers'
    is: windows are sums.
    """
    kafka, given = settings.kafka, settings.input
    named = {
        "partials_topic": settings.partials_topic,
        "windows_topic": settings.windows_topic,
        "alerts_topic": settings.alerts_topic,
        "changelog_topic": settings.changelog_topic,
        "group": settings.drift_group,
    }
    outputs = {
        "predictions_topic": settings.windows_topic,
        "dlq_topic": settings.partials_dlq_topic,
    }
    topic = settings.partials_topic if given.topic else ""
    return settings.model_copy(
        update={
            "delivery": Delivery.EXACTLY_ONCE,
            "input": given.model_copy(update={"topic": topic}),
            "output": settings.output.model_copy(update=outputs),
            "kafka": kafka.model_copy(update={"group": settings.drift_group}),
            "drift": settings.drift.model_copy(update=named),
            "start": settings.start.model_copy(update={"new_group": StartAt.EARLIEST}),
        }
    )


def run_aggregator(settings: Settings) -> None:
    """One aggregator: joins its group, sums up until told to stop, drains.

    Raises:
        StreamAppError: why it ended otherwise; its ``exit_status`` is the process's.
    """
    scored, settings = settings.input.topic, aggregator_settings(settings)
    failpoints.announce()
    clock = SystemClock()
    telemetry = PrometheusTelemetry()
    health = WorkerHealth(clock, 2 * settings.kafka.max_poll_interval_s, telemetry)
    with ExitStack() as stack:
        watchdog = stack.enter_context(ThreadWatchdog(on_tick=health.tick))
        grace_s = settings.worker.grace_period_s
        stop = stack.enter_context(StopSignal(lambda: watchdog.expire_at(clock.now_s() + grace_s)))
        die_with_supervisor()
        telemetry.gauge(WORKERS_WANTED, 1)
        if settings.http.enabled:
            server = stack.enter_context(
                HttpServer(
                    settings.http.host,
                    settings.aggregator_port,
                    health,
                    telemetry.render,
                    port_setting="drift.http_port",
                )
            )
            log.info("http", host=settings.http.host, port=server.port)
        preflight = DriftPreflight(settings).run()
        preflight.raise_config_faults()
        for finding in preflight.faults:
            log.warning("preflight", check=finding.check, fault=finding.text)
        compiled = settings.worker.compiled_kernels and ready_kernels(settings)
        settings = ready_client(settings, telemetry, kernels=compiled)
        health.model_warm = True
        slot = stack.enter_context(
            acquire_slot(settings.worker.state_dir, settings.kafka.group, settings.worker.instance)
        )
        admin = KafkaAdmin(settings.kafka)
        counts = wait_for(admin.partition_counts, settings.start.wait_s, stop, watchdog)
        if counts is None:
            return
        settings = with_member_name(settings, slot.transactional_id)
        aggregator = build_aggregator(
            settings, clock, telemetry, counts.get(scored, 0), compiled=compiled
        )
        loop = build_aggregator_loop(
            settings, aggregator, slot.transactional_id, clock, telemetry, watchdog, health
        )
        loop.run(stop)
    log.info("stopped")


def build_aggregator(
    settings: Settings, clock: Clock, telemetry: Telemetry, input_partitions: int, *, compiled: bool
) -> Aggregator:
    """The processor; ``settings`` as its edges see them, ``compiled`` when kernels are ready."""
    drift = settings.drift
    rules = ClosingRules(
        allowed_lateness_ms=round(1000 * drift.allowed_lateness_s),
        retention_ms=round(1000 * drift.retention_s),
        input_partitions=input_partitions,
        unseen_wait_ms=round(1000 * _UNSEEN_WAITS * drift.idle_after_s),
        replay_wait_ms=_REPLAY_WAIT_MS,
    )
    origin = Origin(
        topic=settings.dlq_topic,
        group=settings.kafka.group,
        app_version=__version__,
        instance=settings.worker.instance or default_instance(),
        model_name="",
        model_version="",
        max_record_bytes=settings.output.max_record_bytes,
    )
    config = AggregatorConfig(
        windows_topic=settings.windows_topic,
        changelog_topic=settings.changelog_topic,
        origin=origin,
        rules=rules,
        min_rows=drift.min_rows,
        max_windows=drift.max_windows,
        publish_budget_s=_PUBLISH_SHARE * settings.kafka.transaction_timeout_s,
        reference_wait_s=drift.reference_wait_s,
        silence_s=_UNSEEN_WAITS * drift.idle_after_s,
    )
    return Aggregator(
        config,
        PartialCodec(),
        WindowCodec(),
        RepositoryReferences(settings.model.repository),
        KafkaChangelog(settings, settings.changelog_topic),
        arithmetic(compiled=compiled),
        clock,
        telemetry,
    )


def build_aggregator_loop(
    settings: Settings,
    aggregator: Aggregator,
    transactional_id: str,
    clock: Clock,
    telemetry: Telemetry,
    watchdog: Watchdog,
    health: WorkerHealth,
) -> Loop:
    """The loop with its two Kafka edges."""
    kafka, batch = settings.kafka, settings.batch
    credentials = Credentials(
        KafkaCredentialFiles(kafka), clock, telemetry, kafka.credentials_check_s
    )

    def waiting(value: bool) -> None:
        health.waiting = value

    def denied(reason: str) -> None:
        health.deny("input", reason)

    def rotated() -> bool:
        return credentials.changed(clock.now_s()) and credentials.usable()

    source = KafkaSource(settings, clock, telemetry, watchdog, denied)
    sink = TransactionalSink(
        settings, transactional_id, clock, telemetry, watchdog, waiting, rotated
    )
    config = LoopConfig(
        policy=TransactionPolicy(batch.transaction_time_s, batch.transaction_records),
        batch=BatchBound.starting(
            batch.max_records, _BATCH_BUDGET_SHARE * kafka.transaction_timeout_s
        ),
        start_wait_s=settings.start.wait_s,
        commit_budget_s=min(kafka.transaction_timeout_s, 0.2 * kafka.max_poll_interval_s),
        drain_budget_s=_DRAIN_SHARE * settings.worker.grace_period_s,
        denied_patience_s=settings.worker.denied_patience_s,
    )
    return Loop(config, source, sink, aggregator, clock, telemetry, watchdog, health, credentials)
