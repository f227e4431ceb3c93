"""Had the record to die, and of that? A dead letter's code against the answer to its event.

Decides which codes can be judged now. What depended on a limit, a registry, a device or a broker
of its time is unclear, and said to be: neither right nor wrong.
"""

from dataclasses import dataclass
from enum import StrEnum

from stream_app.verify.codes import OF_ITS_TIME, PLACES, Place
from stream_app.verify.compare import Answer
from stream_app.verify.refused import RefusedError

_BY_THE_DEVICE = frozenset({Place.MODEL, Place.OUTPUT})


class Ruling(StrEnum):
    """What a death was."""

    RIGHT = "right"
    UNCLEAR = "unclear"
    OTHER_CAUSE = "of another cause"
    NEEDLESS = "needless"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the run that made the letters.

    Attributes:
        on_cpu: It scored on the device that is asked now.
        limits_time: Its settings say how far an event's time may be off.
    """

    on_cpu: bool
    limits_time: bool


def rule(code: str, answer: Answer | RefusedError, known: Known) -> tuple[Ruling, str]:
    """Judge a death, and say why.

    Args:
        code: Of the dead letter; one of ``PLACES``.
        answer: To its event, now.
        known: Of the run.
    """
    places = PLACES[code]
    if isinstance(answer, Answer):
        if places & _unclear(known):
            return Ruling.UNCLEAR, f"dead letters {code}: they depend on what there was then"
        return Ruling.NEEDLESS, f"{code}, and the event can be scored"
    if answer.place in places:
        return Ruling.RIGHT, ""
    by_the_device = answer.place in _BY_THE_DEVICE and not known.on_cpu
    if not answer.certain or answer.place is Place.SIZE or by_the_device:
        return Ruling.UNCLEAR, f"dead letters of events that cannot be judged: {answer}"
    if _got_as_far(answer.place, places & _unclear(known)):
        return Ruling.UNCLEAR, f"dead letters {code}: they depend on what there was then"
    return Ruling.OTHER_CAUSE, f"{code}, and {answer}"


def _unclear(known: Known) -> frozenset[Place]:
    """Places at which nobody can say now what was found then."""
    return (
        OF_ITS_TIME
        | (frozenset() if known.on_cpu else _BY_THE_DEVICE)
        | (frozenset() if known.limits_time else {Place.TIME})
    )


def _got_as_far(found: Place, unclear: frozenset[Place]) -> bool:
    """Whether an event refused here has passed a place at which it may have died then."""
    order = list(Place)
    return any(order.index(place) <= order.index(found) for place in unclear)
