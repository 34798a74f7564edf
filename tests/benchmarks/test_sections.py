"""What the benchmarks make of what they measured: the right ratio, and yes or no."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks import fine_tuning, first_stroke, latency, start, submit
from benchmarks.fine_tuning import Learnt
from benchmarks.first_stroke import Load
from benchmarks.memory import Memory, memory_of
from benchmarks.submit import fsync_ms


def reached(section):
    return {row.what: row.reached for row in section.rows if row.reached is not None}


def test_latency_asks_for_a_frame_and_for_forty_times():
    section = latency.describe([10.0, 12.0, 14.0], [600.0], [520.0], 3, 1)
    assert section.figures["ratio"] == 50
    assert reached(section) == {"median": True, "how much sooner": True}
    assert reached(latency.describe([20.0], [600.0], [520.0], 1, 1)) == {"median": False, "how much sooner": False}


def test_a_page_that_never_answered_is_no_result():
    with pytest.raises(ValueError, match="nothing was measured"):
        latency.describe([10.0], [], [], 1, 1)


def test_the_first_stroke_is_held_against_the_empty_page():
    ours, peer = [Load(600, 500_000, 70)], [Load(500, 250_000, 35)]
    section = first_stroke.describe(ours, peer)
    assert (section.figures["ratio"], reached(section)) == (1.2, {"median": True})
    assert [row.ratio for row in section.rows if row.what in ("received", "requests")] == ["2.00 x", "2.00 x"]
    assert first_stroke.describe([Load(601, 1, 1)], peer).missed


def test_start_and_memory_are_held_against_imports_and_an_empty_ledger():
    seconds = {"big": [4.0], "empty": [3.0], "imports": [2.0]}
    small, large = Memory(400, 300), Memory(500, 400)
    section = start.describe(10, seconds, {"big": [small], "empty": [small]}, {"big": [large], "empty": [small]})
    assert [row.reached for row in section.rows] == [False, None, True, False]


def test_submissions_must_be_quick_and_must_not_grow_slower_with_the_ledger():
    def drawers(ms):
        return SimpleNamespace(alone_ms=[ms] * 100, at_once_ms=[2 * ms] * 100, first_ms=[ms])

    section = submit.describe(20_000, [drawers(8.0), drawers(10.0)], [1.0])
    assert [row.reached for row in section.rows if row.reached is not None] == [True] * 5
    assert section.figures["grown"] == 1.25
    slow = submit.describe(20_000, [drawers(8.0), drawers(11.0)], [1.0])
    assert [row.what for row in slow.missed] == ["20,000 attempts, median", "median, big against small"]


def test_fine_tuning_must_win_with_every_seed():
    ours = [Learnt(10, 0.993, 0.8), Learnt(10, 0.990, 0.8)]
    peer = [Learnt(50, 0.991, 0.5), Learnt(60, 0.991, 0.5)]
    section = fine_tuning.describe(ours, peer, fooling=60, unseen=100, short=False)
    assert [row.reached for row in section.rows] == [True, False, True]
    short = fine_tuning.describe(ours, peer, fooling=60, unseen=100, short=True)
    assert [row.reached for row in short.rows] == [None, None, None]


def test_memory_counts_what_a_process_started(tmp_path):
    alone = memory_of(os.getpid())
    child = subprocess.Popen(
        [sys.executable, "-c", "x = bytes(40_000_000); x = bytearray(x); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    child.stdout.readline()
    assert memory_of(os.getpid()).resident > alone.resident + 40
    child.communicate(b"\n")
    assert 0 < alone.pss <= alone.resident


def test_the_disk_is_asked_as_often_as_told(tmp_path):
    took = fsync_ms(tmp_path, 5)
    assert len(took) == 5
    assert min(took) > 0
