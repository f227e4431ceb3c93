"""``stream-app score``: one worker in this process, or several under a supervisor."""

from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.process.logs import configure_logging
from stream_app.adapters.process.worker_process import worker_index
from stream_app.cli.options import ConfigOption, SetOption, read_settings
from stream_app.errors import UsageError
from stream_app.readiness import choose_cores
from stream_app.wiring import run_supervisor, run_worker

app = typer.Typer(add_completion=False)

_AUTO = "auto"


@app.command(
    epilog="Example: [bold]stream-app score --config stream-app.toml --workers 2[/bold]. "
    "`stream-app check` says beforehand whether it would work."
)
def score(
    config: ConfigOption = None,
    assignments: SetOption = None,
    workers: Annotated[
        str,
        typer.Option(
            metavar="N|auto",
            help="Processes; more than one are supervised and started again. `auto`: as many as "
            "cores, partitions and memory allow, with ONNX threads for the cores left over.",
        ),
    ] = "1",
) -> None:
    """Join the consumer group, score events, commit predictions with the offsets.

    Runs until SIGTERM or Ctrl-C, then finishes what is open and leaves the group. Exit status: 0
    stopped as told, 65 the data must be looked at, 69 a server stayed away, 70 and 75 start it
    again, 78 a setting or the model is wrong.
    """
    settings = read_settings(config, assignments)
    index = worker_index()
    bound = {} if index is None else {"worker": index}
    configure_logging(settings.log.level, settings.log.format, **bound)
    given = assignments or []
    if workers == _AUTO:
        plan = choose_cores(settings)
        count, given = plan.workers, [*given, f"model.intra_op_threads={plan.threads}"]
        settings = read_settings(config, given)
    else:
        count = _number(workers)
    if count == 1:
        run_worker(settings)
        return
    arguments = ["score", *_given(config, given)]
    raise typer.Exit(run_supervisor(settings, count, arguments))


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--workers {text}: give a number from 1 on, or {_AUTO}")
    return int(text)


def _given(config: Path | None, assignments: list[str]) -> list[str]:
    """The same settings, for a worker's command line."""
    given = [] if config is None else ["--config", str(config)]
    for assignment in assignments:
        given += ["--set", assignment]
    return given
