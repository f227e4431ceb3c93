"""The judge of growth must find a leak, and must not find one in noise."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from tests.fault.slopes import Trend, slope
from tests.fault.usage import QUANTITIES, Samples, usage
from tests.worker import until

SECONDS = list(range(0, 8 * 3_600, 30))


def walk(seed: int, kept: float) -> npt.NDArray[np.float64]:
    """Noise whose neighbours are alike, as memory's are."""
    chance = np.random.default_rng(seed)
    values = np.zeros(len(SECONDS))
    for i in range(1, len(values)):
        values[i] = kept * values[i - 1] + chance.normal()
    return values


def test_a_straight_line_is_found_exactly() -> None:
    found = slope(SECONDS, [100 + 3 * s / 3_600 for s in SECONDS])
    assert found is not None
    assert found.per_hour == pytest.approx(3)
    assert found.plus_minus == pytest.approx(0, abs=1e-9)
    assert found.against(2.9) is Trend.GROWING
    assert found.against(3.1) is Trend.FLAT


@pytest.mark.parametrize("kept", [0.0, 0.9])
def test_noise_grows_in_one_of_twenty_at_most_as_its_interval_says(kept: float) -> None:
    found = [slope(SECONDS, 150 + walk(seed, kept)) for seed in range(200)]
    sure = sum(each is not None and each.against(0.0) is Trend.GROWING for each in found)
    assert sure <= 12, "2.5 % are to be expected on one side: 5 of 200"


@pytest.mark.parametrize("kept", [0.0, 0.9])
def test_a_leak_is_found_in_noise(kept: float) -> None:
    leak = np.asarray(SECONDS) / 3_600 * 8
    found = [slope(SECONDS, 150 + leak + walk(seed, kept)) for seed in range(20)]
    assert all(each is not None and each.against(4.0) is Trend.GROWING for each in found)


def test_a_short_look_decides_nothing() -> None:
    few = list(range(0, 120, 5))
    found = slope(few, 150 + walk(1, 0.9)[: len(few)])
    assert found is not None
    assert found.against(1.0) is Trend.UNDECIDED
    assert slope(few[:5], [1.0] * 5) is None


def test_what_never_changes_is_flat() -> None:
    found = slope(SECONDS, [31.0] * len(SECONDS))
    assert found is not None
    assert found.against(0.1) is Trend.FLAT


GROWS = """
import os, threading
print("small", flush=True)
input()
held = [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
ballast = bytearray(64 << 20)
ballast[:] = os.urandom(1 << 20) * 64
thread = threading.Thread(target=threading.Event().wait, daemon=True)
thread.start()
print("large", flush=True)
input()
"""


def test_a_process_is_seen_to_use_more() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GROWS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as grows:
        assert grows.stdin is not None
        assert grows.stdout is not None
        samples = Samples(grows.pid, every_s=0.01)
        assert grows.stdout.readline() == "small\n"
        before = usage(grows.pid)
        with samples.taken():
            until("some samples", lambda: len(samples.seconds) > 5, 10)
            print(file=grows.stdin, flush=True)
            assert grows.stdout.readline() == "large\n"
            more = usage(grows.pid)
            until("it is seen", lambda: samples.values["descriptors"][-1] >= 50, 10)
        print(file=grows.stdin, flush=True)
    assert more["descriptors"] - before["descriptors"] == 50
    assert more["rss_mib"] - before["rss_mib"] > 60
    assert more["threads"] - before["threads"] == 1
    assert set(samples.slopes(0.0)) == set(QUANTITIES)
