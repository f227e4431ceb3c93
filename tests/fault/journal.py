"""What a whole run has done so far, on disk: so that one that is cut short can be gone on with.

Decides what may be taken over: results of the same test and code, and all of a test or nothing.
What failed has failed: going on is no second chance. A commit that mends a test has only the tests
of that file run again; one that changes the product has all.
"""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.fault.circumstances import basis, commit

JOURNAL = "fault-journal"
_INPUT = "fault_done_before"
_OVER = {"teardown", "???"}
"""The last report of a test; the second is of one that took its process with it."""


class Journal:
    """Writes each report down when it comes; the controller's, where tests run side by side.

    Attributes:
        before: Reports that were taken over.
        of: By test, the commit that it ran at.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        """Go on with what ``path`` holds, or begin it anew.

        Raises:
            UsageError: it is of a commit that is not known here.
        """
        self._path = path
        self._commit = commit()
        self.before: tuple[pytest.TestReport, ...] = ()
        self.of: dict[str, str] = {}
        if resume and path.exists():
            self.before = self._read()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(map(self._line, self.before)), "utf-8")

    @property
    def done(self) -> frozenset[str]:
        """Tests that need not run."""
        return frozenset(report.nodeid for report in self.before)

    def _read(self) -> tuple[pytest.TestReport, ...]:
        lines = [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]
        reports = [
            pytest.TestReport._from_json(line["report"])
            for line in lines
            if self._is_of_this_code(line["commit"], line["report"]["nodeid"])
        ]
        over = Counter(report.nodeid for report in reports if report.when in _OVER)
        self.of = {line["report"]["nodeid"]: line["commit"] for line in lines}
        self.of = {name: told for name, told in self.of.items() if over[name]}
        return tuple(report for report in reports if over[report.nodeid])

    def _is_of_this_code(self, other: str, test: str) -> bool:
        if other == self._commit:
            return True
        file = test.partition("::")[0]
        theirs, ours = basis(other, file), basis(self._commit, file)
        if theirs is None or ours is None:
            raise pytest.UsageError(
                f"--resume: {self._path} is of commit {other}, and this is {self._commit}; how "
                "they differ cannot be seen here: run it whole"
            )
        return theirs == ours

    def _line(self, report: pytest.TestReport) -> str:
        told = {name: value for name, value in report._to_json().items() if name != "node"}
        at = self.of.get(report.nodeid, self._commit)
        return json.dumps({"commit": at, "report": told}) + "\n"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test, on whichever process."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(self._line(report))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        """Tell a process of pytest-xdist, which must leave out the same tests."""
        node.workerinput[_INPUT] = sorted(self.done)  # type: ignore[attr-defined]  # xdist's


def others(path: Path, commit_name: str) -> dict[str, int]:
    """By commit, how many tests of a journal ran there and not at this one."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    of = {line["report"]["nodeid"]: line["commit"] for line in lines}
    return dict(Counter(told for told in of.values() if told != commit_name))


def done_before(config: pytest.Config) -> Collection[str]:
    """Node ids that an earlier part of this run has done."""
    given = getattr(config, "workerinput", None)
    if given is not None:
        return frozenset(given.get(_INPUT, ()))
    journal = config.pluginmanager.getplugin(JOURNAL)
    return journal.done if isinstance(journal, Journal) else frozenset()
