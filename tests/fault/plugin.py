"""Tiers, seeds and the report of the runs under faults, as a pytest plugin.

Decides which faults run in which tier and with which seeds, and fails a whole run (``--whole``) in
which something was silently left out: ``gate.py`` says what. Refuses to know any fault.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.bench import Bench
from tests.fault.circumstances import circumstances
from tests.fault.gate import CLIENTS, PROTOCOLS, SEEDS, Whole, missing
from tests.fault.journal import JOURNAL, Journal, done_before
from tests.fault.record import Asked, Variant
from tests.fault.summary import Summary, write_table

_RUN, _ASKED = "fault_run", "fault_asked"
_NARROWING = ("keyword", "markexpr", "seed", "seeds", "deselect", "ignore", "ignore_glob")
_NARROWING_TOO = ("lf", "failedfirst", "stepwise", "collectonly", "maxfail")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the Makefile sets, and what a person may."""
    group = parser.getgroup("faults", "runs under faults")
    group.addoption(
        "--faults",
        choices=("quick", "all"),
        default="quick",
        help="quick: the short tier, one seed; all: every fault that this machine can do",
    )
    group.addoption("--seeds", type=int, default=None, help=f"seeds of tier all ({SEEDS})")
    group.addoption("--seed", type=int, default=None, help="only this seed")
    group.addoption(
        "--whole",
        choices=[str(whole) for whole in Whole],
        default=None,
        help="run all of this kind, and fail when anything of it is missing; quick: with all other "
        "tests; faults: what may run side by side; recovery: what must run alone",
    )
    group.addoption(
        "--fault-report",
        type=Path,
        default=None,
        metavar="FILE",
        help="write the report as JSON, and failures beside it when they happen",
    )
    group.addoption(
        "--resume",
        action="store_true",
        help="with --whole: go on with a run of this commit that was cut short; what failed in it "
        "has failed",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The markers; and what is whole is not narrowed.

    Raises:
        UsageError: ``--whole`` beside an option that leaves tests out.
    """
    config.addinivalue_line("markers", "alone: measures times, so that nothing may run beside it")
    config.addinivalue_line(
        "markers",
        "fault(name, quick=False, ways='alternate'): a run under a fault of the catalogue; quick: "
        "in the short tier too; ways: group protocols and clients 'alternate' from seed to seed, "
        "or 'each', where there is one seed only, comes once",
    )
    if hasattr(config, "workerinput"):
        return
    report: Path | None = config.getoption("--fault-report")
    if report is not None:
        config.pluginmanager.register(_Failures(report.with_suffix(".failures.txt")))
    if _whole(config) is None:
        if config.getoption("--resume"):
            raise pytest.UsageError("--resume goes on with a whole run: give --whole too")
        return
    if report is not None:
        journal = Journal(report.with_suffix(".journal.jsonl"), config.getoption("--resume"))
        config.pluginmanager.register(journal, JOURNAL)
    given = [name for name in (*_NARROWING, *_NARROWING_TOO) if config.getoption(name, None)]
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        given.append("a path")
    if given:
        raise pytest.UsageError(f"--whole runs everything: leave it, or this, out: {given}")


class _Failures:
    """Writes each failure down when it happens: a whole run tells of them hours later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One test, or its fixtures, on whichever process."""
        if report.failed:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"=== {report.nodeid} ({report.when})\n{report.longreprtext}\n\n")


def _whole(config: pytest.Config) -> Whole | None:
    given = config.getoption("--whole")
    return None if given is None else Whole(given)


def _everything(config: pytest.Config) -> bool:
    """Whether the long tier was asked for."""
    whole = _whole(config)
    return config.getoption("--faults") == "all" if whole is None else whole is not Whole.QUICK


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Seeds, protocols and clients, as the tier says."""
    marker = metafunc.definition.get_closest_marker("fault")
    if marker is None or "bench" not in metafunc.fixturenames:
        return
    variants = _variants(metafunc.config, each=marker.kwargs.get("ways") == "each")
    metafunc.parametrize("variant", variants, ids=str)


def _variants(config: pytest.Config, *, each: bool) -> list[Variant]:
    one: int | None = config.getoption("--seed")
    many: int = config.getoption("--seeds") or SEEDS
    if one is not None:
        seeds = [one]
    elif _everything(config) and _whole(config) is not Whole.RECOVERY:
        seeds = list(range(1, many + 1))
    else:
        seeds = [1]
    if each and seeds == [1]:
        return [Variant(1, PROTOCOLS[way], CLIENTS[way]) for way in (0, 1)]
    return [
        Variant(seed, PROTOCOLS[(seed - 1) % 2], CLIENTS[(seed - 1) // 2 % 2]) for seed in seeds
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is of another tier; note the others, so that each is accounted for."""
    done = done_before(config)
    left = [item for item in items if item.nodeid in done or not _belongs(item, config)]
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]
    for item in items:
        marker = item.get_closest_marker("fault")
        if marker is not None:
            item.user_properties.append((_ASKED, json.dumps([marker.args[0], _seed(item)])))


def _seed(item: pytest.Item) -> int | None:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    variant = parameters.get("variant")
    return variant.seed if isinstance(variant, Variant) else None


def _belongs(item: pytest.Item, config: pytest.Config) -> bool:
    marker = item.get_closest_marker("fault")
    alone = item.get_closest_marker("alone") is not None
    match _whole(config):
        case Whole.FAULTS:
            return marker is not None and not alone
        case Whole.RECOVERY:
            return marker is not None and alone
        case _:
            return marker is None or _everything(config) or marker.kwargs.get("quick", False)


@pytest.fixture
def bench(request: pytest.FixtureRequest, variant: Variant, tmp_path: Path) -> Iterator[Bench]:
    """See :class:`tests.fault.bench.Bench`."""
    marker = request.node.get_closest_marker("fault")
    made = Bench(marker.args[0], request.node.nodeid, variant, tmp_path)
    yield made
    for record in made.records:
        request.node.user_properties.append((_RUN, json.dumps(record.to_json())))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was to run and did not fails the whole."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    whole = _whole(session.config)
    if reporter is None or whole is None:
        return
    if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        summary = _summary(reporter)
        good = not (summary.failed or missing(summary, whole))
        session.exitstatus = pytest.ExitCode.OK if good else pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table, and the faults that were not run, by name and reason."""
    summary, whole = _summary(terminalreporter), _whole(config)
    lacks = [] if whole is None else missing(summary, whole)
    if summary.runs or lacks:
        write_table(summary, terminalreporter.write_line)
    for lack in lacks:
        terminalreporter.write_line(f"!!! MISSING: {lack}", red=True, bold=True)
    path: Path | None = config.getoption("--fault-report")
    if path is not None and summary.asked:
        of = {
            "whole": whole,
            "missing": lacks,
            **circumstances(at_a_time=config.getoption("numprocesses", None) or 1),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(summary.to_json(of), indent=1) + "\n", "utf-8")
        terminalreporter.write_line(f"the report: {path}")


def _summary(terminalreporter: pytest.TerminalReporter) -> Summary:
    journal = terminalreporter.config.pluginmanager.getplugin(JOURNAL)
    reports = [] if journal is None else list(journal.before)
    reports += [
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
        if name == _RUN
    ]
    failed = frozenset(r.nodeid for r in reports if r.outcome == "failed")
    return Summary(tuple(runs), failed, tuple(_asked(reports, failed)))


def _asked(reports: list[pytest.TestReport], failed: frozenset[str]) -> Iterator[Asked]:
    skipped = {r.nodeid: _reason(r) for r in reports if r.outcome == "skipped"}
    for report in reports:
        if report.when == "setup":
            for fault, seed in (
                json.loads(str(v)) for n, v in report.user_properties if n == _ASKED
            ):
                name = report.nodeid
                if name in failed:
                    yield Asked(fault, name, seed, "failed")
                elif name in skipped:
                    yield Asked(fault, name, seed, "skipped", skipped[name])
                else:
                    yield Asked(fault, name, seed)


def _reason(report: pytest.TestReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return told.removeprefix("Skipped: ")
