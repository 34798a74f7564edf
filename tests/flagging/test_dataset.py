import json

import numpy as np
import pytest
from datasets import load_dataset

from flagging.attempts import Refused
from flagging.dataset import FEATURES, export
from tests.made import PLAIN, FakeAnswer, add_attempts


@pytest.fixture
def played(ledger):
    for number in range(30):
        add_attempts(ledger, 1, annotator=f"annotator-{number}")
        add_attempts(ledger, 1, annotator=f"annotator-{number}", label=3)
    ledger.close_round("promoted", "good", "feedfeedfeedfeed", {}, began=ledger.open_round())
    add_attempts(ledger, 2, annotator="late")
    return ledger


def load(folder, *names, cache):
    return load_dataset(str(folder), *names, cache_dir=str(cache))


def test_load_dataset_gives_the_fooling_drawings_with_every_column(played, tmp_path):
    export(played, tmp_path / "out")
    data = load(tmp_path / "out", cache=tmp_path / "cache")
    assert set(data) == {"train", "test"}
    assert data["train"].features == FEATURES
    kept = {a.attempt_id: a for a in played.attempts(fooling_only=True)}
    rows = [*data["train"], *data["test"]]
    assert {row["attempt_id"] for row in rows} == set(kept)
    for row in rows:
        attempt = kept[row["attempt_id"]]
        assert row["label"] == attempt.label == 1
        assert row["prediction"] == 3
        assert row["round"] == attempt.round
        assert json.loads(row["strokes"]) == json.loads(attempt.strokes)
        assert np.allclose(row["probabilities"], attempt.probabilities)
        assert (np.asarray(row["image"]) == FakeAnswer(strokes=json.loads(attempt.strokes)).image).all()
        assert (row["state"], row["judged_label"]) == ("pending", None)
    assert {row["attempt_id"] for row in data["test"]} == {k for k, a in kept.items() if a.split == "test"}


def test_all_attempts_are_a_config_of_their_own(played, tmp_path):
    done = export(played, tmp_path / "out")
    data = load(tmp_path / "out", "all", cache=tmp_path / "cache")
    assert sum(map(len, data.values())) == 62
    assert done.rows["all"] == {split: len(rows) for split, rows in data.items()}


def test_judged_drawings_say_what_others_read_and_have_a_config_of_their_own(played, tmp_path):
    played.use_quorum(1)
    verified, corrected, rejected, hidden, *_ = (a for a in played.attempts(split="train") if a.model_wrong)
    for attempt, reading in ((verified, 1), (corrected, 7), (rejected, 3), (hidden, 1)):
        played.record_vote(attempt.attempt_id, reading, "judge")
    played.hide(hidden.attempt_id)
    done = export(played, tmp_path / "out")
    rows = load(tmp_path / "out", "verified", cache=tmp_path / "cache")["train"]
    assert {row["attempt_id"]: (row["label"], row["state"], row["judged_label"]) for row in rows} == {
        verified.attempt_id: (1, "verified", 1),
        corrected.attempt_id: (1, "corrected", 7),
    }
    fooling = load(tmp_path / "out", cache=tmp_path / "cache")["train"]
    assert {rejected.attempt_id, hidden.attempt_id}.isdisjoint(fooling["attempt_id"])
    assert done.rows["verified"] == {"train": 2, "test": 0}


def test_a_retracted_drawing_is_not_exported(played, tmp_path):
    gone = next(played.attempts())
    played.retract(gone.attempt_id, gone.annotator)
    export(played, tmp_path / "out")
    data = load(tmp_path / "out", "all", cache=tmp_path / "cache")
    assert gone.attempt_id not in {row["attempt_id"] for rows in data.values() for row in rows}


def test_without_a_drawing_there_is_nothing_to_export(ledger, tmp_path):
    with pytest.raises(Refused, match="there are no drawings yet"):
        export(ledger, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_split_without_drawings_is_left_out(ledger, tmp_path):
    (attempt,) = add_attempts(ledger, 1)
    export(ledger, tmp_path / "out")
    assert set(load(tmp_path / "out", cache=tmp_path / "cache")) == {attempt.split}


def test_when_nothing_fooled_the_attempts_load(ledger, tmp_path):
    add_attempts(ledger, 1, label=3)
    export(ledger, tmp_path / "out")
    assert sum(map(len, load(tmp_path / "out", cache=tmp_path / "cache").values())) == 1


def test_a_second_export_replaces_the_first_and_nothing_else(played, tmp_path):
    folder = tmp_path / "out"
    export(played, folder)
    add_attempts(played, 1, annotator="later")
    assert sum(export(played, folder).rows["all"].values()) == 63
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.tex").write_text("precious")
    with pytest.raises(Refused, match="holds other files"):
        export(played, other)
    assert (other / "chapter1.tex").read_text() == "precious"


def test_an_export_that_fails_leaves_the_earlier_one_and_nothing_else(played, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    export(played, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    monkeypatch.setattr("flagging.dataset.dataset_card", full)
    with pytest.raises(OSError, match="No space left"):
        export(played, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    assert not (tmp_path / ".out.new").exists()


def test_strokes_in_the_dataset_draw_its_images(ledger, tmp_path):
    from model.strokes import check_strokes, rasterise

    ledger.record_attempt(FakeAnswer(strokes=PLAIN[8]), 8, "ann", "try-0001")
    export(ledger, tmp_path / "out")
    (row,) = [r for rows in load(tmp_path / "out", "all", cache=tmp_path / "cache").values() for r in rows]
    assert (rasterise(check_strokes(json.loads(row["strokes"]))) == np.asarray(row["image"])).all()
