"""python -m model train | evaluate | rehearsal"""

import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show
from rich.progress import Progress

from model.clean_digits import CleanDigits, load_clean_digits
from model.rehearsal import MixtureSettings, fit, load_mixtures, save_mixtures
from model.training import TrainingRecipe, predict_digits, train
from model.weights import SHIPPED_FOLDER, Card, build_network, load_weights, save_weights, shipped_weights_id

app = typer.Typer(help="The digit classifier.", no_args_is_help=True, add_completion=False)
AsJson = Annotated[bool, typer.Option("--json", help="Figures as JSON.")]


def load_digits() -> CleanDigits:
    folder = os.environ.get("HOODWINK_MNIST_DIR")
    return load_clean_digits(Path(folder) if folder else None, data_folder())


def data_folder() -> Path:
    return Path(os.environ.get("HOODWINK_HOME") or "data")


@app.command("train")
def train_command(
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = 1,
    epochs: Annotated[int, typer.Option(min=1)] = TrainingRecipe.epochs,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the weights file; HOODWINK_HOME/weights if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train round-0 weights on the 55,000 MNIST training digits that are not clean validation."""
    digits = load_digits()
    recipe = replace(TrainingRecipe(), epochs=epochs)
    with Progress(disable=as_json) as progress:
        task = progress.add_task("training", total=None)
        network = train(digits.train, recipe, seed, lambda step, of: progress.update(task, completed=step, total=of))
    scores = {
        "clean_validation_after": float(
            (predict_digits(network, digits.validation.images) == digits.validation.labels).float().mean()
        ),
        "clean_accuracy_after": float(
            (predict_digits(network, digits.test.images) == digits.test.labels).float().mean()
        ),
    }
    card = Card(
        parent=None,
        round=0,
        seed=seed,
        recipe=asdict(recipe),
        data={"clean": "MNIST", "clean_digits": len(digits.train)},
        scores=scores,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    weights = save_weights(network, card, out or data_folder() / "weights")
    if as_json:
        print(json.dumps({"weights_id": weights.id, "seed": seed, **scores}))
    else:
        show(f"weights {weights.id}: clean validation {scores['clean_validation_after']:.4f} (5,000 digits)")
        show(f"clean accuracy {scores['clean_accuracy_after']:.4f} (10,000 MNIST test digits)")


@app.command()
def evaluate(
    weights_id: Annotated[
        str | None, typer.Argument(help="Which weights; the shipped round-0 weights if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Clean accuracy of weights on the 10,000 MNIST test digits."""
    folder = SHIPPED_FOLDER if weights_id in (None, shipped_weights_id()) else data_folder() / "weights"
    weights = load_weights(folder, weights_id or shipped_weights_id())
    test = load_digits().test
    seen = predict_digits(build_network(weights), test.images)
    right = int((seen == test.labels).sum())
    figures = {
        "weights_id": weights.id,
        "clean_accuracy": right / len(test),
        "n": len(test),
        "round": weights.card.round,
    }
    if as_json:
        print(json.dumps(figures))
    else:
        show(f"weights {weights.id}: clean accuracy {right / len(test):.4f}, {right} of {len(test)} MNIST test digits")


@app.command()
def rehearsal(
    out: Annotated[
        Path | None, typer.Option(help="Folder for digits.safetensors; HOODWINK_HOME/rehearsal if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the mixtures.")] = MixtureSettings.seed,
    as_json: AsJson = False,
) -> None:
    """Fit the small model of MNIST that rounds rehearse on where MNIST is out of reach; takes half a minute."""
    digits, settings = load_digits(), replace(MixtureSettings(), seed=seed)
    with Progress(disable=as_json) as progress:
        task = progress.add_task("fitting", total=10)
        mixtures = fit(digits.train, settings, lambda digit, of: progress.update(task, completed=digit, total=of))
    path = (out or data_folder() / "rehearsal") / "digits.safetensors"
    data = {"clean": digits.source, "clean_digits": len(digits.train)}
    size = save_mixtures(mixtures, path, {**asdict(settings), "data": data})
    generated = load_mixtures(path).sample(500, seed=2)
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))
    right = int((predict_digits(network, generated.images) == generated.labels).sum())
    figures = {"file": str(path), "bytes": size, "round0_accuracy": right / len(generated), "n": len(generated)}
    if as_json:
        print(json.dumps(figures))
    else:
        show(f"{path}: {size} bytes; round-0 weights read {right} of {len(generated)} generated digits")


def main() -> None:
    try:
        app()
    except (RuntimeError, ValueError) as error:
        raise SystemExit(f"model: {error}") from error


if __name__ == "__main__":
    main()
