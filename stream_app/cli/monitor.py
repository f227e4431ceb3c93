"""``stream-app monitor``: judges the windows of drift, and tells who should know."""

import typer

from stream_app.adapters.monitor.quiet_faust import quiet_libraries, require_faust
from stream_app.adapters.process.logs import configure_logging
from stream_app.cli.options import ConfigOption, SetOption, read_settings

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app monitor --config stream-app.toml --set "
    "monitor.webhook_url=https://alerts.example/drift[/bold], with the scorers' file. `stream-app "
    "topics create` makes the topics."
)
def monitor(config: ConfigOption = None, assignments: SetOption = None) -> None:
    r"""Watch the windows of drift: write alerts, log them, post them, show how things are.

    Reads `drift.windows_topic`, which `stream-app drift aggregate` writes, and judges each window
    beside those before it. Writes `drift.alerts_topic`: a record when an alert opens, rises, is
    withdrawn because a window was revised, or closes. Each is in the log too; those of
    `monitor.webhook_level` are posted to `monitor.webhook_url` until they are taken.
    `http://127.0.0.1:8002/drift` shows streams, their last windows and what is open.

    One monitor works. Started again elsewhere, it waits, and takes over when the first is gone;
    what it writes is the same, whoever writes it.

    Runs until SIGTERM or Ctrl-C. Exit status: 0 stopped as told, 69 a server stayed away, 70 and
    75 start it again, 78 a setting or a topic is wrong. Needs `pip install
    'stream-app\[monitor]'`.
    """
    settings = read_settings(config, assignments)
    configure_logging(settings.log.level, settings.log.format)
    require_faust()
    if settings.log.level != "debug":
        quiet_libraries()
    from stream_app.wiring_monitor import run_monitor  # noqa: PLC0415  # it needs the extra

    run_monitor(settings)
