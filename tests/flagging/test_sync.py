"""The ledger and the Hub made the same, over the wire, with the real client."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from flagging.home import Home
from flagging.hub import HubUnavailable
from flagging.ledger import Ledger
from flagging.shards import kind_of
from flagging.sync import WITHDRAWING, HubSettings, Sync
from model.weights import install_shipped
from tests.conftest import TEST_KEY, random_weights
from tests.hub_server import HubServer
from tests.made import PLAIN, add_attempts, add_fooling, close

DATASET, MODEL = "alice/drawings", "alice/weights"
SETTINGS = HubSettings(DATASET, commits_per_hour=1000)


class Space:
    """A data folder and its side of the Hub; wiped, it is a new one."""

    def __init__(self, hub: HubServer, folder: Path, settings: HubSettings = SETTINGS, start: bool = True) -> None:
        self.hub = hub
        self.home = Home(folder, TEST_KEY)
        self.ledger = self.home.open_ledger(create=True)
        self.sync = Sync(self.ledger, self.home.weights, settings, HfApi(endpoint=hub.url, token=hub.token))
        if start:
            self.start()

    def start(self) -> None:
        self.ledger.start(install_shipped(self.home.weights))

    def publish(self) -> None:
        self.sync.pull()
        while self.sync.push():
            self.sync.pull()

    def close_round(self, seed: int = 1, decision: str = "promoted"):
        return close(self.ledger, decision, random_weights(self.home.weights, seed).id)

    def shards(self, kind: str = "") -> list[str]:
        return [p for p in self.hub.files(DATASET) if kind_of(p) and (kind_of(p) == kind or not kind)]


@pytest.fixture
def spaces(hub, tmp_path):
    """Makes Spaces that share one Hub."""
    numbers = itertools.count()
    made: list[Space] = []

    def make(**options) -> Space:
        made.append(Space(hub, tmp_path / f"space-{next(numbers)}", **options))
        return made[-1]

    yield make
    for space in made:
        space.ledger.close()


def state(ledger: Ledger) -> list[object]:
    """All that a restart must bring back. Rows in the order of time: the order in which they came in is no property."""
    attempts = sorted(ledger.attempts(), key=lambda a: a.attempt_id)
    return [attempts, ledger.open_round(), ledger.closed_rounds(), ledger.promotions(), ledger.totals(), ledger.used()]


def play(space: Space) -> None:
    """Two rounds and some: tries, attempts, votes, a retraction, a hiding, a promotion, a refusal."""
    ledger = space.ledger
    ledger.use_quorum(1)
    drawings = add_fooling(ledger, 4, "ann") + add_fooling(ledger, 3, "bea")
    add_attempts(ledger, 2, label=3, prediction=3)
    ledger.record_try("try-left-alone", ledger.annotator("dan"), 0)
    for drawing in drawings[:5]:
        ledger.record_vote(drawing.attempt_id, 1, ledger.annotator("cy"))
    ledger.retract(drawings[0].attempt_id, ledger.annotator("ann"))
    ledger.hide(drawings[1].attempt_id)
    space.close_round(1)
    add_fooling(ledger, 3, "ann")
    space.close_round(2, "refused")
    add_fooling(ledger, 2, "eve")


def test_an_empty_disk_comes_back_with_every_published_row(spaces):
    space = spaces()
    play(space)
    space.publish()
    assert space.ledger.outbox().waiting().rows == 0
    wiped = spaces(start=False)
    wiped.sync.pull()
    wiped.start()
    wiped.ledger.use_quorum(1)
    assert state(wiped.ledger) == state(space.ledger)
    assert wiped.ledger.outbox().waiting().rows == 0
    served = wiped.ledger.served().weights_id
    assert (wiped.home.weights / f"{served}.safetensors").read_bytes() == (
        space.home.weights / f"{served}.safetensors"
    ).read_bytes()


def test_what_was_published_in_many_pieces_comes_back_the_same(spaces):
    space = spaces()
    for annotator in ("ann", "bea", "cy"):
        add_fooling(space.ledger, 2, annotator)
        space.publish()
        space.close_round(len(annotator))
        space.publish()
    wiped = spaces(start=False)
    wiped.sync.pull()
    wiped.start()
    assert state(wiped.ledger) == state(space.ledger)


def test_publishing_again_publishes_nothing(spaces, hub):
    space = spaces()
    play(space)
    space.publish()
    commits = len(hub.commits_ever(DATASET))
    space.publish()
    assert len(hub.commits_ever(DATASET)) == commits


def test_a_commit_whose_answer_was_lost_is_not_made_twice(spaces, hub):
    space = spaces()
    add_fooling(space.ledger, 3)
    space.sync.pull()
    hub.fail("commit", "lost answer")
    with pytest.raises(HubUnavailable, match="could not be reached"):
        space.sync.push()  # of the weights
    space.publish()
    hub.fail("commit", "lost answer")
    add_fooling(space.ledger, 3, "bea")
    space.sync.pull()
    with pytest.raises(HubUnavailable):
        space.sync.push()
    assert len(space.shards("attempts")) == 2
    space.publish()
    assert len(space.shards("attempts")) == 2
    assert space.ledger.outbox().waiting().rows == 0
    assert hub.overwritten(DATASET) == []


@pytest.mark.parametrize("stage", ["preupload", "lfs-batch", "lfs-upload", "commit"])
@pytest.mark.parametrize("kind", ["500", "cut"])
def test_nothing_is_lost_or_doubled_when_the_hub_fails_on_the_way(spaces, hub, stage, kind):
    space = spaces()
    add_fooling(space.ledger, 3)
    space.publish()
    add_fooling(space.ledger, 3, "bea")
    hub.fail(stage, kind, times=6)  # the client itself tries five times
    space.sync.pull()
    with pytest.raises(HubUnavailable):
        for _ in range(6):
            space.sync.push()
    assert space.ledger.outbox().waiting().rows == 6
    hub.faults.clear()
    space.publish()
    wiped = spaces(start=False)
    wiped.sync.pull()
    wiped.start()
    assert state(wiped.ledger) == state(space.ledger)
    assert len(space.shards("attempts")) == 2
