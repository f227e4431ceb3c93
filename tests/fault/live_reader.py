"""A reader beside the faults: what a downstream service saw must be what the log says afterwards.

Decides when it has caught up and can compare (``seen.py`` says what differs). Refuses to judge
outcomes against the input: that is the verifier's.
"""

import threading
import time
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from stream_app.adapters.kafka.config import common_properties
from stream_app.adapters.kafka.pulse import Pulse
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.verifier.kafka import Ends, VerifyKafka
from stream_app.adapters.verifier.records import PredictionReader, UnreadableError, read_dead_letter
from stream_app.errors import UnavailableError
from stream_app.settings import Settings
from stream_app.verify import Isolation, Kind
from tests.fault.seen import Seen, differences
from tests.kafka_fixtures import unique

_AGAIN_S = 0.2
_NO_SOURCE = -1

Place = tuple[str, int]
"""Topic and partition."""


class LiveReader:
    """Reads predictions and dead letters as they are committed, from the first one on.

    Use it around the faults and ask :meth:`check` inside the block. It belongs to no group. A
    broker that goes away only delays it; what the client said meanwhile is in ``interruptions``.
    """

    def __init__(
        self,
        settings: Settings,
        bootstrap: str | None = None,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
    ) -> None:
        """Nothing is read before the block is entered.

        Args:
            settings: Of the job: its outputs are read, whatever a worker does with them.
            bootstrap: The brokers' own door, where the settings name a proxied one.
            isolation: ``READ_UNCOMMITTED`` is how a test sees this reader find aborted reads.
        """
        kafka = settings.kafka
        if bootstrap is not None:
            kafka = kafka.model_copy(update={"bootstrap_servers": bootstrap})
        self._kafka_settings = kafka
        self._kinds = {
            settings.predictions_topic: Kind.PREDICTION,
            settings.dlq_topic: Kind.DEAD_LETTER,
        }
        self._predictions = PredictionReader(settings)
        self._properties = {
            **common_properties(kafka, self._heard),
            "group.id": unique("live"),
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": isolation.value,
            "check.crcs": True,
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.ms": 500,  # a broker that is away is part of the test
            "log_level": 0,
        }
        self._consumer: Any = Consumer(self._properties)
        self._pulse = Pulse(settings.model_copy(update={"kafka": kafka}), SystemClock())
        self._heard_of: dict[str, tuple[float, float, int]] = {}
        self._begun_s = time.monotonic()
        self._problems: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._wanted: list[Place] = []
        self._thread = threading.Thread(target=self._run, name="live-reader", daemon=True)
        self.seen: dict[Place, Seen] = {}

    def __enter__(self) -> Self:
        kafka = VerifyKafka(self._kafka_settings, read_committed=True)
        try:
            self._want({(topic, p) for topic in self._kinds for p in kafka.partitions(topic)})
        finally:
            kafka.close()
        self._begun_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    @property
    def interruptions(self) -> list[str]:
        """What the client said of brokers and partitions: the error, from when to when, how often.

        Times are seconds since the block was entered.
        """
        return [
            f"{name} from {first_s:.1f} to {last_s:.1f} s, {count} times"
            for name, (first_s, last_s, count) in sorted(self._heard_of.items())
        ]

    @property
    def count(self) -> int:
        """How many records it has seen so far."""
        return sum(len(seen.offsets) for seen in self.seen.values())

    def check(self, within_s: float) -> list[str]:
        """Catch up with the stable end as it is now, and compare with a fresh reading of the log.

        Returns:
            One line a kind of difference and partition, and why reading fell short where it did;
            empty when it saw what lies there, once and in order.

        Raises:
            UnavailableError: the fresh reading itself is not possible.
        """
        if not self._thread.is_alive():
            return [
                *self._problems,
                "live reader: it does not run; call check() inside its block",
            ]
        before, deadline_s = self.count, time.monotonic() + within_s
        problems = []
        for place, (ends, fresh) in self._fresh(deadline_s).items():
            seen = self.seen.setdefault(place, Seen(self._kinds[place[0]]))
            name = f"{place[0]}[{place[1]}]"
            if not self._caught_up(seen, fresh, deadline_s):
                problems.append(self._behind(name, seen, fresh, within_s))
            else:
                problems += [f"{name}: {line}" for line in differences(seen, fresh, ends)]
        if before == 0 and self.count > 0:
            problems.append("live reader: it had seen nothing when the faults were over")
        return [*self._problems, *problems]

    # -- the fresh reading ----------------------------------------------------------------------

    def _fresh(self, deadline_s: float) -> dict[Place, tuple[Ends, Seen]]:
        while True:
            try:
                return self._read_again()
            except UnavailableError:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_AGAIN_S)

    def _read_again(self) -> dict[Place, tuple[Ends, Seen]]:
        found: dict[Place, tuple[Ends, Seen]] = {}

        def note(message: Any) -> None:
            found[message.topic(), message.partition()][1].add(message, self._source(message))

        kafka = VerifyKafka(self._kafka_settings, read_committed=True)
        try:
            for topic, kind in self._kinds.items():
                ends = kafka.ends(topic, kafka.partitions(topic))
                found |= {(topic, p): (ends[p], Seen(kind)) for p in ends}
                ranges = {p: (e.begin, e.stable) for p, e in ends.items()}
                kafka.read(topic, ranges, note, lambda _done, _all: None)
        finally:
            kafka.close()
        self._want(set(found))
        return found

    def _caught_up(self, seen: Seen, fresh: Seen, deadline_s: float) -> bool:
        while fresh.offsets and (not seen.offsets or seen.offsets[-1] < fresh.offsets[-1]):
            if time.monotonic() >= deadline_s or not self._thread.is_alive():
                return False
            time.sleep(_AGAIN_S)
        return True

    def _behind(self, name: str, seen: Seen, fresh: Seen, within_s: float) -> str:
        reached = seen.offsets[-1] if seen.offsets else "nothing"
        heard = "; ".join(self.interruptions) or "the client said nothing"
        return (
            f"{name}: not caught up within {within_s:g} s: saw {reached}, the log holds "
            f"{fresh.offsets[-1]} ({heard})"
        )

    # -- the thread -----------------------------------------------------------------------------

    def _want(self, places: set[Place]) -> None:
        """Partitions that came later are read too; the thread takes them up."""
        with self._lock:
            self._wanted += sorted(places - set(self.seen))
            for topic, partition in self._wanted:
                self.seen.setdefault((topic, partition), Seen(self._kinds[topic]))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._assign()
                for message in self._consumer.consume(1_000, 0.1):
                    self._take(message)
                    self._pulse.heard()
                self._pulse.feel(self._consumer)
                if self._pulse.is_gone:
                    self._renew()
        except Exception as exc:  # noqa: BLE001 - whatever ended it, check() says so
            self._problems.append(f"live reader: ended by {type(exc).__name__}: {exc}")

    def _assign(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, []
        if wanted:
            self._consumer.incremental_assign(
                [TopicPartition(topic, p, OFFSET_BEGINNING) for topic, p in wanted]
            )

    def _renew(self) -> None:
        """Read on with a new client: this one asks nobody any more."""
        self._consumer.close()
        self._consumer = Consumer(self._properties)
        with self._lock:
            self._wanted = []
            places = list(self.seen.items())
        self._consumer.assign(
            [
                TopicPartition(topic, p, seen.offsets[-1] + 1 if seen.offsets else OFFSET_BEGINNING)
                for (topic, p), seen in places
            ]
        )
        self._pulse.heard()

    def _take(self, message: Any) -> None:
        error = message.error()
        if error is None:
            self.seen[message.topic(), message.partition()].add(message, self._source(message))
            return
        self._heard(error)
        if error.fatal():
            raise KafkaException(error)
        if not error.retriable() and message.topic() is not None:
            # Such as the log going back behind what was read: the partition is not fetched again.
            line = f"{message.topic()}[{message.partition()}]: reading was refused: {error.str()}"
            if line not in self._problems:
                self._problems.append(line)

    def _source(self, message: Any) -> tuple[int, int]:
        try:
            if self._kinds[message.topic()] is Kind.PREDICTION:
                (_, partition, offset), _ = self._predictions.read(message.value())
            else:
                (_, partition, offset), _ = read_dead_letter(message.headers())
        except (UnreadableError, UnavailableError):
            return _NO_SOURCE, _NO_SOURCE
        return partition, offset

    def _heard(self, error: Any) -> None:
        after_s = time.monotonic() - self._begun_s
        first_s, _, count = self._heard_of.get(error.name(), (after_s, after_s, 0))
        self._heard_of[error.name()] = first_s, after_s, count + 1
