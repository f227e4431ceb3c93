"""``stream-app model reference``: what a model's events are compared with, made and shown."""

import time
from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.avro.schema_file import read_schema_file
from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.drift.reference_build import BuildOptions, Phase, build_reference
from stream_app.adapters.drift.reference_file import (
    REFERENCE_FILE,
    StoredReference,
    require_reference,
    store,
    write_reference,
)
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelFiles, ModelRepository
from stream_app.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    read_tool_settings,
    worth_kernels,
)
from stream_app.cli.output import print_json, print_table, warn
from stream_app.cli.progress import Progress
from stream_app.cli.reference_view import column_rows, described, summary, threshold_rows
from stream_app.errors import ConfigError
from stream_app.settings import ModelSettings, Settings

app = typer.Typer(
    help="Make and show what a model's events are compared with.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="The model. Default: model.name.", show_default=False),
]
VersionOption = Annotated[
    str | None,
    typer.Option("--version", help="Default: model.version.", show_default=False),
]


@app.command(
    epilog="Example: [bold]stream-app model reference build car_loan --data last_month.avro "
    "--set model.repository=models[/bold]. Give data of a time in which all was well, that the "
    "model was not trained on, in the order of time."
)
def build(
    name: NameArgument = None,
    *,
    version: VersionOption = None,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE",
            help="Past events: an Avro container, CSV or Parquet, by the name's ending. Columns "
            "are the contract's fields: numbers, true and false, ISO times; an empty cell is null.",
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
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            metavar="FIELD",
            help="Field of the data with the right answer. With it windows get an estimate of "
            "accuracy.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="What labels call the classes, in the model's order. Default: as the model's "
            "label output does, or 0, 1, ...",
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing one.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Profile past events and the model's answers to them, and keep that beside the model.

    Every row is decoded by the contract and scored, as a live event would be; a row that would be
    a dead letter is counted by its code and left out. Up to a tenth may be.

    Writes reference.avro into the version's folder. The same data, contract and model give a
    reference with the same id.
    """
    settings = read_tool_settings(config, assignments)
    files = _open(settings, name, version)
    target = files.folder / REFERENCE_FILE
    if target.exists() and not force:
        raise ConfigError(f"{target}: there is a reference already; give --force to replace it")
    options = BuildOptions(
        path=data,
        schema=None if schema is None else read_schema_file(schema),
        label=label,
        classes=[each for each in classes.split(",") if each],
        max_value_bytes=settings.input.max_value_bytes,
        compiled=worth_kernels(data) and warm_kernels() is not None,
    )
    # On the CPU and on one thread, wherever it is made: answers must not differ.
    model = load_model(files, ModelSettings(intra_op_threads=1))
    began_s = time.monotonic()
    with Progress("reading", quiet=as_json) as progress:

        def tell(phase: Phase, share: float, rows: int) -> None:
            seconds = max(time.monotonic() - began_s, 1e-6)
            progress.tell(share, f"{rows:,} rows, {rows / seconds:,.0f}/s" if rows else "", phase)

        reference, making = build_reference(files, model, options, tell)
    stored = store(reference, making, int(time.time() * 1000))
    write_reference(files.folder, stored, force=force)
    if as_json:
        print_json({"file": str(target), **described(stored)})
        return
    _tell(stored)
    typer.echo(f"wrote {target}")


@app.command(
    epilog="Example: [bold]stream-app model reference show car_loan[/bold], or with "
    "[bold]--html reference.html[/bold] for histograms in a browser."
)
def show(
    name: NameArgument = None,
    *,
    version: VersionOption = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a page of histograms that needs no network. Needs the extra: pip install "
            r"'stream-app\[reports]'",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show a model's reference: a line for each column that is watched."""
    settings = read_tool_settings(config, assignments)
    files = _open(settings, name, version)
    stored = require_reference(files)
    if html is not None:
        from stream_app.adapters.drift.reference_page import write_page  # noqa: PLC0415  # an extra

        write_page(html, stored, [*summary(stored)[0]])
    if as_json:
        print_json({"file": str(files.folder / REFERENCE_FILE), **described(stored)})
        return
    _tell(stored)
    if html is not None:
        typer.echo(f"wrote {html}")


def _tell(stored: StoredReference) -> None:
    lines, warnings = summary(stored)
    for line in lines:
        typer.echo(line)
    columns, rows, right = column_rows(stored.reference)
    print_table(columns, rows, right=right)
    columns, rows, right = threshold_rows(stored.reference)
    if rows:
        print_table(columns, rows, title="a window of n rows has drift from", right=right)
    for text in warnings:
        warn(text)


def _open(settings: Settings, name: str | None, version: str | None) -> ModelFiles:
    chosen = name or settings.model.name
    if not chosen:
        raise ConfigError("which model? give its name, or set model.name")
    repository = ModelRepository(settings.model.repository)
    return repository.open(chosen, version or settings.model.version)
