"""The ledger and the Hub made the same, over the wire, with the real client."""

import contextlib
import io
import itertools
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

from flagging.changes import FULL_SHARD, to_merge
from flagging.home import Home
from flagging.hub import HubFile, HubUnavailable, Overtaken
from flagging.ledger import Ledger
from flagging.outbox import AnotherGame
from flagging.pace import TooManyCommits
from flagging.settings import HubSettings
from flagging.shards import kind_of
from flagging.sync import MARKS, UNSWEPT, Sync
from model.weights import install_shipped
from tests.conftest import TEST_KEY, random_weights
from tests.hub_server import HubServer
from tests.made import FakeAnswer, add_attempts, add_fooling, close

DATASET, MODEL = "alice/drawings", "alice/weights"
SETTINGS = HubSettings(DATASET, commits_per_hour=1000)


class Space:
    """A data folder and its side of the Hub; wiped, it is a new one."""

    def __init__(self, hub: HubServer, folder: Path, settings: HubSettings = SETTINGS, start: bool = True) -> None:
        self.hub = hub
        self.home = Home(folder, TEST_KEY)
        self.ledger = self.home.open_ledger(create=True)
        self.ahead = 0.0  # seconds by which this Space's clock runs ahead
        api = HfApi(endpoint=hub.url, token=hub.token)
        self.sync = Sync(self.ledger, self.home, settings, api, lambda: time.time() + self.ahead)
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
def impatient(monkeypatch):
    """The client's own retries do not wait."""
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None, time=time.time))


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


@pytest.mark.parametrize("stage", ["info", "tree", "preupload", "lfs-batch", "lfs-upload", "commit"])
@pytest.mark.parametrize("kind", ["500", "429", "cut"])
def test_nothing_is_lost_or_doubled_when_the_hub_fails_on_the_way(spaces, hub, stage, kind, impatient):
    space = spaces()
    add_fooling(space.ledger, 3)
    space.publish()
    add_fooling(space.ledger, 3, "bea")
    hub.fail(stage, kind, times=None)  # the client itself tries five times
    with pytest.raises(HubUnavailable):
        space.publish()
    assert space.ledger.outbox().waiting().rows == 6
    hub.faults.clear()
    space.publish()
    assert_comes_back(spaces, space)
    assert len(space.shards("attempts")) == 2


def test_an_answer_that_never_comes_is_given_up_and_what_was_done_is_not_done_again(spaces, hub, monkeypatch):
    space = spaces()
    space.publish()
    add_fooling(space.ledger, 3)
    monkeypatch.setattr("flagging.hub.ANSWER_WITHIN_SECONDS", 0.5)
    hub.fail("commit", "slow", seconds=2, late=True)
    space.sync.pull()
    with pytest.raises(HubUnavailable, match="ReadTimeout"):
        space.sync.push()
    space.publish()
    assert len(space.shards("attempts")) == 1
    assert hub.overwritten(DATASET) == []
    assert space.ledger.outbox().waiting().rows == 0


def test_a_commit_of_another_space_in_the_very_moment_costs_a_second_try_and_nothing_else(spaces, hub):
    first, second = spaces(), spaces()
    first.publish()
    second.publish()
    add_fooling(first.ledger, 2, "ann")
    add_fooling(second.ledger, 2, "bea")
    second.sync.pull()
    hub.fail("commit", "conflict", call=first.publish)
    with pytest.raises(Overtaken):
        second.sync.push()
    second.publish()
    first.publish()
    assert state(first.ledger) == state(second.ledger)
    assert len(list(first.ledger.attempts())) == 4


def test_a_hub_that_asks_to_wait_says_for_how_long(spaces, hub):
    space = spaces()
    space.sync.pull()
    hub.fail("commit", "429", retry_after=77)
    with pytest.raises(HubUnavailable) as refused:
        space.sync.push()
    assert refused.value.wait_seconds == 77


def test_a_hub_that_cannot_be_reached_is_named_with_the_repository(spaces, hub, impatient):
    space = spaces()
    hub.offline = True
    with pytest.raises(HubUnavailable, match="the Hub could not be reached .* alice/drawings"):
        space.sync.pull()


def test_what_somebody_else_commits_meanwhile_is_never_written_over(spaces, hub):
    space = spaces()
    space.publish()
    add_fooling(space.ledger, 3)
    space.sync.pull()
    hub.commit(DATASET, {"notes.txt": b"by hand"})
    with pytest.raises(Overtaken):
        space.sync.push()
    space.publish()
    assert hub.files(DATASET)["notes.txt"] == b"by hand"
    assert len(space.shards("attempts")) == 1


def test_commits_made_before_a_restart_count_towards_the_hour(spaces, hub):
    settings = HubSettings(DATASET, commits_per_hour=4)
    space = spaces(settings=settings)
    for number in range(4):
        hub.create(DATASET) if number == 0 else hub.commit(DATASET, {f"note-{number}.txt": b"by hand"})
    space.sync.pull()
    with pytest.raises(TooManyCommits):
        space.sync.push()
    assert space.sync.wait() > 3000


# -- several Spaces ---------------------------------------------------------------------------------------


def test_a_second_space_collects_into_the_same_repository_and_follows_promotions(spaces):
    first, second = spaces(), spaces()
    add_fooling(first.ledger, 3, "ann")
    first.publish()
    second.publish()
    add_fooling(second.ledger, 2, "bea")
    second.publish()
    first.publish()
    promoted = first.close_round()
    first.publish()
    second.sync.pull()
    assert second.ledger.served().weights_id == promoted.weights_id
    assert state(second.ledger) == state(first.ledger)
    assert second.ledger.closed_rounds()[0].counts.attempts == 5


def test_of_two_that_close_a_round_the_one_that_published_second_gives_its_own_up(spaces):
    first, second = spaces(), spaces()
    add_fooling(first.ledger, 3, "ann")
    first.publish()
    second.publish()
    add_fooling(second.ledger, 2, "bea")
    won, lost = first.close_round(1), second.close_round(2)
    second.ledger.close_round("refused", "for the test", lost.weights_id, {}, began=second.ledger.open_round())
    add_fooling(second.ledger, 1, "cy")
    first.publish()
    second.publish()
    first.publish()
    assert [r.weights_id for r in second.ledger.closed_rounds()] == [won.weights_id]
    assert second.ledger.served().weights_id == won.weights_id
    assert state(second.ledger) == state(first.ledger)
    # What the other's decision did not rest on is ready again; nothing of it is lost.
    assert second.ledger.open_round().ready == first.ledger.open_round().ready == 3


def test_a_vote_in_one_space_decides_a_drawing_of_the_other(spaces):
    first, second = spaces(), spaces()
    for space in (first, second):
        space.ledger.use_quorum(2)
    (drawing,) = add_fooling(first.ledger, 1)
    first.publish()
    second.publish()
    first.ledger.record_vote(drawing.attempt_id, 1, first.ledger.annotator("bea"))
    second.ledger.record_vote(drawing.attempt_id, 1, second.ledger.annotator("cy"))
    for space in (first, second, first):
        space.publish()
    assert first.ledger.find(drawing.attempt_id).state == "verified"
    assert second.ledger.find(drawing.attempt_id).state == "verified"


def test_what_was_drawn_after_a_round_that_was_given_up_belongs_to_the_round_that_is_open(spaces):
    first, second = spaces(), spaces()
    add_fooling(first.ledger, 2, "ann")
    first.publish()
    second.publish()
    first.close_round(1)
    for seed in (2, 3, 4):
        second.close_round(seed)
        add_fooling(second.ledger, 1, f"annotator {seed}")
    first.publish()
    second.publish()
    assert second.ledger.open_round().number == 2
    assert {a.round for a in second.ledger.attempts()} == {1, 2}
    assert second.ledger.open_round().counts.attempts == 3
    counted = state(second.ledger)
    second.ledger.recount()
    assert state(second.ledger) == counted
    first.publish()
    assert state(first.ledger) == counted


def test_a_repository_that_holds_another_game_changes_nothing_here(spaces, hub, tmp_path):
    mine, theirs = spaces(), spaces(settings=HubSettings("alice/other", commits_per_hour=1000))
    for space, seed in ((mine, 1), (theirs, 2)):
        add_fooling(space.ledger, 2, f"annotator {seed}")
        space.close_round(seed)
        space.publish()
    before = state(mine.ledger)
    mistaken = Sync(mine.ledger, mine.home, HubSettings("alice/other"), HfApi(endpoint=hub.url, token=hub.token))
    with pytest.raises(AnotherGame, match="the repository holds another game: its round 1 was promoted with weights"):
        mistaken.pull()
    assert state(mine.ledger) == before


def test_a_drawing_sent_to_two_spaces_as_one_try_is_withdrawn_from_both(spaces, hub):
    first, second = spaces(), spaces()
    answer = FakeAnswer(3, 0, first.ledger.served().weights_id)
    for space in (first, second):
        space.ledger.record_attempt(answer, 1, space.ledger.annotator("ann"), "the-same-try")
        space.publish()
    first.publish()
    assert len(list(first.ledger.attempts())) == 2
    first.ledger.withdraw(first.ledger.annotator("ann"))
    first.publish()
    second.publish()
    for space in (first, second, spaces()):
        space.sync.pull()
        assert list(space.ledger.attempts()) == []


def test_two_spaces_together_make_no_more_commits_than_one_may(spaces, hub):
    settings = HubSettings(DATASET, commits_per_hour=8)
    first, second = spaces(settings=settings), spaces(settings=settings)
    for number in range(12):
        for space in (first, second):
            add_fooling(space.ledger, 1, f"annotator {number}")
            with contextlib.suppress(TooManyCommits):
                space.publish()
    assert len(hub.commits_ever(DATASET)) <= 8


def test_restarts_and_withdrawals_do_not_begin_a_new_hour(spaces, hub):
    settings = HubSettings(DATASET, commits_per_hour=8)
    space = spaces(settings=settings)
    for number in range(6):
        add_fooling(space.ledger, 1, f"annotator {number}")
        api = HfApi(endpoint=hub.url, token=hub.token)
        space.sync = Sync(space.ledger, space.home, settings, api)  # as after a restart
        with contextlib.suppress(TooManyCommits):
            space.publish()
            space.ledger.withdraw(space.ledger.annotator(f"annotator {number}"))
            space.publish()
    assert len(hub.commits_ever(DATASET)) + hub.count("squash") <= 8


def test_a_full_hour_of_the_model_repository_does_not_hold_drawings_up(spaces, hub):
    space = spaces(settings=HubSettings(DATASET, MODEL, 8))
    space.publish()
    for number in range(8):
        hub.commit(MODEL, {f"note-{number}.txt": b"by hand"}, repo_type="model")
    add_fooling(space.ledger, 2)
    space.close_round()
    fresh = Sync(space.ledger, space.home, HubSettings(DATASET, MODEL, 8), HfApi(endpoint=hub.url, token=hub.token))
    fresh.pull()
    fresh.push()
    assert len(space.shards("attempts")) == 1
    assert space.shards("rounds") == []
    assert not fresh.has_work() or fresh.wait() > 0


# -- the dataset people load ------------------------------------------------------------------------------

LOAD = """
import sys
from datasets import load_dataset
for config in (None, "verified", "all"):
    for split, rows in load_dataset("alice/drawings", config).items():
        print(config, split, len(rows), rows[0]["image"].size, rows[0]["label"], rows[0]["created_at"])
"""


def test_load_dataset_gives_fooling_verified_and_all_drawings(spaces, hub):
    space = spaces()
    space.ledger.use_quorum(1)
    for number in range(12):  # of whom some are held out
        for drawing in add_fooling(space.ledger, 1, f"annotator {number}"):
            space.ledger.record_vote(drawing.attempt_id, 1, space.ledger.annotator("gus"))
    add_attempts(space.ledger, 3, label=3, prediction=3)
    hidden = add_fooling(space.ledger, 1, "hal")[0]
    space.ledger.hide(hidden.attempt_id)
    space.close_round()
    add_fooling(space.ledger, 1, "ann")  # of the open round
    space.publish()
    out = subprocess.run([sys.executable, "-c", LOAD], env=hub.environment, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    drawings = [line.split() for line in out.stdout.splitlines()]
    sizes = {config: sum(int(d[2]) for d in drawings if d[0] == config) for config in ("None", "verified", "all")}
    assert sizes == {"None": 12, "verified": 12, "all": 15}
    assert {d[1] for d in drawings if d[0] == "None"} == {"train", "test"}
    assert all(d[3:5] == ["(28,", "28)"] and d[6].endswith(":00:00+00:00") for d in drawings)


def test_a_round_s_files_are_written_when_it_closes_and_again_only_when_it_is_touched(spaces, hub):
    space = spaces()
    space.ledger.use_quorum(1)
    for number, annotator in enumerate(("ann", "bea"), 1):
        add_fooling(space.ledger, 3, annotator)
        space.publish()
        space.close_round(number)
        space.publish()
    of_first = [path for path in hub.files(DATASET) if path.startswith("fooling/") and "00001" in path]
    assert of_first
    late = space.ledger.drawn_in_round(1)[0]
    space.ledger.record_vote(late.attempt_id, 3, space.ledger.annotator("cy"))  # as the model read it: rejected
    space.publish()
    assert hub.overwritten(DATASET).count("all/train-round-00001.parquet") == 0
    add_fooling(space.ledger, 1, "dan")
    space.close_round(3)
    before = hub.files(DATASET)
    space.publish()
    changed = {path for path, content in hub.files(DATASET).items() if before.get(path) not in (None, content)}
    assert {path for path in changed if "round-0000" in path} == {
        path for path in before if "-round-00001" in path and path.split("/")[1].startswith(late.split)
    }


def test_a_late_vote_shows_within_the_hour_when_no_round_closes(hub, tmp_path):
    now = [1_800_000_000.0]
    home = Home(tmp_path / "data", TEST_KEY)
    ledger = home.open_ledger(create=True)
    ledger.use_quorum(1)
    ledger.start(install_shipped(home.weights))
    sync = Sync(ledger, home, SETTINGS, HfApi(endpoint=hub.url, token=hub.token), lambda: now[0])
    (drawing,) = add_fooling(ledger, 1)
    close(ledger, weights_id=random_weights(home.weights, 1).id)
    sync.pull()
    sync.push()
    path = f"verified/{drawing.split}-round-00001.parquet"
    ledger.record_vote(drawing.attempt_id, 1, ledger.annotator("bea"))
    sync.pull()
    sync.push()
    assert path not in hub.files(DATASET)
    assert not sync.has_work()
    now[0] += 3601
    assert sync.has_work()
    sync.pull()
    sync.push()
    assert path in hub.files(DATASET)
    ledger.close()


def test_shards_are_compacted_when_a_round_closes_and_nothing_is_lost(spaces):
    space = spaces()
    for number in range(12):
        add_fooling(space.ledger, 2, f"annotator {number}")
        space.publish()
    assert len(space.shards("attempts")) == 12
    add_fooling(space.ledger, 2, "ann")
    space.close_round()
    space.publish()
    assert len(space.shards("attempts")) == 2  # the one of all before, and the one just published
    assert_comes_back(spaces, space)


def test_a_round_that_stays_open_is_compacted_too(spaces, monkeypatch):
    monkeypatch.setattr("flagging.sync.MANY_SHARDS", 10)
    space = spaces()
    for number in range(12):
        add_fooling(space.ledger, 1, f"annotator {number}")
        space.publish()
    assert len(space.shards()) <= 12
    assert_comes_back(spaces, space)


def test_a_restarted_space_writes_no_round_anew_that_nobody_touched(spaces, hub):
    space = spaces()
    for number in (1, 2):
        add_fooling(space.ledger, 4, f"annotator {number}")
        space.close_round(number)
        space.publish()
    wiped = spaces(start=False)
    wiped.sync.pull()
    wiped.start()
    add_fooling(wiped.ledger, 4, "annotator 3")
    wiped.close_round(3)
    wiped.publish()
    assert {path for path in hub.overwritten(DATASET) if path != "README.md"} == set()
    card = hub.files(DATASET)["README.md"].decode()
    assert "| `all` | every attempt, fooling or not |" in card
    assert sum(map(int, card.split("fooling or not |")[1].split("\n")[0].split("|")[:2])) == 12


@pytest.mark.parametrize("sizes", [[8, *[17] * 300], [5, 3, 7], [1, 3, 9, 27], [100] * 50])
def test_few_shards_are_left_whatever_their_sizes(sizes):
    shards = [HubFile(f"raw/tries/{n:04d}.parquet", 1000 * size, None) for n, size in enumerate(sizes)]
    while merged := to_merge(shards):
        assert len(merged) > 1
        size = sum(shard.size for shard in shards if shard.path in merged)
        shards = [s for s in shards if s.path not in merged] + [HubFile(f"{merged[0]}.merged", size, None)]
    assert len([shard for shard in shards if shard.size < FULL_SHARD]) <= 12


def test_a_file_that_is_no_shard_is_named_and_holds_nothing_up(spaces, hub):
    space = spaces()
    add_fooling(space.ledger, 1)
    space.publish()
    hub.commit(DATASET, {"raw/tries/by-hand.parquet": b"not Parquet"})
    add_fooling(space.ledger, 1, "bea")
    space.publish()
    assert "by-hand.parquet is no shard of Hoodwink's" in space.sync.note
    assert_comes_back(spaces, space)


# -- the model repository ---------------------------------------------------------------------------------


def test_each_promoted_round_has_a_tag_whose_weights_load_in_three_lines(spaces, hub, monkeypatch):
    space = spaces(settings=HubSettings(DATASET, MODEL, 1000))
    for seed, decision in ((1, "promoted"), (2, "refused"), (3, "promoted")):
        add_fooling(space.ledger, 3, f"annotator {seed}")
        space.close_round(seed, decision)
        space.publish()
    tags = HfApi(endpoint=hub.url, token=hub.token).list_repo_refs(MODEL).tags
    assert {tag.name for tag in tags} == {"round-0", "round-1", "round-3"}
    files = hub.files(MODEL, "model")
    served = space.ledger.served().weights_id
    assert files["model.safetensors"] == files[f"weights/{served}.safetensors"]
    assert "weights/" not in " ".join(hub.files(DATASET))
    card = files["README.md"].decode()
    snippet = card.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(snippet, names)  # noqa: S102  # it is what the card tells people to run
    assert names["network"].fc2.out_features == 10
    assert "| 2 | refused |" in card


def test_a_tag_that_was_not_made_is_made_by_whoever_comes_next(spaces, hub):
    settings = HubSettings(DATASET, MODEL, 1000)
    space = spaces(settings=settings)
    add_fooling(space.ledger, 3)
    space.publish()
    promoted = space.close_round()
    hub.fail("tag", "500", times=None)
    with pytest.raises(HubUnavailable, match="did not take a tag"):
        space.publish()
    hub.faults.clear()
    wiped = spaces(start=False, settings=settings)
    wiped.publish()
    assert (
        hub.files(MODEL, "model", "round-1")["model.safetensors"]
        == (wiped.home.weights / f"{promoted.weights_id}.safetensors").read_bytes()
    )


def test_the_model_of_a_round_that_was_overtaken_gets_no_tag_and_is_not_what_the_repository_shows(spaces, hub):
    settings = HubSettings(DATASET, MODEL, 1000)
    first, second = spaces(settings=settings), spaces(settings=settings)
    add_fooling(first.ledger, 3)
    first.publish()
    second.publish()
    won, lost = first.close_round(1), second.close_round(2)
    second.sync.pull()
    first.publish()
    with pytest.raises(Overtaken):
        second.sync.push()
    packed = (first.home.weights / f"{won.weights_id}.safetensors").read_bytes()
    assert hub.files(MODEL, "model")["model.safetensors"] != packed  # the second's, for a moment
    second.publish()
    assert second.ledger.served().weights_id == won.weights_id != lost.weights_id
    assert hub.files(MODEL, "model")["model.safetensors"] == packed
    assert hub.files(MODEL, "model", "round-1")["model.safetensors"] == packed


def test_more_rounds_than_the_hub_takes_commits_keep_all_weights_and_tag_the_newest(spaces, hub):
    space = spaces(settings=HubSettings(DATASET, MODEL, 8))
    add_fooling(space.ledger, 1)
    for seed in range(1, 13):
        space.close_round(seed)
    space.publish()
    tags = {tag.name for tag in HfApi(endpoint=hub.url, token=hub.token).list_repo_refs(MODEL).tags}
    assert "round-12" in tags
    assert "round-1" not in tags
    assert len([path for path in hub.files(MODEL, "model") if path.startswith("weights/")]) == 13
    assert len(hub.commits_ever(MODEL, "model")) <= 9  # the first is the repository's own


def test_weights_are_on_the_hub_before_the_promotion_that_names_them(spaces, hub):
    space = spaces()
    add_fooling(space.ledger, 3)
    space.publish()
    promoted = space.close_round()
    space.sync.pull()
    hub.fail("commit", "500", after=1)  # the one after the weights'
    with pytest.raises(HubUnavailable):
        space.sync.push()
    assert f"weights/{promoted.weights_id}.safetensors" in hub.files(DATASET)
    assert space.shards("rounds") == []
    space.publish()
    assert len(space.shards("rounds")) == 1


def test_weights_that_are_gone_from_the_hub_are_named(spaces, hub):
    space = spaces()
    add_fooling(space.ledger, 1)
    lost = space.close_round().weights_id
    space.publish()
    hub.commit(DATASET, delete=[f"weights/{lost}.safetensors"])
    wiped = spaces(start=False)
    with pytest.raises(HubUnavailable, match=f"the weights {lost}, which were served, are not in alice/drawings; set"):
        wiped.sync.pull()
    assert len(list(wiped.ledger.attempts())) == 1  # the drawings came in


def test_weights_of_long_ago_that_are_gone_hold_nothing_up(spaces, hub):
    space = spaces()
    add_fooling(space.ledger, 1)
    lost = space.close_round(1).weights_id
    space.close_round(2)
    space.publish()
    hub.commit(DATASET, delete=[f"weights/{lost}.safetensors"])
    wiped = spaces(start=False)
    wiped.sync.pull()
    assert wiped.ledger.served() == space.ledger.served()
    assert lost in wiped.sync.note
    (space.home.weights / f"{lost}.safetensors").unlink()
    elsewhere = Sync(space.ledger, space.home, HubSettings("alice/another"), HfApi(endpoint=hub.url, token=hub.token))
    elsewhere.pull()
    elsewhere.push()
    assert lost in elsewhere.note
    assert space.ledger.outbox().waiting().rows == 0


# -- withdrawal -------------------------------------------------------------------------------------------


def test_a_withdrawn_drawing_is_nowhere_on_the_hub(spaces, hub):
    space = spaces(settings=HubSettings(DATASET, MODEL, 1000))
    space.ledger.use_quorum(1)
    kept = add_fooling(space.ledger, 3, "ann")
    gone = add_fooling(space.ledger, 3, "bea")
    for drawing in gone:
        space.ledger.record_vote(drawing.attempt_id, 1, space.ledger.annotator("cy"))
    space.publish()
    space.close_round()  # compacts: a copy of the drawings is in the history alone
    space.publish()
    assert any(hub_holds(hub, drawing) for drawing in gone)
    assert space.ledger.withdraw(space.ledger.annotator("bea")) == 3
    space.publish()
    for drawing in gone:
        assert hub_holds(hub, drawing) == []
    assert all(hub_holds(hub, drawing) for drawing in kept)
    assert not is_withdrawing(hub)
    assert_comes_back(spaces, space, quorum=1, settings=HubSettings(DATASET, MODEL, 1000))
    assert len(list(space.ledger.attempts())) == 3


@pytest.mark.parametrize("stage", ["squash", "lfs-list", "lfs-delete"])
def test_a_withdrawal_that_broke_off_is_ended_by_whoever_comes_next(spaces, hub, stage, impatient):
    space = spaces()
    (gone,) = add_fooling(space.ledger, 1)
    space.publish()
    space.ledger.withdraw(space.ledger.annotator("ann"))
    hub.fail(stage, "500", times=None)
    with pytest.raises(HubUnavailable):
        space.publish()
    assert hub_holds(hub, gone)
    hub.faults.clear()
    wiped = spaces(start=False)
    wiped.sync.pull()
    wiped.start()
    assert not wiped.sync.has_work()  # the first may be alive
    wiped.ahead = 1000
    assert wiped.sync.has_work()
    wiped.publish()
    assert hub_holds(hub, gone) == []
    assert not is_withdrawing(hub)


def test_nobody_commits_while_another_sweeps_and_what_they_have_comes_afterwards(spaces, hub):
    first, second = spaces(), spaces()
    add_fooling(first.ledger, 1, "ann")
    first.publish()
    second.publish()
    second.sync.pull()
    first.ledger.withdraw(first.ledger.annotator("ann"))
    drawn = []

    def in_the_middle() -> None:
        drawn.extend(add_fooling(second.ledger, 3, "bea"))
        second.sync.pull()
        assert not second.sync.has_work()
        second.sync.push()
        assert second.ledger.outbox().waiting().rows == 6

    hub.fail("lfs-list", "meanwhile", call=in_the_middle)
    first.publish()
    assert drawn
    second.publish()
    assert_comes_back(spaces, second)
    assert len(list(second.ledger.attempts())) == 3


def test_two_withdrawals_at_once_are_both_ended(spaces, hub):
    first, second = spaces(), spaces()
    (one,) = add_fooling(first.ledger, 1, "ann")
    (two,) = add_fooling(second.ledger, 1, "bea")
    first.publish()
    second.publish()
    first.ledger.withdraw(one.annotator)

    def second_too() -> None:
        second.ledger.withdraw(two.annotator)
        second.publish()

    hub.fail("squash", "meanwhile", call=second_too)
    first.publish()
    second.publish()
    first.publish()
    assert hub_holds(hub, one) == hub_holds(hub, two) == []
    assert not is_withdrawing(hub)


def test_withdrawing_often_sweeps_seldom_and_a_stop_ends_it(spaces, hub):
    space = spaces()
    drawings = [add_fooling(space.ledger, 1, f"annotator {n}")[0] for n in range(4)]
    space.publish()
    for drawing in drawings:
        space.ledger.withdraw(drawing.annotator)
        space.publish()
    assert hub.count("squash") == 1
    assert is_withdrawing(hub)
    assert space.sync.is_withdrawing
    space.sync.hurry()
    space.publish()
    assert all(hub_holds(hub, drawing) == [] for drawing in drawings)
    assert not is_withdrawing(hub)


def test_withdrawing_what_was_never_published_costs_the_hub_nothing(spaces, hub):
    space = spaces()
    space.publish()
    before = len(hub.commits_ever(DATASET))
    add_fooling(space.ledger, 3, "ann")
    space.ledger.withdraw(space.ledger.annotator("ann"))
    assert not space.sync.has_work()
    space.publish()
    assert len(hub.commits_ever(DATASET)) == before


def test_what_was_withdrawn_in_one_space_goes_from_the_other_and_never_comes_back(spaces, hub):
    first, second = spaces(), spaces()
    (gone,) = add_fooling(first.ledger, 1)
    first.publish()
    second.publish()
    second.ledger.use_quorum(1)
    second.ledger.record_vote(gone.attempt_id, 1, second.ledger.annotator("bea"))
    first.ledger.withdraw(first.ledger.annotator("ann"))
    first.publish()
    second.publish()
    assert list(second.ledger.attempts()) == []
    assert second.ledger.totals().tries == 0
    first.publish()
    assert hub_holds(hub, gone) == []


def is_withdrawing(hub: HubServer) -> bool:
    return any(path == UNSWEPT or path.startswith(MARKS) for path in hub.files(DATASET))


def hub_holds(hub: HubServer, drawing) -> list[str]:
    """Where on the Hub the drawing is: its id, image or strokes, in the bytes or inside Parquet."""
    return [where for where, content in hub.everything() if holds(content, drawing)]


def holds(content: bytes, drawing) -> bool:
    needles = (drawing.attempt_id, drawing.image, drawing.strokes)
    if content[:4] == b"PAR1":
        cells = {repr(cell) for row in pq.read_table(io.BytesIO(content)).to_pylist() for cell in flat(row)}
        # The id of a withdrawn drawing is what keeps it from coming back: random, and all that is left.
        columns = pq.read_schema(io.BytesIO(content)).names
        if columns == ["id", "created_at"]:
            return False
        return any(repr(needle) in cells for needle in needles)
    return any((n.encode() if isinstance(n, str) else n) in content for n in needles)


def flat(value):
    return [cell for inner in value.values() for cell in flat(inner)] if isinstance(value, dict) else [value]


def assert_comes_back(spaces, space: Space, quorum: int = 0, settings: HubSettings = SETTINGS) -> None:
    wiped = spaces(start=False, settings=settings)
    wiped.sync.pull()
    wiped.start()
    wiped.ledger.use_quorum(quorum)
    assert state(wiped.ledger) == state(space.ledger)
