"""What is made ready before a worker joins: cores, kernels, client, model; and what is said of it.

Decides what of these may be missing (kernels and the native client) and what may not (the model).
"""

import structlog

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.clients import native_fault
from stream_app.adapters.model.onnx_model import OnnxModel, load_model
from stream_app.adapters.model.repository import ModelRepository, resolve_version
from stream_app.adapters.process.machine import read_machine
from stream_app.core.cores import CorePlan, plan_cores
from stream_app.core.metrics import KAFKA_CLIENT_INFO, MODEL_INFO, MODEL_LOAD_SECONDS
from stream_app.errors import ConfigError, StreamAppError
from stream_app.ports import Telemetry
from stream_app.preflight import check
from stream_app.settings import Settings
from stream_app.settings_rules import require_for_scoring

log = structlog.get_logger(__name__)


def ready_kernels(settings: Settings) -> bool:
    """Compiled or loaded; false where this machine cannot."""
    native = settings.kafka.client == "native"
    warm = warm_kernels(lambda text: log.info("kernels", doing=text), native=native)
    if warm is None:
        return False
    how = "compiled" if warm.compiled else "loaded"
    log.info("kernels_ready", how=how, seconds=round(warm.seconds, 3), kept_in=str(warm.kept_in))
    return True


def ready_client(settings: Settings, telemetry: Telemetry, *, kernels: bool) -> Settings:
    """The settings with a Kafka client that can be used here."""
    kafka = settings.kafka
    if kafka.client == "native":
        fault = native_fault() if kernels else "it needs the compiled kernels"
        if fault is not None:
            log.warning("native_client_unavailable", reason=fault, using="public")
            kafka = kafka.model_copy(update={"client": "public"})
            settings = settings.model_copy(update={"kafka": kafka})
    telemetry.gauge(KAFKA_CLIENT_INFO, 1, kafka.client)
    log.info("kafka_client", client=kafka.client)
    return settings


def choose_cores(settings: Settings) -> CorePlan:
    """How many workers, and threads in each, this machine is best used with; says why.

    Raises:
        ConfigError: the model cannot be loaded.
    """
    require_for_scoring(settings)
    machine = read_machine()
    try:
        counts = KafkaAdmin(settings.kafka).partition_counts()
        partitions = counts.get(settings.input.topic)
    except StreamAppError as exc:
        # A worker waits for brokers; so many of them as if the topic were no limit.
        log.warning("partitions_unknown", reason=str(exc))
        partitions = None

    model = settings.model
    version = resolve_version(model.repository, model.name, model.version)
    files = ModelRepository(model.repository).open(model.name, version)

    def run_s(threads: int) -> float:
        with_these = model.model_copy(update={"intra_op_threads": threads})
        most = max(settings.batch.buckets, default=settings.batch.max_records)
        return load_model(files, with_these, (most,)).curve.run_s(most)

    given = model.intra_op_threads if "intra_op_threads" in model.model_fields_set else None
    plan = plan_cores(machine, partitions, run_s, model_bytes=len(files.model), threads=given)
    log.info(
        "workers_chosen",
        workers=plan.workers,
        onnx_threads=plan.threads,
        reason="; ".join(plan.reasons),
    )
    return plan


def ready_model(settings: Settings, telemetry: Telemetry) -> OnnxModel:
    """The model, after all checks; servers that are away are waited for later.

    Raises:
        ConfigError: everything that must be changed first.
    """
    preflight = check(settings)
    preflight.raise_config_faults()
    for finding in preflight.faults:
        log.warning("preflight", check=finding.check, fault=finding.text)
    model = preflight.model
    if model is None:
        raise ConfigError("the model was not loaded; `stream-app check` says why")
    for warning in model.warnings:
        log.warning("model_warning", warning=warning)
    telemetry.gauge(MODEL_LOAD_SECONDS, preflight.model_load_s)
    telemetry.gauge(
        MODEL_INFO, 1, model.name, model.version, model.content_hash, model.execution_provider
    )
    log.info(
        "model_ready",
        name=model.name,
        version=model.version,
        hash=model.content_hash,
        provider=model.execution_provider,
        seconds=round(preflight.model_load_s, 3),
    )
    return model
