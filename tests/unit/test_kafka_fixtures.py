"""Laws of the fixtures: a real Kafka that is not there is never passed over in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka_fixtures import MockKafka, unavailable, unique

ROOT = Path(__file__).parents[2]
NEEDS_KAFKA = (
    "tests/integration/test_local_kafka.py::test_a_topic_must_be_made_before_it_is_written"
)


@pytest.mark.parametrize("value", ["1", "true", "woodpecker"])
def test_what_is_missing_fails_in_ci(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.fail.Exception, match="no jars"):
        unavailable("no jars")


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_what_is_missing_is_skipped_elsewhere(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.skip.Exception, match="no jars"):
        unavailable("no jars")


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_run_without_kafka_says_so_in_its_last_lines(
    tmp_path: Path, ci: str, status: int
) -> None:
    (tmp_path / "file").touch()  # a cache that cannot be: as if nothing were installed
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("STREAM_APP_")},
        "STREAM_APP_CACHE_DIR": str(tmp_path / "file" / "cache"),
        "CI": ci,
    }
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", NEEDS_KAFKA],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == status, run.stdout + run.stderr
    assert "!!! real Apache Kafka: 1 TESTS DID NOT RUN, 0 ran" in run.stdout
    assert "STREAM_APP_CACHE_DIR names another folder" in run.stdout


def test_names_do_not_repeat() -> None:
    assert len({unique("topic") for _ in range(100)}) == 100


def test_the_mock_refuses_a_configuration_that_it_would_ignore() -> None:
    mock = MockKafka("nowhere:1", lambda name, partitions: None)
    with pytest.raises(ValueError, match="cleanup_policy"):
        mock.topic("t", cleanup_policy="compact")
