import csv
import json
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from typer.testing import CliRunner

from evaluation import __main__ as commands
from evaluation import study as studies
from evaluation.calibration import calibrate
from evaluation.label_smoothing import SIDES, case_rows, compare
from evaluation.label_smoothing_files import summary, write_comparison
from model.training import TrainingRecipe, train
from model.weights import read_weights
from tests.made import made_digits


def nothing(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def study():
    return studies.mnist(made_digits)


@pytest.fixture(scope="module")
def data(study):
    return study.load()


@pytest.fixture(scope="module")
def comparison(study, data):
    return list(compare(study, data, [4, 7], epochs=3, report=nothing))[-1]


def test_both_sides_differ_in_smoothing_alone(comparison):
    digits = made_digits().train
    for pair in comparison.runs:
        for run, smoothing in zip(pair, (0.0, 0.1), strict=True):
            recipe = TrainingRecipe(epochs=3, label_smoothing=smoothing)
            again = train(digits, recipe, run.seed, nothing).state_dict()
            assert all(torch.equal(again[name], tensor) for name, tensor in run.network.state_dict().items())


def test_the_test_set_is_only_reported(study, data, comparison):
    other = replace(data, test=replace(data.test, labels=data.test.labels.roll(1)))
    *_, blind = compare(study, other, [4, 7], epochs=3, report=nothing)
    for pair, blind_pair in zip(comparison.runs, blind.runs, strict=True):
        for run, blind_run in zip(pair, blind_pair, strict=True):
            assert run.epochs == blind_run.epochs
            assert torch.equal(run.probabilities, blind_run.probabilities)


def test_the_figures_are_those_of_the_networks(data, comparison):
    run = comparison.runs[1][1]
    with torch.inference_mode():
        logits = run.network(data.test.images / 255).double()
    assert run.accuracy.hits == int((logits.argmax(1) == data.test.labels).sum())
    assert run.loss == pytest.approx(float(F.cross_entropy(logits, data.test.labels)), abs=1e-5)
    assert run.calibration == calibrate(torch.softmax(logits, 1), data.test.labels)
    assert len(run.epochs) == 3
    with torch.inference_mode():
        last = run.network(data.validation.images / 255).double()
    assert run.epochs[-1]["validation_loss"] == pytest.approx(
        float(F.cross_entropy(last, data.validation.labels)), abs=1e-5
    )
    assert run.epochs[-1]["validation_accuracy"] == float((last.argmax(1) == data.validation.labels).double().mean())


def test_differences_are_paired_by_seed(comparison):
    accuracy = comparison.figures["measures"]["accuracy"]
    differences = [smoothed.accuracy.value - baseline.accuracy.value for baseline, smoothed in comparison.runs]
    assert accuracy["difference"]["mean"] == pytest.approx(sum(differences) / 2)
    assert accuracy["difference"]["n"] == 2


def test_errors_are_counted_among_equally_many_of_the_surest(data, comparison):
    baseline, smoothed = comparison.runs[0]
    count = int((baseline.probabilities.amax(1) >= 0.9).sum())
    order = sorted(range(len(data.test)), key=lambda i: -float(smoothed.probabilities[i].max()))[:count]
    wrong = [i for i in order if int(smoothed.probabilities[i].argmax()) != int(data.test.labels[i])]
    assert smoothed.errors_among_surest == len(wrong)
    assert baseline.errors_among_surest == baseline.confident_failures


def test_a_case_of_either_side_is_a_row_with_both(study, data, comparison):
    right, wrong = data.test.labels[0], (data.test.labels[0] + 1) % 10
    baseline = F.one_hot(data.test.labels, 10).double()
    smoothed = baseline.clone()
    smoothed[0] = 0.05 * F.one_hot(right, 10) + 0.95 * F.one_hot(wrong, 10)
    pair = comparison.runs[0]
    made = (replace(pair[0], probabilities=baseline), replace(pair[1], probabilities=smoothed))
    assert case_rows(replace(comparison, runs=[made]), study, data.test) == [
        {
            "seed": 4,
            "case": "test-00000",
            "true": str(int(right)),
            "baseline_prediction": str(int(right)),
            "baseline_confidence": 1.0,
            "baseline_probability_of_true": 1.0,
            "smoothed_prediction": str(int(wrong)),
            "smoothed_confidence": 0.95,
            "smoothed_probability_of_true": 0.05,
        }
    ]


def test_everything_is_written(tmp_path, study, data, comparison):
    figures = write_comparison(comparison, study, data, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "cases", "cases.csv", "comparison.json", "curves.png", "epochs.csv", "reliability.png", "summary.md", "weights",
    }  # fmt: skip
    with (tmp_path / "epochs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["side"], row["epoch"]) for row in rows] == [
        (seed, side, str(epoch)) for seed in ("4", "7") for side in SIDES for epoch in (1, 2, 3)
    ]
    assert json.loads((tmp_path / "comparison.json").read_text())["weights"] == figures["weights"]
    kept = read_weights(tmp_path / "weights" / f"{figures['weights'][0]['smoothed']}.safetensors")
    assert kept.card.recipe == study.recipe_of(3, 0.1)
    assert kept.card.recipe["batch"] == TrainingRecipe().batch
    assert all(sentence in (tmp_path / "summary.md").read_text() for sentence in figures["summary"])


def figures_with(low: float | None, high: float | None, mean: float) -> dict:
    each = {"mean": 0.5, "low": None, "high": None, "n": 3}
    of = dict.fromkeys(SIDES, each) | {"difference": {"mean": mean, "low": low, "high": high, "n": 3}}
    names = ("accuracy", "loss", "ece", "confidence", "confident_failures", "errors_among_surest")
    data = {"source": "MNIST", "train": 10, "validation": 5, "test": 5}
    return {"smoothing": 0.1, "epochs": 1, "seeds": [1, 2, 3], "data": data, "measures": dict.fromkeys(names, of)}


@pytest.mark.parametrize(
    ("low", "high", "mean", "accuracy", "loss"),
    [
        (0.001, 0.003, 0.002, "better", "worse"),
        (-0.003, -0.001, -0.002, "worse", "better"),
        (-0.001, 0.003, 0.001, "no difference shown", "no difference shown"),
        (None, None, 0.5, "one seed shows nothing", "one seed shows nothing"),
    ],
)
def test_nothing_is_claimed_that_the_interval_does_not_carry(low, high, mean, accuracy, loss):
    _, first, second, *_ = summary(figures_with(low, high, mean))
    assert first.startswith("Accuracy: 50.00 without, 50.00 with; difference")
    assert first.endswith(f": {accuracy}.")
    assert second.endswith(f": {loss}.")


@pytest.mark.parametrize(
    ("seeds", "smoothing", "message"),
    [([], 0.1, "the seeds are"), ([1, 1], 0.1, "each once"), ([1], 0, "smoothing is 0")],
)
def test_a_comparison_of_nothing_is_refused(study, data, seeds, smoothing, message):
    with pytest.raises(ValueError, match=message):
        next(compare(study, data, seeds, 1, nothing, smoothing))


def test_the_command_compares_both(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "load_digits", made_digits)
    arguments = [
        "compare",
        "--recipe",
        "label-smoothing",
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--out",
        str(tmp_path),
        "--json",
    ]
    figures = json.loads(CliRunner().invoke(commands.app, arguments, catch_exceptions=False).stdout)
    assert (figures["seeds"], figures["epochs"], len(figures["runs"])) == ([1, 2], 1, 4)
