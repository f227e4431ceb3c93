"""What is overridden in Faust is what it was when it was overridden."""

import asyncio
import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

faust = pytest.importorskip("faust")

from faust.app import App
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, IntervalTree
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_app.adapters.monitor import mended_faust
from stream_app.adapters.monitor.mended_faust import MendedApp
from stream_app.errors import FatalError

PLACE = TP("windows", 0)
PINS = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}

KNOWN: dict[str, tuple[Callable[..., Any], str]] = {
    "_create_worker_consumer": (
        driver.AIOKafkaConsumerThread._create_worker_consumer,
        "c2701bfc3e6f6cad",
    ),
    "_add_gap": (Consumer._add_gap, "4df2573ded7c1c2c"),
    "the caller of _add_gap": (Consumer._drain_messages, "44a2500309e83c63"),
    "_to_message": (driver.Consumer._to_message, "7c24f6511b2fcef7"),
    "the caller of _to_message": (Consumer.getmany, "4b168d84882a70d6"),
    "the reader of gaps": (Consumer._new_offset, "1d2c7ea89a7ad4f1"),
    "_getmany": (driver.Consumer._getmany, "f9d47aa9010b5ff2"),
    "the caller of _getmany": (Consumer._wait_next_records, "6218e1969a636b3f"),
    "_resume_streams": (Recovery._resume_streams, "d986a6710c1aca98"),
    "on_recovery_completed": (Recovery.on_recovery_completed, "6ef567acf072e46d"),
    "_new_transport": (App._new_transport, "42db531312dd776f"),
    "_create_directories": (App._create_directories, "a9f571c3b04abec3"),
    "send_changelog": (faust.Table.send_changelog, "3dd3884e1b5fc0e1"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_upstream_is_as_it_was_when_it_was_mended(name: str) -> None:
    """It fails with a new version: read what has changed, then whether it is mended still."""
    method, known = KNOWN[name]
    source = inspect.getsource(method)
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == known, source


@pytest.mark.parametrize("package", PINS)
def test_versions_are_those_that_were_measured(package: str) -> None:
    assert version(package) == PINS[package]


def without_threads(kind: Any, **state: object) -> Any:
    """An instance that never began: only what a method looks at."""
    made = kind.__new__(kind)
    vars(made).update(state)
    return made


def test_each_override_is_used_by_the_app() -> None:
    assert mended_faust._Transport.Consumer is mended_faust._Consumer
    assert issubclass(mended_faust._Consumer, driver.Consumer)
    conf = SimpleNamespace(broker_consumer=["kafka://127.0.0.1:9"])
    made = MendedApp._new_transport(without_threads(MendedApp, _conf=conf, finalized=True))
    assert isinstance(made, mended_faust._Transport)


@pytest.mark.parametrize("level", ["read_uncommitted", "read_committed"])
def test_the_consumer_reads_what_was_committed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    made = SimpleNamespace(_isolation_level=level)
    monkeypatch.setattr(
        driver.AIOKafkaConsumerThread, "_create_worker_consumer", lambda self, transport: made
    )
    thread = without_threads(mended_faust._Thread)
    if level == "read_committed":
        with pytest.raises(FatalError, match="keeps the isolation level elsewhere"):
            thread._create_worker_consumer(None)
    else:
        assert thread._create_worker_consumer(None)._isolation_level == "read_committed"


def test_a_gap_ends_before_the_record_after_it() -> None:
    consumer = without_threads(
        mended_faust._Consumer, _committed_offset={PLACE: None}, _gap={PLACE: IntervalTree()}
    )
    asyncio.run(consumer._add_gap(PLACE, 3, 5))
    assert [(each.begin, each.end) for each in consumer._gap[PLACE]] == [(3, 5)], "5 is a record"


@pytest.mark.parametrize(
    ("before", "offset", "gaps"),
    [(0, 4, [(1, 4)]), (0, 1, []), (None, 4, []), (3, 5, [])],
)
def test_a_gap_after_the_first_record_of_all_counts_too(
    monkeypatch: pytest.MonkeyPatch, before: int | None, offset: int, gaps: list[tuple[int, int]]
) -> None:
    """The library sees to those after later ones."""
    monkeypatch.setattr(driver.Consumer, "_to_message", lambda self, tp, record: record)
    consumer = without_threads(
        mended_faust._Consumer,
        _read_offset={PLACE: before},
        _gap={PLACE: IntervalTree()},
        app=SimpleNamespace(tables=SimpleNamespace(changelog_topics={"changelog"})),
    )
    consumer._to_message(PLACE, SimpleNamespace(offset=offset))
    assert [(each.begin, each.end) for each in consumer._gap[PLACE]] == gaps


@pytest.mark.parametrize("rebalancing", [True, False])
def test_input_is_not_read_while_tables_are_recovered(rebalancing: bool) -> None:
    seen: list[set[TP]] = []

    async def getmany(active: set[TP], timeout: float) -> dict[TP, object]:
        del timeout
        seen.append(active)
        return {}

    consumer = without_threads(
        mended_faust._Consumer,
        _thread=SimpleNamespace(getmany=getmany),
        app=SimpleNamespace(
            rebalancing=rebalancing, tables=SimpleNamespace(changelog_topics={"changelog"})
        ),
    )
    log = TP("changelog", 0)
    asyncio.run(consumer._getmany({log, PLACE}, 0.1))
    assert seen == [{log} if rebalancing else {log, PLACE}]
