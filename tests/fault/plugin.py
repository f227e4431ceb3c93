"""Tiers, seeds and the report of the runs under faults, as a pytest plugin.

Decides which faults run in which tier and with which seeds, and fails a whole run in which a
fault of the catalogue was silently left out. Refuses to know any fault.
"""

import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.fault.bench import Bench, Variant
from tests.fault.summary import Summary, write_table

PROTOCOLS = ("classic", "consumer")
SEEDS = 5
WHOLE = "fault and not alone"
"""What ``make test-faults`` selects first; then what must run alone."""

_PROPERTY = "fault_run"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What ``make test-faults`` sets."""
    group = parser.getgroup("faults", "runs under faults")
    group.addoption(
        "--faults",
        choices=("quick", "all"),
        default="quick",
        help="quick: the short tier, one seed; all: every fault that this machine can do",
    )
    group.addoption("--seeds", type=int, default=SEEDS, help=f"seeds of tier all ({SEEDS})")
    group.addoption("--seed", type=int, default=None, help="only this seed")
    group.addoption(
        "--fault-report", type=Path, default=None, metavar="FILE", help="write the report as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """The markers."""
    config.addinivalue_line("markers", "alone: measures times, so that nothing may run beside it")
    config.addinivalue_line(
        "markers",
        "fault(name, quick=False, protocols='alternate'): a run under a fault of the catalogue; "
        "quick: in the short tier too; protocols: 'each' seed with both, or 'alternate'",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Seeds and protocols, as the tier says."""
    marker = metafunc.definition.get_closest_marker("fault")
    if marker is None or "bench" not in metafunc.fixturenames:
        return
    variants = _variants(metafunc.config, each=marker.kwargs.get("protocols") == "each")
    metafunc.parametrize("variant", variants, ids=str)


def _variants(config: pytest.Config, *, each: bool) -> list[Variant]:
    one: int | None = config.getoption("--seed")
    everything = config.getoption("--faults") == "all"
    if one is not None:
        seeds = [one]
    else:
        seeds = list(range(1, config.getoption("--seeds") + 1)) if everything else [1]
    if each:
        return [Variant(seed, protocol) for seed in seeds for protocol in PROTOCOLS]
    return [Variant(seed, PROTOCOLS[(seed - 1) % 2]) for seed in seeds]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tier out, unless it is asked for."""
    if config.getoption("--faults") == "all":
        return
    long = [item for item in items if _is_long(item)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not _is_long(item)]


def _is_long(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("fault")
    return marker is not None and not marker.kwargs.get("quick", False)


@pytest.fixture
def bench(request: pytest.FixtureRequest, variant: Variant, tmp_path: Path) -> Iterator[Bench]:
    """See :class:`tests.fault.bench.Bench`."""
    marker = request.node.get_closest_marker("fault")
    made = Bench(marker.args[0], request.node.nodeid, variant, tmp_path)
    yield made
    for record in made.records:
        request.node.user_properties.append((_PROPERTY, json.dumps(record.to_json())))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A fault that was to run and did not fails the whole."""
    config = session.config
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or not _is_whole(config):
        return
    if session.exitstatus == pytest.ExitCode.OK and _summary(reporter).missing(SEEDS):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_whole(config: pytest.Config) -> bool:
    """Whether everything was asked for: then nothing may be missing."""
    chosen = config.getoption("--seed") or config.option.keyword or config.option.collectonly
    everywhere = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    wanted = config.option.markexpr == WHOLE and config.getoption("--faults") == "all"
    return wanted and everywhere and not chosen


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table, and the faults that were not run, by name and reason."""
    summary = _summary(terminalreporter)
    if not summary.runs:
        return
    write_table(summary, terminalreporter.write_line)
    if _is_whole(config):
        for missing in summary.missing(SEEDS):
            terminalreporter.write_line(f"!!! MISSING: {missing}", red=True, bold=True)
    path: Path | None = config.getoption("--fault-report")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(summary.to_json(_machine()), indent=1) + "\n", "utf-8")
        terminalreporter.write_line(f"the report: {path}")


def _summary(terminalreporter: pytest.TerminalReporter) -> Summary:
    reports = [
        report
        for several in terminalreporter.stats.values()
        for report in several
        if isinstance(report, pytest.TestReport)
    ]
    runs = [
        json.loads(str(value))
        for report in reports
        if report.when == "teardown"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    return Summary(tuple(runs), frozenset(r.nodeid for r in reports if r.outcome == "failed"))


def _machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "confluent_kafka": version("confluent-kafka"),
        "onnxruntime": version("onnxruntime"),
    }
