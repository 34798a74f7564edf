"""Does label smoothing help? Networks trained with it and without, everything else equal, on the same seeds.

Nothing is chosen on the way, so the test set only reports; the curves are drawn on clean validation, which is
split from the training set.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.calibration import Calibration, calibrate
from evaluation.conditions import conditions
from evaluation.failures import CONFIDENCE
from evaluation.metrics import Share, share
from evaluation.spread import Spread, spread
from evaluation.study import Images, Splits, Study, read_probabilities

Side = Literal["baseline", "smoothed"]
SIDES: tuple[Side, Side] = ("baseline", "smoothed")
SMOOTHING = 0.1  # Szegedy et al. 2016 (arXiv 1512.00567), section 7
LOOKED_AT = 5000  # training images whose loss the curves show, as they are: not augmented, targets not smoothed

Report = Callable[[str, float], None]  # a stage in words and how much of all is done, 0 to 1


@dataclass(frozen=True)
class Trained:
    """One network, and what became of it. epochs: a row of figures for each; probabilities: of the test images."""

    side: Side
    seed: int
    network: nn.Module
    epochs: list[dict[str, float]]
    probabilities: Tensor  # (N, classes)
    accuracy: Share
    loss: float
    calibration: Calibration
    confident_failures: int
    errors_among_surest: int


@dataclass(frozen=True)
class Comparison:
    """runs: by seed, the baseline first. figures: plain JSON of it all, as comparison.json holds it."""

    runs: list[tuple[Trained, Trained]]
    figures: dict[str, Any]


def compare(
    study: Study, data: Splits, seeds: Sequence[int], epochs: int, report: Report, smoothing: float = SMOOTHING
) -> Iterator[Comparison]:
    """Train both sides once for each seed and read the test images with them: a comparison after each seed, of all so far.

    Raises ValueError without a seed, with the same seed twice, or where nothing is smoothed.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"the seeds are {list(seeds)}; give at least one, each once")
    if smoothing <= 0:
        raise ValueError(f"smoothing is {smoothing}; smooth by more than 0, or both sides are the same")
    runs = []
    for nth, seed in enumerate(seeds):

        def inner(side: Side, done: float, nth: int = nth, seed: int = seed) -> None:
            report(f"seed {seed}, {side}", (nth + (SIDES.index(side) + done) / 2) / len(seeds))

        baseline = _train(study, data, seed, epochs, "baseline", 0.0, inner)
        smoothed = _train(study, data, seed, epochs, "smoothed", smoothing, inner)
        runs.append((baseline, _as_many_surest(smoothed, data.test, baseline)))
        yield Comparison(list(runs), _figures(study, data, epochs, smoothing, runs))


def _train(
    study: Study,
    data: Splits,
    seed: int,
    epochs: int,
    side: Side,
    smoothing: float,
    report: Callable[[Side, float], None],
) -> Trained:
    rows: list[dict[str, float]] = []
    part = data.train.first(LOOKED_AT)

    def look(epoch: int, loss: float, network: nn.Module) -> None:
        rows.append({"epoch": epoch, "optimised_loss": loss, **_curve_point(network, part, data.validation)})

    network = study.train(data.train, seed, epochs, smoothing, lambda step, of: report(side, step / of), look)
    probabilities, labels = read_probabilities(network, data.test.images), data.test.labels
    confidence, predicted = probabilities.max(1)
    wrong = predicted != labels
    return Trained(
        side=side,
        seed=seed,
        network=network,
        epochs=rows,
        probabilities=probabilities,
        accuracy=share(int((~wrong).sum()), len(labels)),
        loss=_loss(probabilities, labels),
        calibration=calibrate(probabilities, labels),
        confident_failures=int((wrong & (confidence >= CONFIDENCE)).sum()),
        errors_among_surest=int((wrong & (confidence >= CONFIDENCE)).sum()),
    )


def _curve_point(network: nn.Module, train: Images, validation: Images) -> dict[str, float]:
    point: dict[str, float] = {}
    for name, images in (("train", train), ("validation", validation)):
        probabilities = read_probabilities(network, images.images)
        figures = calibrate(probabilities, images.labels)
        point |= {
            f"{name}_loss": _loss(probabilities, images.labels),
            f"{name}_accuracy": figures.accuracy or 0.0,
            f"{name}_ece": figures.ece or 0.0,
            f"{name}_confidence": figures.confidence or 0.0,
        }
    return point


def _loss(probabilities: Tensor, labels: Tensor) -> float:
    """Mean cross-entropy in nats, against the labels themselves: the same measure for both sides."""
    return float(F.nll_loss(probabilities.clamp(min=1e-300).log(), labels))


def _as_many_surest(smoothed: Trained, test: Images, baseline: Trained) -> Trained:
    """Smoothing lowers every confidence, so a fixed bound asks less of it: count errors among equally many images too.

    As many as the baseline reads with the confidence of a confident failure; of the other side its surest.
    """
    count = int((baseline.probabilities.amax(1) >= CONFIDENCE).sum())
    confidence, predicted = smoothed.probabilities.max(1)
    surest = confidence.argsort(descending=True, stable=True)[:count]
    errors = int((predicted != test.labels)[surest].sum())
    return replace(smoothed, errors_among_surest=errors)


MEASURES: dict[str, Callable[[Trained], float]] = {
    "accuracy": lambda run: run.accuracy.value or 0.0,
    "loss": lambda run: run.loss,
    "ece": lambda run: run.calibration.ece or 0.0,
    "confidence": lambda run: run.calibration.confidence or 0.0,
    "confident_failures": lambda run: float(run.confident_failures),
    "errors_among_surest": lambda run: float(run.errors_among_surest),
}


def _figures(
    study: Study, data: Splits, epochs: int, smoothing: float, runs: list[tuple[Trained, Trained]]
) -> dict[str, Any]:
    measures: dict[str, dict[str, Spread]] = {}
    for name, of in MEASURES.items():
        sides = {side: [of(pair[i]) for pair in runs] for i, side in enumerate(SIDES)}
        differences = [b - a for a, b in zip(sides["baseline"], sides["smoothed"], strict=True)]
        measures[name] = {side: spread(values) for side, values in sides.items()} | {"difference": spread(differences)}
    return {
        "recipe": "label-smoothing",
        "study": study.name,
        "smoothing": smoothing,
        "epochs": epochs,
        "seeds": [pair[0].seed for pair in runs],
        "data": {
            "source": data.source,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "conditions": conditions(),
        "measures": {name: {key: asdict(value) for key, value in each.items()} for name, each in measures.items()},
        "runs": [
            {
                "seed": run.seed,
                "side": run.side,
                "accuracy": asdict(run.accuracy),
                "loss": run.loss,
                "confident_failures": run.confident_failures,
                "errors_among_surest": run.errors_among_surest,
                "calibration": asdict(run.calibration),
                "epochs": run.epochs,
            }
            for pair in runs
            for run in pair
        ],
    }


def case_rows(comparison: Comparison, study: Study, data: Images) -> list[dict[str, Any]]:
    """One row a seed and image that either side of that seed reads wrongly with confidence, both sides' readings in it."""
    rows = []
    for pair in comparison.runs:
        readings = [run.probabilities.max(1) for run in pair]
        failed = [(p.indices != data.labels) & (p.values >= CONFIDENCE) for p in readings]
        for i in (failed[0] | failed[1]).nonzero()[:, 0].tolist():
            row: dict[str, Any] = {"seed": pair[0].seed, "case": data.ids[i], "true": study.classes[data.labels[i]]}
            for run, reading in zip(pair, readings, strict=True):
                row |= {
                    f"{run.side}_prediction": study.classes[reading.indices[i]],
                    f"{run.side}_confidence": round(float(reading.values[i]), 6),
                    f"{run.side}_probability_of_true": round(float(run.probabilities[i, data.labels[i]]), 6),
                }
            rows.append(row)
    return rows
