"""``stream-app settings``: every setting with its meaning, or the values in effect."""

from enum import StrEnum
from typing import Annotated

import typer

from stream_app.cli.options import ConfigOption, SetOption, read_settings
from stream_app.cli.output import print_json, print_table
from stream_app.cli.setting_rows import (
    MASK,
    SettingRow,
    effective_values,
    section_titles,
    setting_rows,
)

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


class Format(StrEnum):
    """How the list is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    TOML = "toml"
    JSON = "json"


@app.command(
    epilog="Example: [bold]stream-app settings --format toml > stream-app.toml[/bold] writes a "
    "file to begin with; [bold]stream-app settings --effective --config stream-app.toml[/bold] "
    "shows what it leads to."
)
def settings(
    *,
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="How to write the list.")
    ] = Format.TABLE,
    effective: Annotated[
        bool,
        typer.Option(
            "--effective",
            help="Show the values in effect, from file, environment and --set; secrets masked.",
        ),
    ] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """List all settings with their environment variables, defaults and meaning."""
    rows = setting_rows()
    values = effective_values(read_settings(config, assignments)) if effective else None
    match output_format:
        case Format.TABLE:
            _print(rows, values)
        case Format.MARKDOWN:
            typer.echo(markdown(rows), nl=False)
        case Format.TOML:
            typer.echo(toml(rows, values), nl=False)
        case Format.JSON:
            print_json([_document(row, values) for row in rows])


def _print(rows: tuple[SettingRow, ...], values: dict[str, str] | None) -> None:
    if values is None:
        print_table(
            ("setting", "default", "meaning"),
            [(row.name, row.default, row.meaning) for row in rows],
        )
        return
    print_table(
        ("setting", "value", "default"),
        [
            (row.name, values[row.name], "" if values[row.name] == row.default else row.default)
            for row in rows
        ],
    )


def _document(row: SettingRow, values: dict[str, str] | None) -> dict[str, str]:
    document = {
        "name": row.name,
        "environment": row.environment,
        "type": row.kind,
        "default": row.default,
        "meaning": row.meaning,
    }
    return document if values is None else {**document, "value": values[row.name]}


def markdown(rows: tuple[SettingRow, ...]) -> str:
    """The content of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "A setting comes, in this order of precedence, from `--set section.name=value`, from the",
        "environment, from the TOML file given with `--config` (or `STREAM_APP_CONFIG`), from the",
        "default. `stream-app settings --effective` shows what that leads to.",
        "",
        "This page is written by `stream-app settings --format markdown`; a test keeps it equal.",
    ]
    titles = section_titles()
    for section in dict.fromkeys(row.section for row in rows):
        title = f"## `[{section}]`" if section else "## At the top of the file"
        lines += ["", title, ""]
        if section:
            lines += [titles[section], ""]
        lines += ["| Setting | Environment | Values | Default | Meaning |"]
        lines += ["|---|---|---|---|---|"]
        for row in rows:
            if row.section == section:
                default = f"`{row.default}`" if row.default else ""
                cells = (f"`{row.name}`", f"`{row.environment}`", row.kind, default, row.meaning)
                lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def toml(rows: tuple[SettingRow, ...], values: dict[str, str] | None) -> str:
    """A file with every setting: those at their default as comments, the others in force."""
    lines = ["# Settings of stream-app. What is commented out is at its default."]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ["", f"[{section}]"]
        value = row.default if values is None else values[row.name]
        lines += ["", f"# {row.meaning}"]
        # A masked secret in force would be taken for the secret.
        idle = value == row.default or MASK in value
        lines.append(f"{'# ' if idle else ''}{row.key} = {value}".rstrip())
    return "\n".join(lines) + "\n"
