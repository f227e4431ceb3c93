"""Repeated trouble is told once a window, and nothing of it is lost from the count."""

import errno
import io
import json
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.process.logs import RepeatKey, RepeatLimiter, configure_logging

KEY = RepeatKey("logger", 40, "broker_away")
OTHER = RepeatKey("logger", 40, "broker_away", marks=(("code", "other"),))


def test_the_first_is_written_and_the_rest_of_the_window_counted() -> None:
    limiter = RepeatLimiter(window_s=10)
    assert [limiter.admit(KEY, now) for now in (0, 1, 9.9)] == [True, False, False]
    assert limiter.due(9.9) == []
    assert limiter.due(10) == [(KEY, 2)]
    assert limiter.due(10) == []
    assert limiter.admit(KEY, 10)


def test_another_code_is_another_trouble() -> None:
    limiter = RepeatLimiter(window_s=10)
    assert limiter.admit(KEY, 0)
    assert limiter.admit(OTHER, 0)


def test_what_happened_once_needs_no_summary() -> None:
    limiter = RepeatLimiter(window_s=10)
    limiter.admit(KEY, 0)
    assert limiter.due(100) == []


def test_the_memory_of_the_limiter_is_bounded_and_then_all_is_written() -> None:
    limiter = RepeatLimiter(window_s=10)
    keys = [RepeatKey("logger", 40, f"event-{n}") for n in range(10_000)]
    assert all(limiter.admit(key, 0) for key in keys)
    assert not limiter.admit(keys[0], 1), "a known one is still counted"
    assert limiter.admit(keys[-1], 1)


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from([KEY, OTHER])), max_size=200))
def test_written_and_counted_make_all(arrivals: list[tuple[float, RepeatKey]]) -> None:
    limiter = RepeatLimiter(window_s=5)
    now, told = 0.0, 0
    for wait, key in arrivals:
        now += wait
        told += sum(count for _, count in limiter.due(now))
        told += limiter.admit(key, now)
    told += sum(count for _, count in limiter.due(float("inf")))
    assert told == len(arrivals)


class Disk(io.StringIO):
    """Takes no more than it has room for; what fits of a line stays."""

    room = 10_000

    def write(self, text: str) -> int:
        written = super().write(text[: self.room])
        self.room -= written
        if written < len(text):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written


def test_a_full_disk_ends_nothing_and_what_it_cost_is_told_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk()
    monkeypatch.setattr(sys, "stderr", disk)
    configure_logging("info", "json")
    log = structlog.get_logger("here")
    log.info("before")
    disk.room = 20
    for number in range(5):
        log.info("while_full", number=number)
    disk.room = 10_000
    log.info("after")
    log.info("later")
    lines = [line for line in disk.getvalue().splitlines() if line.endswith("}")]
    told = [json.loads(line) for line in lines]
    assert [line["event"] for line in told] == ["before", "after", "log_not_written", "later"]
    assert told[2]["repeated"] == 5
    monkeypatch.undo()
    configure_logging("info", "json")
