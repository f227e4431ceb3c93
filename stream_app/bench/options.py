"""What a bench was asked for, and what follows from it.

Decides names, defaults, and what is refused before anything is started. Knows no clients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from stream_app.errors import UsageError
from stream_app.settings import Settings

MOCK_MOST_RECORDS: Final = 100_000
"""A partition of the mock keeps its last 5 MiB: more would be deleted before it is counted."""

LEAST_RECORDS: Final = 1_000
PARTITIONS: Final = 4


class ClusterKind(StrEnum):
    """Which cluster it runs on."""

    MOCK = "mock"
    REAL = "real"
    OWN = "own"


class BuiltIn(StrEnum):
    """Models that come with the bench."""

    MLP = "mlp"
    TREES = "trees"
    CNN = "cnn"


class Contender(StrEnum):
    """Who is measured; the yardsticks first."""

    PLAIN_LOOP = "plain-loop"
    ECHO_PUBLIC = "echo-public"
    ECHO_NATIVE = "echo-native"
    PUBLIC = "stream-app-public"
    NATIVE = "stream-app-native"
    PUBLIC_WITHOUT_DRIFT = "stream-app-public-without-drift"
    NATIVE_WITHOUT_DRIFT = "stream-app-native-without-drift"
    ONNX = "onnx"

    @property
    def meaning(self) -> str:
        """In a few words."""
        return _MEANINGS[self]

    @property
    def client(self) -> str:
        """The Kafka client; empty for none of ours."""
        return _CLIENTS.get(self, "")

    @property
    def scores(self) -> bool:
        """Whether predictions come out."""
        return self is Contender.PLAIN_LOOP or self.is_product

    @property
    def echoes(self) -> bool:
        """Whether the input comes out."""
        return self in {Contender.ECHO_PUBLIC, Contender.ECHO_NATIVE}

    @property
    def is_product(self) -> bool:
        """Whether it is stream-app itself."""
        return self in COUNTED or self in COUNTED.values()


COUNTED: Final = {
    Contender.PUBLIC_WITHOUT_DRIFT: Contender.PUBLIC,
    Contender.NATIVE_WITHOUT_DRIFT: Contender.NATIVE,
}
"""Of each that counts no drift, the same one that does."""

_CLIENTS: Final = {
    Contender.ECHO_PUBLIC: "public",
    Contender.ECHO_NATIVE: "native",
    Contender.PUBLIC: "public",
    Contender.NATIVE: "native",
    Contender.PUBLIC_WITHOUT_DRIFT: "public",
    Contender.NATIVE_WITHOUT_DRIFT: "native",
}
_MEANINGS: Final = {
    Contender.PLAIN_LOOP: "by hand: fastavro a record, ONNX Runtime a batch",
    Contender.ECHO_PUBLIC: "Kafka alone, the public client",
    Contender.ECHO_NATIVE: "Kafka alone, the native client",
    Contender.PUBLIC: "kafka.client = public",
    Contender.NATIVE: "kafka.client = native",
    Contender.PUBLIC_WITHOUT_DRIFT: "the same with drift.counting = off",
    Contender.NATIVE_WITHOUT_DRIFT: "likewise",
    Contender.ONNX: "the model alone",
}


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """A bench; make one with :func:`choose`.

    Attributes:
        cluster: Which one.
        model: One of the bench's; ``None``: the settings' own model, on their own topic.
        contenders: Who is measured, in their order.
        records: How many each of them carries.
        rounds: How often each runs.
        seconds: For what is measured by time: latency, and, less long, the model alone.
        rate: Events a second while latency is measured; 0: it is not.
        profile: Where a flame graph of the worker goes.
    """

    cluster: ClusterKind
    model: BuiltIn | None
    contenders: tuple[Contender, ...]
    records: int
    rounds: int
    seconds: float
    rate: float
    profile: Path | None = None


def choose(
    settings: Settings,
    *,
    kafka: str | None,
    model: str | None,
    only: Sequence[str],
    records: int | None,
    rounds: int,
    seconds: float,
    rate: float,
    profile: Path | None = None,
) -> BenchOptions:
    """Fill in what was not given.

    Raises:
        UsageError: it cannot be done; names the option and the way out.
    """
    cluster = _cluster(settings, kafka)
    built_in = _model(settings, cluster, model)
    chosen = _DEFAULT_RECORDS[cluster] if records is None else records
    if chosen < LEAST_RECORDS:
        raise UsageError(f"--records {chosen}: expected {LEAST_RECORDS} or more")
    if cluster is ClusterKind.MOCK and chosen > MOCK_MOST_RECORDS:
        raise UsageError(
            f"--records {chosen}: the mock cluster keeps 5 MiB a partition, which is enough for "
            f"{MOCK_MOST_RECORDS} records; use --kafka real for more"
        )
    return BenchOptions(cluster, built_in, contenders(only), chosen, rounds, seconds, rate, profile)


_DEFAULT_RECORDS: Final = {
    ClusterKind.MOCK: 50_000,
    ClusterKind.REAL: 1_000_000,
    ClusterKind.OWN: 1_000_000,
}


def contenders(only: Sequence[str]) -> tuple[Contender, ...]:
    """Those named, by their names or what these begin with; all where nobody is.

    Raises:
        UsageError: nobody has such a name.
    """
    wanted: set[Contender] = set()
    for name in only:
        found = {each for each in Contender if each == name}
        found = found or {each for each in Contender if each.startswith(f"{name}-")}
        if not found:
            names = ", ".join(Contender)
            raise UsageError(f"--only {name}: no contender of this name; there are {names}")
        wanted |= found
    return tuple(each for each in Contender if not wanted or each in wanted)


def turns(chosen: Sequence[Contender], rounds: int) -> list[tuple[int, Contender]]:
    """Who runs when: all once a round, and each round begins with another.

    A machine that grows warm, or a disk that fills, then slows nobody more than the others.
    """
    return [
        (number, chosen[(number + place) % len(chosen)])
        for number in range(rounds)
        for place in range(len(chosen))
    ]


def _cluster(settings: Settings, kafka: str | None) -> ClusterKind:
    if kafka is not None:
        return ClusterKind(kafka)
    return ClusterKind.OWN if settings.kafka.bootstrap_servers else ClusterKind.REAL


def _model(settings: Settings, cluster: ClusterKind, model: str | None) -> BuiltIn | None:
    if model is not None:
        return BuiltIn(model)
    if not settings.model.name:
        return BuiltIn.MLP
    if cluster is not ClusterKind.OWN:
        raise UsageError(
            f"the settings name the model {settings.model.name!r}, whose events are not on a "
            f"cluster started for this run: leave --kafka {cluster} out and say where they are "
            "(kafka.bootstrap_servers), or choose a built-in model with --model mlp"
        )
    if not settings.input.topic:
        raise UsageError(
            f"the settings name the model {settings.model.name!r} and no events for it: set "
            "input.topic, or choose a built-in model with --model mlp"
        )
    return None
