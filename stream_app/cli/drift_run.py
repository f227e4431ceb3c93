"""``stream-app drift run``: the windows of a file of past events, the same as live ones."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.avro.schema_file import read_schema_file
from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.drift.reference_file import require_reference
from stream_app.adapters.drift.window_file import write_windows
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.cli.options import (
    ConfigOption,
    SetOption,
    read_tool_settings,
    time_option,
    worth_kernels,
)
from stream_app.cli.output import print_json_line, print_table, warn
from stream_app.cli.progress import Progress
from stream_app.cli.window_view import HEAD, RIGHT, by_code, has_drift, json_line, table_row
from stream_app.drift_run import MAX_WINDOWS, DriftRun, Phase, RunOptions, Totals
from stream_app.errors import ConfigError, UsageError
from stream_app.settings import ModelSettings, Settings

EPILOG = (
    "Example: [bold]stream-app drift run car_loan --data last_week.avro --repository models[/bold],"
    " or with the live job's file, [bold]--config stream-app.toml[/bold]: then settings of windows "
    "and limits are those of the job."
)

_DATA_SUFFIX = ".avro"


def run(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The model. Default: model.name.", show_default=False),
    ] = None,
    *,
    version: Annotated[
        str | None,
        typer.Option("--version", help="Default: model.version.", show_default=False),
    ] = None,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE",
            help="Past events: an Avro container, CSV or Parquet, by the name's ending, with the "
            "contract's time.",
        ),
    ],
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            metavar="AVSC",
            help="The events' Avro schema, for CSV and Parquet. Default: from the contract.",
            show_default=False,
        ),
    ] = None,
    repository: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Of models. Default: model.repository.", show_default=False
        ),
    ] = None,
    window_s: Annotated[
        int | None,
        typer.Option(
            "--window-s",
            metavar="S",
            help="Length of a window. Default: drift.window_s.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Only windows that start then or later: ISO 8601, UTC where no zone is given.",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(metavar="TIME", help="Only windows that end by then.", show_default=False),
    ] = "",
    max_windows: Annotated[
        int,
        typer.Option(
            "--max-windows",
            min=1,
            metavar="N",
            help="Held in memory at once. A file in the order of time needs no more than a day's.",
        ),
    ] = MAX_WINDOWS,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE.avro",
            help="Write the windows there too, as the same Avro records as in the windows topic.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --to.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON document a window, as it is complete.")
    ] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Compute the drift windows of a file, as live scorers and an aggregator would have.

    No Kafka is needed. Rows are decoded, scored, counted and added up by the code of the live
    path, so a live window that was final has here the same `input_hash`, bit by bit, if the file
    holds its events: give those of whole windows, in any order. `output_hash` is the same where
    the model answers the same whatever the size of a batch. A row that would be a dead letter
    counts as one, in its window if its time can be trusted.

    A file does not know what is only in Kafka: an event that live was refused because its time was
    too far from its record's (`input.max_time_difference_s`), or whose prediction was too large
    for a broker, counts here as a prediction; bytes that were no event at all are in no file, and
    live in no window.

    Exit status: 0 also where there is drift; 65 the file is broken or of too many open windows, 78
    a setting, the model, its reference or the file is not as it must be.
    """
    given = {
        "model.name": name,
        "model.version": version,
        "model.repository": repository,
        "drift.window_s": window_s,
    }
    over = [f"{key}={value}" for key, value in given.items() if value is not None]
    settings = read_tool_settings(config, [*(assignments or ()), *over])
    if to is not None and to.suffix.lower() != _DATA_SUFFIX:
        raise UsageError(f"--to {to}: is written as an Avro container; end its name in .avro")
    options = RunOptions(
        path=data,
        schema=None if schema is None else read_schema_file(schema),
        since_ms=time_option("--since", since),
        until_ms=time_option("--until", until),
        max_windows=max_windows,
        compiled=worth_kernels(data) and warm_kernels() is not None,
    )
    rows: list[tuple[int, int, Sequence[object]]] = []
    told = drifted = 0
    with ExitStack() as stack:
        out = None if to is None else stack.enter_context(write_windows(to, force=force))
        progress = stack.enter_context(Progress("reading", quiet=as_json))
        job = _opened(settings, options, progress)
        for report in job:
            told, drifted = told + 1, drifted + has_drift(report)
            if out is not None:
                out.add(report)
            if as_json:
                print_json_line(json_line(report))
            else:
                end_ms = report.head.start_ms + report.head.length_ms
                rows.append((end_ms, report.head.length_ms, table_row(report)))
    if not as_json:
        # Hours and days behind the last of their windows.
        print_table(HEAD, [cells for *_, cells in sorted(rows)], right=RIGHT)
        typer.echo(_summary(job.totals, told, drifted))
        if to is not None:
            typer.echo(f"wrote {to}")
    _warn(settings, job.totals, told)


def _opened(settings: Settings, options: RunOptions, progress: Progress) -> DriftRun:
    model = settings.model
    if not model.name:
        raise ConfigError("which model? give its name, or set model.name")
    files = ModelRepository(model.repository).open(model.name, model.version)
    stored = require_reference(files)
    began_s = time.monotonic()

    def tell(phase: Phase, share: float, rows: int) -> None:
        seconds = max(time.monotonic() - began_s, 1e-6)
        progress.tell(share, f"{rows:,} rows, {seconds:.0f} s", phase)

    # On the CPU and on one thread, wherever it is run: answers must not differ.
    loaded = load_model(files, ModelSettings(intra_op_threads=1))
    return DriftRun(settings, files.contract, loaded, stored, options, tell)


def _summary(totals: Totals, windows: int, drifted: int) -> str:
    letters = totals.letters + totals.letters_without_window
    dead = ", ".join(f"{code} {count:,}" for code, count in by_code(letters).items())
    return (
        f"{totals.rows_read:,} rows, {totals.predictions:,} counted as predictions and "
        f"{letters.total():,} as dead letters{f' ({dead})' if dead else ''}; {windows:,} windows "
        f"and roll-ups, {drifted:,} with drift"
    )


def _warn(settings: Settings, totals: Totals, windows: int) -> None:
    if not windows:
        warn("no window lies in what was asked for; see --since and --until, and the file's times")
    if totals.letters_without_window:
        told = ", ".join(by_code(totals.letters_without_window))
        warn(f"in no window, as live, since such events' times are not believed: {told}")
    if settings.input.max_time_difference_s:
        warn(
            "input.max_time_difference_s is set: events that live were refused for their time "
            "count here, since a file does not tell when they were sent"
        )
