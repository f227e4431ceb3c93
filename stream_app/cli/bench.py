"""``stream-app bench``: how fast this machine scores, beside yardsticks from the same run."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from stream_app.adapters.process.logs import configure_logging
from stream_app.bench import tables
from stream_app.bench.options import Contender, choose
from stream_app.bench.report import Report
from stream_app.bench.run import run_bench
from stream_app.cli.options import ConfigOption, JsonOption, SetOption, read_assignments
from stream_app.cli.output import console, print_json, print_table
from stream_app.errors import ExitStatus
from stream_app.settings import load_settings
from stream_app.terminal.interrupts import EndedBySignalError

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app bench --kafka mock --rounds 1[/bold] for a first look, "
    "[bold]stream-app bench --model trees[/bold] on a real Kafka, and [bold]stream-app bench "
    "--config stream-app.toml --json > bench.json[/bold] for your own model and events."
)
def bench(
    config: ConfigOption = None,
    assignments: SetOption = None,
    bootstrap_servers: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="A cluster of your own, as kafka.bootstrap_servers.",
            show_default=False,
        ),
    ] = "",
    kafka: Annotated[
        Literal["real", "mock"] | None,
        typer.Option(
            help="A cluster for this run only. real: an Apache Kafka (extra local-kafka). mock: "
            "inside this process, for a quick look. Default: yours if the settings name one, "
            "else real.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Literal["mlp", "trees", "cnn"] | None,
        typer.Option(
            help="A model that comes with the bench, with its events. Default: the one that the "
            "settings name, on the events of input.topic; else mlp.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Measure only this contender; may be given several times. One of "
            f"{', '.join(Contender)}; 'stream-app' and 'echo' mean both of theirs.",
            show_default=False,
        ),
    ] = None,
    records: Annotated[
        int | None,
        typer.Option(
            help="How many each contender carries; default 1,000,000, on the mock 50,000.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often each of them runs.")] = 3,
    rate: Annotated[
        float,
        typer.Option(min=0, max=50_000, help="Events a second for latency; 0 leaves it out."),
    ] = 2_000,
    seconds: Annotated[
        float,
        typer.Option(min=0.1, max=3_600, help="How long the latency of each is measured."),
    ] = 10,
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="One more run under py-spy; writes its flame graph (SVG).",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast this machine scores, beside yardsticks.

    All contenders carry the same records with transactions, in turns, each in
    a process of its own on a core of its own:

    - plain-loop: what one writes by hand: fastavro a record, ONNX Runtime a batch

    - echo-public, echo-native: records go through unchanged; what Kafka costs

    - stream-app-public, stream-app-native: the worker, by kafka.client

    - stream-app-...-without-drift: the same, counting no drift

    - onnx: the model alone, which no worker can beat

    So a ratio holds where absolute figures depend on the machine. Afterwards
    every output is read again: what is lost, repeated or different fails the
    bench. Topics, groups and processes have names of their own and are removed.
    With your own model the events are copied from input.topic, which nobody
    joins and nothing is written to.

    Exit status: 0 all is well, 70 a contender's outcomes are wrong; 64, 65, 69,
    75 and 78 as with score.
    """
    given = read_assignments(assignments)
    if bootstrap_servers:
        given["kafka.bootstrap_servers"] = bootstrap_servers
    settings = load_settings(config, given)
    options = choose(
        settings,
        kafka=kafka,
        model=model,
        only=only or (),
        records=records,
        rounds=rounds,
        seconds=seconds,
        rate=rate,
        profile=profile,
    )
    configure_logging("error", "auto")
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    screen = console(stderr=True)
    try:
        report = run_bench(options, settings, given, config, screen)
    except EndedBySignalError as exc:
        screen.print(f"{exc}; nothing is left behind", style="yellow")
        raise typer.Exit(128 + exc.number) from exc
    if as_json:
        print_json(report.to_json())
    else:
        show(report)
    for fault in report.faults:
        screen.print(fault, style="bold red", markup=False)
    raise typer.Exit(ExitStatus.OK if report.ok else ExitStatus.SOFTWARE)


def show(report: Report) -> None:
    """Print all of it as tables."""
    machine = report.machine
    typer.echo(
        f"\n{machine['processor']}, {machine['cores']} cores; {report.kafka}; model "
        f"{report.model}; {report.records:,} records, {report.partitions} partitions; "
        f"rounds: {report.rounds}\n"
    )
    parts = [
        ("Records a second, median and range", tables.throughput(report)),
        ("Where the working thread's time goes", tables.steps(report)),
        ("What drift costs", tables.drift(report)),
        ("The model alone, by rows a batch", tables.model_cost(report)),
        (_latency_title(report), tables.latency(report.latencies)),
        ("Recommended", tables.advice(report)),
    ]
    for title, (columns, rows) in parts:
        if rows:
            words = {"", "setting", "since"}
            right = [name for name in columns if name not in words]
            print_table(columns, rows, title=title, right=right)
    for note in report.notes:
        typer.echo(f"note: {note}")
    if report.ok:
        typer.echo(
            "Every output was read again: one outcome for each record"
            + (f", {report.compared:,} predictions compared." if report.compared else ".")
        )


def _latency_title(report: Report) -> str:
    rates = [found.rate for found in report.latencies.values()]
    rate = f"{rates[0]:,.0f}" if rates else "0"
    return f"From sending an event to reading its outcome, read_committed, {rate} events/s"
