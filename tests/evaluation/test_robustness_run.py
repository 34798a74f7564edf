import json

import pytest
from typer.testing import CliRunner

from evaluation.__main__ import app
from evaluation.robustness_run import in_words, run_robustness
from model.weights import SHIPPED_FOLDER, load_weights, shipped_weights_id


@pytest.fixture
def command(mnist_folder, tmp_path, monkeypatch):
    """`python -m evaluation robustness` with some words, beginning in an empty folder."""
    monkeypatch.setenv("HOODWINK_MNIST_DIR", str(mnist_folder.resolve()))
    monkeypatch.setenv("HOODWINK_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["robustness", *words])


TIMES = {"created_at", "seconds", "queries_per_second"}  # differ from run to run


def shipped():
    return load_weights(SHIPPED_FOLDER, shipped_weights_id())


@pytest.mark.parametrize("attack", ["evoba", "epsilon-greedy", "simba"])
def test_figures_come_with_their_conditions(attack, small_digits, tmp_path):
    told = []
    figures = run_robustness(
        shipped(), small_digits.test, 12, "made", attack, 4, 200, tmp_path, None, lambda *counts: told.append(counts)
    )
    raw = json.loads((tmp_path / "robustness.json").read_text())
    assert raw["conditions"]["weights_id"] == shipped_weights_id()
    assert raw["conditions"]["data"] == figures["data"] == "made, test, the first 12"
    assert raw["conditions"]["versions"]["torch"]
    assert (raw["seed"], raw["budget"]) == (4, 200)
    assert raw["queries_succ"] == figures["queries_succ"]
    assert told[-1][1] == figures["count_attacked"]


def test_the_words_say_what_was_done_and_how_sure_it_is(small_digits, tmp_path):
    figures = run_robustness(shipped(), small_digits.test, 12, "made", "evoba", 4, 31, tmp_path, None, lambda *_: None)
    said = "\n".join(in_words(figures))
    assert f"weights {shipped_weights_id()}, made, test, the first 12: EvoBA, budget 31 queries, seed 4" in said
    assert f"fooled {figures['count_succ']} of {figures['count_attacked']} attacked" in said
    assert "95 % interval" in said


def test_the_command_gives_figures_as_json(command, tmp_path):
    result = command("--images", "3", "--seed", "2", "--out", "made", "--json")
    figures = json.loads(result.stdout)
    assert (figures["count_given"], figures["seed"], figures["weights_id"]) == (3, 2, shipped_weights_id())
    assert (tmp_path / "made/robustness.json").exists()
    again = json.loads(command("--images", "3", "--seed", "2", "--json").stdout)
    assert {name for name in figures if figures[name] != again[name]} <= TIMES | {"folder"}
    assert {"torch", "numpy"} <= set(figures["versions"])


def test_the_command_speaks_plainly(command):
    result = command("--images", "3", "--attack", "simba", "--budget", "20")
    assert result.exit_code == 0
    assert "SimBA, budget 20" in " ".join(result.stdout.split())
    assert "fooled" in result.stdout


@pytest.mark.parametrize("words", [["--attack", "other"], ["--images", "0"], ["--budget", "0"]])
def test_words_that_make_no_sense_are_refused(command, words):
    assert command(*words).exit_code == 2


def test_weights_that_are_not_there_are_named(command):
    with pytest.raises(ValueError, match="weights 0123456789abcdef are not in"):
        raise command("0123456789abcdef").exception
