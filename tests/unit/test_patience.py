"""Laws of waiting at the start, on a clock that only sleeping moves."""

from collections.abc import Callable

import pytest

from stream_app import patience
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.errors import FatalError, RetriableError, UnavailableError


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each pause, as long as it was; nothing else takes time."""
    pauses: list[float] = []
    monkeypatch.setattr("stream_app.patience.time.sleep", pauses.append)
    monkeypatch.setattr("stream_app.patience.time.monotonic", lambda: sum(pauses))
    return pauses


def refusing(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def ask() -> str:
        if left:
            raise left.pop()
        return "there"

    return ask


def test_every_refusal_is_followed_by_a_pause_and_each_is_longer(slept: list[float]) -> None:
    ask = refusing(4, RetriableError("not now"))
    assert patience.wait_for(ask, 60, lambda: False, NullWatchdog()) == "there"
    assert slept == [0.2, 0.4, 0.8, 1.6]


def test_what_stays_away_ends_the_wait_in_time_and_names_the_setting(slept: list[float]) -> None:
    ask = refusing(1_000, RetriableError("not now"))
    with pytest.raises(UnavailableError, match=r"not now\nwaited for start\.wait_s = 30 s"):
        patience.wait_for(ask, 30, lambda: False, NullWatchdog())
    assert 20 < sum(slept) <= 30


def test_who_is_told_to_stop_asks_no_more(slept: list[float]) -> None:
    ask = refusing(1_000, UnavailableError("away"))
    assert patience.wait_for(ask, 60, lambda: len(slept) == 2, NullWatchdog()) is None
    assert len(slept) == 2


def test_what_no_waiting_mends_is_raised_at_once(slept: list[float]) -> None:
    with pytest.raises(FatalError):
        patience.wait_for(refusing(1, FatalError("never")), 60, lambda: False, NullWatchdog())
    assert slept == []
