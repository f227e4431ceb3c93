"""Laws of the thread that makes calls which may never come back."""

import threading
import weakref

import pytest

from stream_app.adapters.kafka.spare_thread import SpareThread
from tests.worker import until

NAME = "spare"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_one_thread_makes_every_call_and_ends_with_close() -> None:
    spare, made_by = SpareThread(NAME), set()
    for _ in range(20):
        spare.call(lambda: made_by.add(threading.get_ident()), 10)
    assert len(made_by) == 1
    assert threading.get_ident() not in made_by
    spare.close()
    spare.close()
    until("the thread has ended", lambda: not threads(), 10)


def test_what_a_call_raises_is_raised_where_it_was_asked_for() -> None:
    spare = SpareThread(NAME)
    with pytest.raises(ZeroDivisionError):
        spare.call(lambda: exec("1 / 0"), 10)
    calls: list[int] = []
    spare.call(lambda: calls.append(1), 10)
    assert calls == [1]
    spare.close()


def test_a_call_that_hangs_is_left_behind_and_its_late_answer_goes_to_nobody() -> None:
    spare, stuck, calls = SpareThread(NAME), threading.Event(), []

    def late() -> None:
        stuck.wait(30)
        raise ZeroDivisionError

    with pytest.raises(TimeoutError):
        spare.call(late, 0.05)
    stuck.set()
    spare.call(lambda: calls.append("the next"), 10)
    assert calls == ["the next"]
    spare.close()
    until("both threads have ended", lambda: not threads(), 10)


def test_what_a_call_held_is_let_go_at_once() -> None:
    class Client:
        def call(self) -> None:
            """Do nothing."""

    spare, client = SpareThread(NAME), Client()
    kept = weakref.ref(client)
    spare.call(lambda c=client: c.call(), 10)  # type: ignore[misc]  # a default binds it early
    del client
    until("the client is gone", lambda: kept() is None, 10)
    spare.close()


def test_a_call_that_was_begun_is_waited_for_by_nobody_and_its_failure_is_told_once() -> None:
    spare, stuck = SpareThread(NAME), threading.Event()
    assert not spare.busy()

    def fails_later() -> None:
        stuck.wait(30)
        raise ZeroDivisionError

    spare.begin(fails_later)
    assert spare.busy()
    stuck.set()
    with pytest.raises(ZeroDivisionError):
        until("it is back", lambda: not spare.busy(), 10)
    assert not spare.busy()
    spare.close()
