"""``stream-app contract``: draft how events become model inputs, for a person to check."""

from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.model.contract_draft import draft_contract
from stream_app.adapters.model.contract_text import dump_contract
from stream_app.adapters.model.onnx_session import open_session
from stream_app.errors import ConfigError, UsageError
from stream_app.settings import ModelSettings

app = typer.Typer(
    help="Draft the contract between events, model and predictions.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


@app.callback()
def _group() -> None:
    """Keep ``init`` a command of its own."""


@app.command(
    epilog="Example: [bold]stream-app contract init --model model.onnx --schema event.avsc "
    "--output contract.toml[/bold]"
)
def init(
    *,
    model: Annotated[Path, typer.Option("--model", "-m", metavar="ONNX", help="The model.")],
    schema: Annotated[
        Path, typer.Option("--schema", "-s", metavar="AVSC", help="The events' Avro schema.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write it. Default: standard output.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Draft a contract from a model's signature and an event schema.

    It is a guess: what was guessed is said on standard error. Check it, then pack it with the
    model: stream-app model pack.
    """
    if output is not None and output.exists() and not force:
        raise UsageError(f"--output {output}: it exists; give another name, or --force")
    signature = open_session(read_file(model, "--model"), str(model), ModelSettings()).session
    text = read_file(schema, "--schema").decode("utf-8", errors="replace")
    contract, notes = draft_contract(signature.signature, text)
    for note in notes:
        typer.echo(f"check: {note}", err=True)
    drafted = dump_contract(contract, notes)
    if output is None:
        typer.echo(drafted, nl=False)
        return
    write_file(output, drafted, "--output")
    typer.echo(f"wrote {output}")


def read_file(path: Path, option: str) -> bytes:
    """The content of a file that the command line names.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"{option} {path}: cannot be read ({exc.strerror}); correct the path"
        ) from exc


def write_file(path: Path, text: str, option: str) -> None:
    """Write a file that the command line names.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{option} {path}: cannot be written ({exc.strerror})") from exc
