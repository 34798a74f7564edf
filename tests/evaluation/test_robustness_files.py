import json

import pytest
import torch

from evaluation import robustness_files
from evaluation.black_box import EvoBA, attack_images
from evaluation.robustness import robustness_statistics
from evaluation.robustness_files import save_artifacts
from tests.attacked import attacked_images, brightness

NAMES = {"robustness.json", "queries.png", "l0.png", "l2.png", "accuracy_by_queries.png", "examples.png"}


def test_everything_is_written(tmp_path):
    files = save_artifacts(attacked_images(), tmp_path / "made", {"weights_id": "abc"})
    assert {path.name for path in files} == NAMES
    assert {path.name for path in (tmp_path / "made").iterdir()} == NAMES
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in files if path.suffix == ".png")


def test_the_raw_results_are_the_statistics_with_their_conditions(tmp_path):
    attacked = attacked_images()
    save_artifacts(attacked, tmp_path, {"weights_id": "abc"})
    raw = json.loads((tmp_path / "robustness.json").read_text())
    assert raw.pop("conditions") == {"weights_id": "abc"}
    every = raw.pop("images")
    assert every["queries"] == attacked.queries.tolist()
    assert [
        seen != label for seen, label in zip(every["after"], every["labels"], strict=True)
    ] == attacked.fooled.tolist()
    assert raw == json.loads(json.dumps(robustness_statistics(attacked)))


def test_each_histogram_is_of_the_quantity_it_names(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(robustness_files, "_histogram", lambda path, numbers, *_: drawn.update({path.name: numbers}))
    attacked = attacked_images()
    save_artifacts(attacked, tmp_path)
    figures = robustness_statistics(attacked)
    assert drawn == {
        "queries.png": figures["queries_succ"],
        "l0.png": figures["l0_dists_succ"],
        "l2.png": figures["l2_dists_succ"],
    }
    assert figures["l0_dists_succ"] != figures["l2_dists_succ"]


@pytest.mark.parametrize(
    "attacked",
    [
        attacked_images(channels=3),
        attacked_images(count=1),
        attacked_images(steps=1),
        attack_images(brightness, torch.zeros(2, 5, 5, dtype=torch.uint8), [1, 1], EvoBA()),
        attack_images(brightness, torch.zeros(0, 5, 5), [], EvoBA()),
    ],
    ids=["colour", "one image", "nothing succeeds", "nothing read correctly", "no images"],
)
def test_edge_cases_are_drawn_too(attacked, tmp_path):
    assert {path.name for path in save_artifacts(attacked, tmp_path)} == NAMES
