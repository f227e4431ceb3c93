"""What only the library's own log tells: that the transactions' coordinator was out of reach.

When the connection breaks under a request that ends a transaction, librdkafka asks again by
itself and the call says yes, as if nothing had been. But the first request may still be on its
way. It names a producer and an epoch, not a transaction, so it would end whichever is open when
it arrives. Decides which lines mean that; test_end_of_transaction.py sees it happen.
"""

import logging
from typing import Final

INFO: Final = 6
"""The level, as syslog counts, at which the library tells of a connection that was closed."""

_COORDINATOR: Final = "TxnCoordinator"
_LOST: Final = {"FAIL", "REQTMOUT"}
"""The library's names for a connection that broke and for a request that got no answer."""


class CoordinatorLog:
    """Stands where the client wants a logger; errors go on to the real one, as without it.

    The library leaves out lines it has said within 30 s, so ``lost`` must be acted on when it is
    first seen, by a new producer and with it a new one of these.
    """

    def __init__(self) -> None:
        self.lost = False
        self._logger = logging.getLogger("librdkafka")

    def log(self, level: int, message: str, *args: object) -> None:
        """One line: its facility, the client's name and the text; on the thread that polls."""
        facility, *_, text = args
        if facility in _LOST and _COORDINATOR in str(text):
            self.lost = True
        if level >= logging.ERROR:
            self._logger.log(level, message, *args)
