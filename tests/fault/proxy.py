"""A network between clients and servers that a test can break: TCP proxies in a thread.

Decides how each fault of ``proxy_rules.py`` is done to a connection; one proxy, a *door*, stands
before each server. Kafka's requests are known by their heads; with ``raw`` nothing is known of
what passes, and only faults for all of it can be had. Refuses to know why and when.
"""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from stream_app.adapters.local_kafka import free_port
from tests.fault.kafka_frames import Request
from tests.fault.proxy_link import Link, Streams, reset
from tests.fault.proxy_rules import (
    BlackHole,
    Delay,
    Fault,
    Held,
    Rule,
    Throttle,
)

T = TypeVar("T")

HOST = "127.0.0.1"
_CALL_S = 30.0
_FOR_ALL = (BlackHole, Delay, Throttle)
_LENGTH = struct.Struct(">i")


class Network:
    """Doors, and the rules that hold at them; a context manager that leaves nothing behind.

    Everything may be called from any thread.

    Args:
        doors: How many servers there are.
        raw: They do not speak Kafka.
        seed: Of the jitter.
    """

    def __init__(self, doors: int = 1, *, raw: bool = False, seed: int = 0) -> None:
        self.raw = raw
        self.chance = random.Random(seed)
        self.ports: tuple[int, ...] = ()
        """Where clients connect to, by door."""
        self.requests: Counter[tuple[int, int]] = Counter()
        """How many came, by key and version."""
        self._count = doors
        self._targets: dict[int, int] = {}
        self._rules: tuple[Rule, ...] = ()
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._servers: list[asyncio.Server] = []
        self._problems: list[BaseException] = []
        self._loop = asyncio.new_event_loop()
        self._turned = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{HOST}:{port}" for port in self.ports)

    def connect(self, *targets: int) -> None:
        """Say where the servers listen, by door; until then every connection is reset."""
        self._targets = dict(enumerate(targets))

    def add(self, fault: Fault) -> Rule:
        """From now on."""
        if self.raw and (fault.api is not None or not isinstance(fault, _FOR_ALL)):
            raise ValueError(f"{fault} acts on requests, and a raw network knows none")
        rule = Rule(fault)
        self._rules = (*self._rules, rule)
        self._turn()
        return rule

    def remove(self, rule: Rule) -> None:
        """No longer; what a black hole kept comes through."""
        self._rules = tuple(each for each in self._rules if each is not rule)
        self._turn()

    @contextmanager
    def during(self, fault: Fault) -> Iterator[Rule]:
        """For as long as the block runs."""
        rule = self.add(fault)
        try:
            yield rule
        finally:
            self.remove(rule)

    def heal(self) -> None:
        """No rule holds any longer."""
        self._rules = ()
        self._turn()

    def cut(self, door: int | None = None) -> int:
        """Reset every connection, at all doors or one; how many there were."""
        return self._call(self._cut(door))

    def connections(self, door: int | None = None) -> int:
        """How many are open."""
        return sum(door in {None, link.door} for link in tuple(self._links))

    def release(self, rule: Rule, within_s: float = _CALL_S) -> list[bytes]:
        """Send on what a rule holds, over connections of our own; the servers' answers.

        The answers, without their length, go to nobody else.
        """
        held, rule.held = rule.held, []
        return [self._call(asyncio.wait_for(self._send(each), within_s)) for each in held]

    def close(self) -> None:
        """End all connections and the thread; may be called again.

        Raises:
            BaseExceptionGroup: what nobody foresaw ended a connection.
        """
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self._call(self._shut())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        if self._problems:
            raise BaseExceptionGroup("connections of the proxy ended by", self._problems)

    # -- what links ask, on the loop's thread -----------------------------------------------------

    def taken_by(self, door: int, head: Request) -> list[Rule]:
        """The rules that act on this request; it is counted."""
        self.requests[head.api, head.version] += 1
        return [rule for rule in self._rules if rule.takes(door, head)]

    def is_dark(self, door: int) -> bool:
        """Whether nothing may pass."""
        return any(rule.dark and rule.is_at(door) for rule in self._rules)

    def is_slow(self, door: int) -> bool:
        """Whether anything may have to wait for its time."""
        return any(isinstance(r.fault, Delay | Throttle) and r.is_at(door) for r in self._rules)

    def delay_s(self, door: int) -> float:
        """Of what comes now, whatever it is."""
        waits = [
            self.drawn_s(rule)
            for rule in self._rules
            if isinstance(rule.fault, Delay) and rule.fault.api is None and rule.is_at(door)
        ]
        return sum(waits)

    def drawn_s(self, rule: Rule) -> float:
        """One delay of this rule, which acts thereby."""
        assert isinstance(rule.fault, Delay)
        rule.fire()
        fault = rule.fault
        return max(0.0, fault.by_s + self.chance.uniform(-fault.jitter_s, fault.jitter_s))

    def rate(self, door: int) -> float | None:
        """The narrowest that holds, in bytes per second."""
        rates = []
        for rule in self._rules:
            if isinstance(rule.fault, Throttle) and rule.is_at(door):
                rule.fire()
                rates.append(rule.fault.bytes_per_s)
        return min(rates, default=None)

    def swallow(self, door: int) -> None:
        """Something came that is kept back by the dark."""
        for rule in self._rules:
            if rule.dark and rule.is_at(door):
                rule.fire()

    def darken(self, rule: Rule) -> None:
        """The request came that a black hole waited for."""
        rule.dark = True
        self._wake()

    async def turn(self, within_s: float | None = None) -> None:
        """Return when rules have changed, or time is up."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._turned.wait(), within_s)

    # -- the thread -------------------------------------------------------------------------------

    def _turn(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * _CALL_S)

    async def _open(self) -> None:
        for door in range(self._count):

            def accept(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, door: int = door
            ) -> None:
                self._accept(door, Streams(reader, writer))

            server = await asyncio.start_server(accept, HOST, free_port())
            self._servers.append(server)
        self.ports = tuple(server.sockets[0].getsockname()[1] for server in self._servers)

    def _accept(self, door: int, client: Streams) -> None:
        target = self._targets.get(door)
        if target is None:
            reset(client.writer)
            return
        link = Link(self, door, client)
        task = asyncio.create_task(link.run(HOST, target))
        self._links[link] = task
        task.add_done_callback(lambda done: self._ended(link, done))

    def _ended(self, link: Link, task: asyncio.Task[None]) -> None:
        self._links.pop(link, None)
        link.forget()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._problems.append(error)

    async def _cut(self, door: int | None) -> int:
        tasks = [task for link, task in self._links.items() if door in {None, link.door}]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    async def _send(self, held: Held) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self._targets[held.door])
        try:
            writer.write(held.data)
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            return await reader.readexactly(length)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _shut(self) -> None:
        for server in self._servers:
            server.close()
        await self._cut(None)
        for server in self._servers:
            await server.wait_closed()


def nobody_listens() -> int:
    """A port at which connections are refused."""
    with socket.socket() as probe:
        port = free_port()
        probe.bind((HOST, port))
    return port
