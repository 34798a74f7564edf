"""How often the gate promotes a good candidate, and sabotaged ones: `python -m benchmarks.gate`.

Rounds of ten from the shipped round-0 weights, each with another order of pen digits. Writes docs/gate.md and docs/gate.json.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.adversary import as_images
from benchmarks.arms import DOCS, spread
from benchmarks.collection import digits_of, pool_and_unseen, round0_network, supply
from benchmarks.server import MNIST
from evaluation.metrics import accuracy, share
from flagging.ledger import TEST_SHARE
from model.clean_digits import CleanDigits, Digits, load_clean_digits
from model.network import Network
from model.strokes import Drawing, check_strokes
from model.training import predict_digits
from model.weights import Card
from retrain.fine_tuning import fine_tune
from retrain.gate import GateSettings, Readings, Verdict, decide
from retrain.mixing import bent_digits
from retrain.rounds import read
from retrain.settings import FineTuningRecipe

CANDIDATES = {
    "good": "made as the product makes it, from the fooling drawings alone",
    "wrong labels": "every drawing learnt as another digit, by chance",
    "3 as 8": "every clean three learnt as an eight",
    "forgetful": "learnt from the drawings alone, no clean digits",
    "noise": "served weights plus noise of a third of their size",
}


def main(
    seeds: Annotated[int, typer.Option(help="Rounds, each with other drawings.")] = 20,
    threshold: Annotated[int, typer.Option(help="Fooling drawings a round.")] = 10,
    jobs: Annotated[int, typer.Option(help="Rounds at once, one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = DOCS,
) -> None:
    """Make good and sabotaged candidates and ask the gate."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        results = []
        for rows in pool.map(decide_all, range(1, seeds + 1), [threshold] * seeds):
            results += rows
            print(
                ", ".join(f"{r['candidate']}: {'promoted' if r['promoted'] else 'refused'}" for r in rows), flush=True
            )
    text = describe(results, seeds, threshold)
    out.mkdir(parents=True, exist_ok=True)
    (out / "gate.json").write_text(json.dumps(results, indent=1))
    (out / "gate.md").write_text(text)
    print(text)


def decide_all(seed: int, threshold: int) -> list[dict[str, Any]]:
    """One round: the same drawings, every candidate, the gate's word on each."""
    torch.set_num_threads(1)
    clean, round0 = load_clean_digits(MNIST, MNIST), round0_network()
    drawings, labels, attempts = _collect(round0, threshold, seed)
    unseen = digits_of(pool_and_unseen()[1])
    rows = []
    for kind in CANDIDATES:
        candidate = _candidate(kind, round0, clean, drawings, labels, seed)
        verdict = _verdict(round0, candidate, clean, attempts)
        lost = accuracy(round0, clean.validation).hits - accuracy(candidate, clean.validation).hits
        failed = [check.name for check in verdict.checks if not check.passed]
        gained = accuracy(candidate, unseen).hits - accuracy(round0, unseen).hits
        row = {"candidate": kind, "seed": seed, "promoted": verdict.promoted, "failed": failed, "lost": lost}
        rows.append(row | {"unseen_gained": 100 * gained / len(unseen)})
    return rows


def _collect(served: Network, threshold: int, seed: int) -> tuple[list[Drawing], list[int], Digits]:
    """Fooling drawings to learn from, and the held-out attempts, fooling or not."""
    drawings = supply(pool_and_unseen()[0], random.Random(seed))
    split, sides = random.Random(f"split {seed}"), dict[tuple[int, int], bool]()
    learnt, labels, tested, truth, fooled = [], [], [], [], 0
    while fooled < threshold:
        digit = next(drawings)
        drawing = check_strokes(digit.strokes)
        wrong = int(predict_digits(served, as_images([drawing]))) != digit.label
        fooled += wrong
        if sides.setdefault((digit.writer, digit.label), split.random() < TEST_SHARE):
            tested.append(drawing)
            truth.append(digit.label)
        elif wrong:
            learnt.append(drawing)
            labels.append(digit.label)
    images = as_images(tested) if tested else torch.zeros(0, 28, 28, dtype=torch.uint8)
    return learnt, labels, Digits(images, torch.tensor(truth, dtype=torch.int64))


def _candidate(
    kind: str, served: Network, clean: CleanDigits, drawings: Sequence[Drawing], labels: Sequence[int], seed: int
) -> Network:
    rng, recipe, digits = np.random.default_rng(seed), FineTuningRecipe(), clean.train
    if kind == "noise":
        return _with_noise(served, seed)
    if kind == "wrong labels":
        labels = [int((label + rng.integers(1, 10)) % 10) for label in labels]
    if kind == "3 as 8":
        digits = Digits(digits.images, digits.labels.masked_fill(digits.labels == 3, 8))
    if kind == "forgetful":
        recipe = replace(recipe, clean_batch=1, distillation=0.0)
    bent = bent_digits(drawings, labels, recipe.bent_drawings, recipe.bending, rng)
    none = bent_digits([], [], 0, recipe.bending, rng)
    return fine_tune(served, served, digits, bent, none, recipe, seed, lambda *_: None)


def _with_noise(served: Network, seed: int) -> Network:
    network, generator = round0_network(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight, before in zip(network.parameters(), served.parameters(), strict=True):
            weight.copy_(before + before.std() / 3 * torch.randn(before.shape, generator=generator))
    return network


def _verdict(served: Network, candidate: Network, clean: CleanDigits, attempts: Digits) -> Verdict:
    none = Readings(*[torch.zeros(0, dtype=torch.int64)] * 3)
    card = Card(
        "benchmark", 1, 1, {"recipe": 1}, {"clean": 1}, {"clean_validation_after": 1, "clean_accuracy_after": 1}, "now"
    )
    readings = read(clean.validation, served, candidate, served)
    return decide(readings, read(attempts, served, candidate), none, card, GateSettings())


def describe(results: Sequence[dict[str, Any]], seeds: int, threshold: int) -> str:
    lines = [
        f"<!-- written by python -m benchmarks.gate --seeds {seeds} --threshold {threshold} -->",
        "| candidate | promoted | 95 % interval | points lost on clean validation | points gained on unseen writers | refused for |",
        "|---|---|---|---|---|---|",
    ]
    for kind, words in CANDIDATES.items():
        rows = [r for r in results if r["candidate"] == kind]
        promoted = share(sum(r["promoted"] for r in rows), len(rows))
        lost = [r["lost"] / 50 for r in rows]
        why = Counter(name for r in rows for name in r["failed"])
        reasons = ", ".join(f"{name} ({count})" for name, count in why.most_common())
        low, high = 100 * (promoted.low or 0), 100 * (promoted.high or 0)
        lines.append(
            f"| {words} | {promoted.hits} of {promoted.n} | {low:.0f} to {high:.0f} % | {sum(lost) / len(lost):.2f} "
            f"({min(lost):.2f} to {max(lost):.2f}) | {spread([r['unseen_gained'] for r in rows], 1)} | {reasons or '-'} |"
        )
    lines += [
        "",
        f"{seeds} rounds of {threshold} fooling drawings from the round-0 weights, each with another order of pen digits.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
