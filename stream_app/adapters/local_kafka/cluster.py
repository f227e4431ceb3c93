"""A real Apache Kafka on this machine: KRaft brokers that are also controllers.

It decides when a cluster is up and that nothing of it stays: whatever happens between ``start``
and ``stop``, no process and no data are left behind. What a broker is told and how it is run
stand in ``properties.py`` and ``broker.py``, where the program comes from in ``program.py``.
"""

import shutil
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from stream_app.adapters.local_kafka.admin import create_topic, wait_for_brokers
from stream_app.adapters.local_kafka.broker import Broker, PortTakenError
from stream_app.adapters.local_kafka.ports import free_port
from stream_app.adapters.local_kafka.program import KafkaProgram
from stream_app.adapters.local_kafka.properties import (
    CONTROLLER,
    HOST,
    PLAINTEXT,
    Listener,
    Node,
    advertised_port,
    broker_properties,
    random_id,
)
from stream_app.adapters.local_kafka.workdir import WorkFolder
from stream_app.adapters.process.user_cache import Progress, exclusive, silent
from stream_app.errors import UnavailableError, UsageError

_STARTS = 3
_RECORDING_TIMEOUT_S = 120.0
_LOG = structlog.get_logger()


class LocalKafka:
    """Brokers on loopback; a context manager that starts and stops them.

    Args:
        brokers: How many; from three on, topics have three copies and acks=all needs two of them.
        work_dir: Where data and logs go; by default a temporary folder, removed by ``stop``. In
            a folder of one's own the logs stay, the data do not.
        extra_properties: Broker properties that win over the launcher's own.
        listeners: More doors (SASL, TLS, a proxy's) beside the plain one.
        format_arguments: For the storage tool, such as ``("--add-scram", "SCRAM-SHA-512=[…]")``.
        java_options: For the brokers' Java, such as ``("-Dorg.apache.kafka.…=…",)``.
        heap: Of each broker.
        tests: Notice silent members sooner, and spend 10 s once on a class archive that makes
            each start after it quicker.
        progress: Told what a start is busy with.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        work_dir: Path | None = None,
        extra_properties: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        format_arguments: Sequence[str] = (),
        java_options: Sequence[str] = (),
        heap: str = "256m",
        tests: bool = False,
        progress: Progress = silent,
    ) -> None:
        if brokers < 1:
            raise UsageError(f"a cluster has at least one broker, not {brokers}")
        for listener in listeners:
            if listener.advertised_ports and len(listener.advertised_ports) != brokers:
                raise UsageError(
                    f"listener {listener.name} needs one advertised port for each of {brokers} "
                    f"brokers, not {len(listener.advertised_ports)}"
                )
        self._count = brokers
        self._work_dir = work_dir
        self._extra_properties = dict(extra_properties or {})
        self._listeners = tuple(listeners)
        self._format_arguments = tuple(format_arguments)
        self._options = (f"-Xmx{heap}", *java_options)
        self._tests = tests
        self._progress = progress
        self._nodes: tuple[Node, ...] = ()
        self._work: WorkFolder | None = None
        self.brokers: tuple[Broker, ...] = ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        return self.bootstrap(PLAINTEXT)

    def bootstrap(self, listener: str) -> str:
        """What clients of one listener connect to: its advertised addresses."""
        if not self._nodes:
            raise UsageError("the cluster was not started: it has no addresses yet")
        doors = {each.name: each for each in (Listener(PLAINTEXT), *self._listeners)}
        if listener not in doors:
            raise UsageError(f"there is no listener {listener}; there are: {', '.join(doors)}")
        ports = (advertised_port(doors[listener], node, self._nodes) for node in self._nodes)
        return ",".join(f"{HOST}:{port}" for port in ports)

    def create_topic(self, name: str, partitions: int = 4, **config: str) -> None:
        """Make a topic with the cluster's own number of copies; see ``admin.create_topic``."""
        create_topic(self.bootstrap_servers, name, partitions, config=config)

    def start(self) -> None:
        """Return when metadata names every broker.

        Raises:
            ConfigError: the extra ``local-kafka`` is not installed.
            UnavailableError: a download failed, or a broker did not come up (with its log's end).
        """
        if self._work is not None:
            raise UsageError("the cluster runs already")
        program = KafkaProgram.find(self._progress)
        if self._tests and not program.archive_options and train(program, self._progress):
            program = KafkaProgram.find()
        try:
            self._work = WorkFolder(self._work_dir)
            self._start_somehow(program)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every broker and remove the data; may be called at any time, and again.

        With SIGKILL: the data are thrown away, and brokers that are also the controllers wait
        for each other when all are asked to end in order.
        """
        self._kill_all()
        if self._work is not None:
            self._remove_data()
            self._work.close()
            self._work = None

    def _kill_all(self) -> None:
        for broker in self.brokers:
            broker.kill()

    def _remove_data(self) -> None:
        for node in self._nodes:
            shutil.rmtree(node.data, ignore_errors=True)

    def _start_somehow(self, program: KafkaProgram) -> None:
        """Start; again on other ports if one was taken, or without the archive if it was that."""
        for starts_left in range(_STARTS - 1, -1, -1):
            self._progress(f"starting Apache Kafka, {self._count} broker(s)")
            self._lay_out(program)
            try:
                self._format_and_launch()
                return
            except UnavailableError as exc:
                self._kill_all()
                self._remove_data()
                port_taken = isinstance(exc, PortTakenError)
                if not starts_left or not (port_taken or program.archive_options):
                    raise
                _LOG.warning("local_kafka.start_again", port_taken=port_taken, error=str(exc))
                if not port_taken:
                    program = program.without_archive()

    def _lay_out(self, program: KafkaProgram) -> None:
        """Choose ports and write every broker's files."""
        if self._work is None:
            raise UsageError("the cluster has no folder: call start")
        names = [PLAINTEXT, CONTROLLER, *(listener.name for listener in self._listeners)]
        self._nodes = tuple(
            Node(
                node_id=node_id,
                directory_id=random_id(),
                ports={name: free_port() for name in names},
                folder=self._work.path / f"broker-{node_id}",
            )
            for node_id in range(1, self._count + 1)
        )
        self._remove_data()
        self.brokers = tuple(
            Broker(
                node,
                broker_properties(node, self._nodes, self._listeners, tests=self._tests)
                | self._extra_properties,
                program,
                self._options,
                self._wait_for,
            )
            for node in self._nodes
        )

    def _format_and_launch(self) -> None:
        cluster_id = random_id()
        voters = ",".join(node.voter for node in self._nodes)
        arguments = ("--initial-controllers", voters, *self._format_arguments)
        with ThreadPoolExecutor(self._count) as pool:
            list(pool.map(lambda broker: broker.format(cluster_id, arguments), self.brokers))
        for broker in self.brokers:
            broker.launch()
        self._wait_for(*self.brokers)

    def _wait_for(self, *brokers: Broker) -> None:
        """Wait until these are members, or raise what the first of them to end left to say."""

        def check() -> None:
            for broker in brokers:
                broker.check_alive()

        # Each is asked itself: the others may still believe in one that was killed a moment ago.
        for broker in brokers:
            wait_for_brokers(broker.address, {each.node_id for each in brokers}, check=check)


def train(program: KafkaProgram, progress: Progress = silent) -> bool:
    """Record the class archive that ``program`` lacks; whether there is one now. Never raises.

    One process records, others wait for it: a start without is slower than the wait.
    """
    archive = program.archive
    if archive is None:
        return False
    with exclusive(archive.path, progress):
        if archive.usable():  # recorded by the process that was waited for
            return True
        progress("recording a class archive, once, for quicker starts")
        try:
            with LocalKafka(java_options=archive.record_options) as cluster:
                cluster.create_topic("training", 1)
                (broker,) = cluster.brokers
                broker.stop(_RECORDING_TIMEOUT_S)
                if broker.process.returncode != -signal.SIGKILL:
                    archive.adopt()
        except (UnavailableError, UsageError) as exc:
            _LOG.warning("local_kafka.no_archive", error=str(exc))
    return archive.usable()
