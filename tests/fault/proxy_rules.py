"""What a network may do to requests: faults as values, and rules that say when one of them acts.

Decides which request a fault is for, counts requests and actions, and lets a test wait for an
action. Refuses to know how it is done: that is ``proxy.py``.
"""

import threading
from dataclasses import dataclass, field

from tests.fault.kafka_frames import Api, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to requests.

    Attributes:
        api: Only to these; ``None``: to all.
        nth: From the n-th such request on, counted from when the rule was added.
        times: To so many of them; ``None``: to all that follow.
        client: Only to those whose client id begins so.
        door: Only at this proxy; ``None``: at all.
    """

    api: Api | None = None
    nth: int = 1
    times: int | None = 1
    client: str = ""
    door: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Fault):
    """The connection is reset (RST) on both sides.

    Attributes:
        answered: The broker gets the request and answers, the client does not hear it; else the
            broker never gets it.
    """

    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequest(Fault):
    """The broker never gets it; the connection lives on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropResponse(Fault):
    """The broker does it, the client never hears; the connection lives on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Fault):
    """The request is kept back until ``Network.release`` sends it, whoever is still there then.

    Attributes:
        cut: The client's connection is reset once all of the request is held.
    """

    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Fault):
    """Later by a time drawn evenly around ``by_s``; without ``api``, whatever passes, both ways.

    Attributes:
        by_s: Mean.
        jitter_s: Half the width of the draw.
    """

    times: int | None = None
    by_s: float
    jitter_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle(Fault):
    """Both ways, each connection by itself; always for all requests.

    Attributes:
        bytes_per_s: Rate.
    """

    times: int | None = None
    bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackHole(Fault):
    """Connections are accepted and stay up, nothing is forwarded either way until it is removed.

    Then all that is kept comes through, late, as after a partition heals. With ``api`` it begins
    when such a request comes, which is kept with all that follows it; without, at once.
    """

    times: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A whole request that was kept back."""

    door: int
    head: Request
    data: bytes


@dataclass(eq=False)
class Rule:
    """A fault that is in force, and what it has done so far.

    Attributes:
        fault: What.
        seen: Requests that it could be for.
        fired: How often it acted.
        held: What it holds.
        dark: Whether a black hole has begun.
    """

    fault: Fault
    seen: int = 0
    fired: int = 0
    held: list[Held] = field(default_factory=list)
    dark: bool = field(init=False)

    def __post_init__(self) -> None:
        self.dark = isinstance(self.fault, BlackHole) and self.fault.api is None
        self._changed = threading.Condition()

    def is_at(self, door: int) -> bool:
        """Whether it concerns this proxy."""
        return self.fault.door in {None, door}

    def takes(self, door: int, head: Request) -> bool:
        """Whether it acts on this request, which is counted."""
        fault = self.fault
        if not self.is_at(door) or fault.api not in {None, head.api}:
            return False
        if not head.client_id.startswith(fault.client):
            return False
        self.seen += 1
        return self.seen >= fault.nth and (
            fault.times is None or self.seen < fault.nth + fault.times
        )

    def fire(self) -> None:
        """It has acted."""
        with self._changed:
            self.fired += 1
            self._changed.notify_all()

    def wait_fired(self, within_s: float, times: int = 1) -> None:
        """Return when it has acted so often.

        Raises:
            AssertionError: it has not, in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.fired >= times, within_s):
                raise AssertionError(
                    f"not within {within_s:g} s: {self.fault} fired {self.fired} of {times} "
                    f"times, having seen {self.seen} requests that it could be for"
                )
