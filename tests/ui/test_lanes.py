"""Threads for work that takes long."""

import asyncio
import threading

import anyio
import pytest

from flagging.database import LedgerUnavailable
from tests.made import run
from ui import lanes
from ui.lanes import Lane
from ui.limits import TooMany


def test_one_after_the_other_in_order():
    order = []

    async def play():
        lane = Lane(1)
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(lane.run, "a", order.append, number)

    run(play)
    assert order == list(range(10))


def test_what_cannot_begin_in_time_never_does(monkeypatch):
    monkeypatch.setattr(lanes, "WAIT_SECONDS", 0.05)
    free, done = threading.Event(), []

    async def play():
        lane = Lane(1)
        async with anyio.create_task_group() as group:
            group.start_soon(lane.run, "a", free.wait, 10)
            await anyio.sleep(0.02)
            with pytest.raises(LedgerUnavailable, match="this request recorded nothing"):
                await lane.run("b", done.append, 1)
            free.set()
        assert await lane.run("a", lambda: 7) == 7

    run(play)
    assert done == []


def test_more_of_one_address_than_wait_are_refused_and_others_are_not(monkeypatch):
    monkeypatch.setattr(lanes, "MOST_WAITING", 1)
    free = threading.Event()

    async def play():
        lane = Lane(1)
        async with anyio.create_task_group() as group:
            group.start_soon(lane.run, "a", free.wait, 10)
            group.start_soon(lane.run, "a", free.wait, 10)
            await anyio.sleep(0.02)
            with pytest.raises(TooMany, match="try again in a moment"):
                await lane.run("a", print)
            asyncio.get_running_loop().call_later(0.05, free.set)
            assert await lane.run("b", lambda: 7) == 7

    run(play)


def test_what_the_work_raises_is_raised_and_frees_the_lane():
    async def play():
        lane = Lane(1)
        with pytest.raises(ZeroDivisionError):
            await lane.run("a", lambda: 1 / 0)
        assert await lane.run("a", lambda: 7) == 7

    run(play)


def test_turns_go_round_the_addresses():
    order = []

    async def play():
        lane = Lane(1)
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(lane.run, "flood", order.append, f"flood {number}")
            group.start_soon(lane.run, "one", order.append, "one")
            group.start_soon(lane.run, "two", order.append, "two")

    run(play)
    assert len(order) == 22
    assert max(order.index("one"), order.index("two")) <= 4


def test_who_gives_up_leaves_the_lane_to_the_next():
    free = threading.Event()

    async def play():
        lane = Lane(1)
        async with anyio.create_task_group() as group:
            group.start_soon(lane.run, "a", free.wait, 10)
            await anyio.sleep(0.02)
            with anyio.move_on_after(0.02):
                await lane.run("a", print)
            free.set()
        assert await lane.run("b", lambda: 7) == 7
        assert await lane.run("b", lambda: 8) == 8

    run(play)
