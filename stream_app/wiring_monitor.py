"""Where the drift monitor is put together, and kept alive.

Decides when it may be the group's one member, when it begins again, and when it ends. Any number of
monitors may be started: one works, the others wait until its place is free. Holds no logic of the
path.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.credential_files import KafkaCredentialFiles
from stream_app.adapters.kafka.offsets import describe_group
from stream_app.adapters.monitor.alert_topic import read_published
from stream_app.adapters.monitor.faust_app import MonitorApp
from stream_app.adapters.monitor.faust_credentials import ignored_properties
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.http_server import HttpServer
from stream_app.adapters.process.prometheus_telemetry import PrometheusTelemetry
from stream_app.adapters.process.signals import StopSignal
from stream_app.adapters.process.slots import acquire_slot
from stream_app.adapters.process.watchdog import ThreadWatchdog
from stream_app.adapters.process.worker_process import die_with_supervisor
from stream_app.core.metrics import WORKERS_WANTED
from stream_app.credentials import Credentials
from stream_app.errors import RetriableError, StreamAppError, UnavailableError
from stream_app.health import WorkerHealth
from stream_app.monitor import Monitor, MonitorConfig
from stream_app.patience import wait_for
from stream_app.ports import Clock, Telemetry, Watchdog
from stream_app.preflight_monitor import MonitorTopics, monitor_topics, require_complete
from stream_app.settings import Settings
from stream_app.wiring_webhook import webhook_thread

log = structlog.get_logger(__name__)

_TURN_S: Final = 0.1
_REFRESH_S: Final = 5.0
_STANDBY_LOOK_S: Final = 1.0
_STOP_S: Final = 5.0
"""For Faust to stop, as a rule in half a second; what it leaves undone the next one does."""

_MOST_CRASHES: Final = 5
_LONG_LIFE_S: Final = 60.0
"""Who lived so long has not crashed at once."""

_CRASH_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Process:
    """What lives as long as the process."""

    settings: Settings
    client_id: str
    clock: Clock
    telemetry: Telemetry
    watchdog: Watchdog
    health: WorkerHealth
    stop: Callable[[], bool]
    monitor: Monitor
    state: dict[str, object]

    def begin_slowly(self, action: Callable[[], None]) -> None:
        """Do it; wait for a server that is away, as at every start."""
        wait_for(action, self.settings.start.wait_s, self.stop, self.watchdog)


def run_monitor(settings: Settings) -> None:
    """One monitor: waits for its place, watches until told to stop.

    Raises:
        StreamAppError: why it ended otherwise; its ``exit_status`` is the process's.
    """
    require_complete(settings)
    clock, telemetry = SystemClock(), PrometheusTelemetry()
    health = WorkerHealth(clock, 2 * settings.kafka.max_poll_interval_s, telemetry)
    config = MonitorConfig(settings.monitor.keep_windows, settings.monitor.roll_ups)
    monitor = Monitor(config, WindowCodec(), clock, telemetry)
    state: dict[str, object] = {"state": "starting", "webhook": None}
    with ExitStack() as stack:
        watchdog = stack.enter_context(ThreadWatchdog(on_tick=health.tick))
        grace_s = settings.worker.grace_period_s
        stop = stack.enter_context(StopSignal(lambda: watchdog.expire_at(clock.now_s() + grace_s)))
        die_with_supervisor()
        telemetry.gauge(WORKERS_WANTED, 1)
        if settings.http.enabled:
            server = stack.enter_context(
                HttpServer(
                    settings.http.host,
                    settings.monitor_port,
                    health,
                    telemetry.render,
                    port_setting="monitor.http_port",
                    documents={"/drift": lambda: {**state, "series": monitor.view()}},
                )
            )
            log.info("http", host=settings.http.host, port=server.port)
        slot = stack.enter_context(
            acquire_slot(
                settings.worker.state_dir, settings.monitor_group, settings.worker.instance
            )
        )
        ignored = ignored_properties(settings.kafka)
        if ignored:
            log.warning("properties_ignored", names=ignored, reason="not known to this client")
        health.model_warm = True
        process = _Process(
            settings,
            slot.transactional_id,
            clock,
            telemetry,
            watchdog,
            health,
            stop,
            monitor,
            state,
        )
        _keep_watching(process)
    log.info("stopped")


def _keep_watching(process: _Process) -> None:
    """Lives one after another: each ends by the order to stop, by another's taking the place, by
    new credentials, or by a crash, after which the next finds all it needs at the brokers.
    """
    crashes = 0
    while not process.stop():
        topics = _wait_for_topics(process)
        if topics is None or not (topics.is_mock or _wait_for_place(process)):
            return
        began_s = time.monotonic()
        fault = asyncio.run(_Life(process, topics).run())
        process.health.assignment_seen = False
        if fault is None:
            crashes = 0
            continue
        if isinstance(fault, StreamAppError) and not isinstance(fault, RetriableError):
            raise fault
        crashes = 1 if time.monotonic() - began_s > _LONG_LIFE_S else crashes + 1
        if crashes >= _MOST_CRASHES:
            raise RetriableError(f"crashed {crashes} times in a row, the last time by {fault!r}")
        log.error("monitor_crashed", reason=repr(fault), action="begins again")
        _sleep(process, crashes * _CRASH_PAUSE_S)


def _wait_for_topics(process: _Process) -> MonitorTopics | None:
    """Those of the monitor; ``None``: told to stop."""

    def look() -> MonitorTopics:
        found = monitor_topics(process.settings)
        if found.missing:
            raise UnavailableError("\n".join(found.missing))
        return found

    wait_s = process.settings.start.wait_s
    return wait_for(look, wait_s, process.stop, process.watchdog)


def _wait_for_place(process: _Process) -> bool:
    """Return when nobody else is a member; false: told to stop."""
    told = ""
    while not process.stop():
        try:
            holder = _holder(process.settings, process.client_id)
        except StreamAppError as exc:
            log.warning("waiting", reason=str(exc), retry_in_s=_STANDBY_LOOK_S)
        else:
            if not holder:
                process.state["state"] = "starting"
                return True
            if holder != told:
                log.info("standby", reason=f"{holder} is the monitor of this group")
                told = holder
            process.state["state"] = f"standby: {holder} is the monitor"
            # A spare one is ready: it is there, and there is nothing that it waits to be given.
            process.health.assignment_seen = True
        _sleep(process, _STANDBY_LOOK_S)
    return False


def _holder(settings: Settings, client_id: str) -> str:
    """Who else is a member; empty: nobody. One with our own name is dead: its slot is ours."""
    group = describe_group(KafkaAdmin(settings.kafka), settings.monitor_group)
    others = [member for member in group.members if member.client_id != client_id]
    return f"{others[0].client_id} on {others[0].host}" if others else ""


def _sleep(process: _Process, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while not process.stop() and time.monotonic() < until_s:
        process.watchdog.tick()
        time.sleep(_TURN_S)


class _Life:
    """One life of the Faust app, on an event loop of its own."""

    def __init__(self, process: _Process, topics: MonitorTopics) -> None:
        self._process = process
        self._topics = topics
        settings = process.settings
        self._credentials = Credentials(
            KafkaCredentialFiles(settings.kafka),
            process.clock,
            process.telemetry,
            settings.kafka.credentials_check_s,
        )

    async def run(self) -> BaseException | None:
        """Until it is over; why it crashed, if it did."""
        process, settings = self._process, self._process.settings
        life = MonitorApp(
            settings,
            process.client_id,
            process.monitor,
            lambda: read_published(settings, range(self._topics.partitions)),
            lambda: "" if self._topics.is_mock else _holder(settings, process.client_id),
            check_crcs=not self._topics.is_mock,
        )
        fault: BaseException | None = None
        starting = asyncio.ensure_future(life.app.start())
        hooked = webhook_thread(
            settings,
            self._topics.partitions,
            process.clock,
            process.telemetry,
            process.begin_slowly,
        )
        with hooked as state:
            process.state["webhook"] = state
            try:
                fault = await self._watch(life, starting)
            finally:
                process.health.assignment_seen = False
                with suppress(Exception):
                    stop_s = min(_STOP_S, 0.5 * settings.worker.grace_period_s)
                    await asyncio.wait_for(life.app.stop(), stop_s)
                starting.cancel()
        return fault

    async def _watch(
        self, life: MonitorApp, starting: "asyncio.Future[None]"
    ) -> BaseException | None:
        process, refresh_s = self._process, 0.0
        while not process.stop():
            process.watchdog.tick()
            process.health.assignment_seen = life.is_ready
            process.health.deny("windows", process.monitor.unreadable)
            process.health.deny("outputs", life.outputs.waiting)
            process.state["state"] = "watching" if life.is_ready else "starting"
            if life.taken_by:
                log.warning("place_taken", reason=f"{life.taken_by} is the monitor now")
                return None
            if starting.done() and starting.exception() is not None:
                return starting.exception()
            if life.fault is not None:
                return life.fault
            now_s = process.clock.now_s()
            if now_s >= refresh_s:
                refresh_s = now_s + _REFRESH_S
                process.monitor.refresh()
            changed = self._credentials.changed(now_s)
            if changed and await asyncio.to_thread(self._credentials.usable):
                self._credentials.taken()
                return None
            await asyncio.sleep(_TURN_S)
        return None
