"""The Faust app of the monitor: a stream of windows, a table of those that are kept.

Decides Faust's settings, in which order tables and streams come to life, and when a record counts
as done: when all that follows from it is acknowledged, and not when Faust has buffered it. Refuses
to know what follows (``stream_app/monitor.py``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import structlog
from faust import Table
from faust.types import FutureMessage
from yarl import URL

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.adapters.monitor.faust_credentials import broker_credentials
from stream_app.adapters.monitor.mended_faust import THEIRS, MendedApp
from stream_app.core.drift.alerts import Alert
from stream_app.monitor import Monitor
from stream_app.ports_monitor import WindowRecord
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

TABLE_NAME: Final = "windows"
_COMMIT_EVERY_S: Final = 1.0
_RETRY_FIRST_S: Final = 0.2
_RETRY_LAST_S: Final = 5.0
_RAW: Final = "raw"


class _KeptTable(Table):  # type: ignore[misc]  # the library is not typed here
    """A table that can be waited for: Faust commits without asking whether its changes arrived."""

    logger = THEIRS

    def __init__(self, *args: Any, changelog_name: str = "", **options: Any) -> None:
        self._changelog_name = changelog_name
        self._sent: list[FutureMessage] = []
        super().__init__(*args, **options)

    def _changelog_topic_name(self) -> str:
        return self._changelog_name

    def send_changelog(self, *args: Any, **options: Any) -> FutureMessage:
        sent = super().send_changelog(*args, **options)
        self._sent.append(sent)
        return sent

    async def arrived(self) -> None:
        """Return when brokers have acknowledged all changes.

        Raises:
            Exception: one could not be written.
        """
        sent, self._sent = self._sent, []
        for each in sent:
            await each


class FaustOutputs:
    """See :class:`~stream_app.ports_monitor.MonitorOutputs`."""

    def __init__(self, app: MendedApp, table: _KeptTable, alerts_topic: str) -> None:
        self._app = app
        self._table = table
        self._topic = alerts_topic
        self._codec = AlertCodec()
        self.waiting = ""
        """What cannot be written at present, and why; empty: nothing."""

    async def put(self, key: str, value: bytes) -> None:
        """See the port."""

        async def write() -> None:
            self._table[key] = value
            await self._table.arrived()

        await self._until_done("store", write)

    async def delete(self, key: str) -> None:
        """See the port. Not waited for: what is left by it is deleted again, or passed over."""
        if key in self._table:
            del self._table[key]

    async def tell(self, partition: int, alert: Alert) -> None:
        """See the port."""
        key, value = alert.key.encode(), self._codec.encode(alert)

        async def write() -> None:
            producer = self._app.producer
            await producer.send_and_wait(self._topic, key, value, partition, None, None)

        await self._until_done("alert", write)

    async def _until_done(self, what: str, write: Callable[[], Awaitable[None]]) -> None:
        pause_s = _RETRY_FIRST_S
        while True:
            try:
                await write()
                self.waiting = ""
                return
            except Exception as exc:  # noqa: BLE001  # of Faust, aiokafka or the connection
                self.waiting = f"{what} not written: {exc!r}"
                log.warning("waiting", reason=self.waiting, retry_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(_RETRY_LAST_S, 2 * pause_s)


class MonitorApp:
    """One life of the app: from start to stop, or to a crash.

    Args:
        settings: Of the monitor.
        client_id: Our name among the members of the group.
        monitor: Deals with records.
        read_published: All records of the alerts topic; blocks, and is called on a thread.
        is_taken: Whether another is the group's member now; likewise.
        check_crcs: Whether checksums of what is read are checked.
    """

    def __init__(
        self,
        settings: Settings,
        client_id: str,
        monitor: Monitor,
        read_published: Callable[[], Iterable[Alert]],
        is_taken: Callable[[], str],
        *,
        check_crcs: bool = True,
    ) -> None:
        self._monitor = monitor
        self._read_published = read_published
        self._is_taken = is_taken
        self._begun = False
        # A rebalance may come while a record is being dealt with.
        self._turn = asyncio.Lock()
        self.taken_by = ""
        """The member that took our place while we were away."""
        self.is_ready = False
        """Whether windows are judged as they come."""
        self.app = MendedApp(
            settings.monitor_group, **_options(settings, client_id), broker_check_crcs=check_crcs
        )
        self._windows = self.app.topic(
            settings.windows_topic,
            key_serializer=_RAW,
            value_serializer=_RAW,
            key_type=bytes,
            value_type=bytes,
            allow_empty=True,
        )
        self._table = self.app.Table(
            TABLE_NAME,
            key_type=str,
            value_type=bytes,
            changelog_name=settings.monitor_topic,
        )
        self.outputs = FaustOutputs(self.app, self._table, settings.alerts_topic)
        self.app.agent(self._windows, name="windows", concurrency=1)(self._judge)
        # Held here: the library knows its listeners by weak references.
        self._listeners = (self._revoked, self._recovered)
        self.app.on_partitions_revoked.connect(self._listeners[0])
        self.app.on_rebalance_complete.connect(self._listeners[1])

    @property
    def fault(self) -> BaseException | None:
        """Why it crashed; ``None``: it has not."""
        if not self.app.crashed:
            return None
        reason: BaseException | None = self.app.crash_reason
        return reason or RuntimeError("the app crashed")

    async def _judge(self, stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            record = WindowRecord(message.partition, round(1000 * message.timestamp), message.value)
            try:
                async with self._turn:
                    await self._monitor.take(record, self.outputs)
            except Exception as exc:  # noqa: BLE001  # the library would count the record as done
                await self.app.crash(exc)
                return
            event.ack()

    async def _revoked(self, app: object, revoked: object, **_: object) -> None:
        """Nobody else is in the group; so this is our end, or we were away for too long."""
        del app, revoked
        self.is_ready = False
        if not self._begun:
            return
        self.taken_by = await asyncio.to_thread(self._is_taken)
        if self.taken_by:
            await self.app.crash(RuntimeError(f"{self.taken_by} is the monitor now"))
            # To go on from here would be to join again, and to take the place back.
            await asyncio.sleep(3600)

    async def _recovered(self, app: object, **_: object) -> None:
        """The table is as the changelog has it, and no window is read yet."""
        del app
        try:
            async with self._turn:
                published = await asyncio.to_thread(lambda: list(self._read_published()))
                stored = [(key, value) for key, value in self._table.items() if value is not None]
                await self._monitor.begin(stored, published, self.outputs)
        except Exception as exc:  # noqa: BLE001  # the library would go on without
            await self.app.crash(exc)
            return
        self._begun = self.is_ready = True


def _options(settings: Settings, client_id: str) -> dict[str, Any]:
    kafka = settings.kafka
    # The library takes no session longer than it waits for an answer.
    request_s = max(kafka.request_timeout_s, kafka.session_timeout_s)
    return {
        "env": {},
        "broker": [URL(f"kafka://{address.strip()}") for address in _addresses(settings)],
        "broker_credentials": broker_credentials(kafka),
        "broker_client_id": client_id,
        "broker_session_timeout": kafka.session_timeout_s,
        "broker_heartbeat_interval": kafka.session_timeout_s / 3,
        "broker_request_timeout": request_s,
        "broker_rebalance_timeout": max(60.0, request_s),
        "broker_max_poll_interval": kafka.max_poll_interval_s,
        "broker_commit_interval": _COMMIT_EVERY_S,
        "consumer_auto_offset_reset": "earliest",
        # Of the group, not of a machine: whoever takes the place is the same member.
        "consumer_group_instance_id": settings.monitor_group,
        "producer_acks": -1,
        "producer_compression_type": "gzip",
        "producer_request_timeout": request_s,
        "producer_max_request_size": settings.output.max_record_bytes,
        "processing_guarantee": "at_least_once",
        "store": "memory://",
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "stream_wait_empty": False,
        "Table": _KeptTable,
        "web_enabled": False,
        "web_tables_enabled": False,
        "autodiscover": False,
        "logging_config": None,
        "debug": False,
    }


def _addresses(settings: Settings) -> list[str]:
    return settings.kafka.bootstrap_servers.split(",")
