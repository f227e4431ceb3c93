"""Runs commands of the program in this process, as a person would type them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from stream_app.__main__ import main


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its output, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its output, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


CommandLine = Callable[..., Answer]


def command_line(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """What runs a command against a cluster."""
    monkeypatch.setenv("STREAM_APP_KAFKA__BOOTSTRAP_SERVERS", bootstrap)

    def run(*arguments: object, **settings: object) -> Answer:
        """``input__topic="x"`` becomes ``--set input.topic=x``."""
        given = [str(argument) for argument in arguments]
        for name, value in settings.items():
            given += ["--set", f"{name.replace('__', '.', 1)}={value}"]
        capsys.readouterr()
        status = main(given)
        shown = capsys.readouterr()
        return Answer(status, shown.out, shown.err)

    return run
