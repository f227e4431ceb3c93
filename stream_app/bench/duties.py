"""What a child of the bench does, by kind of order.

Decides which parts each contender is made of. Runs in the child alone.
"""

import secrets
import signal
import sys
from types import FrameType

from stream_app.adapters.avro.parts import build_store, prediction_prefix, prediction_schema
from stream_app.adapters.bench.echo import Echo
from stream_app.adapters.bench.meter import Meter
from stream_app.adapters.bench.model_cost import ModelCost
from stream_app.adapters.bench.plain_codec import PlainDecoder, PlainEncoder
from stream_app.adapters.bench.plain_loop import PlainLoop
from stream_app.adapters.bench.plain_model import PlainModel
from stream_app.adapters.bench.probe import Probe
from stream_app.adapters.model.manifest_file import MODEL_FILE
from stream_app.adapters.model.repository import ModelRepository
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.logs import configure_logging
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.worker_process import die_with_supervisor
from stream_app.bench.orders import Answer, Kind, Order
from stream_app.bench.worker_run import run_to_the_end
from stream_app.settings import Settings, load_settings


def do(order: Order) -> Answer:
    """Do it, and say what it took.

    Raises:
        StreamAppError: it could not be done.
    """
    die_with_supervisor()
    settings = load_settings(order.config_path, order.overrides)
    configure_logging("warning", "json")
    match order.kind:
        case Kind.MODEL:
            return _model(settings, order)
        case Kind.PROBE:
            return Probe(settings, order.values_from).run(order.rate, order.seconds)
        case _:
            meter = Meter()
            _run(settings, order, meter)
            return meter.figures()


def _run(settings: Settings, order: Order, meter: Meter) -> None:
    match order.kind:
        case Kind.WORKER:
            run_to_the_end(settings, meter, order.records, order.limit_s)
        case Kind.ECHO:
            signal.signal(signal.SIGTERM, _leave)
            Echo(settings, meter, _own_id(settings)).run(order.records)
        case _:
            signal.signal(signal.SIGTERM, _leave)
            _plain_loop(settings, meter).run(order.records)


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind, so that the group is left and can be deleted."""
    del frame
    sys.exit(128 + number)


def _plain_loop(settings: Settings, meter: Meter) -> PlainLoop:
    repository = ModelRepository(settings.model.repository)
    files = repository.open(settings.model.name, settings.model.version)
    store = build_store(settings, SystemClock(), NullTelemetry())
    text = prediction_schema(settings)
    lineage = {
        "model_name": files.name,
        "model_version": files.version,
        "model_hash": files.content_hash,
    }
    return PlainLoop(
        settings,
        meter,
        _own_id(settings),
        PlainDecoder(files.contract, store, settings.input.framing),
        PlainModel(files.folder / MODEL_FILE, settings.model.intra_op_threads),
        PlainEncoder(files.contract, text, prediction_prefix(settings, text), lineage),
    )


def _model(settings: Settings, order: Order) -> Answer:
    cost = ModelCost(settings)
    return {
        "curve": [
            cost.at_batch(batch, threads, order.seconds)
            for threads in order.threads
            for batch in order.batches
        ]
    }


def _own_id(settings: Settings) -> str:
    """A transactional id that nobody else can have."""
    return f"{settings.kafka.group}-{secrets.token_hex(4)}"
