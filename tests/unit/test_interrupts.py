"""Laws of ending a watched command: once, and not between making a thing and noting it."""

import os
import signal

import pytest

from stream_app.terminal.interrupts import EndedBySignalError, Interrupts


def test_a_signal_while_it_is_held_interrupts_right_after() -> None:
    done: list[str] = []

    def make() -> None:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("noted")
        done.append("never")

    with Interrupts() as interrupts, pytest.raises(EndedBySignalError) as told:
        make()
    assert done == ["noted"]
    assert (told.value.number, interrupts.count) == (signal.SIGTERM, 1)


def test_the_second_signal_only_counts() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(EndedBySignalError):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
    assert interrupts.count == 3
