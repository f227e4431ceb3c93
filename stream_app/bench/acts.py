"""The acts of a bench: the rounds, the model's cost curve, latency, the flame graph.

Decides what is measured in which order. Every act adds to what is known; none judges it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from stream_app.bench.children import wait_both
from stream_app.bench.figures import CurvePoint, Figures, Latencies, Latency, Result
from stream_app.bench.options import COUNTED, ClusterKind, Contender, turns
from stream_app.bench.orders import ChildError, Kind
from stream_app.bench.stage import Stage, kind_of, points_of
from stream_app.errors import RetriableError

BATCHES: Final = (1, 8, 32, 64, 128, 256, 512, 1024, 2048)
_POINT_S: Final = 0.2
_WITHOUT_END: Final = 2**62
_PROBE_EXTRA_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A way through Kafka whose latency is measured.

    Attributes:
        name: In a person's words.
        contender: Who goes it.
        overrides: Settings of this way.
    """

    name: str
    contender: Contender
    overrides: Mapping[str, str]


def run_rounds(stage: Stage, chosen: tuple[Contender, ...]) -> dict[Contender, Result]:
    """Everybody, once a round."""
    runs: dict[Contender, list[Figures]] = {contender: [] for contender in chosen}
    if stage.options.cluster is ClusterKind.REAL:
        # A broker that has just started has yet to compile what transactions need.
        stage.screen.say("warming the broker up")
        stage.carry(Contender.ECHO_PUBLIC, "warm-up")
    order = turns(chosen, stage.options.rounds)
    stage.screen.begin("runs", len(order))
    for done, (number, contender) in enumerate(order):
        stage.screen.show(done, f"round {number + 1}: {contender}")
        if contender is Contender.ONNX:
            found = stage.model_figures()
        else:
            found = stage.carry(contender, str(number + 1))
        runs[contender].append(found)
        stage.screen.say(f"round {number + 1}: {contender}: {found.per_second:,.0f} records/s")
    stage.screen.end()
    return {contender: Result(tuple(found)) for contender, found in runs.items()}


def measure_curve(stage: Stage, cores: int) -> list[CurvePoint]:
    """What the model costs by batch size and threads; with all cores, as nobody else runs."""
    stage.screen.say("measuring what the model costs by batch size and threads")
    settings = stage.settings(dict(stage.workload.overrides))
    threads = sorted({1, settings.model.intra_op_threads, cores})
    order = replace(
        stage.order(Kind.MODEL, dict(stage.workload.overrides)),
        cores=(*stage.cores.others, *stage.cores.measured),
        batches=tuple(sorted({*BATCHES, settings.batch.max_records})),
        threads=tuple(threads),
        seconds=_POINT_S,
    )
    return [
        CurvePoint(int(point["batch"]), int(point["threads"]), point["rows_per_run_second"])
        for point in points_of(stage.children.run(order, "the model's cost curve"))
    ]


def ways(chosen: tuple[Contender, ...]) -> list[Waiting]:
    """Which latencies are measured: everybody's; without transactions an echo's and workers'."""
    found = []
    echoes = [contender for contender in chosen if contender.echoes]
    if echoes:
        # What Kafka itself takes; the rest of every other way is waiting for commits.
        name = f"{echoes[-1]}, no transactions"
        found.append(Waiting(name, echoes[-1], {"delivery": "at_least_once"}))
    for contender in chosen:
        if contender in COUNTED:
            continue
        if contender is not Contender.ONNX:
            found.append(Waiting(contender.value, contender, {}))
        if contender.is_product:
            name = f"{contender}, at least once"
            found.append(Waiting(name, contender, {"delivery": "at_least_once"}))
    return found


def measure_latencies(stage: Stage, chosen: tuple[Contender, ...]) -> dict[str, Latencies]:
    """Everybody at the same rate, one after another, once a round."""
    found: dict[str, list[Latency]] = {way.name: [] for way in ways(chosen)}
    turns = [(n, way) for n in range(stage.options.rounds) for way in ways(chosen)]
    stage.screen.begin("latency", len(turns))
    for done, (number, way) in enumerate(turns):
        stage.screen.show(done, f"round {number + 1}: {way.name}")
        found[way.name].append(_latency(stage, way, f"latency-{done}"))
    stage.screen.end()
    return {name: Latencies(tuple(runs)) for name, runs in found.items()}


def _latency(stage: Stage, way: Waiting, turn: str) -> Latency:
    run = stage.workload.run_name(way.contender, turn)
    overrides = {**stage.workload.of_run(way.contender, turn), **way.overrides}
    # What is sent are values of the input, of which some may be from another day.
    overrides |= {"input.topic": f"{run}.input", "input.max_time_difference_s": "0"}
    settings = stage.settings(overrides)
    outputs = [settings.predictions_topic, settings.dlq_topic, settings.partials_topic]
    topics = [settings.input.topic, *outputs]
    stage.cluster.make_topics(topics, stage.workload.partitions)
    stage.cluster.groups.append(settings.kafka.group)
    limit_s = stage.options.seconds + _PROBE_EXTRA_S
    order = replace(
        stage.order(kind_of(way.contender), overrides), records=_WITHOUT_END, limit_s=limit_s
    )
    worker = stage.children.start(order, way.name)
    probing = replace(
        stage.order(Kind.PROBE, overrides),
        cores=stage.cores.others,
        rate=stage.options.rate,
        values_from=stage.workload.topic,
    )
    probe = stage.children.start(probing, f"latency of {way.name}")
    try:
        answer: Mapping[str, Any] = wait_both(probe, worker, limit_s)
    except (ChildError, RetriableError) as exc:
        # Of one that has died the words are there already.
        tail = worker.tail() if worker.process.poll() is None else ""
        raise ChildError(f"{exc}{tail}", exc.exit_status) from exc
    finally:
        probe.end()
        worker.end()
    if "delivery" not in way.overrides and answer["sent"]:
        stage.note_partials(way.contender, settings, answer["sent"], answer["rate"])
    stage.cluster.drop(topics)
    return Latency(answer["rate"], answer["sent"], tuple(answer["latencies_s"]))


def draw_profile(stage: Stage, profiler: str, path: Path, contender: Contender) -> None:
    """One more run, under py-spy; its figures count for nothing."""
    stage.screen.say(f"{contender} once more, under py-spy")
    before = (profiler, "record", "--threads", "--output", str(path.absolute()), "--")
    stage.carry(contender, "profile", before)
