"""The command line: which commands exist, in which order, and in which file each one lives.

Decides names and one-line helps. A command's file is imported when the command is run and not
before, so that ``stream-app --help`` does not wait for Kafka, ONNX Runtime and the settings.
"""

from dataclasses import dataclass
from importlib import import_module, metadata
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context

_RUN = "Run"
_DATA = "Topics and records"
_OPERATE = "Operate"
_MODELS = "Models"
_REFERENCE = "Reference"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, or a group of commands, and the module whose ``app`` it is."""

    name: str
    panel: str
    help: str
    module: str = ""

    @property
    def path(self) -> str:
        """The module's full name."""
        return f"{__name__}.{self.module or self.name}"


ENTRIES = (
    Entry("demo", _RUN, "Run the whole job on an embedded cluster and show what came out."),
    Entry("check", _RUN, "Report everything that would keep the scorer from working."),
    Entry("score", _RUN, "Score the input topic, exactly once."),
    Entry("drift", _RUN, "Sum up what scorers counted, and compare it with the reference."),
    Entry("monitor", _RUN, "Watch the windows of drift, and tell who should know."),
    Entry("kafka", _DATA, "Run a real Kafka on this machine, to try things on."),
    Entry("topics", _DATA, "Create the topics that the job needs."),
    Entry("produce", _DATA, "Send a file's events to a topic, as framed Avro."),
    Entry("tail", _DATA, "Show a topic's records, decoded."),
    Entry("verify", _DATA, "Re-read the topics: was anything lost or repeated?"),
    Entry("status", _OPERATE, "Show the group: members, lag, open transactions, dead letters."),
    Entry("offsets", _OPERATE, "Show or reset where the group continues."),
    Entry("bench", _OPERATE, "Measure speed and latency on this machine, beside yardsticks."),
    Entry("warm", _OPERATE, "Compile the kernels ahead of the first start."),
    Entry("contract", _MODELS, "Draft the contract between events, model and predictions."),
    Entry("model", _MODELS, "Pack, show and verify models."),
    Entry("settings", _REFERENCE, "List all settings, or the values in effect.", "settings_list"),
    Entry("metrics", _REFERENCE, "List all metrics.", "metrics_list"),
)
_BY_NAME = {entry.name: entry for entry in ENTRIES}


class _LazyGroup(TyperGroup):
    """Imports a command's module when it is resolved, not when it is listed."""

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None or listed is None:
            return name, listed, rest
        command = typer.main.get_command(import_module(_BY_NAME[name].path).app)
        command.name = name
        _let_help_wrap(command)
        return name, command, rest


def _let_help_wrap(command: "Command") -> None:
    """Join the lines of each paragraph of help: as they stand they fit one width only."""
    if command.help:
        paragraphs = cleandoc(command.help).split("\n\n")
        command.help = "\n\n".join(" ".join(text.split("\n")) for text in paragraphs)
    for inner in getattr(command, "commands", {}).values():
        _let_help_wrap(inner)


app = typer.Typer(
    name="stream-app",
    cls=_LazyGroup,
    help="A streaming inference consumer: Avro events from Kafka through an ONNX model to "
    "predictions, exactly once.",
    epilog="Begin with: [bold]stream-app demo[/bold]. Every command has its own --help with an "
    "example.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stream-app {metadata.version('stream-app')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # its callback does the work
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options of the whole program."""


def _listed() -> None:
    """Stand in for a command in the list; resolving replaces it."""


for _entry in ENTRIES:
    app.command(_entry.name, help=_entry.help, rich_help_panel=_entry.panel)(_listed)
