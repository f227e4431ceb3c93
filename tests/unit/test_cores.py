"""Laws of the use of cores: workers first, threads where nobody else can use a core."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.process.machine import read_machine
from stream_app.core.cores import WORKER_BYTES, Machine, plan_cores

PLENTY = 1 << 40


def never(threads: int) -> float:
    raise AssertionError(f"no core is left for {threads} threads")


def scales(threads: int) -> float:
    return 1.0 / threads


def does_not(threads: int) -> float:
    return float(1.0 / threads**0.1)


def test_every_core_has_a_worker_where_there_are_partitions_enough() -> None:
    plan = plan_cores(Machine(8, PLENTY), 12, never)
    assert (plan.workers, plan.threads) == (8, 1)
    assert "8 cores" in plan.reasons[0]


def test_no_worker_is_without_a_partition() -> None:
    plan = plan_cores(Machine(8, PLENTY), 4, scales)
    assert (plan.workers, plan.threads) == (4, 2)
    assert "4 partitions" in plan.reasons[0]


def test_a_model_that_gains_nothing_gets_no_thread() -> None:
    plan = plan_cores(Machine(8, PLENTY), 1, does_not)
    assert (plan.workers, plan.threads) == (1, 1)
    assert "gains too little" in plan.reasons[1]


def test_workers_fit_into_memory() -> None:
    plan = plan_cores(Machine(8, 3 * WORKER_BYTES), None, scales)
    assert (plan.workers, plan.threads) == (3, 2)


@given(
    st.floats(0.1, 512), st.integers(1, 1 << 42), st.one_of(st.none(), st.integers(1, 1_000)),
    st.sampled_from([scales, does_not]),
)  # fmt: skip
def test_cores_are_never_given_away_twice(
    cores: float, memory: int, partitions: int | None, run_s: object
) -> None:
    plan = plan_cores(Machine(cores, memory), partitions, run_s)  # type: ignore[arg-type]  # sampled
    assert 1 <= plan.workers * plan.threads <= max(1, int(cores))
    assert plan.workers <= (partitions or plan.workers)


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({"cpu.max": "50000 100000\n", "memory.max": "1073741824\n"}, 0.5, 1 << 30),
        (
            {
                "cpu/cpu.cfs_quota_us": "25000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "1048576\n",
            },
            0.25,
            1 << 20,
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_container_is_a_machine_as_large_as_its_limits(
    tmp_path: Path, files: dict[str, str], cores: float, memory: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "ascii")
    assert read_machine(tmp_path) == Machine(cores, memory)


def test_without_limits_it_is_the_machine(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n", "ascii")
    (tmp_path / "memory.max").write_text("max\n", "ascii")
    found = read_machine(tmp_path)
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 28
