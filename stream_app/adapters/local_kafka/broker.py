"""One broker of a local cluster: its folder, its process, and what may be done to it.

It decides how a broker is formatted and started, over and over on the same data. What it is told
comes from ``properties.py``; who else is in the cluster only ``cluster.py`` knows.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stream_app.adapters.local_kafka.process import LOG_TAIL_LINES, ServerProcess
from stream_app.adapters.local_kafka.program import KafkaProgram
from stream_app.adapters.local_kafka.properties import HOST, PLAINTEXT, Node, as_file
from stream_app.errors import UnavailableError, UsageError

STOP_TIMEOUT_S = 30.0
FORMAT_TIMEOUT_S = 60.0
_PORT_TAKEN = "Address already in use"

_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
"""


class PortTakenError(UnavailableError):
    """Another program took a port between the choice and the start."""


class Broker:
    """A handle that stays the same while its process comes and goes."""

    def __init__(
        self,
        node: Node,
        properties: Mapping[str, str],
        program: KafkaProgram,
        options: Sequence[str],
        wait_ready: Callable[["Broker"], None],
    ) -> None:
        self.node_id = node.node_id
        self.ports = dict(node.ports)
        """By the listener's name, where the process listens (not what it advertises)."""
        self.folder = node.folder
        self.log_path = node.folder / "broker.log"
        self._program = program
        self._options = tuple(options)
        self._wait_ready = wait_ready
        self._process: ServerProcess | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties_path.write_text(as_file(properties), "utf-8")
        self._logging_path.write_text(_LOGGING, "utf-8")

    @property
    def address(self) -> str:
        return f"{HOST}:{self.ports[PLAINTEXT]}"

    @property
    def process(self) -> ServerProcess:
        if self._process is None:
            raise UsageError(f"broker {self.node_id} was never started")
        return self._process

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def start(self) -> None:
        """Start, again on the same data, and return when the cluster counts it as a member.

        Raises:
            UnavailableError: it died, or did not come up; with the end of its log.
        """
        self.launch()
        self._wait_ready(self)

    def launch(self) -> None:
        """Start without waiting."""
        if self.alive:
            raise UsageError(f"broker {self.node_id} runs already, as process {self.process.pid}")
        options = [f"-Dlog4j2.configurationFile={self._logging_path}", *self._options]
        command = self._program.command("kafka.Kafka", str(self._properties_path), options=options)
        self._process = ServerProcess(command, log_path=self.log_path)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """SIGTERM: the broker hands its partitions over first; SIGKILL after ``timeout_s``."""
        if self._process is not None:
            self._process.terminate(timeout_s)

    def kill(self) -> None:
        """SIGKILL; a broker that does not run is left alone."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: alive for TCP, silent for Kafka."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def check_alive(self) -> None:
        """Raise what a dead process left to say.

        Raises:
            PortTakenError: it could not bind.
            UnavailableError: it ended for another reason.
        """
        if self.alive:
            return
        tail = self.process.log_tail()
        kind = PortTakenError if _PORT_TAKEN in tail else UnavailableError
        raise kind(
            f"broker {self.node_id} ended with status {self.process.returncode} while it was "
            f"waited for; the last {LOG_TAIL_LINES} lines of its log:\n{tail}"
        )

    def format(self, cluster_id: str, arguments: Sequence[str]) -> None:
        """Write an empty data folder.

        Raises:
            UnavailableError: the tool refused; with what it said.
        """
        command = self._program.command(
            "kafka.tools.StorageTool",
            *("format", "-t", cluster_id, "-c", str(self._properties_path)),
            *arguments,
            options=[f"-Dlog4j2.configurationFile={self._logging_path}"],
        )
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise UnavailableError(
                f"broker {self.node_id} could not be formatted (status {done.returncode}); look "
                f"at extra_properties and format_arguments:\n{done.stdout}{done.stderr}"
            )

    @property
    def _properties_path(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _logging_path(self) -> Path:
        return self.folder / "log4j2.properties"
