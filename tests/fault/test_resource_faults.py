"""Memory, descriptors and disks that run out: F11, F12, F20."""

import errno
import os
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka import LocalKafka
from stream_app.errors import ExitStatus
from tests.fault.bench import Bench
from tests.fault.reread_feed import RereadFeed
from tests.kafka_fixtures import RealKafka, unavailable
from tests.worker import Worker, until

MIB = 1 << 20

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""The C library keeps no reserves: with them a worker was seen to go on for minutes."""

SAID = re.compile(
    r"^stream-app: .*(out of memory|no memory)"
    r'|"reason": "out of memory"'
    r"|^MemoryError|bad_alloc|\brd_\w+: Assertion",
    re.MULTILINE,
)
"""What a process without memory may say: we, the watchdog, Python, or a library in C that cannot
allocate. Neither a segmentation fault nor a call that hung until the watchdog came is among them.
"""

BACK_S = 180.0


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own and of this size, if this user may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        unavailable(f"a small disk needs mount: {exc}")
    if done.returncode:
        unavailable(f"a small disk needs root, to mount a tmpfs: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(disk: Path, left: int = 0) -> Iterator[None]:
    """No more than ``left`` bytes free inside the block."""
    ballast = disk / "ballast"
    fill_up(ballast)
    if left:
        os.truncate(ballast, max(0, ballast.stat().st_size - left))
    try:
        yield
    finally:
        ballast.unlink()


def fill_up(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4_096, 1):
            while _written(file.fileno(), size):
                pass


def fill_page(log: Path) -> None:
    """Blank lines up to the end of what the disk has given it already."""
    with log.open("ab") as file:
        file.write(b"\n" * (-file.tell() % resource.getpagesize()))


def _written(descriptor: int, size: int) -> int:
    try:
        return os.write(descriptor, bytes(size))
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        return 0


def address_space(worker: Worker) -> int:
    status = Path(f"/proc/{worker.pid}/status").read_text("utf-8")
    return 1_024 * int(re.findall(r"VmSize:\s+(\d+) kB", status)[0])


@pytest.mark.fault("F11")
@pytest.mark.timeout(600)
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit of Linux")
def test_a_worker_that_has_no_more_memory_ends_and_says_so(bench: Bench, kafka: RealKafka) -> None:
    with bench.run(kafka, batch__max_records="4000") as run:
        worker = run.start(**ONE_ARENA).wait_scoring()
        missing = bench.chance.choice((0, 64, 128)) * MIB
        limit = address_space(worker) - missing
        with run.fault(f"address space limited to what it has, less {missing // MIB} MiB"):
            # A large batch needs more than the small ones before it left free.
            worker.pause()
            resource.prlimit(worker.pid, resource.RLIMIT_AS, (limit, limit))
            until("a large batch waits", lambda: run.waiting_records(BACK_S) > 8_000, BACK_S)
            worker.resume()
        status = worker.wait_exit(BACK_S)
        assert status != 0
        assert SAID.search(worker.log()), worker.log()[-4000:]
        run.allowed_exits.add(status)
        run.start()
        run.recovered(BACK_S)


@pytest.mark.fault("F12")
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit of Linux")
def test_a_worker_without_descriptors_says_so_and_goes_on_when_it_has_some(
    bench: Bench, lone_kafka: RealKafka
) -> None:
    assert lone_kafka.cluster is not None
    (broker,) = lone_kafka.cluster.brokers
    with bench.run(lone_kafka, feed=RereadFeed) as run:
        worker = run.start().wait_scoring()
        before = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        with run.fault("no descriptor for another connection, and the broker started again"):
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (3, before[1]))
            broker.kill()
            broker.start()
        until("it says what is missing", lambda: "Too many open files" in worker.log(), BACK_S)
        assert worker.exit_status is None
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, before)
        run.recovered(BACK_S)
        assert worker.exit_status is None


@pytest.mark.fault("F12")
def test_a_full_disk_under_the_log_ends_nothing(bench: Bench, kafka: RealKafka) -> None:
    with small_disk(bench.folder / "small", "1m") as disk, bench.run(kafka) as run:
        run.workers.job = replace(run.workers.job, folder=disk)
        first = run.start().wait_scoring()
        with run.fault("no space for the log"), filled(disk):
            fill_page(disk / "worker-0.log")
            second = run.start()
            # A member that leaves before it was given anything changes nothing for the first,
            # who then has no line to lose.
            first.wait_owns(2, BACK_S)
            second.stop()
        run.recovered(BACK_S)
        # A line that comes after there is space again: the group changes once more.
        run.start().wait_scoring()
        first.wait_for("log_not_written")
        assert first.exit_status is None


@pytest.mark.fault("F12")
def test_a_full_disk_under_the_state_is_named_and_the_next_start_is_in_order(
    bench: Bench, kafka: RealKafka
) -> None:
    with (
        small_disk(bench.folder / "small", "1m") as disk,
        bench.run(kafka, worker__state_dir=str(disk / "state")) as run,
    ):
        with run.fault("no space for the state of a worker that starts"), filled(disk):
            worker = run.start()
            assert worker.wait_exit(BACK_S) == ExitStatus.SOFTWARE
        assert f"no space is left on the disk: make room where {disk / 'state'}" in worker.log()
        run.allowed_exits.add(ExitStatus.SOFTWARE)
        run.start()
        run.recovered(BACK_S)


@pytest.fixture
def small_kafka(
    tmp_path_factory: pytest.TempPathFactory, kafka_installed: None
) -> Iterator[tuple[RealKafka, Path]]:
    """A broker whose log folder is on a disk of 128 MiB."""
    del kafka_installed
    folder = tmp_path_factory.mktemp("small-kafka")
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", "128m"))
        cluster = stack.enter_context(
            LocalKafka(tests=True, extra_properties={"log.dirs": str(disk / "data")})
        )
        yield RealKafka(cluster.bootstrap_servers, cluster), disk


@pytest.mark.fault("F20")
@pytest.mark.timeout(600)
def test_a_broker_whose_disk_is_full_costs_no_record(
    bench: Bench, small_kafka: tuple[RealKafka, Path]
) -> None:
    kafka, disk = small_kafka
    assert kafka.cluster is not None
    (broker,) = kafka.cluster.brokers
    with bench.run(kafka, feed=RereadFeed) as run:
        worker = run.start().wait_scoring()
        left = bench.chance.randrange(MIB)
        with run.fault(f"the broker's disk is full, but for {left} bytes"), filled(disk, left):
            until("the broker gives up", lambda: not broker.alive, BACK_S)
        broker.start()
        run.recovered(BACK_S)
        assert worker.exit_status is None
