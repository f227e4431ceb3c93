"""What the repository may hold: no address of a registry, no path of someone's machine, no
unexplained exception from a gate, no file that has grown past reading.
"""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|proxy\.golang\.org|(?:static\.)?crates\.io"
    r"|repo1?\.maven\.(?:org|apache\.org)|maven\.org|deb\.debian\.org"
    r"|--(?:extra-)?index-url|--find[-]links|--trusted[-]host"
)
MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:work|root|home)/\w")
IGNORED_TYPE = re.compile(r"#\s*type:\s*ignore")
EXPLAINED_TYPE = re.compile(r"# type: ignore\[[a-z-]+(?:, ?[a-z-]+)*\]  # \S")
BLANKET_NOQA = re.compile(r"#\s*noqa(?!: ?[A-Z]+\d)", re.IGNORECASE)

MAX_LINES = 300
LONGER = {"stream_app/core/avro/kernels/decode.py": 420}
"""One loop, since in a kernel a call that is given arrays costs more than most of what it does."""


def committed(suffix: str = "") -> list[Path]:
    """Files that are in the repository, or would be with the next ``git add``."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    found = [ROOT / name for name in listed if name and name.endswith(suffix)]
    return [path for path in found if path.is_file()]


def lines_with(pattern: re.Pattern[str], text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            # A reason after a second `#` belongs to the same comment token.
            yield token.start[0], token.string


def unexplained(source: str) -> list[int]:
    """Lines that leave a gate without saying which rule and why."""
    return [
        number
        for number, comment in comments(source)
        if (IGNORED_TYPE.search(comment) and not EXPLAINED_TYPE.search(comment))
        or BLANKET_NOQA.search(comment)
    ]


def unhashed(lock: str) -> list[str]:
    """Requirements of a lock file that no hash pins."""
    entries = re.split(r"\n(?=[^\s#])", lock.strip())
    return [
        entry.split()[0]
        for entry in entries
        if not entry.startswith("#")
        and not re.match(
            r"[\w.-]+==\S+(?: ;[^\\]*)? \\\n(?:\s+--hash=sha256:[0-9a-f]{64}\b)", entry
        )
    ]


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in committed()
        if (
            lines := [
                *lines_with(REGISTRY, text := path.read_bytes().decode(errors="ignore")),
                *lines_with(MACHINE_PATH, text),
            ]
        )
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "https://" + "pypi" + ".org/simple",
        "pip install --extra" + "-index-url x",
        "https://repo" + ".maven.apache.org/maven2",
    ],
)
def test_a_planted_registry_is_found(line: str) -> None:
    assert lines_with(REGISTRY, f"first\n{line}") == [2]


@pytest.mark.parametrize("folder", ["work", "root", "home"])
def test_a_planted_machine_path_is_found(folder: str) -> None:
    assert lines_with(MACHINE_PATH, f"see '/{folder}/someone/notes'") == [1]
    assert lines_with(MACHINE_PATH, f"docs/{folder}/notes and ${{HOME}}/{folder}/x") == []


def test_every_locked_requirement_has_a_hash() -> None:
    locks = committed(".txt")
    locks = [path for path in locks if "requirements" in {path.parent.name, path.stem}]
    assert len(locks) == 5 + 5, "the product's, and those of the peers that it is compared with"
    assert {str(p): missing for p in locks if (missing := unhashed(p.read_text()))} == {}


def test_a_requirement_without_a_hash_is_found() -> None:
    good = "a==1 \\\n    --hash=sha256:" + 64 * "0"
    conditional = "b==2 ; python_full_version < '3.12' \\\n    --hash=sha256:" + 64 * "f"
    assert unhashed(f"{good}\n{conditional}\n") == []
    assert unhashed(f"{good}\nb==2\n{conditional}\n") == ["b==2"]
    assert unhashed("a>=1 \\\n    --hash=sha256:" + 64 * "0") == ["a>=1"]


def test_every_exception_from_a_gate_has_its_rule_and_reason() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in committed(".py")
        if (lines := unexplained(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_an_unexplained_exception_is_found() -> None:
    mark = "# type:" + " ignore"
    assert unexplained(f"x = 1  {mark}[misc]  # the library is wrong about x\n") == []
    assert unexplained(f"x = 1  {mark}\n") == [1]
    assert unexplained(f"x = 1  {mark}[misc]\n") == [1]
    assert unexplained(f"x = '{mark}'\n") == []
    assert unexplained("x = 1  # no" + "qa\n") == [1]
    assert unexplained("x = 1  # no" + "qa: S603 - a fixed command\n") == []


def test_every_python_file_opens_with_its_reason() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in committed(".py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    ]
    assert silent == []


def test_no_file_of_the_package_has_grown_past_reading() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in committed(".py")
        if path.is_relative_to(ROOT / "stream_app")
    }
    assert lengths, "no file was measured: the test could not fail"
    assert {name: n for name, n in lengths.items() if n > LONGER.get(name, MAX_LINES)} == {}
