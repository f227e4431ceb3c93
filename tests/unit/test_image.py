"""The image against the product: what it copies, runs, listens on and asks of itself."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stream_app.adapters.process.http_server import HttpServer
from stream_app.settings import ENV_PREFIX, Settings, load_settings
from tests import dockerfile


class Health:
    """A worker that is alive or dead, as told."""

    def __init__(self, alive: bool) -> None:
        self.alive = alive

    def live(self) -> tuple[bool, list[str]]:
        return self.alive, [] if self.alive else ["the loop stands still"]

    def ready(self) -> tuple[bool, list[str]]:
        return False, ["never asked"]


@contextmanager
def operations_port(alive: bool) -> Iterator[int]:
    with HttpServer("127.0.0.1", 0, Health(alive), lambda: b"") as server:
        yield server.port


def probe(port: int) -> int:
    """Run the image's own health check against this port of the machine."""
    keyword, *command = dockerfile.last("HEALTHCHECK").text.split(maxsplit=1)
    assert keyword == "CMD"
    program, *arguments = dockerfile.Instruction("CMD", {}, command[0]).words()
    assert program == "python"
    environment = {**os.environ, f"{ENV_PREFIX}HTTP__PORT": str(port)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, check=False, stderr=subprocess.DEVNULL
    ).returncode


def test_all_that_is_copied_exists_and_is_let_into_the_build() -> None:
    sources = [source for source, _ in dockerfile.copied()]
    assert sources
    assert [str(path) for path in sources if not (dockerfile.ROOT / path).exists()] == []
    assert [str(path) for path in sources if not dockerfile.in_context(path)] == []


@pytest.mark.parametrize("kept_out", [".git", ".venv", "tests", "secrets.toml", "docs"])
def test_nothing_else_is_let_into_the_build(kept_out: str) -> None:
    assert not dockerfile.in_context(dockerfile.ROOT.relative_to(dockerfile.ROOT) / kept_out)


def test_it_installs_locked_packages_by_hash_only() -> None:
    installs = [
        command
        for each in dockerfile.instructions()
        if each.keyword == "RUN"
        for command in each.text.split("&&")
        if re.search(r"\bpip (?:install|wheel)\b", command)
    ]
    assert len(installs) == 4
    for command in installs:
        assert "--require-hashes" in command or {"--no-index", "--no-deps"} <= {*command.split()}


def test_it_runs_a_supported_python() -> None:
    bases = {each.text.split()[0] for each in dockerfile.instructions() if each.keyword == "FROM"}
    (base,) = bases
    version = base.removeprefix("python:").removesuffix("-slim")
    project = tomllib.loads((dockerfile.ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_it_starts_the_product_without_a_shell_and_without_root() -> None:
    project = tomllib.loads((dockerfile.ROOT / "pyproject.toml").read_text())["project"]
    assert dockerfile.last("ENTRYPOINT").words() == [*project["scripts"]]
    user, group = dockerfile.last("USER").text.split(":")
    assert (int(user), int(group)) >= (10_000, 10_000)


def test_its_environment_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {k: v for k, v in dockerfile.environment().items() if k.startswith(ENV_PREFIX)}
    assert ours
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.http.host == "0.0.0.0"
    assert settings.log.format == "json"
    assert str(settings.model.repository) == "/models"


def test_its_kernels_are_compiled_where_a_worker_looks_for_them() -> None:
    (warm,) = [
        each.text
        for each in dockerfile.instructions()
        if each.keyword == "RUN" and each.text.endswith("stream-app warm")
    ]
    cache = dockerfile.environment()["STREAM_APP_CACHE_DIR"]
    assert warm.startswith(f"STREAM_APP_CACHE_DIR={cache} ")
    # Code is kept by the path of its source: both stages must have the package at the same place.
    assert cache.startswith("/opt/stream-app/")
    copies = [each for each in dockerfile.instructions() if each.keyword == "COPY"]
    (taken_over,) = [each.text for each in copies if "from" in each.flags]
    assert taken_over == "/opt/stream-app /opt/stream-app"


def test_it_exposes_the_port_that_the_product_listens_on() -> None:
    assert dockerfile.last("EXPOSE").text == str(Settings.model_fields["http"].default.port)


def test_the_health_check_passes_a_live_worker() -> None:
    with operations_port(alive=True) as port:
        assert probe(port) == 0


def test_the_health_check_fails_a_dead_worker() -> None:
    with operations_port(alive=False) as port:
        assert probe(port) != 0


def test_the_health_check_fails_when_nobody_listens() -> None:
    with operations_port(alive=True) as port:
        pass
    assert probe(port) != 0
