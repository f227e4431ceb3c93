"""The story of the demo, from an empty machine to a verdict and back to an empty machine.

Decides the order of things. Whatever happens on the way, no process, no folder and, on a cluster
of one's own, no topic is left behind.
"""

import platform
import secrets
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Final

from rich.console import Console

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.kafka.config import require_librdkafka
from stream_app.adapters.local_kafka.workdir import WorkFolder
from stream_app.adapters.verifier.reader import verify
from stream_app.demo.child import ended_badly
from stream_app.demo.clusters import Cluster, open_cluster
from stream_app.demo.drift import DriftVerdict, Watch, judge_drift
from stream_app.demo.events import prepare_events
from stream_app.demo.fleet import Fleet
from stream_app.demo.options import DemoOptions
from stream_app.demo.play import Play, open_play
from stream_app.demo.screen import Screen
from stream_app.demo.settings_file import STOP_WITHIN_S, leave_out_environment, write_settings
from stream_app.demo.summary import Summary
from stream_app.demo.traffic import PATIENCE_S, StalledError
from stream_app.settings import Settings, load_settings
from stream_app.terminal.interrupts import Interrupts
from stream_app.verify import Isolation, Report

Judge = Callable[[Settings, Isolation], Report]
"""Re-reads the topics and says what was lost and what was repeated."""

SENT_FILE: Final = "sent.avro"
"""In the folder of the run: the events that were sent and are sound."""

_COMMIT_WITHIN_S: Final = 5.0
_PACKAGES: Final = ("stream-app", "confluent-kafka", "onnxruntime", "fastavro", "numpy")


def judge_by_reading_again(settings: Settings, isolation: Isolation) -> Report:
    """The product's own verifier."""
    return verify(settings, wait_s=_COMMIT_WITHIN_S, isolation=isolation)


def run_demo(
    options: DemoOptions,
    console: Console,
    judge: Judge = judge_by_reading_again,
    patience_s: float = PATIENCE_S,
) -> Summary:
    """Run it; call on the main thread, which gets the signals.

    Args:
        options: Of this run.
        console: Where it is seen.
        judge: Reaches the verdict.
        patience_s: How long nothing may move.

    Raises:
        EndedBySignalError: by a signal; everything was put away.
        StalledError: nothing moved any more.
        StreamAppError: something else is in the way.
    """
    with Interrupts() as interrupts, ExitStack() as stack, Screen(console) as screen:
        try:
            return _tell(options, stack, interrupts, screen, judge, patience_s)
        finally:
            interrupts.closing()
            stack.close()


def _tell(
    options: DemoOptions,
    stack: ExitStack,
    interrupts: Interrupts,
    screen: Screen,
    judge: Judge,
    patience_s: float,
) -> Summary:
    removed = leave_out_environment(options)
    if removed:
        screen.say(f"the demo has settings of its own and ignores {', '.join(removed)}")
    folder = _folder(options, stack, screen)
    cluster = stack.enter_context(open_cluster(options, screen.say))
    _introduce(cluster, options, screen)
    name = f"stream-app-demo-{secrets.token_hex(4)}"
    # Before the workers, which would wait for each other and tell only their logs.
    warm_kernels(screen.say)
    config = write_settings(options, cluster.bootstrap_servers, name, folder)
    settings = load_settings(config)
    cluster.make_topics(settings)
    fleet = Fleet(config, folder, options.workers, interrupts.held)
    stack.callback(fleet.close)
    stack.callback(lambda: fleet.stop(STOP_WITHIN_S, lambda: interrupts.count > 1))
    screen.say(
        f"starting {_plural(options.workers)}; preparing {options.events:,} events and "
        f"{options.broken_events:,} that are malformed on purpose"
    )
    for index in range(options.workers):
        fleet.start(index)
    fleet.accompany("the drift aggregator", ["drift", "aggregate"])
    fleet.accompany("the drift monitor", ["monitor"])
    events = prepare_events(options)
    events.write(folder / SENT_FILE)
    watch = Watch(settings)
    play = stack.enter_context(open_play(options, settings, events, fleet, screen, patience_s))
    stalled = _perform(play, watch)
    faults = ended_badly(fleet.stop(STOP_WITHIN_S)) + play.refused()
    screen.say("all processes have drained and stopped; reading all topics again")
    report = judge(settings, cluster.isolation)
    if stalled is not None and report.lost.count == 0:
        raise stalled
    screen.say("computing the windows of drift again, from a file of the events")
    drift = judge_drift(watch, config, folder / SENT_FILE, events.drift_from_ms, options.page)
    return _summary(play, report, drift, faults, _versions(cluster))


def _perform(play: Play, watch: Watch) -> StalledError | None:
    """All acts; a stall is returned, for the verdict may explain it: a lost event never comes."""
    try:
        play.await_workers()
        play.warm_up()
        play.steady()
        play.burst()
        play.drift(watch)
    except StalledError as exc:
        return exc
    return None


def _folder(options: DemoOptions, stack: ExitStack, screen: Screen) -> Path:
    if options.keep:
        kept = Path(tempfile.mkdtemp(prefix="stream-app-demo-"))
        stack.callback(screen.say, f"settings and logs are kept in {kept}")
        return kept
    work = WorkFolder()
    stack.callback(work.close)
    return work.path


def _introduce(cluster: Cluster, options: DemoOptions, screen: Screen) -> None:
    delivery = options.delivery.value.replace("_", " ")
    screen.say(f"{cluster.title}: delivery {delivery}", style="bold")
    if cluster.caution:
        screen.say(cluster.caution, style="yellow")


def _plural(workers: int) -> str:
    return "1 scorer process" if workers == 1 else f"{workers} scorer processes"


def _summary(
    play: Play,
    report: Report,
    drift: DriftVerdict,
    faults: list[str],
    versions: dict[str, str],
) -> Summary:
    options = play.options
    return Summary(
        kafka=options.kafka.value,
        delivery=options.delivery.value,
        workers=options.workers,
        acknowledged=play.sender.acknowledged,
        planted=play.events.planted,
        killed=play.outage.told,
        seconds=play.screen.elapsed_s,
        measured=play.measured(),
        report=report,
        drift=drift,
        faults_seen=tuple(faults),
        examples=tuple(example for _, example in sorted(play.reader.examples.items())),
        reasons=play.reader.reasons,
        versions=versions,
    )


def _versions(cluster: Cluster) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "kafka": cluster.version,
        "librdkafka": require_librdkafka(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }
