"""What the monitor writes through Faust: again until it is there, and said meanwhile."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("faust")

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.adapters.monitor import faust_app
from stream_app.adapters.monitor.faust_app import FaustOutputs
from tests.unit.test_webhook import OPENED


class Table(dict[str, bytes]):
    """Arrives when the brokers have it; fails so many times."""

    faults = 0
    arrivals = 0

    async def arrived(self) -> None:
        if self.faults:
            self.faults -= 1
            raise OSError("no broker")
        self.arrivals += 1


class Producer:
    """Remembers what was acknowledged."""

    def __init__(self, faults: int = 0) -> None:
        self.faults = faults
        self.sent: list[tuple[Any, ...]] = []

    async def send_and_wait(self, *record: object) -> None:
        if self.faults:
            self.faults -= 1
            raise OSError("no broker")
        self.sent.append(record)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faust_app, "_RETRY_FIRST_S", 0.0)


def outputs(table: Table, producer: Producer) -> FaustOutputs:
    return FaustOutputs(SimpleNamespace(producer=producer), table, "alerts")  # type: ignore[arg-type]  # as much of them as is used


def test_a_value_is_stored_when_the_changelog_has_it() -> None:
    table = Table()
    asyncio.run(outputs(table, Producer()).put("k", b"v"))
    assert (table, table.arrivals) == ({"k": b"v"}, 1)


def test_what_cannot_be_written_is_tried_again_and_said_meanwhile() -> None:
    table, producer = Table(), Producer(faults=3)
    table.faults = 2
    out = outputs(table, producer)
    said: list[str] = []

    async def go() -> None:
        for write in (out.put("k", b"v"), out.tell(3, OPENED)):
            task = asyncio.ensure_future(write)
            while not task.done():
                await asyncio.sleep(0)
                said.append(out.waiting)
            await task

    asyncio.run(go())
    assert any("store not written" in one for one in said)
    assert any("alert not written" in one for one in said)
    assert (out.waiting, table.arrivals) == ("", 1)
    key, value = OPENED.key.encode(), AlertCodec().encode(OPENED)
    assert producer.sent == [("alerts", key, value, 3, None, None)]


def test_to_delete_what_is_not_there_is_no_fault() -> None:
    table = Table(k=b"v")
    out = outputs(table, Producer())
    asyncio.run(out.delete("k"))
    asyncio.run(out.delete("k"))
    assert table == {}
