"""``stream-app drift report``: what windows say, for a person, a browser or a program."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stream_app import __version__
from stream_app.adapters.drift.report_alerts import computed_alerts, published_alerts
from stream_app.adapters.drift.report_source import (
    Wanted,
    shelved,
    told_stream,
    values_of_file,
    values_of_topic,
)
from stream_app.cli.drift_report_view import column_rows, described
from stream_app.cli.options import (
    ConfigOption,
    SetOption,
    read_tool_settings,
    require_input_topic,
    time_option,
)
from stream_app.cli.output import print_json, print_table, warn
from stream_app.cli.progress import Progress
from stream_app.drift_report import DriftReport
from stream_app.drift_words import facts, verdict_lines
from stream_app.settings import Settings

EXAMPLE = (
    "Example: [bold]stream-app drift report --config stream-app.toml --html report.html[/bold], or "
    "[bold]--json > report.json[/bold] for programs; of a file that `stream-app drift run` wrote: "
    "[bold]--from windows.avro[/bold]."
)


class RollUp(StrEnum):
    """Which sums of windows."""

    HOUR = "hour"
    DAY = "day"


_LENGTHS_MS = {RollUp.HOUR: 3_600_000, RollUp.DAY: 86_400_000}

_HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a page with plots that needs no network. Needs the extra: pip install "
        r"'stream-app\[reports]'",
        show_default=False,
    ),
]
_JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON instead of a table; send it to a file with `>`. Stable under its number "
        "in `format`: `stream`, `verdict` (not_judged, none, by_chance, drift), `summary` of all "
        "windows, `columns` (the worst first), `windows` by start with everything that their "
        "records say, `alerts` (null: not known). Times are milliseconds since 1970; what is not "
        "known is null.",
    ),
]
_FileOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Window records in an Avro container, instead of the topic. Kafka is not asked.",
        show_default=False,
    ),
]


def report(
    *,
    html: _HtmlOption = None,
    as_json: _JsonOption = False,
    source: _FileOption = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Only of this model.", show_default=False)
    ] = "",
    version: Annotated[
        str, typer.Option(metavar="VERSION", help="Only of this version.", show_default=False)
    ] = "",
    role: Annotated[
        str,
        typer.Option(
            metavar="ROLE",
            help="Only of predictions that were for this: primary, canary, shadow.",
            show_default=False,
        ),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Windows that begin then or later: an event time such as 2024-05-01T12:00:00Z "
            "or 2024-05-01; without a zone, UTC.",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Windows that begin before, likewise.", show_default=False
        ),
    ] = "",
    roll_up: Annotated[
        RollUp | None,
        typer.Option(
            "--roll-up",
            help="Hours or days, as the aggregator sums them, instead of windows: for long times, "
            "and for drift too small for a window's rows.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Tell which windows have drift, by which columns, and whether chance could do that.

    Reads the committed records of `drift.windows_topic` and `drift.alerts_topic`, of each window
    the greatest revision; joins no group and writes nothing but the page. Where there are several
    streams (versions, roles, references) it tells of the primary's newest, and names the others.
    At most the newest 2,000 windows are told of; of models of many columns 20,000 by the columns,
    but no fewer than 24.

    Exit status: 0 told, whatever it says; 65 there are no such windows.
    """
    settings = read_tool_settings(config, assignments)
    wanted = Wanted(
        model=model,
        version=version,
        role=role,
        since_ms=time_option("--since", since),
        until_ms=time_option("--until", until),
        roll_up_ms=_LENGTHS_MS[roll_up] if roll_up else None,
    )
    found = _read(settings, source, wanted, quiet=as_json)
    if html is not None:
        from stream_app.adapters.drift.report_page import write_report  # noqa: PLC0415  # an extra

        made = f"Made by stream-app {__version__} at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
        write_report(html, found, made)
    for stream, windows in found.others:
        warn(f"not in this report: {windows:,} windows of {told_stream(stream)}")
    if as_json:
        print_json(described(found))
        return
    _tell(found)
    if html is not None:
        typer.echo(f"wrote {html}")


def _read(settings: Settings, source: Path | None, wanted: Wanted, *, quiet: bool) -> DriftReport:
    if source is None:
        require_input_topic(settings)
    where = str(source) if source else f"topic {settings.windows_topic!r}"
    with Progress("reading windows", quiet=quiet) as progress:

        def told(share: float, records: int) -> None:
            progress.tell(share, f"{records:,} records")

        values = (
            values_of_file(source, told)
            if source
            else values_of_topic(settings, settings.windows_topic, told)
        )
        shelf = shelved(values, wanted)
        if shelf.unreadable:
            warn(f"{shelf.unreadable:,} records of {where} are no windows: {shelf.reason}")
        found = shelf.report(where)
        if source is None:
            return published_alerts(settings, found, told)
        return computed_alerts(found)


def _tell(found: DriftReport) -> None:
    for line in verdict_lines(found):
        typer.echo(line)
    print_table(("what", "of these windows"), facts(found))
    columns, rows, right = column_rows(found)
    print_table(columns, rows, title="columns, the worst first", right=right)
