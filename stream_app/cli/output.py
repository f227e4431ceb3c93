"""How answers are shown: tables for people, JSON for programs, always on standard output."""

import json
from collections.abc import Mapping, Sequence

import typer
from rich import box
from rich.console import Console
from rich.table import Table

_NARROW = 20
"""Columns that the last cell of a row may be folded to; narrower, nobody can read it."""
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
    """Print rows; ``right`` names the columns that are numbers.

    A terminal too narrow for the table gets a block of lines for each row.
    """
    screen = console()
    if title:
        # A table's own title is folded to the table's width.
        typer.echo(title)
    if _least_width(columns, rows) > screen.width:
        _print_blocks(columns, rows)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]  # a Literal by construction
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    screen.print(table)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    widths = [
        max(len(column), *(len(_text(row[n])) for row in rows)) if rows else len(column)
        for n, column in enumerate(columns)
    ]
    # A space at each side of a cell, and one between cells.
    return sum(widths[:-1]) + min(widths[-1], _NARROW) + 3 * len(columns)


def _print_blocks(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    longest = max(map(len, columns))
    for row in rows:
        typer.echo()
        for column, value in zip(columns, row, strict=True):
            typer.echo(f"{column:<{longest}}  {_text(value)}")
    typer.echo()


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _cell(value: object) -> str:
    # Square brackets in topic names or messages are no markup.
    return _text(value).replace("[", r"\[")


def print_json(value: object) -> None:
    """Print one document, indented."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_json_line(value: Mapping[str, object]) -> None:
    """Print one document on one line, and let the reader of a pipe have it at once."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def warn(text: str) -> None:
    """Say something on standard error that does not change the answer."""
    typer.secho(f"warning: {text}", err=True, fg=typer.colors.YELLOW)
