"""The native client keeps no memory: what it takes from the library goes back, record by record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT, LONG = 2_000_000, 100_000_000
MOST_MIB = 24.0
"""Between the first samples and the last: queues fill, the allocator rounds. A single byte lost
with each record would be 95 MiB in the long run, a header's or an error's 64 bytes more."""


def growth_mib(records: int, timeout_s: float) -> float:
    command = [sys.executable, "-m", "tests.native_reread", str(records)]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout_s
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    samples = json.loads(ran.stdout)["rss_mib"]
    print(f"{records:,} records: {samples} MiB")  # noqa: T201 - shown with -s, and when it fails
    quarter = len(samples) // 4
    return float(min(samples[-quarter:]) - min(samples[:quarter]))


def test_memory_is_flat_over_some_million_records() -> None:
    assert growth_mib(SHORT, 280) < MOST_MIB


@pytest.mark.fault("leaks")
@pytest.mark.timeout(3_600)
def test_memory_is_flat_over_a_hundred_million_records() -> None:
    assert growth_mib(LONG, 3_500) < MOST_MIB
