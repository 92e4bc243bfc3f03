"""When a run stops, and when it saves."""

import os
import signal
import threading

import pytest

from rscovlm.training import stopping
from rscovlm.training.settings import Checkpoints
from rscovlm.training.stopping import Interruption, SaveClock


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_first_signal_is_remembered_and_a_second_acts_at_once(number):
    acted = []
    before = signal.signal(number, lambda *_: acted.append("at once"))
    try:
        with Interruption() as interruption:
            assert interruption.received is None
            os.kill(os.getpid(), number)
            assert (interruption.received, acted) == (number.name, [])
            os.kill(os.getpid(), number)
            assert acted == ["at once"]
        os.kill(os.getpid(), number)
        assert acted == ["at once"] * 2, "handlers are as they were"
    finally:
        signal.signal(number, before)


def test_outside_the_main_thread_signals_are_left_alone():
    found = []

    def look():
        with Interruption():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""
    now = {"s": 1000.0}
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now["s"])
    return now


def test_minutes_count_from_the_last_checkpoint(clock):
    due = SaveClock(Checkpoints(minutes=2))
    clock["s"] += 119.9
    assert not due.by_time()
    clock["s"] += 0.1
    assert due.by_time()
    due.saved()
    assert not due.by_time()
    clock["s"] += 120
    assert due.by_time()


def test_steps_count_from_the_beginning_and_either_may_be_left_out(clock):
    due = SaveClock(Checkpoints(minutes=None, steps=3))
    assert [step for step in range(1, 10) if due.by_steps(step)] == [3, 6, 9]
    clock["s"] += 1e9
    assert not due.by_time()
    assert not SaveClock(Checkpoints(minutes=2)).by_steps(3)
