"""The contender "stream-app": a worker, put together as ``stream-app score`` puts it together.

Decides only when it ends: when so many outcomes are committed. What it leaves out of ``score`` is
what a worker of a bench has nobody for: the operations port and a supervisor.
"""

from stream_app.adapters.bench.meter import Meter
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.signals import StopSignal
from stream_app.adapters.process.slots import acquire_slot
from stream_app.adapters.process.watchdog import ThreadWatchdog
from stream_app.bench.telemetry import AddingTelemetry
from stream_app.errors import FatalError
from stream_app.health import WorkerHealth
from stream_app.readiness import ready_client, ready_kernels, ready_model
from stream_app.settings import Settings
from stream_app.settings_rules import require_for_scoring
from stream_app.wiring import build_loop, build_scorer


def run_to_the_end(settings: Settings, meter: Meter, records: int, within_s: float) -> None:
    """Score until ``records`` outcomes are committed, SIGTERM comes, or time is up.

    Raises:
        FatalError: another Kafka client than the one to be measured would be used.
        StreamAppError: as ``run_worker``.
    """
    require_for_scoring(settings)
    clock, telemetry = SystemClock(), AddingTelemetry(meter)
    health = WorkerHealth(clock, 2 * settings.kafka.max_poll_interval_s, telemetry)
    with ThreadWatchdog(on_tick=health.tick) as watchdog, StopSignal(lambda: None) as stop:
        compiled = settings.worker.compiled_kernels and ready_kernels(settings)
        ready = ready_client(settings, telemetry, kernels=compiled)
        if ready.kafka.client != settings.kafka.client:
            raise FatalError(f"kafka.client = {settings.kafka.client} cannot be used here")
        model = ready_model(ready, telemetry)
        health.model_warm = True
        instance = ready.worker.instance
        with acquire_slot(ready.worker.state_dir, ready.kafka.group, instance) as slot:
            scorer = build_scorer(ready, model, clock, telemetry, compiled=compiled)
            loop = build_loop(ready, scorer, model, slot, clock, telemetry, watchdog, health)
            end_s = clock.now_s() + within_s
            loop.run(lambda: meter.outcomes >= records or stop() or clock.now_s() > end_s)
