"""How long an unknown schema key is hoped for, and when it is asked for again.

Decides when "not there" turns from "wait, it may be published any moment" into a fault of the
rows that name it. Refuses to know where schemas are kept. Memory is bounded: whoever sends ever
new keys makes us forget the oldest, nothing more.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from stream_app.core.avro.framing import SchemaKey, key_name
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.store import NotYetKnownError
from stream_app.core.faults import Fault
from stream_app.ports import Clock

UNKNOWN_RETRY_S: Final = 5.0
ASK_EVERY_S: Final = 0.5
"""How often a key that is still hoped for is asked for again."""
RECHECK_S: Final = 60.0
"""How long a key that stayed unknown is not asked for again."""
MAX_UNKNOWN: Final = 10_000


def unknown(key: SchemaKey) -> Rejection:
    """What is said of rows whose key stays unknown."""
    return Rejection(Fault.UNKNOWN_SCHEMA, f"no schema is known as {key_name(key)}")


@dataclass(frozen=True, slots=True)
class _Miss:
    """A key that was asked for and is not there."""

    since_s: float
    ask_again_s: float
    is_final: bool


class Patience:
    """Keys that are not known: since when, and when to ask again. Bounded; the oldest go first."""

    def __init__(self, clock: Clock, unknown_retry_s: float) -> None:
        self._clock = clock
        self._unknown_retry_s = unknown_retry_s
        self._misses: OrderedDict[SchemaKey, _Miss] = OrderedDict()

    def may_ask(self, key: SchemaKey) -> bool:
        return key not in self._misses or self._clock.now_s() >= self._misses[key].ask_again_s

    def missed(self, key: SchemaKey) -> None:
        """The key was asked for, and is not there."""
        now_s = self._clock.now_s()
        before = self._misses.pop(key, None)
        since_s = now_s if before is None else before.since_s
        is_final = now_s - since_s >= self._unknown_retry_s
        self._misses[key] = _Miss(
            since_s, now_s + (RECHECK_S if is_final else ASK_EVERY_S), is_final
        )
        if len(self._misses) > MAX_UNKNOWN:
            self._misses.popitem(last=False)

    def found(self, key: SchemaKey) -> None:
        self._misses.pop(key, None)

    def verdict(self, key: SchemaKey) -> Rejection:
        """What it means by now that ``key`` was missed.

        Raises:
            NotYetKnownError: its time is not over.
        """
        if self._misses[key].is_final:
            return unknown(key)
        raise NotYetKnownError(
            f"schema {key_name(key)} is not known yet; its records die as UNKNOWN_SCHEMA when it "
            f"still is not {self._unknown_retry_s:g} s after the first of them "
            "(registry.unknown_retry_s); publish it"
        )
