"""How many worker processes, and ONNX Runtime threads in each, a machine is best used with.

Decides from what it is told of machine, topic and model. Processes come first: each has its own
interpreter, consumer and producer, so that nothing is waited for. Threads inside a model are for
cores that no partition is left for.
"""

from collections.abc import Callable
from dataclasses import dataclass

WORKER_BYTES = 400 << 20
"""Of memory, for one worker with a small model; measured at 300 to 350 MB."""

_LEAST_EFFICIENCY = 0.6
"""Of a thread more, against the first: below it the cores do more for whoever shares them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use.

    Attributes:
        cores: Processors, or the share of them that a container is given.
        memory_bytes: Likewise.
    """

    cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class CorePlan:
    """What to start, and why.

    Attributes:
        workers: Processes.
        threads: Of ONNX Runtime, in each.
        reasons: Sentences for the log.
    """

    workers: int
    threads: int
    reasons: tuple[str, ...]


def plan_cores(
    machine: Machine,
    partitions: int | None,
    run_s: Callable[[int], float],
    *,
    model_bytes: int = 0,
    threads: int | None = None,
) -> CorePlan:
    """Choose.

    Args:
        machine: This one.
        partitions: Of the input; ``None``: not known now.
        run_s: Measures a run of the model with so many threads, in seconds; called for those that
            there would be cores for.
        model_bytes: Of its file, which every worker holds twice: as it was read, and as it runs.
        threads: As somebody has set them; ``None``: choose.
    """
    cores = max(1, int(machine.cores))
    limits = {f"{cores} cores": cores}
    if partitions is not None:
        limits[f"{partitions} partitions, of which each has one reader"] = partitions
    if threads is not None:
        limits[f"{cores} cores, {threads} for each worker's model.intra_op_threads"] = max(
            1, cores // threads
        )
    each_bytes = WORKER_BYTES + 2 * model_bytes
    room = max(1, machine.memory_bytes // each_bytes)
    limits[f"memory for {room} ({each_bytes >> 20} MiB each)"] = room
    why, workers = min(limits.items(), key=lambda limit: limit[1])
    reasons = [f"{workers} workers: {why}"]
    if threads is not None:
        return CorePlan(workers, threads, tuple(reasons))
    chosen, reason = _threads(cores // workers, run_s)
    return CorePlan(workers, chosen, (*reasons, reason))


def _threads(spare: int, run_s: Callable[[int], float]) -> tuple[int, str]:
    if spare < 2:
        return 1, "1 ONNX Runtime thread each: no core is left over"
    one_s = run_s(1)
    chosen, gain = 1, 1.0
    count = 2
    while count <= spare:
        speed_up = one_s / run_s(count)
        if speed_up < _LEAST_EFFICIENCY * count:
            break
        chosen, gain = count, speed_up
        count *= 2
    if chosen == 1:
        return 1, f"1 ONNX Runtime thread each: the model gains too little from {count}"
    return chosen, f"{chosen} ONNX Runtime threads each: {gain:.1f} times as fast as one"
