"""The wheel: what an operator installs must hold all that the product reads, and start.

Built as the image's build stage builds it, from exactly the files that the Dockerfile copies, so
that a file missing there fails here.
"""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import dockerfile

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*command: str, cwd: Path, library: Path | None = None) -> str:
    """Run to its end; with a library, that folder's packages come before the installed ones."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if library is not None:
        environment["PYTHONPATH"] = str(library)
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    dockerfile.copy_sources(source)
    into = tmp_path_factory.mktemp("wheels")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(into), "."]
    built = next(each.text for each in dockerfile.instructions() if "pip wheel" in each.text)
    assert all(option in built for option in options if option != str(into))
    run(*PIP, "wheel", *options, cwd=source)
    (path,) = into.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    run(*PIP, "install", "--no-index", "--no-deps", "--target", str(target), str(wheel), cwd=target)
    return target


@pytest.mark.parametrize(
    ("folder", "within"),
    [
        ("schemas", "stream_app/_data/schemas"),
        ("examples/car_loan", "stream_app/_data/examples/car_loan"),
        ("examples/bench", "stream_app/_data/examples/bench"),
        ("stream_app", "stream_app"),
    ],
)
def test_every_committed_file_is_in_the_wheel(folder: str, within: str, wheel: Path) -> None:
    listed = run("git", "ls-files", "-z", folder, cwd=dockerfile.ROOT).split("\0")
    expected = {within + name.removeprefix(folder) for name in listed if name}
    assert expected
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_nothing_but_the_package_is_in_the_wheel(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    version = tomllib.loads((dockerfile.ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tops == {"stream_app", f"stream_app-{version}.dist-info"}


def test_the_licence_and_the_types_come_with_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "stream_app/py.typed" in names


def test_it_starts_from_where_it_was_installed(installed: Path, tmp_path: Path) -> None:
    shown = run(sys.executable, "-P", "-m", "stream_app", "--help", cwd=tmp_path, library=installed)
    assert "score" in shown
    assert "demo" in shown


def test_it_finds_its_own_schemas_and_example(installed: Path, tmp_path: Path) -> None:
    program = (
        "from stream_app.resources import example_dir, schema_path;"
        "print(schema_path('prediction')); print(example_dir('car_loan'))"
    )
    shown = run(sys.executable, "-P", "-c", program, cwd=tmp_path, library=installed)
    assert [Path(line).is_relative_to(installed) for line in shown.splitlines()] == [True, True]
