"""The bench's child processes: started, waited for, ended.

Decides that a child which does not answer is told with the end of its log, and that none outlives
the bench: each has a process group of its own and the kernel tells it when we die.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stream_app.adapters.process.worker_process import INDEX_VARIABLE, SUPERVISOR_VARIABLE
from stream_app.bench.orders import Answer, ChildError, Order, read_answer
from stream_app.errors import ExitStatus, RetriableError

_TAIL_LINES: Final = 15
_END_WITHIN_S: Final = 5.0
_COMMAND: Final = (sys.executable, "-m", "stream_app.bench.child")


@dataclass(frozen=True, slots=True)
class Child:
    """A child that runs, or has ended.

    Attributes:
        what: In a person's words.
        process: Its own.
        folder: Of its order, answer and log.
    """

    what: str
    process: subprocess.Popen[bytes]
    folder: Path

    def wait(self, limit_s: float) -> Answer:
        """Its answer.

        Raises:
            ChildError: it could not do what it was told, or died.
            RetriableError: it did not end in time.
        """
        try:
            status = self.process.wait(limit_s)
        except subprocess.TimeoutExpired as exc:
            raise RetriableError(
                f"{self.what}: not done within {limit_s:.0f} s; fewer --records may do{self.tail()}"
            ) from exc
        answer = read_answer(self._read("answer"), self.what)
        if answer is None:
            told = signal.Signals(-status).name if status < 0 else f"status {status}"
            raise ChildError(f"{self.what}: ended with {told}{self.tail()}", ExitStatus.SOFTWARE)
        return answer

    def require_alive(self) -> None:
        """Raises as :meth:`wait` when it has ended; it was not to."""
        if self.process.poll() is not None:
            self.wait(0.0)
            raise ChildError(f"{self.what}: ended by itself{self.tail()}", ExitStatus.SOFTWARE)

    def end(self) -> None:
        """SIGTERM, and a while later SIGKILL; its whole process group."""
        for number, wait_s in ((signal.SIGTERM, _END_WITHIN_S), (signal.SIGKILL, None)):
            if self.process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(wait_s)

    def tail(self) -> str:
        """The end of its log, for a message; empty when it wrote nothing."""
        lines = self._read("log").strip().splitlines()[-_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in ["; the end of its log:", *lines] if lines)

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8", errors="replace")


class Children:
    """A context manager; leaving it ends all that still run.

    Args:
        folder: For orders, answers and logs.
        held: Keeps signals away while one is started: one that nobody knows of would be left
            behind.
    """

    def __init__(
        self, folder: Path, held: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._folder = folder
        self._held = held
        self._all: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in self._all:
            child.end()

    def start(self, order: Order, what: str, before: Sequence[str] = ()) -> Child:
        """Start one; call on the main thread: the kernel binds it to that.

        Args:
            order: What it is to do.
            what: The same, for a person.
            before: A command that runs the child as its own child, such as a profiler.
        """
        folder = self._folder / f"child-{len(self._all)}"
        folder.mkdir()
        (folder / "order").write_text(order.to_text(), encoding="utf-8")
        environment = dict(os.environ)
        if not before:
            environment |= {INDEX_VARIABLE: "0", SUPERVISOR_VARIABLE: str(os.getpid())}
        with (
            self._held(),
            (folder / "order").open("rb") as told,
            (folder / "answer").open("wb") as answer,
            (folder / "log").open("wb") as log,
        ):
            process = subprocess.Popen(
                [*before, *_COMMAND],
                env=environment,
                stdin=told,
                stdout=answer,
                stderr=log,
                process_group=0,
            )
            child = Child(what, process, folder)
            self._all.append(child)
        return child

    def run(self, order: Order, what: str, before: Sequence[str] = ()) -> Answer:
        """Start one and wait for its answer; raises as :meth:`Child.wait`."""
        child = self.start(order, what, before)
        try:
            return child.wait(order.limit_s)
        finally:
            child.end()


def wait_both(main: Child, beside: Child, limit_s: float) -> Answer:
    """The answer of ``main``, which needs ``beside`` to be alive."""
    deadline_s = time.monotonic() + limit_s
    while main.process.poll() is None and time.monotonic() < deadline_s:
        beside.require_alive()
        time.sleep(0.1)
    return main.wait(max(0.0, deadline_s - time.monotonic()))
