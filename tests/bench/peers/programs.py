"""The commands of peers of other makes, and one run of one of them.

Decides how a JVM is told to run, and that a peer is a child as the bench's own are: an order in,
one line of JSON out, its log kept for when it fails.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from stream_app.bench.children import Child
from tests.bench.peers.catalogue import Peer, Runtime
from tests.bench.peers.homes import HERE, ROOT, MissingPeerError, Say, java_home, python_home
from tests.bench.peers.orders import PeerOrder

Command = tuple[str, ...]

_JVM: Final = (
    # Native libraries are loaded, which Java 24 and later warn of.
    "--enable-native-access=ALL-UNNAMED",
    "-Xms1g",
    "-Xmx1g",
    # On one core any other collector would only share it.
    "-XX:+UseSerialGC",
)


def commands(peers: Sequence[Peer], say: Say) -> tuple[dict[str, Command], dict[str, str]]:
    """Have what peers need made.

    Returns:
        By name, how each is started; and of those that cannot be, why.
    """
    ready: dict[str, Command] = {}
    missing: dict[str, str] = {}
    for peer in peers:
        if peer.runtime is Runtime.BENCH:
            continue
        try:
            ready[peer.name] = _command(peer, say)
        except MissingPeerError as exc:
            missing[peer.name] = str(exc)
            say(f"without {peer.name}: {exc}")
    return ready, missing


def _command(peer: Peer, say: Say) -> Command:
    if peer.runtime is Runtime.PYTHON:
        module = f"tests.bench.peers.{peer.program}.run"
        return (str(python_home(peer.program, say)), "-m", module, *peer.arguments)
    home = java_home(say)
    main = f"io.streamapp.peers.{peer.program}"
    return (str(home.program), *_JVM, "-cp", home.class_path, main, *peer.arguments)


def run(
    command: Command,
    order: PeerOrder,
    cores: Sequence[int],
    what: str,
    limit_s: float,
    held: Callable[[], AbstractContextManager[None]],
) -> Mapping[str, Any]:
    """Have a peer carry out its order; call on the main thread.

    Args:
        command: How it is started.
        order: Its order; its log and answer lie in the order's folder.
        cores: Where it runs.
        what: In a person's words.
        limit_s: It is given up after so long.
        held: Keeps signals away while it is started.

    Raises:
        StreamAppError: it failed; with the end of its log.
    """
    folder = Path(order.folder)
    (folder / "order").write_text(json.dumps(asdict(order)), encoding="utf-8")
    pinned = str(HERE / "pinned.py")
    places = ",".join(map(str, cores))
    with (
        held(),
        (folder / "order").open("rb") as told,
        (folder / "answer").open("wb") as answer,
        (folder / "log").open("wb") as log,
    ):
        process = subprocess.Popen(
            [sys.executable, pinned, str(os.getpid()), places, "--", *command],
            cwd=ROOT,
            stdin=told,
            stdout=answer,
            stderr=log,
            process_group=0,
        )
        child = Child(what, process, folder)
    try:
        return child.wait(limit_s)
    finally:
        child.end()
