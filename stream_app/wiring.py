"""Where parts are put together, and the only place that knows all of them.

Decides which adapter stands behind which port, from the settings, and in which order a worker
starts: checks, slot, model, clients, group. Holds no logic of the path.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import structlog

from stream_app import __version__, failpoints
from stream_app.adapters.avro.parts import build_decoder, build_encoder
from stream_app.adapters.drift.parts import build_tally, reference_for
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.at_least_once_sink import AtLeastOnceSink
from stream_app.adapters.kafka.credential_files import KafkaCredentialFiles
from stream_app.adapters.kafka.source import KafkaSource
from stream_app.adapters.kafka.transactional_sink import TransactionalSink
from stream_app.adapters.model.onnx_model import OnnxModel
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.flight_file import FlightFile
from stream_app.adapters.process.http_server import HttpServer
from stream_app.adapters.process.prometheus_telemetry import PrometheusTelemetry
from stream_app.adapters.process.signals import StopSignal
from stream_app.adapters.process.slots import Slot, acquire_slot, default_instance
from stream_app.adapters.process.supervisor import Supervisor
from stream_app.adapters.process.watchdog import ThreadWatchdog
from stream_app.adapters.process.worker_process import die_with_supervisor, worker_index
from stream_app.core.batching import BatchBound, TransactionPolicy
from stream_app.core.breaker import Breaker, BreakerLimits
from stream_app.core.dead_letters import Origin
from stream_app.core.metrics import WORKERS_WANTED
from stream_app.crash_guard import CrashGuard
from stream_app.credentials import Credentials
from stream_app.errors import ConfigError, ExitStatus
from stream_app.health import WorkerHealth
from stream_app.loop import Loop, LoopConfig
from stream_app.patience import wait_for
from stream_app.ports import Clock, Processor, Sink, Telemetry, Watchdog
from stream_app.readiness import ready_client, ready_kernels, ready_model
from stream_app.scorer import Scorer, ScorerConfig
from stream_app.scoring import ScoringRules
from stream_app.settings import AUTO_INSTANCE_ID, Delivery, Settings
from stream_app.settings_rules import require_for_scoring

log = structlog.get_logger(__name__)

_POLL_SHARE = 0.1
_TRANSACTION_SHARE = 0.2
"""Of the max poll interval, and of the transaction time-out, that one micro-batch may take."""

_BATCH_SHARE = 0.25
"""Of the latency target, for one run of the model."""

_DRAIN_SHARE = 0.6
"""Of the grace period, for the last commit; the rest is for leaving the group."""


def run_worker(settings: Settings) -> None:
    """One worker: joins the group, scores until told to stop, drains.

    Raises:
        StreamAppError: why it ended otherwise; its ``exit_status`` is the process's.
    """
    require_for_scoring(settings)
    failpoints.announce()
    index = worker_index()
    clock = SystemClock()
    telemetry = PrometheusTelemetry(worker=index)
    health = WorkerHealth(clock, 2 * settings.kafka.max_poll_interval_s, telemetry)
    with ExitStack() as stack:
        watchdog = stack.enter_context(ThreadWatchdog(on_tick=health.tick))
        grace_s = settings.worker.grace_period_s
        stop = stack.enter_context(StopSignal(lambda: watchdog.expire_at(clock.now_s() + grace_s)))
        die_with_supervisor()
        if index is None:
            telemetry.gauge(WORKERS_WANTED, 1)
        if index is None and settings.http.enabled:
            server = stack.enter_context(
                HttpServer(settings.http.host, settings.http.port, health, telemetry.render)
            )
            log.info("http", host=settings.http.host, port=server.port)
        compiled = settings.worker.compiled_kernels and ready_kernels(settings)
        settings = ready_client(settings, telemetry, kernels=compiled)
        model = ready_model(settings, telemetry)
        health.model_warm = True
        slot = stack.enter_context(
            acquire_slot(settings.worker.state_dir, settings.kafka.group, settings.worker.instance)
        )
        wait_s = settings.start.wait_s
        scorer = wait_for(
            lambda: build_scorer(settings, model, clock, telemetry, compiled=compiled),
            wait_s,
            stop,
            watchdog,
        )
        wait_for(KafkaAdmin(settings.kafka).partition_counts, wait_s, stop, watchdog)
        if scorer is None:
            return
        settings = with_member_name(settings, slot.transactional_id)
        build_loop(settings, scorer, model, slot, clock, telemetry, watchdog, health).run(stop)
    log.info("stopped")


def run_supervisor(settings: Settings, workers: int, arguments: list[str]) -> ExitStatus:
    """Many workers; returns when all have ended.

    Each makes the preflight's checks for itself, since it may be started again much later.

    Args:
        settings: As the workers will read them.
        workers: How many processes.
        arguments: Of ``stream-app`` for one worker.

    Raises:
        ConfigError: the settings cannot do for a scorer, or not for several on one host.
    """
    require_for_scoring(settings)
    if workers > 1 and settings.kafka.group_instance_id not in {"", AUTO_INSTANCE_ID}:
        message = (
            f"kafka.group_instance_id is one member's name, but {workers} workers would share it "
            f"and fence each other; set it to {AUTO_INSTANCE_ID}, leave it empty, or run one worker"
        )
        raise ConfigError(message)
    clock = SystemClock()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-app-metrics-"))
        telemetry = PrometheusTelemetry(workers_dir=Path(folder))
        supervisor = Supervisor(
            [sys.executable, "-m", "stream_app", *arguments],
            workers,
            settings.worker.grace_period_s,
            telemetry,
            clock,
            tick_limit_s=2 * settings.kafka.max_poll_interval_s,
        )
        if settings.http.enabled:
            server = stack.enter_context(
                HttpServer(
                    settings.http.host, settings.http.port, supervisor.health, telemetry.render
                )
            )
            log.info("http", host=settings.http.host, port=server.port)
        return supervisor.run()


def with_member_name(settings: Settings, slot_name: str) -> Settings:
    """Static membership by slot: a worker's successor is the same member, and waits for nobody."""
    if settings.kafka.group_instance_id != AUTO_INSTANCE_ID:
        return settings
    kafka = settings.kafka.model_copy(update={"group_instance_id": slot_name})
    return settings.model_copy(update={"kafka": kafka})


def build_scorer(
    settings: Settings, model: OnnxModel, clock: Clock, telemetry: Telemetry, *, compiled: bool
) -> Scorer:
    """The scorer with its decoder and encoder; ``compiled`` when kernels are ready.

    Raises:
        ConfigError: the prediction schema does not fit the contract, or is not registered.
        RetriableError: the registry does not answer.
    """
    contract = model.contract
    origin = Origin(
        topic=settings.dlq_topic,
        group=settings.kafka.group,
        app_version=__version__,
        instance=settings.worker.instance or default_instance(),
        model_name=model.name,
        model_version=model.version,
        max_record_bytes=settings.output.max_record_bytes,
    )
    limits = settings.dead_letters
    stored = reference_for(settings, model.name, model.version)
    drift = None
    if stored is not None:
        drift = build_tally(settings, stored, origin.instance, clock, telemetry, compiled=compiled)
    config = ScorerConfig(
        predictions_topic=settings.predictions_topic,
        origin=origin,
        rules=ScoringRules(
            bisect_limit=limits.bisect_limit,
            on_non_finite_output=contract.on_non_finite_output,
            bound_outputs=tuple(sorted({binding.output for binding in contract.outputs})),
        ),
        timestamp=settings.output.timestamp,
        on_bad_record=limits.on_bad_record,
        max_time_difference_ms=round(1000 * settings.input.max_time_difference_s),
    )
    return Scorer(
        config,
        build_decoder(settings, contract, clock, telemetry, compiled=compiled),
        model,
        build_encoder(settings, contract, model, telemetry, compiled=compiled),
        Breaker(BreakerLimits(limits.breaker_share, limits.breaker_records, limits.breaker_run)),
        clock,
        telemetry,
        drift,
    )


def build_loop(
    settings: Settings,
    scorer: Scorer,
    model: OnnxModel,
    slot: Slot,
    clock: Clock,
    telemetry: Telemetry,
    watchdog: Watchdog,
    health: WorkerHealth,
) -> Loop:
    """The loop with its two Kafka edges."""
    kafka, batch = settings.kafka, settings.batch
    files = KafkaCredentialFiles(kafka)
    credentials = Credentials(files, clock, telemetry, kafka.credentials_check_s)

    def denied(reason: str) -> None:
        health.deny("input", reason)

    source = KafkaSource(settings, clock, telemetry, watchdog, denied)
    exactly_once = settings.delivery is Delivery.EXACTLY_ONCE
    sink: Sink
    if exactly_once:

        def waiting(value: bool) -> None:
            health.waiting = value

        def rotated() -> bool:
            return credentials.changed(clock.now_s()) and credentials.usable()

        sink = TransactionalSink(
            settings, slot.transactional_id, clock, telemetry, watchdog, waiting, rotated
        )
    else:
        sink = AtLeastOnceSink(
            settings, slot.transactional_id, clock, telemetry, watchdog, source.commit
        )
    processor: Processor = scorer
    if limit := settings.dead_letters.crash_limit:
        recorder = FlightFile(slot.flight_path, batch.max_records)
        processor = CrashGuard(
            scorer, recorder, limit, lambda: f"{settings.input.topic} {source.topic_id}"
        )
    budget_s = _POLL_SHARE * kafka.max_poll_interval_s
    if exactly_once:
        budget_s = min(budget_s, _TRANSACTION_SHARE * kafka.transaction_timeout_s)
    most = _best_batch(settings, model)
    config = LoopConfig(
        policy=TransactionPolicy(
            batch.transaction_time_s,
            batch.transaction_records,
            batch.latency_target_s,
            reveals=exactly_once,
        ),
        batch=BatchBound.starting(most, budget_s, model.seconds_per_row),
        start_wait_s=settings.start.wait_s,
        commit_budget_s=min(kafka.transaction_timeout_s, 0.2 * kafka.max_poll_interval_s),
        drain_budget_s=_DRAIN_SHARE * settings.worker.grace_period_s,
        denied_patience_s=settings.worker.denied_patience_s,
    )
    return Loop(config, source, sink, processor, clock, telemetry, watchdog, health, credentials)


def _best_batch(settings: Settings, model: OnnxModel) -> int:
    """The greatest micro-batch that is worth its wait."""
    batch = settings.batch
    greatest = max(batch.buckets, default=batch.max_records)
    # A share of the target, since a record waits for the batch before its own too.
    within_s = _BATCH_SHARE * batch.latency_target_s if batch.latency_target_s else float("inf")
    best = model.curve.best_rows(greatest, within_s)
    log.info(
        "batch_chosen",
        records=best,
        greatest=greatest,
        run_ms=round(1000 * model.curve.run_s(best), 3),
    )
    return best
