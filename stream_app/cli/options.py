"""What all commands that connect have in common: the options, and the settings they lead to."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.process.logs import configure_logging, silence_logging
from stream_app.errors import ConfigError, UsageError
from stream_app.settings import Settings, load_settings

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="STREAM_APP_CONFIG",
        metavar="PATH",
        help="TOML file with settings.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.NAME=VALUE",
        help="One setting, over file and environment. May be given several times.",
        show_default=False,
    ),
]
_LARGE_BYTES = 16 << 20

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def read_settings(config: Path | None, assignments: Sequence[str] | None) -> Settings:
    """The settings in effect.

    Raises:
        ConfigError: every fault found.
        UsageError: a ``--set`` that is no assignment.
    """
    return load_settings(config, read_assignments(assignments))


def read_tool_settings(config: Path | None, assignments: Sequence[str] | None) -> Settings:
    """As ``read_settings``, for a command that answers and ends.

    Its answer says what went wrong, so the log is only for ``log.level = debug``.

    Raises:
        ConfigError: every fault found.
        UsageError: a ``--set`` that is no assignment.
    """
    settings = read_settings(config, assignments)
    if settings.log.level == "debug":
        configure_logging(settings.log.level, settings.log.format)
    else:
        silence_logging()
    return settings


def require_input_topic(settings: Settings) -> str:
    """The input topic, for commands that are about the job.

    Raises:
        ConfigError: it is not set.
    """
    if not settings.input.topic:
        raise ConfigError(
            "input.topic is not set; give it in the file, as STREAM_APP_INPUT__TOPIC=name or with "
            "--set input.topic=name"
        )
    return settings.input.topic


def read_assignments(assignments: Sequence[str] | None) -> dict[str, str]:
    """By name, what ``--set`` gave.

    Raises:
        UsageError: one is no assignment.
    """
    values = {}
    for assignment in assignments or ():
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"--set {assignment!r}: expected SECTION.NAME=VALUE, such as "
                "--set kafka.group=scorers"
            )
        values[name.strip()] = value
    return values


def time_option(option: str, text: str) -> int | None:
    """A moment that a person gave, in milliseconds since 1970; ``None``: none was.

    Raises:
        UsageError: it is no time; names the option.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise UsageError(
            f"{option} {text!r}: expected a time such as 2024-05-01T12:00:00Z, or a day such as "
            "2024-05-01; without a zone, UTC"
        ) from exc
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1000)


def worth_kernels(data: Path) -> bool:
    """Whether a file is so large that kernels are worth loading, or even compiling, to read it."""
    return data.is_file() and data.stat().st_size >= _LARGE_BYTES
