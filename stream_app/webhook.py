"""The webhook: every alert of a level is handed to somebody else, at least once.

Decides which records are posted, in what order, and how long to wait after a refusal. It reads the
alerts topic as a group of its own, whose committed offsets say what was delivered: so a restart, or
another monitor, goes on with the first record that nobody took. A record is never given up: what
refuses today may be mended tomorrow, and the log and a metric say so meanwhile. Refuses to know
HTTP and Kafka.
"""

from collections.abc import Callable
from typing import Final

import structlog

from stream_app.core.drift.alerts import Alert, Level
from stream_app.core.metrics import MONITOR_WEBHOOK
from stream_app.errors import RetriableError
from stream_app.ports import Telemetry
from stream_app.ports_drift import Unreadable
from stream_app.ports_monitor import AlertFeed, PlacedAlert, Receiver

log = structlog.get_logger(__name__)

RETRY_FIRST_S: Final = 0.5
RETRY_LAST_S: Final = 60.0
_READ_S: Final = 0.5


class Webhook:
    """One round is one look at the topic; the caller makes rounds until it stops.

    Args:
        feed: The alerts topic.
        receiver: Who is told.
        least: Of alerts below nothing is posted.
        telemetry: Where attempts are counted.
        pause: Waits for so many seconds; false: it was told to stop meanwhile.
    """

    def __init__(
        self,
        feed: AlertFeed,
        receiver: Receiver,
        least: Level,
        telemetry: Telemetry,
        pause: Callable[[float], bool],
    ) -> None:
        self._feed = feed
        self._receiver = receiver
        self._least = least
        self._telemetry = telemetry
        self._pause = pause
        self.state: dict[str, object] = {"delivered": 0, "failing": ""}
        """For the view: records since the start, and why the next one was not taken."""

    def run(self) -> None:
        """Until it is told to stop, also amid a wait; then what is not delivered stays so."""
        while self._pause(0.0):
            if not self._patiently(self._round):
                return

    def _round(self) -> None:
        for placed in self._feed.read(_READ_S):
            if not self._deliver(placed):
                return

    def _deliver(self, placed: PlacedAlert) -> bool:
        """Whether to go on."""
        alert = placed.alert
        if isinstance(alert, Unreadable):
            log.error("alert_unreadable", code=alert.fault.name, reason=alert.detail)
        elif self._concerns(placed, alert):
            if not self._patiently(lambda: self._post(alert)):
                return False
            self.state["delivered"] = int(str(self.state["delivered"])) + 1
        return self._patiently(lambda: self._feed.delivered(placed))

    def _concerns(self, placed: PlacedAlert, alert: Alert) -> bool:
        """Whether it is of the level, or was: who heard of it also hears that it is no more."""
        if alert.level >= self._least:
            return True
        if not alert.sequence:
            return False
        history: list[Alert] = []
        self._patiently(lambda: history.extend(self._feed.history(placed)))
        return any(before.level >= self._least for before in history)

    def _post(self, alert: Alert) -> None:
        try:
            self._receiver.post(alert)
        except RetriableError as exc:
            self._telemetry.count(MONITOR_WEBHOOK, 1, "failed")
            self.state["failing"] = str(exc)
            raise
        self.state["failing"] = ""
        self._telemetry.count(MONITOR_WEBHOOK, 1, "delivered")

    def _patiently(self, action: Callable[[], None]) -> bool:
        """Do it, again and again; false: told to stop before it was done."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                action()
                return True
            except RetriableError as exc:
                log.warning("webhook_waiting", reason=str(exc), retry_in_s=pause_s)
            if not self._pause(pause_s):
                return False
            pause_s = min(RETRY_LAST_S, 2 * pause_s)
