"""The lock that is taken in order."""

import threading
import time

import pytest

from flagging.fair_lock import FairLock


def in_line(lock, count):
    with lock._lock:
        return len(lock._waiting) == count


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_turns_come_in_the_order_they_were_asked_for():
    lock, came = FairLock(), []

    def take(number):
        with lock.turn(10):
            came.append(number)

    with lock.turn(1):
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            wait_for(lambda: in_line(lock, number + 1))  # noqa: B023
    for thread in threads:
        thread.join(10)
    assert came == list(range(8))


def test_who_comes_again_at_once_waits_behind_who_waited():
    lock, came = FairLock(), []

    def greedy():
        for _ in range(3):
            with lock.turn(10):
                came.append("greedy")
                wait_for(lambda: in_line(lock, 1) or "patient" in came)

    def patient():
        with lock.turn(10):
            came.append("patient")

    threads = [threading.Thread(target=greedy), threading.Thread(target=patient)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert came.index("patient") == 1 or came[0] == "patient"


def test_a_turn_that_does_not_come_is_given_up_and_nobody_is_left_waiting():
    lock = FairLock()
    with lock.turn(1), pytest.raises(TimeoutError, match=r"no turn came within 0\.05 s"), lock.turn(0.05):
        pass
    with lock.turn(0.05):
        pass


def test_what_is_raised_in_a_turn_ends_it():
    lock = FairLock()
    with pytest.raises(KeyError), lock.turn(1):
        raise KeyError("x")
    with lock.turn(0.05):
        pass
