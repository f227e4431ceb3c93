"""The story of a bench, from a cluster to a report, and back to a cluster as it was.

Decides the order of things. Whatever happens on the way, no process and no folder is left behind,
and on a cluster of one's own no topic and no group.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.drift.reference_file import REFERENCE_FILE
from stream_app.adapters.kafka.clients import native_fault
from stream_app.adapters.local_kafka.workdir import WorkFolder
from stream_app.adapters.model.repository import resolve_version
from stream_app.bench.acts import draw_profile, measure_curve, measure_latencies, run_rounds
from stream_app.bench.advice import Advice, Situation, advise
from stream_app.bench.checks import Scores
from stream_app.bench.children import Children
from stream_app.bench.clusters import open_cluster
from stream_app.bench.cores import Cores, kept_apart
from stream_app.bench.figures import CurvePoint, Latencies, Result
from stream_app.bench.machine import describe_machine, today, versions
from stream_app.bench.options import COUNTED, BenchOptions, Contender
from stream_app.bench.report import Report
from stream_app.bench.screen import Screen
from stream_app.bench.stage import Stage
from stream_app.bench.workload import prepare
from stream_app.errors import UsageError
from stream_app.settings import Settings
from stream_app.terminal.interrupts import Interrupts

_CPU: Final = "CPUExecutionProvider"
_FASTEST_FIRST: Final = (Contender.NATIVE, Contender.PUBLIC)


def run_bench(
    options: BenchOptions,
    settings: Settings,
    given: Mapping[str, str],
    config: Path | None,
    console: Console,
) -> Report:
    """Run it; call on the main thread, which gets the signals.

    Args:
        options: Of this bench.
        settings: The user's.
        given: Single settings over file and environment, as ``--set`` gave them.
        config: The user's file.
        console: Where it is seen.

    Raises:
        EndedBySignalError: by a signal; everything was put away.
        StreamAppError: something is in the way.
    """
    profiler = _profiler(options)
    with Interrupts() as interrupts, ExitStack() as stack, Screen(console) as screen:
        try:
            return _tell(options, settings, given, config, stack, interrupts, screen, profiler)
        finally:
            interrupts.closing()
            stack.close()


def _tell(
    options: BenchOptions,
    settings: Settings,
    given: Mapping[str, str],
    config: Path | None,
    stack: ExitStack,
    interrupts: Interrupts,
    screen: Screen,
    profiler: str,
) -> Report:
    work = WorkFolder()
    stack.callback(work.close)
    cores = stack.enter_context(kept_apart())
    # Before everything: children would compile at the cost of the first one's figures.
    warm_kernels(screen.say, native=True)
    chosen, notes = _who_can(options, settings, cores)
    cluster = stack.enter_context(open_cluster(options.cluster, settings.kafka, screen.say))
    screen.say(cluster.title, style="bold")
    notes += [cluster.caution] if cluster.caution else []
    children = stack.enter_context(Children(work.path, interrupts.held))
    screen.begin("writing the input", options.records)
    name = f"stream-app-bench-{secrets.token_hex(4)}"
    workload = prepare(options, settings, given, config, cluster, name, work.path, screen.show)
    screen.end()
    screen.say(f"{workload.records:,} records in {workload.partitions} partitions")
    stage = Stage(options, workload, cluster, children, cores, screen, Scores(), [])
    results = run_rounds(stage, chosen)
    has_use = _on_cpu(settings) and not all(each.echoes for each in chosen)
    curve = measure_curve(stage, len(cores.others) + 1) if has_use else []
    latencies = measure_latencies(stage, chosen) if options.rate else {}
    worker = next((each for each in _FASTEST_FIRST if each in results), None)
    if options.profile is not None and worker is not None:
        draw_profile(stage, profiler, options.profile, worker)
    advice = _advice(stage, results[worker], curve) if worker and curve else []
    return _report(stage, results, curve, latencies, advice, notes)


def _who_can(
    options: BenchOptions, settings: Settings, cores: Cores
) -> tuple[tuple[Contender, ...], list[str]]:
    """Contenders that can run here, and what to say of the rest.

    Raises:
        UsageError: nobody can.
    """
    chosen, notes = list(options.contenders), []
    if not cores.apart:
        notes.append("nobody had a core alone here: differences of a few per cent mean nothing")
    if any(each.client == "native" for each in chosen) and (fault := native_fault()) is not None:
        chosen = [each for each in chosen if each.client != "native"]
        notes.append(f"without the native client, which cannot be used here: {fault}")
    if not _on_cpu(settings):
        chosen = [each for each in chosen if each not in {Contender.ONNX, Contender.PLAIN_LOOP}]
        provider = settings.model.execution_provider
        notes.append(f"without yardsticks that score on the CPU: the model runs on {provider}")
    if not _counts_drift(options, settings):
        left_out = [each for each in chosen if each in COUNTED]
        chosen = [each for each in chosen if each not in COUNTED]
        if left_out:
            notes.append("nothing on drift: it is not counted, or the model has no reference")
    if not chosen:
        raise UsageError(f"--only: none of those can run here; {'; '.join(notes)}")
    return tuple(chosen), notes


def _counts_drift(options: BenchOptions, settings: Settings) -> bool:
    if settings.drift.counting == "off":
        return False
    if options.model is not None:
        return True
    model = settings.model
    version = resolve_version(model.repository, model.name, model.version)
    return (model.repository / model.name / version / REFERENCE_FILE).exists()


def _on_cpu(settings: Settings) -> bool:
    return settings.model.execution_provider == _CPU


def _advice(stage: Stage, worker: Result, curve: list[CurvePoint]) -> list[Advice]:
    settings = stage.settings(dict(stage.workload.overrides))
    return advise(
        Situation(
            curve=curve,
            worker=worker,
            cores=os.cpu_count() or 1,
            partitions=stage.workload.partitions,
            batch=settings.batch.max_records,
            transaction_s=settings.batch.transaction_time_s,
            threads=settings.model.intra_op_threads,
        )
    )


def _report(
    stage: Stage,
    results: Mapping[Contender, Result],
    curve: list[CurvePoint],
    latencies: Mapping[str, Latencies],
    advice: list[Advice],
    notes: list[str],
) -> Report:
    settings = stage.settings(dict(stage.workload.overrides))
    unanswered = [f"{n}: {each.unanswered} never answered" for n, each in latencies.items()]
    return Report(
        date=today(),
        kafka=stage.cluster.title,
        model=f"{settings.model.name} {settings.model.version}",
        records=stage.workload.records,
        partitions=stage.workload.partitions,
        rounds=stage.options.rounds,
        settings={
            "batch.max_records": settings.batch.max_records,
            "batch.transaction_time_s": settings.batch.transaction_time_s,
            "batch.transaction_records": settings.batch.transaction_records,
            "model.intra_op_threads": settings.model.intra_op_threads,
            "output.compression": settings.output.compression,
            "output.linger_ms": settings.output.linger_ms,
        },
        machine=describe_machine(),
        versions=versions(stage.cluster.version),
        pinned=stage.cores.apart,
        results=results,
        curve=curve,
        latencies=latencies,
        advice=advice,
        partials=stage.partials,
        compared=stage.scores.compared,
        notes=[
            *notes,
            *(
                text
                for text, each in zip(unanswered, latencies.values(), strict=True)
                if each.unanswered
            ),
        ],
        faults=stage.faults,
    )


def _profiler(options: BenchOptions) -> str:
    """Where py-spy is.

    Raises:
        UsageError: nowhere, or it would have nothing to look at.
    """
    if options.profile is None:
        return ""
    if not any(each.is_product for each in options.contenders):
        raise UsageError("--profile shows stream-app's worker, which --only leaves out; add it")
    found = shutil.which("py-spy")
    if found is None:
        raise UsageError(
            "--profile needs py-spy, which is not on the PATH: pip install py-spy, or leave "
            "--profile out"
        )
    return found
