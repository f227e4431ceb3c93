"""What a child process is told to do, and what it answers: JSON both ways.

Decides the words between the two. Settings do not travel, since secrets would with them: the
child reads the same file and environment, under the same overrides.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from stream_app.errors import ExitStatus, StreamAppError


class Kind(StrEnum):
    """What a child can do."""

    WORKER = "worker"
    PLAIN_LOOP = "plain-loop"
    ECHO = "echo"
    MODEL = "model"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Order:
    """For one child.

    Attributes:
        kind: What to do.
        cores: Where to run; empty leaves that to the system.
        config: The settings file, if there is one.
        overrides: Settings over file and environment.
        records: End when so many outcomes are committed.
        seconds: How long to measure, for what is measured by time.
        limit_s: End after this long, whatever was done.
        rate: Of the probe, in records a second.
        values_from: Of the probe: a topic whose values it sends.
        batches: Of the model: each number of rows to measure.
        threads: Of the model: each number of threads to measure.
    """

    kind: Kind
    cores: tuple[int, ...] = ()
    config: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    records: int = 0
    seconds: float = 0.0
    limit_s: float = 600.0
    rate: float = 0.0
    values_from: str = ""
    batches: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()

    def to_text(self) -> str:
        """For the child's standard input."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> "Order":
        """As ``to_text`` wrote it."""
        given = json.loads(text)
        for name in ("cores", "batches", "threads"):
            given[name] = tuple(given[name])
        return cls(**given | {"kind": Kind(given["kind"])})

    @property
    def config_path(self) -> Path | None:
        """The settings file."""
        return Path(self.config) if self.config else None


Answer = Mapping[str, object]


def answer_text(answer: Answer) -> str:
    """For the child's standard output."""
    return json.dumps({"answer": dict(answer)})


def error_text(error: StreamAppError) -> str:
    """Likewise, when it could not."""
    return json.dumps({"error": str(error), "status": int(error.exit_status)})


class ChildError(StreamAppError):
    """A child could not do what it was told; its words and its status."""

    def __init__(self, message: str, status: ExitStatus) -> None:
        super().__init__(message)
        self.exit_status = status


def read_answer(text: str, what: str) -> Answer | None:
    """What a child answered; ``None`` if it ended without an answer.

    Raises:
        ChildError: it answered that it could not.
    """
    for line in reversed(text.splitlines()):
        found = _document(line)
        if "error" in found:
            raise ChildError(f"{what}: {found['error']}", ExitStatus(found["status"]))
        if "answer" in found:
            answer: Answer = found["answer"]
            return answer
    return None


def _document(line: str) -> dict[str, Any]:
    """What a line holds; nothing where somebody else has written it."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
