"""No kernel reads or writes past an array: all of them once with every index checked.

numba leaves indexes unchecked; with NUMBA_BOUNDSCHECK it raises IndexError instead of reading what
lies behind. The kernels that follow pointers (``adapters/kafka/native``) cannot be checked so:
``test_native_client.py`` compares what they read.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = (
    "tests/contract/test_decoder_values.py",
    "tests/contract/test_decoder_faults.py",
    "tests/contract/test_encoders.py",
    "tests/contract/test_decoders_agree.py::test_random_schemas_values_and_damage_are_read_alike[0]",
)
PLANTED = """
import numpy as np
from stream_app.adapters.process.kernel_cache import keep_kernels
keep_kernels()
from stream_app.core.jit import kernel

@kernel
def past_the_end(values):
    return values[len(values)]

past_the_end(np.zeros(3))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    # A cache of its own: kept code has no checks in it.
    checked = {"NUMBA_BOUNDSCHECK": "1", "STREAM_APP_CACHE_DIR": str(tmp_path / "cache")}
    return {**os.environ, **checked, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(ROOT)}


@pytest.mark.timeout(600)
def test_every_index_is_inside_its_array(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *CHECKED]
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-4000:]


def test_the_check_would_find_one_that_is_not(environment: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "planted.py"
    script.write_text(PLANTED, "utf-8")
    ran = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "IndexError" in ran.stderr
