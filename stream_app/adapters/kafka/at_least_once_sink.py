"""Where outcomes go without transactions: all delivered first, then the offsets committed.

Decides the order that loses nothing. A crash between the two repeats outcomes.
"""

from collections.abc import Callable, Mapping

from stream_app import failpoints
from stream_app.adapters.kafka.sink import KafkaSink
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.ports import Clock, Telemetry, Watchdog
from stream_app.settings import Settings


class AtLeastOnceSink(KafkaSink):
    """Outcomes first, then offsets: after a crash some outcomes are there twice, none is lost."""

    def __init__(
        self,
        settings: Settings,
        transactional_id: str,
        clock: Clock,
        telemetry: Telemetry,
        watchdog: Watchdog,
        commit_offsets: Callable[[Mapping[int, NextOffset]], None],
    ) -> None:
        super().__init__(settings, transactional_id, clock, telemetry, watchdog)
        self._commit_offsets = commit_offsets
        self._suspicion = "brokers lose track of what it sent; look for the first error in the log"

    def commit(
        self, offsets: Mapping[int, NextOffset], membership: GroupMembership, deadline_s: float
    ) -> None:
        """See the port."""
        del membership
        self._flush(deadline_s)
        failpoints.hit("before_commit")
        with self._watchdog.limit("commit", self._call_limit_s):
            self._commit_offsets(offsets)
        self._routes.trust_timestamps()
        failpoints.hit("after_commit")

    def abort(self) -> None:
        """See the port; what was delivered stays, and comes again."""
        self._producer.purge(in_flight=False)
        self._poll(0)
