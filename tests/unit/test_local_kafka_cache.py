"""Laws of the cache of pinned files, without a network: small files stand in for jars."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka.cache import ensure_files, ensure_unpacked
from stream_app.adapters.local_kafka.pins import Pin, kafka_pins, registry_pin
from stream_app.adapters.process.user_cache import cache_folder, exclusive
from stream_app.errors import ConfigError, UnavailableError

CONTENTS = {"one": b"the first jar", "two": b"the second jar"}


class Mirror:
    """Serves bytes by artifact and remembers what it was asked for."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = dict(contents)
        self.asked: list[str] = []

    def fetch(self, pin: Pin, folder: Path) -> Path:
        self.asked.append(pin.artifact)
        path = folder / pin.file_name
        path.write_bytes(self.contents[pin.artifact])
        return path


def pin(name: str, content: bytes, packaging: str = "jar") -> Pin:
    return Pin(hashlib.sha256(content).hexdigest(), "a.group", name, "1.0", packaging)


PINS = tuple(pin(name, content) for name, content in CONTENTS.items())


def test_every_file_is_there_in_the_order_of_the_list(tmp_path: Path) -> None:
    paths = ensure_files(PINS, tmp_path / "jars", Mirror(CONTENTS).fetch)
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())


def test_a_good_cache_asks_nobody(tmp_path: Path) -> None:
    ensure_files(PINS, tmp_path / "jars", Mirror(CONTENTS).fetch)
    mirror = Mirror({})
    ensure_files(PINS, tmp_path / "jars", mirror.fetch)
    assert mirror.asked == []


@pytest.mark.parametrize("damage", [b"the first jas", b"the first", b""])
def test_a_corrupt_file_and_only_it_is_had_again(tmp_path: Path, damage: bytes) -> None:
    first, _ = ensure_files(PINS, tmp_path / "jars", Mirror(CONTENTS).fetch)
    first.write_bytes(damage)
    mirror = Mirror(CONTENTS)
    ensure_files(PINS, tmp_path / "jars", mirror.fetch)
    assert mirror.asked == ["one"]
    assert first.read_bytes() == CONTENTS["one"]


def test_a_file_with_another_hash_is_refused_and_not_kept(tmp_path: Path) -> None:
    mirror = Mirror(CONTENTS | {"two": b"something else"})
    with pytest.raises(UnavailableError, match=r"a\.group:two:1\.0.*expected") as refused:
        ensure_files(PINS, tmp_path / "jars", mirror.fetch)
    assert PINS[1].sha256 in str(refused.value)
    assert not (tmp_path / "jars" / PINS[1].file_name).exists()


def test_what_was_had_before_a_failure_is_kept(tmp_path: Path) -> None:
    broken = Mirror(CONTENTS | {"two": b"something else"})
    with pytest.raises(UnavailableError):
        ensure_files(PINS, tmp_path / "jars", broken.fetch)
    mirror = Mirror(CONTENTS)
    ensure_files(PINS, tmp_path / "jars", mirror.fetch)
    assert "two" in mirror.asked
    assert set(mirror.asked) | set(broken.asked) == {"one", "two"}


def test_no_download_is_left_behind(tmp_path: Path) -> None:
    ensure_files(PINS, tmp_path / "jars", Mirror(CONTENTS).fetch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "jars.lock"]


def test_a_cache_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="STREAM_APP_CACHE_DIR"):
        ensure_files(PINS, tmp_path / "file" / "jars", Mirror(CONTENTS).fetch)


def archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = archive({"app.jar": b"runs", "lib/part.jar": b"is run"})
ARCHIVE_PIN = pin("app", ARCHIVE, "tar.gz")


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    mirror = Mirror({"app": ARCHIVE})
    for _ in range(2):
        folder = ensure_unpacked(ARCHIVE_PIN, tmp_path / "app", mirror.fetch)
    assert (folder / "lib" / "part.jar").read_bytes() == b"is run"
    assert mirror.asked == ["app"]


@pytest.mark.parametrize("damaged", ["app.jar", "lib/part.jar", "contents.sha256"])
def test_a_damaged_unpacked_file_is_had_again(tmp_path: Path, damaged: str) -> None:
    mirror = Mirror({"app": ARCHIVE})
    folder = ensure_unpacked(ARCHIVE_PIN, tmp_path / "app", mirror.fetch)
    (folder / damaged).unlink()
    ensure_unpacked(ARCHIVE_PIN, tmp_path / "app", mirror.fetch)
    assert mirror.asked == ["app", "app"]
    assert (folder / damaged).exists()


def test_the_lock_keeps_a_second_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.adapters.process.user_cache.LOCK_WAIT_S", 0.0)
    with (
        exclusive(tmp_path / "jars"),
        pytest.raises(UnavailableError, match="another process holds"),
        exclusive(tmp_path / "jars"),
    ):
        pytest.fail("two held the lock at once")


def test_the_cache_is_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("STREAM_APP_CACHE_DIR", raising=False)
    assert cache_folder() == tmp_path / "xdg" / "stream-app"
    monkeypatch.setenv("STREAM_APP_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


def test_the_committed_lists_pin_each_file_once() -> None:
    pins = [*kafka_pins(), registry_pin()]
    assert len(pins) == 94
    assert len({each.file_name for each in pins}) == len(pins)
    assert all(len(bytes.fromhex(each.sha256)) == 32 for each in pins)
    assert "kafka_2.13-4.1.2.jar" in {each.file_name for each in pins}
    assert registry_pin().file_name == "apicurio-registry-app-2.6.13.Final-all.tar.gz"


@pytest.mark.parametrize("line", ["ab  g:a:1", "ab  g:a:1:zip", "ab  g:a:1:tar.gz:all"])
def test_a_pin_reads_what_it_writes(line: str) -> None:
    read = Pin.parse(line)
    assert f"{read.sha256}  {read}" == line
