"""``stream-app drift``: from what scorers counted to windows of the whole group."""

import typer

from stream_app.adapters.process.logs import configure_logging
from stream_app.cli.options import ConfigOption, SetOption, read_settings
from stream_app.wiring_drift import run_aggregator

app = typer.Typer(
    help="Sum up what scorers counted, and compare it with the model's reference.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


@app.callback()
def _group() -> None:
    """Keep ``aggregate`` a command of its own."""


@app.command(
    epilog="Example: [bold]stream-app drift aggregate --config stream-app.toml[/bold], with the "
    "scorers' file. `stream-app topics create` makes the topics; start it again on other machines "
    "for more of them."
)
def aggregate(config: ConfigOption = None, assignments: SetOption = None) -> None:
    """Merge the scorers' drift partials into windows of event time, exactly once, and publish them.

    Reads `drift.partials_topic`, writes `drift.windows_topic`: one record a window when it is
    closed, another when late events change it, and hours and days as sums. What it knows is kept in
    `drift.changelog_topic`, so that another one can take over at any moment. Scorers do not wait
    for it: while it is away they go on, and it catches up. References are read from
    `model.repository`; a version whose reference is not there yet is waited for.

    Runs until SIGTERM or Ctrl-C, then finishes what is open and leaves the group. Exit status: 0
    stopped as told, 69 a server stayed away, 70 and 75 start it again, 78 a setting, a topic or a
    reference is wrong.
    """
    settings = read_settings(config, assignments)
    configure_logging(settings.log.level, settings.log.format)
    run_aggregator(settings)
