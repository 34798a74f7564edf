"""The publisher's thread, its state, and the command lines."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from benchmarks.server import RunningApp
from flagging.home import Home
from flagging.publisher import Publisher
from flagging.settings import HubSettings
from tests.conftest import TEST_KEY, random_weights
from tests.flagging.test_sync import DATASET, hub_holds
from tests.made import add_fooling, close

REPOSITORY = Path(__file__).parents[2]


def wait_for(claim, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def publisher(hub, home, ledger):
    made = Publisher(
        ledger, home, HubSettings(DATASET, commits_per_hour=10_000), HfApi(endpoint=hub.url, token=hub.token)
    )
    yield made
    made.stop()


def test_it_publishes_by_itself_and_tells_that_everything_is_on_the_hub(publisher, ledger, hub):
    add_fooling(ledger, 2)
    publisher.start()
    assert publisher.wait_until_restored(20)
    wait_for(lambda: publisher.state.published_at and not publisher.state.unpublished)
    assert publisher.state.problem == ""
    assert any(path.startswith("raw/attempts/") for path in hub.files(DATASET))


def test_while_the_hub_fails_the_state_says_how_much_waits_since_when_and_why(publisher, ledger, hub, monkeypatch):
    monkeypatch.setattr("flagging.publisher.FIRST_RETRY_SECONDS", 0.1)
    publisher.start()
    wait_for(lambda: publisher.state.published_at)
    hub.fail("commit", "503", times=None, message="the Hub is resting")
    (first,) = add_fooling(ledger, 1)
    wait_for(lambda: publisher.state.problem)
    assert publisher.state.unpublished == 2  # the try and the attempt
    assert publisher.state.since <= first.created_at
    assert "alice/drawings did not take a commit (503: the Hub is resting" in publisher.state.problem
    hub.faults.clear()
    wait_for(lambda: not publisher.state.unpublished)
    assert publisher.state.problem == ""


def test_what_is_still_being_withdrawn_is_not_told_as_done(publisher, ledger, hub, monkeypatch):
    monkeypatch.setattr("flagging.publisher.FIRST_RETRY_SECONDS", 0.1)
    monkeypatch.setattr("flagging.publisher.FOLLOW_EVERY_SECONDS", 0.1)
    add_fooling(ledger, 1)
    publisher.start()
    wait_for(lambda: publisher.state.published_at and not publisher.state.unpublished)
    hub.fail("squash", "500", times=None)
    ledger.withdraw(ledger.annotator("ann"))
    wait_for(lambda: publisher.state.problem)
    before = publisher.state.published_at
    seen = len(hub.requests)
    wait_for(lambda: len(hub.requests) > seen + 10)
    assert publisher.state.published_at == before
    hub.faults.clear()
    wait_for(lambda: not publisher.state.problem and publisher.state.published_at > before)


def test_stopping_publishes_what_is_left(publisher, ledger, hub):
    publisher.start()
    wait_for(lambda: publisher.state.published_at)
    add_fooling(ledger, 3)
    publisher.stop()
    assert ledger.outbox().waiting().rows == 0


def test_stopping_tries_again_though_the_hub_had_failed(publisher, ledger, hub):
    publisher.start()
    wait_for(lambda: publisher.state.published_at)
    hub.fail("commit", "503")
    add_fooling(ledger, 3)
    wait_for(lambda: publisher.state.problem)
    publisher.stop()
    assert ledger.outbox().waiting().rows == 0


def test_the_thread_survives_a_ledger_that_cannot_be_read(publisher, ledger, home, hub, monkeypatch):
    monkeypatch.setattr("flagging.publisher.FIRST_RETRY_SECONDS", 0.1)
    publisher.start()
    wait_for(lambda: publisher.state.published_at)
    with sqlite3.connect(home.ledger_path) as db:
        db.execute("ALTER TABLE unpublished RENAME TO away")
    wait_for(lambda: "could not be used" in publisher.state.problem)
    with sqlite3.connect(home.ledger_path) as db:
        db.execute("ALTER TABLE away RENAME TO unpublished")
    db.close()
    add_fooling(ledger, 1)
    wait_for(lambda: not publisher.state.problem and not publisher.state.unpublished)


def test_a_hub_that_is_down_at_the_start_does_not_hold_the_game_up(publisher, ledger, hub, monkeypatch):
    monkeypatch.setattr("flagging.publisher.FIRST_RETRY_SECONDS", 0.05)
    hub.fail("info", "500", times=None)
    publisher.start()
    assert not publisher.wait_until_restored(60)
    add_fooling(ledger, 1)
    hub.faults.clear()
    wait_for(lambda: publisher.state.published_at and not publisher.state.unpublished)


def test_waits_grow_from_failure_to_failure_and_a_told_wait_is_kept(publisher):
    from flagging.hub import HubUnavailable

    waits = [publisher._after(HubUnavailable("down")) for _ in range(12)]
    assert all(0.75 * 5 * 2**n <= wait <= 1.25 * 5 * 2**n for n, wait in enumerate(waits[:7]))
    assert max(waits) <= 1.25 * 900
    assert publisher._after(HubUnavailable("busy", wait_seconds=5000)) == 5000


def test_two_processes_on_one_folder_publish_everything_once(home, ledger, hub):
    add_fooling(ledger, 20)
    settings, api = HubSettings(DATASET, commits_per_hour=10_000), HfApi(endpoint=hub.url, token=hub.token)
    publishers = [Publisher(ledger, home, settings, api) for _ in range(3)]
    threads = [threading.Thread(target=publisher.publish) for publisher in publishers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for path in hub.files(DATASET) if path.startswith("raw/attempts/")]) == 1
    assert hub.overwritten(DATASET) == []


# -- command lines ----------------------------------------------------------------------------------------


def command(hub, home: Home, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "HOODWINK_HOME": str(home.folder),
        "HOODWINK_ANNOTATOR_KEY": TEST_KEY.decode(),
        "HOODWINK_HUB_DATASET": DATASET,
    }
    return subprocess.run(
        [sys.executable, "-m", "flagging", *words],
        cwd=REPOSITORY,
        env=os.environ | hub.environment | settings | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_push_then_pull_into_an_empty_folder(hub, home, ledger, tmp_path):
    add_fooling(ledger, 3)
    close(ledger, weights_id=random_weights(home.weights, 1).id)
    pushed = command(hub, home, "push", "--json")
    assert json.loads(pushed.stdout)["unpublished"] == 0, pushed.stderr
    elsewhere = Home(tmp_path / "elsewhere", TEST_KEY)
    pulled = command(hub, elsewhere, "pull")
    assert "3 attempts, round 2; everything is on the Hub" in " ".join(pulled.stdout.split()), pulled.stderr
    assert (elsewhere.weights / f"{ledger.served().weights_id}.safetensors").exists()


def test_pull_makes_no_repository(hub, home):
    pulled = command(hub, home, "pull", HOODWINK_HUB_DATASET="alice/nope")
    assert "there is no dataset repository alice/nope" in " ".join(pulled.stderr.split())
    assert ("dataset", "alice/nope") not in hub.repositories


def test_a_withdrawal_from_a_terminal_leaves_what_was_judged_as_it_was(hub, home, ledger, tmp_path):
    ledger.use_quorum(1)
    drawings = add_fooling(ledger, 3)
    for drawing in drawings:
        ledger.record_vote(drawing.attempt_id, 1, ledger.annotator("bea"))
    now = ledger.open_round()
    weights_id = random_weights(home.weights, 1).id
    ledger.close_round("promoted", "for the test", weights_id, {"quorum": 1}, began=now)
    command(hub, home, "push")
    elsewhere = Home(tmp_path / "elsewhere", TEST_KEY)
    command(hub, elsewhere, "pull")
    done = command(hub, elsewhere, "withdraw", "--attempt", drawings[0].attempt_id, "--yes")
    assert done.returncode == 0, done.stderr
    verified = [path for path in hub.files(DATASET) if path.startswith("verified/")]
    assert verified


def test_a_maintainer_withdraws_by_drawing_or_by_annotator(hub, home, ledger):
    one, two = add_fooling(ledger, 2, "ann")
    (three,) = add_fooling(ledger, 1, "bea")
    command(hub, home, "push")
    done = command(hub, home, "withdraw", "--attempt", one.attempt_id, "--yes", "--json")
    assert json.loads(done.stdout)["deleted"] == 1, done.stderr
    assert hub_holds(hub, one) == []
    assert hub_holds(hub, two)
    command(hub, home, "withdraw", "--annotator", three.annotator, "--yes")
    assert hub_holds(hub, three) == []
    assert [a.attempt_id for a in ledger.attempts()] == [two.attempt_id]


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        (["push"], {"HOODWINK_HUB_DATASET": ""}, "set HOODWINK_HUB_DATASET to USER/NAME"),
        (["push"], {"HOODWINK_HUB_DATASET": "no user"}, "'no user' is no repository on the Hub; write it as USER/NAME"),
        (["push"], {"HOODWINK_HUB_COMMITS_PER_HOUR": "0"}, "set HOODWINK_HUB_COMMITS_PER_HOUR to 4 or more"),
        (["withdraw"], {}, "name drawings by --attempt, or an annotator by --annotator"),
        (["withdraw", "--attempt", "nobody", "--yes"], {}, "there is no attempt 'nobody'"),
        (["push"], {"HF_TOKEN": "hf_unknown"}, "the dataset repository alice/drawings could not be"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(hub, home, ledger, words, environment, sentence):
    refused = command(hub, home, *words, **environment)
    assert refused.returncode != 0
    assert sentence in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr


# -- the app ----------------------------------------------------------------------------------------------


def test_an_app_whose_disk_was_wiped_goes_on_where_it_was(hub, tmp_path):
    from gradio_client import Client

    settings = hub.environment | {"HOODWINK_HUB_DATASET": DATASET, "HOODWINK_ANNOTATOR_KEY": TEST_KEY.decode()}
    with RunningApp(tmp_path / "first", settings) as app:
        client = Client(app.url, verbose=False)
        for x in range(4):
            client.predict([[[100 + 10 * x, 60], [140, 220]]], 8, api_name="/submit")
        before = client.predict(api_name="/status")
        client.close()
    # Stopped by SIGTERM, as a Space is: everything is on the Hub.
    with RunningApp(tmp_path / "second", settings) as app:
        client = Client(app.url, verbose=False)
        after = client.predict(api_name="/status")
        client.close()
    assert after["hub"]["unpublished"] == 0
    counts = ("round", "weights_id", "tries", "attempts", "fooling", "ready")
    assert {name: after[name] for name in counts} == {name: before[name] for name in counts}
    assert after["attempts"] == 4


def test_a_second_space_follows_the_first_s_promotion_within_a_minute(hub, tmp_path):
    from gradio_client import Client

    settings = hub.environment | {"HOODWINK_HUB_DATASET": DATASET, "HOODWINK_ANNOTATOR_KEY": TEST_KEY.decode()}
    with RunningApp(tmp_path / "first", settings) as first, RunningApp(tmp_path / "second", settings) as second:
        collecting = Client(second.url, verbose=False)
        ledger = Home(first.home, TEST_KEY).open_ledger()
        add_fooling(ledger, 3)
        promoted = close(ledger, weights_id=random_weights(first.home / "weights", 1).id)
        ledger.close()
        wait_for(lambda: collecting.predict(api_name="/status")["weights_id"] == promoted.weights_id, 60)
        assert collecting.predict(api_name="/status")["round"] == 2
        collecting.close()
