"""A worker on a machine of its own, as far as the network goes: a namespace with one cable.

    NETNS=<name> python -m tests.fault.netns score ...

Decides how such a worker still reaches brokers on this machine's loopback: there, 127.0.0.1 is
no address of its own but lies behind the cable. Needs Linux, ``ip`` and the rights of root.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

MODULE = "tests.fault.netns"
VARIABLE = "NETNS"
_LOOPBACK = "127.0.0.1"


class NoNamespaceError(Exception):
    """This machine, or this user, cannot make one; with what was said."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a worker may be put.

    Attributes:
        name: Of the namespace.
        cable: Of the end of the cable that is on our side.
    """

    name: str
    cable: str

    @property
    def environment(self) -> dict[str, str]:
        """For a worker there; nobody outside could ask its HTTP port."""
        return {VARIABLE: self.name, "STREAM_APP_HTTP__ENABLED": "false"}

    def pull(self) -> None:
        """No packet passes any longer, and nobody is told."""
        _ip("link", "set", self.cable, "down")

    def plug(self) -> None:
        """Again."""
        _ip("link", "set", self.cable, "up")


@contextmanager
def made(number: int) -> Iterator[Namespace]:
    """A namespace until the block ends.

    Args:
        number: Of our own; names and addresses are made of it.

    Raises:
        NoNamespaceError: not here.
    """
    name, ours, theirs = f"sa-ns{number}", f"sa-out{number}", f"sa-in{number}"
    net = f"10.77.{number % 250}"
    try:
        _ip("netns", "add", name)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        _ip("link", "set", theirs, "netns", name)
        _ip("addr", "add", f"{net}.1/24", "dev", ours)
        _ip("link", "set", ours, "up")
        _let_loopback_pass([], ours)
        inside = ["netns", "exec", name]
        _ip(*inside, "ip", "addr", "add", f"{net}.2/24", "dev", theirs)
        _ip(*inside, "ip", "link", "set", theirs, "up")
        _let_loopback_pass(inside, theirs)
        route = ["ip", "route", "add", _LOOPBACK, "via", f"{net}.1", "src", f"{net}.2"]
        _ip(*inside, *route)
        yield Namespace(name, ours)
    finally:
        for command in (["link", "del", ours], ["netns", "del", name]):
            with suppress(NoNamespaceError):
                _ip(*command)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A machine of its own; skipped where there can be none."""
    try:
        with made(os.getpid()) as namespace:
            yield namespace
    except NoNamespaceError as exc:
        pytest.skip(f"no network namespace here: {exc}")


def _let_loopback_pass(inside: list[str], link: str) -> None:
    """Packets from and to 127.0.0.1 are thrown away on a cable, unless one says otherwise."""
    for name in ("route_localnet", "accept_local"):
        setting = f"echo 1 > /proc/sys/net/ipv4/conf/{link}/{name}"
        if inside:
            _ip(*inside, "sh", "-c", setting)
        else:
            _run("sh", "-c", setting)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as exc:
        raise NoNamespaceError(f"{command[0]}: {exc.strerror}") from exc
    if done.returncode:
        raise NoNamespaceError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    name = os.environ.pop(VARIABLE)
    os.execvp(
        "ip", ["ip", "netns", "exec", name, sys.executable, "-m", "stream_app", *sys.argv[1:]]
    )
