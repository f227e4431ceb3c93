"""The services of docker-compose.yml that are ours, run as they stand there, without containers.

Their command lines and variables are those of the file; only addresses, names and ports are this
machine's. What a container adds (its file system, its user) is not tested here.
"""

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka.ports import free_port
from tests.compose import environment, on_this_machine, services
from tests.kafka_fixtures import RealKafka, unique

READY_WITHIN_S = 60.0
SCORED_WITHIN_S = "60"


@pytest.fixture
def elsewhere(kafka: RealKafka, registry_url: str) -> dict[str, str]:
    """What is not as in the file: the addresses, and names that no other test has."""
    return {
        "STREAM_APP_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "STREAM_APP_KAFKA__GROUP": unique("compose"),
        "STREAM_APP_INPUT__TOPIC": unique("compose"),
        "STREAM_APP_REGISTRY__URL": registry_url,
        "STREAM_APP_HTTP__HOST": "127.0.0.1",
    }


def command(name: str, *instead: str) -> list[str]:
    """The service's command line, or another in its place, as ``docker compose run`` takes it."""
    service = services()[name]
    words = [on_this_machine(word, service) for word in instead or service.command]
    return [sys.executable, "-m", "stream_app", *words]


def run(name: str, elsewhere: dict[str, str], *instead: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(name, *instead),
        env=environment(name, **elsewhere),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@dataclass
class Scorer:
    """One replica, with a file for its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def status(self, path: str) -> int:
        """The HTTP status of a GET; 0 while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while self.status("/readyz") != http.client.OK:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def stop(self) -> int:
        """Tell it to stop as Compose would; its exit status, if it ends within the grace."""
        self.process.send_signal(signal.SIGTERM)
        grace_s = int(services()["scorer"].stop_grace_period.removesuffix("s"))
        return self.process.wait(timeout=grace_s)


@contextmanager
def scorer(elsewhere: dict[str, str], log: Path) -> Iterator[Scorer]:
    port = free_port()
    given = environment("scorer", **elsewhere, STREAM_APP_HTTP__PORT=str(port))
    with log.open("w") as sink:
        process = subprocess.Popen(command("scorer"), env=given, stdout=sink, stderr=sink)
    try:
        yield Scorer(process, port, log)
    finally:
        process.kill()
        process.wait()


def test_the_topics_service_ends_well_however_often_it_runs(elsewhere: dict[str, str]) -> None:
    first, second = run("topics", elsewhere), run("topics", elsewhere)
    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert "created" in first.stdout
    assert "created" not in second.stdout


def test_the_trial_scores_each_event_once_and_stops_when_told(
    elsewhere: dict[str, str], tmp_path: Path
) -> None:
    assert run("topics", elsewhere).returncode == 0
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(scorer(elsewhere, tmp_path / f"{number}.log"))
            for number in range(services()["scorer"].deploy.replicas)
        ]
        # Ready before there is any event: `up` must not wait for the first one.
        for replica in replicas:
            replica.wait_until_ready()
            assert replica.status("/livez") == http.client.OK
        sent = run("events", elsewhere)
        assert sent.returncode == 0, sent.stderr
        verdict = run("scorer", elsewhere, "verify", "--wait", SCORED_WITHIN_S)
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        assert [replica.stop() for replica in replicas] == [0, 0]
    logs = [replica.log.read_text() for replica in replicas]
    assert all(logs)
    assert not any("Warning" in log or "Traceback" in log for log in logs), logs
