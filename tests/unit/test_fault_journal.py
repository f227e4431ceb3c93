"""Laws of what a whole run may take over: results of the same test and of the same code."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault import circumstances
from tests.fault.circumstances import basis
from tests.fault.journal import Journal, others

OWN = "tests/fault/test_own.py"


class Repository:
    """A small one, in place of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git("init", "-q")
        self.commit(
            **{"stream_app/loop.py": "1", OWN: "1", "tests/fault/test_other.py": "1"},
            **{"tests/fault/bench.py": "1", "README.md": "1", "tests/fault/page.py": "1"},
        )
        self.first = self.head()

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self._git("add", "-A")
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        self._git(*who, "commit", "-qm", "files")

    def head(self) -> str:
        return self._git("rev-parse", "--short", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        asked = ["git", *arguments]
        return subprocess.run(
            asked, cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Repository(folder)
    monkeypatch.setattr(circumstances, "__file__", str(folder / "any.py"))
    basis.cache_clear()
    yield made
    basis.cache_clear()


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ("stream_app/loop.py", True),
        ("stream_app/fresh.py", True),
        ("tests/fault/bench.py", True),
        (OWN, True),
        ("tests/fault/test_other.py", False),
        ("README.md", False),
        ("docs/guarantees.md", False),
        ("tests/fault/page.py", False),
    ],
)
def test_a_result_stays_true_until_what_it_depends_on_changes(
    repository: Repository, changed: str, counts: bool
) -> None:
    repository.commit(**{changed: "2"})
    same = basis(repository.first, OWN) == basis(repository.head(), OWN)
    assert same is not counts


def test_of_a_commit_that_is_not_there_nothing_is_known(repository: Repository) -> None:
    assert basis("0c0ffee", OWN) is None


def journal_at(path: Path) -> Journal:
    return Journal(path, resume=True)


def ran(test: str) -> list[pytest.TestReport]:
    return [
        pytest.TestReport(test, (test, 0, test), {}, "passed", None, when)
        for when in ("setup", "call", "teardown")
    ]


def test_only_the_tests_that_a_commit_changed_run_again(
    repository: Repository, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    begun = journal_at(path)
    for test in (f"{OWN}::test_a", "tests/fault/test_other.py::test_b"):
        for report in ran(test):
            begun.pytest_runtest_logreport(report)
    repository.commit(**{OWN: "2"})
    again = journal_at(path)
    assert again.done == {"tests/fault/test_other.py::test_b"}
    for report in ran(f"{OWN}::test_a"):
        again.pytest_runtest_logreport(report)
    assert others(path, repository.head()) == {repository.first: 1}
    third = journal_at(path)
    assert len(third.done) == 2
    assert others(path, repository.head()) == {repository.first: 1}


def test_a_test_that_was_cut_short_is_not_done(repository: Repository, tmp_path: Path) -> None:
    del repository
    path = tmp_path / "journal.jsonl"
    begun = journal_at(path)
    for report in ran("tests/fault/test_other.py::test_b")[:2]:
        begun.pytest_runtest_logreport(report)
    assert not journal_at(path).done
