"""``stream-app model``: put a model into the repository, look at one, prove one."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from stream_app.adapters.drift.reference_file import find_reference
from stream_app.adapters.model.manifest_file import Tolerance
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.onnx_session import open_session
from stream_app.adapters.model.pack import pack_model
from stream_app.adapters.model.repository import ModelFiles, ModelRepository
from stream_app.cli import model_reference
from stream_app.cli.contract import read_file
from stream_app.cli.options import ConfigOption, JsonOption, SetOption, read_tool_settings
from stream_app.cli.output import print_json, print_table, warn
from stream_app.core.columns import Tensor
from stream_app.core.cost_curve import warm_up_sizes
from stream_app.errors import ConfigError
from stream_app.settings import Settings

app = typer.Typer(
    help="Pack, show and verify models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
app.add_typer(model_reference.app, name="reference")

NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="Default: model.name.", show_default=False),
]
VersionOption = Annotated[
    str | None,
    typer.Option("--version", help="Default: model.version.", show_default=False),
]


@app.command(
    epilog="Example: [bold]stream-app model pack --model model.onnx --contract contract.toml "
    "--name car_loan --repository models[/bold]"
)
def pack(
    *,
    model: Annotated[Path, typer.Option("--model", "-m", metavar="ONNX", help="The model.")],
    contract: Annotated[
        Path, typer.Option("--contract", metavar="TOML", help="How events become its inputs.")
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="Name in the repository.")],
    version: Annotated[
        str | None,
        typer.Option("--version", help="Default: one more than the greatest.", show_default=False),
    ] = None,
    repository: Annotated[
        Path | None,
        typer.Option("--repository", help="Default: model.repository.", show_default=False),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="NPZ",
            help="Typical input tensors by name, for the golden vectors. Default: made up from "
            "the contract.",
            show_default=False,
        ),
    ] = None,
    absolute: Annotated[
        float, typer.Option("--absolute", help="Tolerance of the golden outputs.")
    ] = Tolerance().absolute,
    relative: Annotated[
        float, typer.Option("--relative", help="Tolerance of the golden outputs.")
    ] = Tolerance().relative,
    note: Annotated[str, typer.Option("--note", help="Kept in the manifest, for people.")] = "",
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Put a model and its contract into the repository as a new version that never changes.

    The version gets a manifest with hashes, and golden vectors that every start compares; it is
    loaded once as a scorer would load it.
    """
    root = repository or read_tool_settings(config, assignments).model.repository
    folder = pack_model(
        model=read_file(model, "--model"),
        contract=read_file(contract, "--contract"),
        repository=root,
        name=name,
        version=version or _next_version(root, name),
        samples=None if samples is None else _read_samples(samples),
        tolerance=Tolerance(absolute=absolute, relative=relative),
        created_by=note,
    )
    typer.echo(f"packed {folder}")


@app.command(epilog="Example: [bold]stream-app model show car_loan[/bold]")
def show(
    name: NameArgument = None,
    *,
    version: VersionOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show a version's signature, contract and hashes; without a name, list the models."""
    settings = read_tool_settings(config, assignments)
    if name is None and not settings.model.name:
        _list(settings, as_json=as_json)
        return
    files = _open(settings, name, version)
    opened = open_session(files.model, str(files.folder / "model.onnx"), settings.model)
    signature = opened.session.signature
    tensors = [
        (side, tensor.name, str(tensor))
        for side, group in (("input", signature.inputs), ("output", signature.outputs))
        for tensor in group
    ]
    bindings = [
        (feature.field, tensor.name, str(tensor.dtype))
        for tensor in files.contract.inputs
        for feature in tensor.features
    ]
    if as_json:
        print_json(
            {
                "name": files.name,
                "version": files.version,
                "folder": str(files.folder),
                "sha256": files.model_sha256,
                "manifest": files.manifest.model_dump(mode="json"),
                "tensors": [dict(zip(("side", "name", "type"), t, strict=True)) for t in tensors],
                "fields": [dict(zip(("field", "input", "type"), b, strict=True)) for b in bindings],
            }
        )
        return
    producer = files.manifest.producer
    typer.echo(f"{files.name} version {files.version}, {files.folder}")
    typer.echo(f"sha256 {files.model_sha256}, made by {producer.name or 'an unnamed tool'}")
    print_table(("", "tensor", "type"), tensors)
    print_table(("event field", "model input", "as"), bindings)
    outputs = [(o.field, o.output, o.column) for o in files.contract.outputs]
    print_table(("prediction field", "model output", "column"), outputs)


@app.command(epilog="Example: [bold]stream-app model verify car_loan --version 1[/bold]")
def verify(
    name: NameArgument = None,
    *,
    version: VersionOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Load a version as a scorer would: hashes, signature, contract, golden vectors, provider.

    A reference beside it is read too: it must be whole, and of this model and contract.
    """
    settings = read_tool_settings(config, assignments)
    files = _open(settings, name, version)
    batch = settings.batch
    sizes = warm_up_sizes(batch.max_records, batch.buckets)
    model = load_model(files, settings.model, sizes, batch.buckets)
    for text in model.warnings:
        warn(text)
    micros = model.seconds_per_row * 1e6
    typer.echo(
        f"{model.name} version {model.version} ({model.content_hash}) is sound on "
        f"{model.execution_provider}: {files.golden.rows} golden rows agree, {micros:.1f} µs a row"
    )
    reference = find_reference(files)
    if reference is not None:
        typer.echo(f"its reference {reference.id} of {reference.reference.rows:,} rows is sound")


def _open(settings: Settings, name: str | None, version: str | None) -> ModelFiles:
    chosen = name or settings.model.name
    if not chosen:
        raise ConfigError("which model? give its name, or set model.name")
    repository = ModelRepository(settings.model.repository)
    return repository.open(chosen, version or settings.model.version)


def _list(settings: Settings, *, as_json: bool) -> None:
    repository = ModelRepository(settings.model.repository)
    found = {name: repository.versions(name) for name in repository.models()}
    if as_json:
        print_json(found)
        return
    rows = [(name, ", ".join(versions)) for name, versions in found.items()]
    print_table(("model", "versions"), rows, title=str(settings.model.repository))


def _next_version(root: Path, name: str) -> str:
    if not (root / name).is_dir():
        return "1"
    numbers = [int(v) for v in ModelRepository(root).versions(name) if v.isascii() and v.isdigit()]
    return str(max(numbers, default=0) + 1)


def _read_samples(path: Path) -> dict[str, Tensor]:
    try:
        # Without pickles, so that a file of samples cannot run code.
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"--samples {path}: expected an .npz file of tensors by input name ({exc})"
        ) from exc
