"""How answers are shown: tables for people, JSON for programs, always on standard output."""

import json
from collections.abc import Mapping, Sequence

import typer
from rich import box
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 200
"""Columns where there is no terminal to ask: wide, so that `grep` finds whole values."""


def console(*, stderr: bool = False) -> Console:
    """A console that does not cut values short when its output goes to a file or a program."""
    screen = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not screen.is_terminal:
        screen = Console(stderr=stderr, highlight=False, width=_PIPE_WIDTH)
    return screen


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    right: Sequence[str] = (),
) -> None:
    """Print rows; ``right`` names the columns that are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]  # a Literal by construction
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if title:
        # A table's own title is folded to the table's width.
        typer.echo(title)
    console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    # Square brackets in topic names or messages are no markup.
    return str(value).replace("[", r"\[")


def print_json(value: object) -> None:
    """Print one document, indented."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_json_line(value: Mapping[str, object]) -> None:
    """Print one document on one line, and let the reader of a pipe have it at once."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def warn(text: str) -> None:
    """Say something on standard error that does not change the answer."""
    typer.secho(f"warning: {text}", err=True, fg=typer.colors.YELLOW)
