"""``stream-app warm``: the kernels compiled now, at an install or in an image, not at a start."""

import typer

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.cli.options import JsonOption
from stream_app.cli.output import console, print_json
from stream_app.errors import ExitStatus

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app warm[/bold]; in an image, with STREAM_APP_CACHE_DIR set to a "
    "folder of it. A worker that finds them there starts some 15 s sooner."
)
def warm(as_json: JsonOption = False) -> None:
    """Compile the kernels that decode events and encode predictions, and keep them.

    Done once for each version and user; `score` does it at its first start otherwise. They are
    kept under STREAM_APP_CACHE_DIR (default: ~/.cache/stream-app) and serve every processor of
    this architecture.

    Exit status: 0 ready, 70 this machine cannot have them (a worker then goes on without).
    """
    screen = console(stderr=True)
    with screen.status("kernels"):
        kernels = warm_kernels(lambda text: screen.print(text, markup=False), native=True)
    if kernels is None:
        raise typer.Exit(ExitStatus.SOFTWARE)
    how = "compiled" if kernels.compiled else "loaded"
    if as_json:
        found = {"how": how, "seconds": kernels.seconds, "kept_in": kernels.kept_in}
        print_json(found)
        return
    where = f"kept in {kernels.kept_in}" if kernels.kept_in else "not kept: no folder is writable"
    console().print(f"{how} in {kernels.seconds:.1f} s, {where}", soft_wrap=True, markup=False)
