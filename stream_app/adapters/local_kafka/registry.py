"""A real schema registry on this machine: Apicurio, which speaks Confluent's protocol.

It decides when the registry is up and that its compatibility is BACKWARD, which this server does
not set by itself. Schemas live in memory and go with it. It does not serve schema GUIDs.
"""

import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import structlog

from stream_app.adapters.local_kafka.cache import ensure_unpacked
from stream_app.adapters.local_kafka.java import SMALL_SERVER, find_java
from stream_app.adapters.local_kafka.maven import fetch
from stream_app.adapters.local_kafka.pins import REGISTRY_VERSION, registry_pin
from stream_app.adapters.local_kafka.ports import free_port
from stream_app.adapters.local_kafka.process import LOG_TAIL_LINES, ServerProcess
from stream_app.adapters.local_kafka.workdir import WorkFolder
from stream_app.adapters.process.user_cache import Progress, cache_folder, silent
from stream_app.errors import UnavailableError, UsageError

READY_TIMEOUT_S = 60.0
_STARTS = 3
_PAUSE_S = 0.1
_ASK_TIMEOUT_S = 5.0
_PORT_TAKEN = re.compile("already bound|already in use|seems to be in use")
_HOST = "127.0.0.1"
_LOG = structlog.get_logger()


class LocalRegistry:
    """A schema registry on loopback; a context manager that starts and stops it.

    Args:
        work_dir: Where the log goes; by default a temporary folder, removed by ``stop``.
        compatibility: The rule for all subjects.
        heap: Of its Java.
        port: 0 takes a free one.
        progress: Told what a start is busy with.
    """

    def __init__(
        self,
        *,
        work_dir: Path | None = None,
        compatibility: str = "BACKWARD",
        heap: str = "256m",
        port: int = 0,
        progress: Progress = silent,
    ) -> None:
        self._work_dir = work_dir
        self._compatibility = compatibility
        self._heap = heap
        self._progress = progress
        self._work: WorkFolder | None = None
        self._process: ServerProcess | None = None
        self._wanted_port = port
        self._port = 0

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

    @staticmethod
    def install(progress: Progress = silent) -> Path:
        """Have it in the cache, checked; the folder that it is in.

        Raises:
            ConfigError: the extra ``local-kafka`` is not installed.
            UnavailableError: it could not be downloaded.
        """
        folder = cache_folder() / f"registry-{REGISTRY_VERSION}"
        return ensure_unpacked(registry_pin(), folder, fetch, progress)

    @property
    def url(self) -> str:
        """Base address for clients of Confluent's registry."""
        if self._work is None:
            raise UsageError("the registry was not started: it has no address yet")
        return f"http://{_HOST}:{self._port}/apis/ccompat/v7"

    @property
    def port(self) -> int:
        """Where it listens; another one can be started there when this one is gone."""
        return self._port

    @property
    def process(self) -> ServerProcess:
        if self._process is None:
            raise UsageError("the registry was not started")
        return self._process

    def start(self) -> None:
        """Return when it answers and its compatibility is set.

        Raises:
            ConfigError: the extra ``local-kafka`` is not installed.
            UnavailableError: a download failed, or it did not come up (with its log's end).
        """
        if self._work is not None:
            raise UsageError("the registry runs already")
        java = find_java()
        (jar,) = self.install(self._progress).glob("*-runner.jar")
        try:
            self._work = WorkFolder(self._work_dir)
            # Loopback only: never through a proxy that the environment names.
            with httpx.Client(timeout=_ASK_TIMEOUT_S, trust_env=False) as http:
                self._start_on_a_free_port(java.program, jar, http)
                self._set_compatibility(http)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; may be called at any time, and again."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._work is not None:
            self._work.close()
            self._work = None

    def _start_on_a_free_port(self, java: Path, jar: Path, http: httpx.Client) -> None:
        for _ in range(_STARTS):
            self._port = self._wanted_port or free_port()
            self._launch(java, jar)
            if self._ready(http):
                return
            _LOG.warning("local_registry.port_taken", port=self._port)
        raise UnavailableError(
            f"each of {_STARTS} ports chosen for the schema registry was taken by another "
            "program before it could start; try again"
        )

    def _launch(self, java: Path, jar: Path) -> None:
        if self._work is None:
            raise UsageError("the registry has no folder: call start")
        self._progress(f"starting the schema registry, Apicurio {REGISTRY_VERSION}")
        command = [
            str(java),
            "-Xms64m",
            f"-Xmx{self._heap}",
            *SMALL_SERVER,
            f"-Dquarkus.http.host={_HOST}",
            f"-Dquarkus.http.port={self._port}",
            "-Dquarkus.log.level=WARN",
            "-Dquarkus.banner.enabled=false",
            *("-jar", str(jar)),
        ]
        self._process = ServerProcess(command, log_path=self._work.path / "registry.log")

    def _ready(self, http: httpx.Client) -> bool:
        """Wait; false if another program had the port.

        Raises:
            UnavailableError: it ended for another reason, or is not up in time.
        """
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if not self.process.alive:
                tail = self.process.log_tail()
                if _PORT_TAKEN.search(tail):
                    return False
                raise UnavailableError(
                    f"the schema registry ended with status {self.process.returncode} at its "
                    f"start; the last {LOG_TAIL_LINES} lines of its log:\n{tail}"
                )
            if self._answers(http):
                return True
            time.sleep(_PAUSE_S)
        raise UnavailableError(
            f"the schema registry did not answer at {self.url} within {READY_TIMEOUT_S:g} s; the "
            f"last {LOG_TAIL_LINES} lines of its log:\n{self.process.log_tail()}"
        )

    def _answers(self, http: httpx.Client) -> bool:
        try:
            http.get(f"{self.url}/subjects").raise_for_status()
        except httpx.HTTPError:
            return False
        return True

    def _set_compatibility(self, http: httpx.Client) -> None:
        wanted = {"compatibility": self._compatibility}
        try:
            http.put(f"{self.url}/config", json=wanted).raise_for_status()
        except httpx.HTTPError as exc:
            raise UnavailableError(
                f"the schema registry refused compatibility {self._compatibility}: {exc}"
            ) from exc
