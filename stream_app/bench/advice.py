"""What to set, from what was measured: batch size, transaction time, threads, workers.

Decides the rules, each with the sentence that a person can check it by. A default that costs
little stays: it was chosen for loads that no bench has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.bench.figures import CurvePoint, Result

LITTLE: Final = 0.03
"""Of the records a second that a default may cost before another value is worth it."""

COMMIT_SHARE: Final = 0.05
"""Of the time that commits may take."""

TIMES_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
THREAD_GAIN: Final = 1.3
"""Less than this and a second thread costs more than it brings."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One setting.

    Attributes:
        setting: Its name, or the option's.
        value: Recommended.
        now: In effect.
        reason: One sentence with the measured numbers.
    """

    setting: str
    value: str
    now: str
    reason: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at.

    Attributes:
        curve: Of the model.
        worker: The faster of the product's two.
        cores: Of this machine.
        partitions: Of the input.
        batch: In effect.
        transaction_s: In effect.
        threads: In effect.
    """

    curve: Sequence[CurvePoint]
    worker: Result
    cores: int
    partitions: int
    batch: int
    transaction_s: float
    threads: int


def advise(situation: Situation) -> list[Advice]:
    """All of it."""
    rules = (batch_size, transaction_time, threads, workers)
    return [rule(situation) for rule in rules]


def batch_size(situation: Situation) -> Advice:
    """Of the batch sizes measured, the one with which a record costs least, path and model."""
    run_s = 1.0 / situation.worker.per_second.median
    path_s = run_s * (1.0 - situation.worker.shares().get("score", 0.0))
    costs = {
        point.batch: path_s + 1.0 / point.rows_per_second
        for point in situation.curve
        if point.threads == 1
    }
    best = min(costs, key=lambda batch: (costs[batch], batch))
    now = min(costs, key=lambda batch: abs(batch - situation.batch))
    gain = costs[now] / costs[best] - 1.0
    name = "batch.max_records"
    if gain <= LITTLE:
        reason = (
            f"the model's own best batch is {best}, which would make the whole path "
            f"{gain:.1%} faster: not worth a change"
        )
        return Advice(name, str(situation.batch), str(situation.batch), reason)
    reason = (
        f"a row costs {1e6 / _rows(situation, best):.2f} us of model at {best} and "
        f"{1e6 / _rows(situation, now):.2f} at {now}: the whole path {gain:.0%} faster"
    )
    return Advice(name, str(best), str(situation.batch), reason)


def transaction_time(situation: Situation) -> Advice:
    """The shortest one at which commits still take little: what waits for it is every outcome."""
    commit_s = situation.worker.commit_s
    wanted_s = next((t for t in TIMES_S if commit_s <= COMMIT_SHARE * t), TIMES_S[-1])
    reason = (
        f"a commit takes {1000 * commit_s:.1f} ms here, which is "
        f"{commit_s / wanted_s:.1%} of {1000 * wanted_s:g} ms; under load an outcome waits for "
        "half of that time on average, with nothing to fetch it is committed at once"
    )
    return Advice(
        "batch.transaction_time_s", f"{wanted_s:g}", f"{situation.transaction_s:g}", reason
    )


def threads(situation: Situation) -> Advice:
    """More than one only where another worker could not use the core instead."""
    by_threads = {
        number: _rows(situation, _nearest(situation, number), number)
        for number in sorted({point.threads for point in situation.curve})
    }
    one = by_threads[1]
    most, rows = max(by_threads.items(), key=lambda each: each[1])
    gain, share = rows / one, situation.worker.shares().get("score", 0.0)
    spare = situation.cores > situation.partitions
    worth = most > 1 and gain >= THREAD_GAIN and spare and share > 0.5
    told = f"{most} threads score {gain:.1f} times as many rows as one" if most > 1 else ""
    if worth:
        reason = f"{told}, and {situation.partitions} partitions feed no worker for every core"
    elif most > 1 and gain >= THREAD_GAIN:
        reason = (
            f"{told}, but the model is {share:.0%} of the time and another worker speeds up all "
            "of it"
        )
    elif len(by_threads) > 1:
        reason = "more threads score this model no faster"
    else:
        reason = "there is one core"
    value = str(most if worth else 1)
    return Advice("model.intra_op_threads", value, str(situation.threads), reason)


def workers(situation: Situation) -> Advice:
    """As many as the cores and the partitions have use for."""
    worker = situation.worker
    used = max(worker.cores, 0.1)
    room = max(1, min(situation.partitions, situation.cores, round(situation.cores / used)))
    rate = worker.per_second.median
    reason = (
        f"one makes {rate:,.0f} records/s and keeps {used:.1f} of {situation.cores} cores busy; "
        f"the topic has {situation.partitions} partitions, and brokers on this machine need some "
        "of it too"
    )
    return Advice("score --workers", str(room), "-", reason)


def _nearest(situation: Situation, threads_: int) -> int:
    batches = [point.batch for point in situation.curve if point.threads == threads_]
    return min(batches, key=lambda batch: abs(batch - situation.batch))


def _rows(situation: Situation, batch: int, threads_: int = 1) -> float:
    return next(
        point.rows_per_second
        for point in situation.curve
        if (point.batch, point.threads) == (batch, threads_)
    )
