"""The lock that is taken in order."""

import threading
import time

import pytest

from flagging.turns import Turns


def in_line(turns, count):
    with turns._lock:
        return len(turns._waiting) == count


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_turns_come_in_the_order_they_were_asked_for():
    turns, came = Turns(), []

    def take(number):
        with turns.turn(10):
            came.append(number)

    with turns.turn(1):
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            wait_for(lambda: in_line(turns, number + 1))  # noqa: B023
    for thread in threads:
        thread.join(10)
    assert came == list(range(8))


def test_who_comes_again_at_once_waits_behind_who_waited():
    turns, came = Turns(), []

    def greedy():
        for _ in range(3):
            with turns.turn(10):
                came.append("greedy")
                wait_for(lambda: in_line(turns, 1) or "patient" in came)

    def patient():
        with turns.turn(10):
            came.append("patient")

    threads = [threading.Thread(target=greedy), threading.Thread(target=patient)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert came.index("patient") == 1 or came[0] == "patient"


def test_a_turn_that_does_not_come_is_given_up_and_nobody_is_left_waiting():
    turns = Turns()
    with turns.turn(1), pytest.raises(TimeoutError, match=r"no turn came within 0\.05 s"), turns.turn(0.05):
        pass
    with turns.turn(0.05):
        pass


def test_what_is_raised_in_a_turn_ends_it():
    turns = Turns()
    with pytest.raises(KeyError), turns.turn(1):
        raise KeyError("x")
    with turns.turn(0.05):
        pass
