"""The command line as a whole: statuses, messages and helps, whatever the command."""

import logging
import subprocess
import sys
from itertools import pairwise

import pytest

from stream_app import __main__ as program
from stream_app.__main__ import main
from stream_app.cli import ENTRIES
from stream_app.errors import (
    ConfigError,
    DataError,
    ExitStatus,
    RetriableError,
    StreamAppError,
    UnavailableError,
    UsageError,
)

LEAVES = (
    ("demo",),
    ("check",),
    ("score",),
    ("drift", "aggregate"),
    ("drift", "run"),
    ("drift", "report"),
    ("monitor",),
    ("kafka",),
    ("topics", "create"),
    ("produce",),
    ("tail",),
    ("verify",),
    ("status",),
    ("offsets", "show"),
    ("offsets", "reset"),
    ("warm",),
    ("bench",),
    ("contract", "init"),
    ("model", "pack"),
    ("model", "show"),
    ("model", "verify"),
    ("model", "reference", "build"),
    ("model", "reference", "show"),
    ("settings",),
    ("metrics",),
)


def raising(error: BaseException) -> object:
    def run(arguments: object) -> int:
        raise error

    return run


def test_every_command_of_the_list_is_tested() -> None:
    assert {entry.name for entry in ENTRIES} == {leaf[0] for leaf in LEAVES}


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_every_command_has_a_help_with_an_example(
    leaf: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*leaf, "--help"]) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert "Example: stream-app" in shown
    assert f"Usage: stream-app {' '.join(leaf)}" in shown
    assert "--install-completion" not in shown, "belongs to the program, not to a command"


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_a_help_breaks_its_lines_only_where_they_are_full(
    leaf: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    assert main([*leaf, "--help"]) == ExitStatus.OK
    prose = capsys.readouterr().out.partition("\u256d")[0].splitlines()
    for line, following in pairwise(line.strip() for line in prose):
        word = following.split(" ")[0]
        assert not line or not word or len(f" {line} {word} ") > 80, (line, following)


def test_square_brackets_of_a_help_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the library takes them for markup."""
    assert main(["kafka", "--help"]) == ExitStatus.OK
    assert "pip install 'stream-app[local-kafka]'" in capsys.readouterr().out


def test_the_list_shows_every_command_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitStatus.OK
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert [entry.name for entry in ENTRIES if f"{entry.name} {entry.help}" not in shown] == []


def test_the_list_waits_for_no_heavy_library() -> None:
    """What makes ``--help`` quick; a limit on seconds would measure the machine."""
    code = (
        "import sys\n"
        "from stream_app.__main__ import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'confluent_kafka', 'onnxruntime', 'numpy', 'pydantic', 'fastavro', 'httpx'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == ExitStatus.OK
    assert capsys.readouterr().out.startswith("stream-app 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["tail", "--nothing"],
        ["offsets", "reset"],
        ["produce", "no-such-file.avro"],
        ["tail", "--max", "none"],
        ["tail", "--set", "no-equals-sign"],
        ["offsets", "reset", "--to", "nowhere"],
    ],
)
def test_wrong_usage_ends_with_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitStatus.USAGE
    assert "Traceback" not in capsys.readouterr().err


def test_a_mistyped_command_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["topcis"]) == ExitStatus.USAGE
    assert "Did you mean 'topics'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [ConfigError, DataError, RetriableError, UnavailableError, UsageError]
)
def test_a_foreseen_fault_is_one_message_and_its_status(
    error: type[StreamAppError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(program, "_run", raising(error("the reason; the remedy")))
    assert main([]) == error.exit_status
    assert capsys.readouterr().err == "stream-app: the reason; the remedy\n"


def test_a_traceback_comes_when_the_log_is_at_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.level
    monkeypatch.setattr(program, "_run", raising(ConfigError("the reason")))
    try:
        root.setLevel(logging.DEBUG)
        assert main([]) == ExitStatus.CONFIG
    finally:
        root.setLevel(before)
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_the_program_is_shown_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "_run", raising(ZeroDivisionError("unforeseen")))
    assert main([]) == ExitStatus.SOFTWARE
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "please report" in told


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", raising(KeyboardInterrupt()))
    assert main([]) == 130


def test_a_reader_who_leaves_early_hears_no_complaint() -> None:
    command = [sys.executable, "-m", "stream_app", "settings", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        told = process.stderr.read()
    assert told == b""


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["topics", "create"],
        ["offsets", "show"],
        ["offsets", "reset", "--to", "end"],
        ["tail", "--dead-letters"],
    ],
    ids=" ".join,
)
def test_a_command_about_the_job_asks_for_the_input_topic(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitStatus.CONFIG
    assert "input.topic" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_log_of_a_tool_never_gets_between_its_answer(
    level: str,
) -> None:
    """Programs parse what is on standard output."""
    code = (
        "import structlog\n"
        "from stream_app.cli.options import read_tool_settings\n"
        f"read_tool_settings(None, ['log.level={level}'])\n"
        "structlog.get_logger('any').warning('something', what='happened')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert ("something" in done.stderr) == (level == "debug")


def test_an_unknown_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--effective", "--set", "kafka.gruop=x"]) == ExitStatus.CONFIG
    assert "kafka.gruop: no such setting" in capsys.readouterr().err
