"""The Hub benchmarks in short: kills and a day of play, as `python -m benchmarks.hub_kills` and `hub_day` do at length."""

import pytest

from benchmarks import hub_day, hub_kills


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_the_app_is_killed_and_its_disk_wiped(pen_digits):
    result = hub_kills.run(kills=3, seed=3)
    assert result["problems"] == []
    assert result["shards_overwritten"] == []
    assert result["server_errors"] == []
    assert result["attempts_acknowledged"] > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub's own uploads
def test_a_day_of_play_stays_within_a_quarter_of_the_hub_s_commits_and_leaves_nothing(pen_digits):
    *rows, whole = hub_day.play(attempts=300, every=100, seed=2)
    assert rows[-1]["attempts"] == 300
    assert whole["busiest_hour"] <= 32
    assert whole["refused"] == 0
    assert whole["left"] == 0
    assert whole["restored_the_same"]
