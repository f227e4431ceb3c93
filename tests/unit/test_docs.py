"""What the README and docs/ say exists: settings, defaults, metrics, commands, codes, files."""

import re
from pathlib import Path

import pytest
import typer

from stream_app.cli import ENTRIES, app
from stream_app.core.faults import Fault
from stream_app.core.metrics import METRICS
from stream_app.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEAD_LETTERS = (ROOT / "docs/dead-letters.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The part of the README under one heading."""
    return README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> list[list[str]]:
    """Cells of the table rows whose first cell is code."""
    lines = [line for line in text.split("\n") if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def default_of(name: str) -> object:
    value: object = Settings()
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_every_setting_of_the_table_exists_with_its_default() -> None:
    table = rows(section("Settings"))
    assert len(table) >= 10
    for names, defaults, _ in table:
        shown = [cell.strip().strip("`") for cell in defaults.split(",")]
        for name, default in zip(re.findall(r"`([^`]+)`", names), shown, strict=True):
            assert str(default_of(name)) == default, name


def test_every_setting_named_anywhere_in_the_readme_exists() -> None:
    sections = {name for name in Settings.model_fields if name != "delivery"}
    named = re.findall(r"`([a-z_]+\.[a-z_]+)`", README)
    named = [name for name in named if name.split(".")[0] in sections]
    assert named
    for name in named:
        assert default_of(name) is not NotImplemented


def test_every_metric_of_the_table_exists() -> None:
    named = set(re.findall(r"stream_app_[a-z_]+(?=`)", section("Metrics")))
    assert named
    assert named <= {metric.name for metric in METRICS}


def test_every_code_has_its_row_and_no_other() -> None:
    table = {cells[0].strip("`"): cells[1:] for cells in rows(DEAD_LETTERS.split("## Codes")[1])}
    assert table == {fault.name: [fault.stage.value, fault.meaning] for fault in Fault if fault}


def commands() -> list[list[str]]:
    """Every ``stream-app`` call in the README's shell blocks, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("#")[0] for block in blocks for line in block.split("\n")]
    calls = [line.split("stream-app ", 1)[1] for line in lines if re.search(r"\bstream-app ", line)]
    return [call.split() for call in calls]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_tour_parses(words: list[str]) -> None:
    group = typer.main.get_command(app)
    context = group.make_context("stream-app", list(words), resilient_parsing=True)
    command, rest = group, list(words)
    while hasattr(command, "resolve_command"):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
    command.make_context("command", rest)


def test_the_tour_has_commands_and_they_are_listed() -> None:
    assert len(commands()) >= 8
    assert {words[0] for words in commands()} <= {entry.name for entry in ENTRIES}


def test_every_path_named_in_the_readme_exists() -> None:
    paths = set(
        re.findall(r"`((?:stream_app|schemas|examples|tests|deploy|docs)/[\w./]*)`", README)
    )
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_readme_is_a_door_and_no_book() -> None:
    assert len(README.split("\n")) <= 300
