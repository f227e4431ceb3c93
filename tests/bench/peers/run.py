"""The story of the comparison, from peers that are made to a report of all of them.

Decides the order of things, and that a peer which cannot be made, fails or is wrong costs its own
row and nobody else's. Whatever happens on the way, no process and no topic is left behind.
"""

import secrets
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from rich.console import Console

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.kafka.clients import native_fault
from stream_app.adapters.local_kafka.workdir import WorkFolder
from stream_app.bench.children import Children
from stream_app.bench.clusters import Cluster, open_cluster
from stream_app.bench.cores import kept_apart
from stream_app.bench.machine import describe_machine, today, versions
from stream_app.bench.options import ClusterKind
from stream_app.bench.screen import Screen
from stream_app.errors import StreamAppError
from stream_app.settings import KafkaSettings, load_settings
from stream_app.terminal.interrupts import Interrupts
from tests.bench.peers import programs
from tests.bench.peers.catalogue import NATIVE, PEERS, Peer, turns
from tests.bench.peers.stage import Stage, WrongOutputError
from tests.bench.peers.standings import Report, Standing, State

_WARMS: Final = "plain-loop"
"""Runs once before all: a broker that has just started has yet to compile what it does."""


def compare(peers: Sequence[Peer], records: int, rounds: int, console: Console) -> Report:
    """Run all of them; call on the main thread, which gets the signals.

    Raises:
        EndedBySignalError: by a signal; everything was put away.
        StreamAppError: something is in everybody's way.
    """
    with Interrupts() as interrupts, ExitStack() as stack, Screen(console) as screen:
        try:
            return _tell(peers, records, rounds, stack, interrupts, screen)
        finally:
            interrupts.closing()
            stack.close()


def _tell(
    peers: Sequence[Peer],
    records: int,
    rounds: int,
    stack: ExitStack,
    interrupts: Interrupts,
    screen: Screen,
) -> Report:
    standings = {peer.name: Standing(peer) for peer in peers}
    commands, missing = programs.commands(peers, screen.say)
    if NATIVE in standings and (fault := native_fault()) is not None:
        missing[NATIVE] = fault
    for name, reason in missing.items():
        standings[name].drop(State.SKIPPED, reason)
    chosen = [peer for peer in peers if peer.name not in missing]
    work = WorkFolder()
    stack.callback(work.close)
    cores = stack.enter_context(kept_apart())
    warm_kernels(screen.say, native=True)
    cluster = stack.enter_context(open_cluster(ClusterKind.REAL, KafkaSettings(), screen.say))
    screen.say(cluster.title, style="bold")
    stage = Stage(
        f"peers-{secrets.token_hex(4)}",
        work.path,
        commands,
        {},
        cluster,
        stack.enter_context(Children(_folder(work.path), interrupts.held)),
        cores,
        screen,
        interrupts.held,
    )
    for share in sorted({1, *(peer.share for peer in chosen)}):
        stage.fill(share, records)
    screen.say("warming the broker up")
    with suppress(WrongOutputError):  # its own row will say so
        stage.run(next(peer for peer in PEERS if peer.name == _WARMS), "warm-up")
    _rounds(stage, chosen, rounds, standings)
    return _report(stage, cluster, records, rounds, list(standings.values()))


def _rounds(
    stage: Stage, chosen: Sequence[Peer], rounds: int, standings: dict[str, Standing]
) -> None:
    order = turns(chosen, rounds)
    stage.screen.begin("runs", len(order))
    for done, (number, peer) in enumerate(order):
        standing = standings[peer.name]
        if standing.state is not State.MEASURED:
            continue
        stage.screen.show(done, f"round {number + 1}: {peer.name}")
        try:
            run, standing.versions = stage.run(peer, str(number + 1))
        except (StreamAppError, WrongOutputError) as exc:
            first, *more = str(exc).splitlines()
            standing.drop(State.FAILED, first)
            stage.screen.say(f"{peer.name} failed: {first}", style="bold red")
            for line in more:
                stage.screen.say(line)
        else:
            standing.runs.append(run)
            stage.screen.say(f"round {number + 1}: {peer.name}: {run.per_second:,.0f} records/s")
    stage.screen.end()


def _folder(work: Path) -> Path:
    folder = work / "children"
    folder.mkdir()
    return folder


def _report(
    stage: Stage, cluster: Cluster, records: int, rounds: int, standings: list[Standing]
) -> Report:
    settings = load_settings(None, stage.inputs[1].workload.overrides)
    return Report(
        date=today(),
        kafka=cluster.title,
        records=records,
        rounds=rounds,
        settings={
            "batch.max_records": settings.batch.max_records,
            "batch.transaction_time_s": settings.batch.transaction_time_s,
            "output.compression": settings.output.compression,
            "output.linger_ms": settings.output.linger_ms,
        },
        machine=describe_machine(),
        versions=versions(cluster.version),
        pinned=stage.cores.apart,
        standings=standings,
    )
