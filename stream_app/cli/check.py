"""``stream-app check``: the preflight, for a person or a deploy script."""

import typer
from rich.markup import escape

from stream_app.cli.options import ConfigOption, JsonOption, SetOption, read_tool_settings
from stream_app.cli.output import console, print_json
from stream_app.errors import ExitStatus
from stream_app.preflight import Preflight
from stream_app.preflight import check as make_checks

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app check --config stream-app.toml[/bold]. Settings, model, "
    "contract, schemas, brokers, topics and rights are looked at, and all faults told at once."
)
def check(
    config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False
) -> None:
    """Report everything that would keep the scorer from working, each with its remedy.

    Exit status: 0 all well, 69 a server or topic is not there, 78 something must be changed.
    """
    preflight = make_checks(read_tool_settings(config, assignments))
    if as_json:
        print_json(_as_json(preflight))
    else:
        _show(preflight)
    if preflight.status is not ExitStatus.OK:
        raise typer.Exit(preflight.status)


def _as_json(preflight: Preflight) -> dict[str, object]:
    return {
        "ok": not preflight.faults,
        "findings": [
            {"check": f.check, "ok": f.ok, "text": f.text, "status": None if f.ok else f.status}
            for f in preflight.findings
        ],
    }


def _show(preflight: Preflight) -> None:
    screen = console()
    for finding in preflight.findings:
        mark = "[green]ok   [/green]" if finding.ok else "[red]fault[/red]"
        # Square brackets in a message are no markup.
        screen.print(mark, escape(f"{finding.check}: {finding.text}"), soft_wrap=True)
    count = len(preflight.faults)
    screen.print(f"{count} fault{'s' * (count != 1)}" if count else "all well")
