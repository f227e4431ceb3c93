"""The faults by number: what each is, and which cannot run here and why.

Decides what the proof covers. `tests/fault/plugin.py` holds the runs against this list, so that
a fault that nobody runs is seen; docs/guarantees.md says what is promised for each.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the catalogue.

    Attributes:
        name: ``F1`` …
        what: In a few words.
        not_run: Why it, or a part of it, does not run on a machine like this one, or not yet.
        partly: Whether the rest of it does run.
        tests: How many tests it has; one that goes is noticed.
        quick: How many of them are in the short tier too.
    """

    name: str
    what: str
    not_run: str = ""
    partly: bool = False
    tests: int = 1
    quick: int = 0

    @property
    def due(self) -> bool:
        """Whether it, or a part of it, runs on a machine like this one."""
        return not self.not_run or self.partly


CATALOGUE: tuple[Fault, ...] = (
    Fault("F1", "SIGKILL at every failpoint of the transaction, 1 and 3 workers", tests=2, quick=2),
    Fault(
        "F2",
        "SIGKILL, SIGSTOP and SIGTERM at random; growth of memory, descriptors and threads",
        not_run="two minutes a seed; for hours, and the growth of memory: make soak",
        partly=True,
    ),
    Fault("F3", "SIGTERM in the middle of a batch", quick=1),
    Fault("F4", "SIGTERM while the brokers are frozen"),
    Fault("F5", "a worker frozen past its session: a zombie that wakes", tests=2, quick=1),
    Fault("F6", "a worker frozen past its transaction's time-out only"),
    Fault("F7", "inference slower than the poll interval"),
    Fault("F8", "a twin with the same transactional id", quick=1),
    Fault("F9", "scaling 1 → 3 → 1 under load, and a rolling restart", tests=4),
    Fault("F10", "more workers than partitions"),
    Fault("F11", "a limit on the worker's memory"),
    Fault("F12", "no file descriptors left; no space left for logs and state", tests=3),
    Fault("F13", "a record that crashes the process natively", tests=3),
    Fault(
        "F14", "a broker stopped or killed and started again, the leader chased", tests=2, quick=1
    ),
    Fault(
        "F15",
        "a broker frozen for 10, 60 and 120 s",
        not_run="60 s with seed 1 and 120 s with seed 2 only, 10 s with all",
        partly=True,
        tests=2,
    ),
    Fault("F16", "all brokers killed, started again 70 s later"),
    Fault("F17", "the transactions' and the group's coordinator killed, three brokers"),
    Fault("F18", "brokers away when the worker starts"),
    Fault("F19", "fewer copies in sync than acks=all needs", tests=2),
    Fault("F20", "a broker's log folder full"),
    Fault("F21", "bytes of a stored segment changed on disk", tests=3),
    Fault("F22", "connections cut during each kind of request", tests=4, quick=1),
    Fault(
        "F23",
        "a network that swallows everything for 5, 30 and 120 s",
        not_run="120 s with seed 1, 30 s with the others, 5 s with all",
        partly=True,
    ),
    Fault("F24", "a network that is slow or narrow"),
    Fault("F25", "one worker cut off from one broker only"),
    Fault("F26", "a worker's network link down past its session"),
    Fault("F27", "a wrong address or an unknown host at a restart"),
    Fault("F28", "the request that ends a transaction is dropped"),
    Fault("F29", "the answer to it is dropped, then a kill or a rebalance", tests=2, quick=2),
    Fault("F30", "the request that ends a transaction arrives after the next has begun", quick=1),
    Fault("F31", "the input topic deleted, or deleted and made anew", tests=3),
    Fault("F32", "partitions added while events come"),
    Fault("F33", "unread records deleted by retention", tests=2, quick=1),
    Fault("F34", "the group's offsets deleted"),
    Fault("F35", "an output topic missing, or deleted while running", tests=2),
    Fault("F36", "aborted and never-ending transactions of others in the input", tests=2),
    Fault("F37", "compaction of partials and changelog", not_run="waits for the drift aggregator"),
    Fault(
        "F38",
        "event times far in the future or the past, skewed clocks",
        not_run="that they move no watermark waits for drift windows",
        partly=True,
    ),
    Fault("F39", "an idle and a late partition", not_run="waits for drift windows"),
    Fault("F40", "the schema registry down, with a warm and a cold cache", tests=2, quick=1),
    Fault("F41", "the registry slow, broken, or with another schema", tests=4),
    Fault(
        "F42",
        "a slow aggregator",
        not_run="waits for the drift aggregator",
    ),
    Fault(
        "F43",
        "out of memory on a GPU, and errors that a process does not survive",
        not_run="on hardware: no GPU here; the errors are raised by a stand-in for ONNX Runtime",
        partly=True,
        tests=2,
    ),
    Fault(
        "F44",
        "outputs that are not finite; a model replaced while running",
        not_run="the swap waits for model rollout",
        partly=True,
        tests=2,
        quick=1,
    ),
    Fault("F45", "certificates, tokens and rights that change while running", tests=10),
    Fault(
        "F46",
        "scorers and aggregators killed and frozen at random while drift windows are counted",
        tests=2,
        quick=1,
    ),
)

BESIDE: tuple[Fault, ...] = (
    Fault("controls", "workers, logs and verifiers broken on purpose", tests=28, quick=28),
    Fault("fuzz", "a million hostile cases"),
    Fault("leaks", "a hundred million records through the native client"),
    Fault("recovery", "how long the group stands still after a kill", tests=2),
)
"""Runs beside the catalogue, by the names of their marks."""

BY_NAME = {fault.name: fault for fault in CATALOGUE}

CONTROLS = (
    "outputs_outside",
    "no_rewind",
    "buffer_error_swallowed",
    "offset_ahead",
    "offset_behind",
    "auto_commit",
    "metadata_before_joining",
    "reads_uncommitted",
)
"""Ways to break a worker, and last the verifier, each of which must be found."""
