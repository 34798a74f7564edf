"""python -m evaluation report | robustness | failures | compare | train"""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import print as show_markup
from rich.markup import escape
from rich.progress import Progress

if TYPE_CHECKING:
    from torch import nn

    from evaluation.study import Study
    from model.clean_digits import CleanDigits

app = typer.Typer(help="What breaks the model, how badly, and why.", no_args_is_help=True, add_completion=False)
WHICH = "Id or file of weights; those served in HOODWINK_HOME, or the shipped round-0 ones, if not given."
AsJson = Annotated[bool, typer.Option("--json", help="Figures as JSON.")]


class StudyName(StrEnum):
    mnist = "mnist"
    cifar10 = "cifar10"


class Data(StrEnum):
    test = "test"
    fooling = "fooling"


class Recipe(StrEnum):
    label_smoothing = "label-smoothing"
    adversarial = "adversarial"


class AttackName(StrEnum):
    evoba = "evoba"
    epsilon_greedy = "epsilon-greedy"
    simba = "simba"


StudyOption = Annotated[StudyName, typer.Option("--study", help="Which data and network.")]
Cifar10Folder = Annotated[
    Path | None,
    typer.Option(
        "--cifar10-dir", help="Folder that holds cifar-10-batches-py; HOODWINK_HOME, and a download, if not given."
    ),
]

Device = Annotated[str, typer.Option(help="What a ResNet-18 runs on, such as cuda.")]


def load_digits() -> "CleanDigits":
    from model.clean_digits import load_clean_digits

    folder = os.environ.get("HOODWINK_MNIST_DIR")
    return load_clean_digits(Path(folder) if folder else None, data_folder())


def show(text: object) -> None:
    """Print what may hold brackets, such as a path, as it is."""
    show_markup(escape(str(text)))


def data_folder() -> Path:
    return Path(os.environ.get("HOODWINK_HOME") or "data")


@app.command()
def report(
    weights_id: Annotated[
        str | None,
        typer.Argument(help=WHICH),
    ] = None,
    against: Annotated[str | None, typer.Option(help="Other weights to compare with, image by image.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report; HOODWINK_HOME/reports/WEIGHTS_ID if not given.")
    ] = None,
    attacked: Annotated[int, typer.Option(min=1, help="The first so many test digits are attacked.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of attacks and shifts.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Everything the weights may meet: clean, fooling, attacked and shifted digits; JSON, Markdown, figures, a page."""
    from evaluation.report import ReportSettings
    from evaluation.report_run import run_report
    from flagging.home import Home

    settings = ReportSettings(attacked=attacked, seed=seed)
    with Progress(disable=as_json) as progress:
        task = progress.add_task("report", total=1.0)

        def tell(stage: str, done: float) -> None:
            progress.update(task, completed=done, description=stage)

        home = Home.from_environment(os.environ)
        figures, folder = run_report(home, load_digits, weights_id, against, settings, out, tell)
    if as_json:
        print(json.dumps(figures | {"folder": str(folder)}))
    else:
        for sentence in figures["summary"]:
            show(sentence)
        show(f"{folder / 'report.html'}, in {figures['seconds']:.0f} s")


@app.command()
def failures(
    weights: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WEIGHTS_ID]...", help=WHICH),
    ] = None,
    data: Annotated[
        Data, typer.Option(help="Test images, or the fooling drawings held out from training.")
    ] = Data.test,
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least confidence of a wrong reading; 0.9 unless --top is given.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="The so many surest only.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the cases.")] = Path("failures"),
    study: StudyOption = StudyName.mnist,
    cifar10_dir: Cifar10Folder = None,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Wrong and sure of it: a folder per case with what the network looked at, and a contact sheet."""
    from evaluation.conditions import conditions
    from evaluation.failure_files import write_failures
    from evaluation.failures import CONFIDENCE, find_failures, fooling_drawings

    if data is Data.fooling and study is not StudyName.mnist:
        raise ValueError("fooling drawings are digits; leave --study cifar10 or --data fooling out")
    chosen = _study(study, cifar10_dir, device)
    networks = _networks(chosen, weights or [])
    if data is Data.fooling:
        images, source = fooling_drawings(_ledger()), "fooling drawings of all frozen test sets"
    else:
        splits = chosen.load()
        images, source = splits.test, f"{splits.source}, test"
    bound = confidence if confidence is not None or top is not None else CONFIDENCE
    found = find_failures(networks, images, bound, top)
    said = {"data": source, "conditions": conditions()}
    index = write_failures(found, chosen, networks, images, out, said)
    if as_json:
        print(json.dumps({"study": chosen.name, **said, **found.as_json(), "index": str(index)}))
    else:
        show(found.sentence())
        show(f"{index}")


@app.command()
def robustness(
    weights: Annotated[str | None, typer.Argument(metavar="[WEIGHTS_ID]", help=WHICH)] = None,
    attack: Annotated[AttackName, typer.Option(help="How candidates are made.")] = AttackName.evoba,
    images: Annotated[
        int, typer.Option(min=1, help="The first so many MNIST test images; misread ones are not attacked.")
    ] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the attack.")] = 0,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="Most queries an image may cost; what the attack's steps allow if not given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results and figures.")] = Path("robustness"),
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Log the run to MLflow.")] = False,
    tracking_uri: Annotated[
        str | None,
        typer.Option(envvar="MLFLOW_TRACKING_URI", help="Where; sqlite:///HOODWINK_HOME/mlflow.db if not given."),
    ] = None,
    experiment: Annotated[str, typer.Option(help="Experiment in MLflow.")] = "robustness",
    run_name: Annotated[str | None, typer.Option(help="Run in MLflow; attack, weights and seed if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """How few queries fool the model, its gradients unseen: EvoBA, epsilon-greedy or SimBA on all images at once."""
    from evaluation.robustness_run import Tracking, in_words, run_robustness
    from evaluation.weights_by_name import find_weights
    from flagging.home import Home

    if mlflow:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    chosen, digits = find_weights(Home.from_environment(os.environ), weights), load_digits()
    tracking = Tracking(
        run_name or f"{attack} {chosen.id} seed {seed}",
        experiment,
        tracking_uri or f"sqlite:///{data_folder().resolve() / 'mlflow.db'}",
    )
    with Progress(disable=as_json) as progress:
        task = progress.add_task(attack, total=None)
        figures = run_robustness(
            chosen,
            digits.test,
            images,
            digits.source,
            attack,
            seed,
            budget,
            out,
            tracking if mlflow else None,
            lambda done, of: progress.update(task, completed=done, total=of),
        )
    if as_json:
        print(json.dumps(figures))
    else:
        show("\n".join(in_words(figures)))


@app.command()
def compare(
    recipe: Annotated[Recipe, typer.Option(help="What the second network is trained with.")],
    seeds: Annotated[int, typer.Option(min=1, help="Train both so many times: seeds 1, 2, ...")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of each training; a full one if not given.")] = None,
    attacked: Annotated[
        int, typer.Option(min=1, help="Adversarial: so many attacked training digits are added.")
    ] = 1000,
    augmented: Annotated[
        bool,
        typer.Option(
            "--augmented/--plain-digits", help="Adversarial: train with small rotations and shifts, or without."
        ),
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; compare-RECIPE if not given.")] = None,
    study: StudyOption = StudyName.mnist,
    cifar10_dir: Cifar10Folder = None,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Train a network with a recipe and one without, everything else equal, and put both side by side."""
    folder = out or Path(f"compare-{recipe}")
    folder.mkdir(parents=True, exist_ok=True)  # hours of training are not to end at a folder that cannot be made
    if recipe is Recipe.adversarial:
        if study is not StudyName.mnist:
            raise ValueError("adversarial training is compared on digits; leave --study cifar10 out")
        _compare_adversarial(range(1, seeds + 1), epochs, attacked, augmented, folder, as_json)
        return
    _compare_label_smoothing(_study(study, cifar10_dir, device), range(1, seeds + 1), epochs, folder, as_json)


def _compare_adversarial(
    seeds: range, epochs: int | None, attacked: int, augmented: bool, out: Path, as_json: bool
) -> None:
    from evaluation.adversarial_files import write_adversarial
    from evaluation.adversarial_training import compare, settings_for
    from evaluation.extras import need
    from model.training import TrainingRecipe

    for module, package in (("art.attacks.evasion", "adversarial-robustness-toolbox"), ("scipy.special", "scipy")):
        need(module, package)
    settings = settings_for(attacked, epochs or TrainingRecipe.epochs, augmented)
    with Progress(disable=as_json) as progress:
        task = progress.add_task("training", total=1.0)

        def report(stage: str, done: float) -> None:
            progress.update(task, completed=done, description=stage)

        for so_far in compare(load_digits(), seeds, settings, report):
            figures = {"summary": write_adversarial(so_far, out), **so_far}  # after each seed: none is lost
    if as_json:
        print(json.dumps(figures))
    else:
        for sentence in figures["summary"]:
            show(sentence)
        show(f"{out / 'adversarial.md'}")


def _compare_label_smoothing(study: "Study", seeds: range, epochs: int | None, out: Path, as_json: bool) -> None:
    from evaluation.extras import need
    from evaluation.label_smoothing import compare
    from evaluation.label_smoothing_files import write_comparison

    for module, package in (("matplotlib.figure", "matplotlib"), ("scipy.special", "scipy")):
        need(module, package)
    data = study.load()
    with Progress(disable=as_json) as progress:
        task = progress.add_task("training", total=1.0)

        def report(stage: str, done: float) -> None:
            progress.update(task, completed=done, description=stage)

        for so_far in compare(study, data, seeds, epochs or study.epochs, report):
            figures = write_comparison(so_far, study, data, out)  # after each seed: none is lost
    if as_json:
        print(json.dumps(figures))
    else:
        for sentence in figures["summary"]:
            show(sentence)
        show(f"{out / 'summary.md'}")


@app.command("train")
def train_command(
    study: StudyOption = StudyName.cifar10,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="A full training if not given.")] = None,
    label_smoothing: Annotated[float, typer.Option(min=0, max=0.99, help="Share spread over all classes.")] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the weights file; where the other commands look if not given.")
    ] = None,
    cifar10_dir: Cifar10Folder = None,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Train the network of a study; round-0 digit weights come from `python -m model train`."""
    from evaluation.study_training import train_and_save

    chosen = _study(study, cifar10_dir, device)
    with Progress(disable=as_json) as progress:
        task = progress.add_task("training", total=None)
        figures = train_and_save(
            chosen,
            seed,
            epochs or chosen.epochs,
            label_smoothing,
            out or _weights_folder(chosen),
            lambda step, of: progress.update(task, completed=step, total=of),
        )
    if as_json:
        print(json.dumps(figures))
    else:
        accuracy = figures["test_accuracy"]
        show(f"weights {figures['weights_id']}: {accuracy['hits']} of {accuracy['n']} {figures['source']} test images")


def _study(name: StudyName, cifar10_folder: Path | None, device: str = "cpu") -> "Study":
    if name is StudyName.cifar10:
        from evaluation.cifar10 import cifar10

        return cifar10(cifar10_folder or data_folder(), download=cifar10_folder is None, device=device)
    from evaluation.study import mnist

    if device != "cpu":
        raise ValueError(f"the digit network runs on the cpu; leave --device {device} out, or add --study cifar10")
    return mnist(load_digits)


def _ledger() -> Any:
    from flagging.home import Home

    return Home.from_environment(os.environ).open_ledger()


def _networks(study: "Study", names: list[str]) -> "dict[str, nn.Module]":
    """Networks by the id of their weights, each once."""
    from evaluation.weights_by_name import find_weights
    from flagging.home import Home
    from model.weights import load_weights, read_weights

    if study.name == StudyName.mnist:
        home = Home.from_environment(os.environ)
        wanted: list[str | None] = [*names] or [None]
        found = [find_weights(home, name) for name in wanted]
    elif names:
        folder = _weights_folder(study)
        found = [
            read_weights(Path(name), blank=study.build)
            if name.endswith(".safetensors")
            else load_weights(folder, name, study.build)
            for name in names
        ]
    else:
        raise ValueError(
            f"no {study.name} weights come with Hoodwink; `python -m evaluation train --study {study.name}` makes some, "
            "and tells the id to give here"
        )
    loaded: dict[str, nn.Module] = {}
    for weights in found:
        loaded[weights.id] = study.build()
        loaded[weights.id].load_state_dict(weights.tensors)
        loaded[weights.id].eval()
    return loaded


def _weights_folder(study: "Study") -> Path:
    return data_folder() / "weights" if study.name == StudyName.mnist else data_folder() / study.name / "weights"


def main() -> None:
    try:
        app()
    except (RuntimeError, ValueError, OSError) as error:
        raise SystemExit(f"evaluation: {error}") from error


if __name__ == "__main__":
    main()
