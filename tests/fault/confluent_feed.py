"""Events framed as a schema registry wants them, good ones and broken ones.

Decides how the bench's events look when their schema is named by a registry's id. Which events
and what must come of them stays :mod:`tests.car_loan`'s.
"""

from collections.abc import Callable
from functools import partial

from stream_app.core.avro.framing import SINGLE_OBJECT_BYTES, confluent_prefix
from tests.car_loan import BROKEN, Event, Feed, encoded

UNKNOWN_ID = 4_000_000
"""No registry of a test has given so many ids."""

_BROKEN_BEHIND_THE_FRAMING = (
    "tombstone",
    "framing only",
    "cut off",
    "no UTF-8",
    "bytes left over",
    "a number of twenty bytes",
    "an infinite feature",
    "no id",
)


def confluent_feed(schema_id: int, *, of_unknown: str = "") -> Callable[..., Feed]:
    """A feed whose events name this schema.

    Args:
        schema_id: The registry's.
        of_unknown: Some of the broken ones name :data:`UNKNOWN_ID`, and must die of this.
    """
    broken: dict[str, tuple[str, Callable[[Event], bytes | None]]] = {
        name: (code, partial(_framed_as, schema_id, make))
        for name, (code, make) in BROKEN.items()
        if name in _BROKEN_BEHIND_THE_FRAMING
    }
    broken["another framing"] = ("BAD_MAGIC", encoded)
    if of_unknown:
        broken["another schema"] = (of_unknown, partial(_framed_as, UNKNOWN_ID, encoded))
    return partial(Feed, write=partial(framed, schema_id), broken=broken)


def framed(schema_id: int, event: Event) -> bytes:
    """A good event's value."""
    return confluent_prefix(schema_id) + encoded(event)[SINGLE_OBJECT_BYTES:]


def _framed_as(schema_id: int, make: Callable[[Event], bytes | None], event: Event) -> bytes | None:
    value = make(event)
    if value is None:
        return None
    return confluent_prefix(schema_id) + value[SINGLE_OBJECT_BYTES:]
