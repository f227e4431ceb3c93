"""What every test run has: real clusters on demand, and a last line that says if they ran."""

import logging
import os
from collections.abc import Iterator, Sequence

import hypothesis
import pytest
import structlog

import tests.job
from tests.kafka_fixtures import (
    kafka,
    kafka3,
    kafka_installed,
    mock_kafka,
    registry_installed,
    registry_url,
)

__all__ = ["kafka", "kafka3", "kafka_installed", "mock_kafka", "registry_installed", "registry_url"]

pytest_plugins = ["tests.fault.plugin"]

# Time says nothing about a law on a machine shared with others. In CI the same examples each run.
hypothesis.settings.register_profile(
    "stream-app",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("stream-app")


def pytest_addoption(parser: pytest.Parser) -> None:
    """With which Kafka client workers of tests run, where a test does not say it itself."""
    parser.addoption(
        "--client",
        choices=("public", "native"),
        default="public",
        help="the Kafka client of workers; tests that have both of their own do not care",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hand the option to whoever makes workers."""
    tests.job.CLIENT = config.getoption("--client")


MARKER_BY_FIXTURE = {
    "kafka": "kafka",
    "kafka3": "kafka",
    "kafka_installed": "kafka",
    "registry_installed": "registry",
    "registry_url": "registry",
    "browser": "browser",
}
NAME_BY_MARKER = {
    "kafka": "real Apache Kafka",
    "registry": "real schema registry",
    "browser": "real browser",
}


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that ran in this process may have silenced them."""
    yield
    structlog.reset_defaults()
    logging.getLogger("librdkafka").setLevel(logging.NOTSET)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark by what a test uses, so that none can be forgotten."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKER_BY_FIXTURE:
                item.add_marker(MARKER_BY_FIXTURE[fixture])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly whether the real servers were really there."""
    for marker, name in NAME_BY_MARKER.items():
        counts = {
            outcome: sum(
                marker in getattr(report, "keywords", ())  # a module's has none
                for report in terminalreporter.getreports(outcome)
                if report.when == "call" or outcome != "passed"
            )
            for outcome in ("passed", "failed", "error", "skipped")
        }
        ran = counts["passed"] + counts["failed"]
        missing = counts["skipped"] + counts["error"]
        if missing:
            terminalreporter.write_line(
                f"!!! {name}: {missing} TESTS DID NOT RUN, {ran} ran", red=True, bold=True
            )
        elif ran:
            terminalreporter.write_line(f"{name}: {ran} tests ran, none skipped", green=True)
        else:
            terminalreporter.write_line(f"{name}: no test of it was selected", yellow=True)
