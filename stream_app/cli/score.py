"""``stream-app score``: one worker in this process, or several under a supervisor."""

from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.process.logs import configure_logging
from stream_app.adapters.process.worker_process import worker_index
from stream_app.cli.options import ConfigOption, SetOption, read_settings
from stream_app.wiring import run_supervisor, run_worker

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app score --config stream-app.toml --workers 2[/bold]. "
    "`stream-app check` says beforehand whether it would work."
)
def score(
    config: ConfigOption = None,
    assignments: SetOption = None,
    workers: Annotated[
        int,
        typer.Option(min=1, help="Processes; more than one are supervised and started again."),
    ] = 1,
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
    if workers == 1:
        run_worker(settings)
        return
    arguments = ["score", *_given(config, assignments)]
    raise typer.Exit(run_supervisor(settings, workers, arguments))


def _given(config: Path | None, assignments: list[str] | None) -> list[str]:
    """The same settings, for a worker's command line."""
    given = [] if config is None else ["--config", str(config)]
    for assignment in assignments or []:
        given += ["--set", assignment]
    return given
