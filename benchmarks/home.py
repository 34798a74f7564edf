"""Play rounds into a data folder and keep it: `python -m benchmarks.home --out FOLDER`.

24 writers' pen digits in natural framing go through the real ledger, fine-tuning and gate, in the order of
`benchmarks.arms` for the same seed. What is left behind is an ordinary data folder, with every round's weights and
frozen test drawings: `HOODWINK_HOME=FOLDER python -m evaluation report` reads it, and so does the app.
"""

import random
import sys
import uuid
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.collection import pool_and_unseen, supply
from benchmarks.server import MNIST
from flagging.home import Home
from model.clean_digits import load_clean_digits
from model.served import ServedModel
from model.weights import install_shipped, load_weights
from retrain.rounds import close_round
from retrain.settings import FineTuningRecipe, RoundSettings


def main(
    out: Annotated[Path, typer.Option(help="The data folder to make; it must not hold a ledger yet.")],
    rounds: Annotated[int, typer.Option(help="Rounds to play.")] = 5,
    threshold: Annotated[int, typer.Option(help="Fooling drawings a round.")] = 60,
    seed: Annotated[int, typer.Option(help="Order of the drawings.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads; sums differ in their last digits with their number.")] = 2,
) -> None:
    """Play rounds and print the weights each of them made."""
    # One key, so that the same drawings are held out wherever this runs.
    home = Home(out, f"benchmark of rounds {seed}".encode())
    if home.ledger_path.exists():
        raise SystemExit(f"there is a ledger in {out} already; give a new folder")
    torch.set_num_threads(threads)
    clean = load_clean_digits(MNIST, MNIST)
    ledger = home.open_ledger(create=True)
    ledger.start(install_shipped(home.weights))
    settings = RoundSettings(fooling_threshold=threshold)
    drawings = supply(pool_and_unseen()[0], random.Random(seed))
    for _ in range(rounds):
        served = ServedModel(load_weights(home.weights, ledger.served().weights_id), ledger.served().number)
        while ledger.open_round().ready < threshold:
            digit = next(drawings)
            writer = ledger.annotator(f"pendigits-writer-{digit.writer}")
            ledger.record_attempt(served.answer(digit.strokes), digit.label, writer, str(uuid.uuid4()))
        closed = close_round(ledger, home.weights, lambda: clean, settings, FineTuningRecipe(), lambda *_: None)
        counts = closed.counts
        print(
            f"round {closed.number}: {counts.fooling} of {counts.attempts} fooled it, {len(closed.test_set)} held out, "
            f"{closed.decision}, weights {closed.weights_id}, clean accuracy {closed.figures['clean_accuracy_after']:.4f}"
        )
        sys.stdout.flush()
    ledger.close()


if __name__ == "__main__":
    typer.run(main)
