"""Who stands in the table: stream-app by both of its clients, a loop by hand, and other tools.

Decides what each peer claims, how it is run and how much of the input it gets: a tool that makes a
fiftieth of another's figure would keep a machine busy for an hour to say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stream_app.bench.options import Contender
from stream_app.errors import UsageError


class Claim(StrEnum):
    """What its makers promise when it is killed and started again."""

    EXACTLY_ONCE = "exactly once"
    AT_LEAST_ONCE = "at least once"
    NOT_SAFE = "may lose records"


class Runtime(StrEnum):
    """Who runs it."""

    BENCH = "bench"
    PYTHON = "python"
    JAVA = "java"


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the table.

    Attributes:
        name: As ``--only`` has it.
        meaning: In a few words.
        claim: Its promise, as configured here.
        runtime: Who runs it.
        program: A contender of the bench, the folder of a Python peer, or a Java class.
        arguments: For the program.
        share: It gets one record of so many: a part of the input of its own, from the start.
    """

    name: str
    meaning: str
    claim: Claim
    runtime: Runtime
    program: str
    arguments: tuple[str, ...] = ()
    share: int = 1


NATIVE: Final = Contender.NATIVE.value
PUBLIC: Final = Contender.PUBLIC.value
LEAST_RECORDS: Final = 5_000
_SLOW: Final = 5

PEERS: Final = (
    Peer(
        NATIVE, "this program, `kafka.client = native`", Claim.EXACTLY_ONCE, Runtime.BENCH, NATIVE
    ),
    Peer(
        PUBLIC, "this program, `kafka.client = public`", Claim.EXACTLY_ONCE, Runtime.BENCH, PUBLIC
    ),
    Peer(
        "java-direct",
        "Java by hand: transactions, ONNX a batch, Avro byte by byte for one schema",
        Claim.EXACTLY_ONCE,
        Runtime.JAVA,
        "ByHand",
        ("direct",),
    ),
    Peer(
        "java-generic",
        "Java by hand: transactions, ONNX a batch, Avro's generic reader",
        Claim.EXACTLY_ONCE,
        Runtime.JAVA,
        "ByHand",
        ("generic",),
    ),
    Peer(
        "plain-loop",
        "Python by hand: transactions, ONNX a batch, fastavro a record",
        Claim.EXACTLY_ONCE,
        Runtime.BENCH,
        Contender.PLAIN_LOOP.value,
    ),
    Peer(
        "kafka-streams",
        "Kafka Streams, `exactly_once_v2`, ONNX a record",
        Claim.EXACTLY_ONCE,
        Runtime.JAVA,
        "Streams",
        ("record",),
    ),
    Peer(
        "kafka-streams-buffered",
        "Kafka Streams, a processor that gathers a batch for ONNX; its buffer is not in the commit",
        Claim.NOT_SAFE,
        Runtime.JAVA,
        "Streams",
        ("buffered",),
    ),
    Peer(
        "bytewax",
        "Bytewax, `flat_map_batch`, ONNX a batch",
        Claim.AT_LEAST_ONCE,
        Runtime.PYTHON,
        "bytewax",
        share=_SLOW,
    ),
    Peer(
        "quix-exactly-once",
        "Quix Streams, ONNX a record",
        Claim.EXACTLY_ONCE,
        Runtime.PYTHON,
        "quix",
        ("exactly-once",),
        _SLOW,
    ),
    Peer(
        "quix-at-least-once",
        "Quix Streams, ONNX a record",
        Claim.AT_LEAST_ONCE,
        Runtime.PYTHON,
        "quix",
        ("at-least-once",),
        _SLOW,
    ),
    Peer(
        "faust",
        "Faust (faust-streaming), a thousand events at a time, ONNX a batch",
        Claim.AT_LEAST_ONCE,
        Runtime.PYTHON,
        "faust",
        share=_SLOW,
    ),
)


def choose(only: Sequence[str]) -> tuple[Peer, ...]:
    """Those named, by their names or what these begin with; all where nobody is.

    Raises:
        UsageError: nobody has such a name.
    """
    wanted: set[str] = set()
    for name in only:
        found = {p.name for p in PEERS if p.name == name or p.name.startswith(f"{name}-")}
        if not found:
            names = ", ".join(peer.name for peer in PEERS)
            raise UsageError(f"--only {name}: no peer of this name; there are {names}")
        wanted |= found
    return tuple(peer for peer in PEERS if not wanted or peer.name in wanted)


def turns(chosen: Sequence[Peer], rounds: int) -> list[tuple[int, Peer]]:
    """Who runs when: all once a round, and each round begins with another."""
    return [
        (number, chosen[(number + place) % len(chosen)])
        for number in range(rounds)
        for place in range(len(chosen))
    ]
