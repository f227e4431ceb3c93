"""``stream-app demo``: the whole job on a small cluster, shown and judged."""

import json
import logging
import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from stream_app.adapters.process.logs import configure_logging
from stream_app.demo.answer import print_answer
from stream_app.demo.options import PAGE, DemoOptions, KafkaKind
from stream_app.demo.run import run_demo
from stream_app.demo.screen import open_console
from stream_app.demo.summary import Summary
from stream_app.errors import ExitStatus, UsageError
from stream_app.terminal.interrupts import EndedBySignalError

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app demo[/bold], then [bold]stream-app demo --kafka real[/bold] "
    "(it needs the extra local-kafka), then [bold]stream-app demo --bootstrap "
    "localhost:9092[/bold]."
)
def demo(
    kafka: Annotated[
        Literal["mock", "real"],
        typer.Option(
            help="mock: inside this process, at least once. real: an Apache Kafka started for this "
            "run, exactly once, and a worker is killed."
        ),
    ] = "mock",
    bootstrap: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="A cluster of your own instead; topics and group get names of their own and are "
            "removed at the end. How to log in is taken from STREAM_APP_KAFKA__... variables.",
            show_default=False,
        ),
    ] = "",
    events: Annotated[
        int | None,
        typer.Option(
            help="How many sound ones, in whose second half the applicants are others; one in a "
            "hundred that are malformed comes on top. Default: what suits the cluster.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Scorer processes.")] = 2,
    kill: Annotated[
        bool | None,
        typer.Option(
            "--kill/--no-kill",
            help="Kill a worker half-way. Default: only with --kafka real.",
            show_default=False,
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the summary as JSON.", show_default=False),
    ] = None,
    report: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the page on drift goes; replaced.")
    ] = PAGE,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave topics (with --bootstrap), settings file and logs."),
    ] = False,
) -> None:
    """Show the whole job: events in, predictions, dead letters and drift out.

    Two workers of one consumer group score car-loan applications, some of them malformed on
    purpose; an aggregator adds up what they saw, a monitor raises alerts. Half-way the applicants
    change. At the end all topics are read again to count what was lost and what was repeated, and
    the windows of drift are computed again from a file.

    Exit status: 0 all is well, 65 something was lost, repeated or differs, 75 nothing moved any
    more.
    """
    options = DemoOptions.of(
        KafkaKind(kafka), bootstrap, events, workers, kill=kill, keep=keep, page=report
    )
    if summary is not None:
        _require_writable("--summary", summary)
    _require_writable("--report", report)
    # What matters is on the screen; a client's grumbling about a broker that went is not.
    configure_logging("error", "auto")
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    console = open_console()
    try:
        result = run_demo(options, console)
    except EndedBySignalError as exc:
        console.print(str(exc) if keep else f"{exc}; nothing is left behind", style="yellow")
        raise typer.Exit(128 + exc.number) from exc
    raise typer.Exit(conclude(result, console, summary))


def conclude(result: Summary, console: Console, path: Path | None) -> ExitStatus:
    """Write and show what came out; the status to end with."""
    if path is not None:
        path.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    print_answer(console, result)
    return ExitStatus.OK if result.ok else ExitStatus.DATA


def _require_writable(option: str, path: Path) -> None:
    """Find out before the run, not after it; leaves what is there as it is.

    Raises:
        UsageError: the file cannot be written.
    """
    place = path if path.exists() else path.absolute().parent
    if path.is_dir() or not os.access(place, os.W_OK):
        raise UsageError(f"{option} {path}: cannot be written; give the path of a file")
