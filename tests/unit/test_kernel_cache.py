"""Laws of where compiled kernels are kept: found everywhere, and never run from a stranger."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stream_app.adapters.process import kernel_cache
from stream_app.adapters.process.kernel_cache import kernel_folder

TOLD = """
from stream_app.adapters.avro import compiled_kernels
compiled_kernels.load()
from numba.core.registry import cpu_target
print(cpu_target.target_context.codegen().magic_tuple()[1:])
"""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one file that can only be read, and a folder for temporaries."""
    monkeypatch.setenv("STREAM_APP_CACHE_DIR", str(tmp_path / "image"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    folder = kernel_folder()
    folder.mkdir(parents=True)
    (folder / "kernel.nbi").write_bytes(b"code")
    return folder


def test_a_cache_that_can_only_be_read_is_copied_once(image: Path, tmp_path: Path) -> None:
    copy = kernel_cache._copied(image)
    assert copy.is_relative_to(tmp_path / "temporary")
    assert (copy / "kernel.nbi").read_bytes() == b"code"
    (copy / "another.nbi").write_bytes(b"compiled since")
    assert kernel_cache._copied(image) == copy
    assert (copy / "another.nbi").exists()
    assert copy.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_not_trusted(image: Path, tmp_path: Path) -> None:
    parent = kernel_cache._copied(image).parent
    parent.chmod(0o777)
    assert kernel_cache._copied(image) == image
    stranger = tmp_path / "stranger"
    parent.rename(stranger)
    parent.symlink_to(stranger)
    stranger.chmod(0o700)
    assert kernel_cache._copied(image) == image


def test_code_is_made_for_a_level_of_the_architecture_and_not_for_this_processor() -> None:
    ran = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() in {"('x86-64-v3', '')", "('generic', '')"}


def test_an_older_processor_finds_no_code_that_it_cannot_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    names = {}
    for level, has in (("x86-64-v3", True), ("generic", False)):
        features = dict.fromkeys(kernel_cache._OF_LEVEL_3, True) | {"avx2": has}
        monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda f=features: f)
        kernel_cache.processor.cache_clear()
        assert kernel_cache.processor() == level
        names[level] = kernel_folder().name
    kernel_cache.processor.cache_clear()
    assert len(set(names.values())) == 2


def test_what_the_code_depends_on_names_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = kernel_folder().name
    monkeypatch.setattr(kernel_cache, "version", lambda name: f"another {name}")
    assert kernel_folder().name != here
