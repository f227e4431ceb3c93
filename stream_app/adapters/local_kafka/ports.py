"""Free TCP ports on loopback, outside the range from which the kernel takes ports for clients.

A port is free when it is asked for, not later: another process may take it first. The callers
start again with other ports when a server reports that its own was taken.
"""

import random
import socket

FIRST_PORT, LAST_PORT = 20_000, 32_767
"""Linux hands out 32768 and up to clients, macOS 49152 and up."""
_TRIES = 200
_RANDOM = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port below 32768 that nobody listens on and that this process was not given before.

    Raises:
        OSError: none was found.
    """
    for _ in range(_TRIES):
        port = _RANDOM.randint(FIRST_PORT, LAST_PORT)
        if port not in _given and _can_bind(port):
            _given.add(port)
            return port
    raise OSError(f"no free port on 127.0.0.1 between {FIRST_PORT} and {LAST_PORT}")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
