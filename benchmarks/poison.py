"""Hostile annotators: how far judging, the cap and the gate hold: `python -m benchmarks.poison`.

Through the real ledger and the real rounds: part of 24 writers mislabel what they draw, and judge, confirming each other and
calling honest drawings illegible. Writes docs/poison.md and docs/poison.json.
"""

import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.arms import DOCS, spread
from benchmarks.collection import digits_of, pool_and_unseen
from benchmarks.pen_digits import PenDigit
from benchmarks.server import MNIST
from evaluation.metrics import accuracy
from flagging.attempts import Attempt
from flagging.callback import LedgerCallback
from flagging.home import Home
from flagging.judging import NOT_A_DIGIT
from flagging.ledger import Ledger
from model.bending import Bending, as_strokes, bend, random_amounts
from model.clean_digits import load_clean_digits
from model.served import ServedModel
from model.strokes import check_strokes
from model.training import predict_digits
from model.weights import build_network, install_shipped, load_weights
from retrain.mixing import mix
from retrain.rounds import close_round
from retrain.settings import FineTuningRecipe, RoundSettings

ATTACKS = {"random labels": "label at random", "3 as 8": "draw threes, say eights"}
READS_RIGHTLY = 0.97  # of honest judges: our assumption, about what people reach on hasty digits
A_LITTLE = Bending(shift=15, rotation_degrees=5, slant=0.1, scale=0.1, jitter=3)
BROKEN = 2.0  # points below the unpoisoned game on unseen writers


@dataclass(frozen=True)
class Plot:
    """Who is hostile, and what they do."""

    attack: str
    hostile: frozenset[int]  # writers


@dataclass
class Truth:
    """What the ledger does not know: the digit each drawing really shows, and who is who."""

    digit: dict[str, int] = field(default_factory=dict)
    hostile: dict[str, bool] = field(default_factory=dict)  # by attempt


def main(
    rounds: Annotated[int, typer.Option(help="Rounds to play.")] = 3,
    threshold: Annotated[int, typer.Option(help="Usable fooling drawings a round.")] = 60,
    seeds: Annotated[int, typer.Option(help="Games of each kind.")] = 3,
    jobs: Annotated[int, typer.Option(help="Games at once, one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = DOCS,
) -> None:
    """Play with 0, 10, 30 and 50 % hostile annotators, with and without judging."""
    kinds = [("random labels", 0.0, quorum) for quorum in (0, 2)]
    kinds += [(attack, share, quorum) for attack, share, quorum in product(ATTACKS, (0.1, 0.3, 0.5), (0, 2))]
    games = [(*kind, seed) for seed in range(1, seeds + 1) for kind in kinds]
    results = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(play, *game, rounds, threshold) for game in games]:
            results.append(future.result())
            print({name: value for name, value in results[-1].items() if name != "rounds"}, flush=True)
    text = describe(results, rounds, threshold, seeds)
    out.mkdir(parents=True, exist_ok=True)
    (out / "poison.json").write_text(json.dumps(results, indent=1))
    (out / "poison.md").write_text(text)
    print(text)


def play(attack: str, share: float, quorum: int, seed: int, rounds: int, threshold: int) -> dict[str, Any]:
    """One game through a ledger of its own."""
    torch.set_num_threads(1)
    rng = random.Random(seed)
    clean, (pool, unseen) = load_clean_digits(MNIST, MNIST), pool_and_unseen()
    writers = sorted({d.writer for d in pool})
    plot = Plot(attack, frozenset(rng.sample(writers, round(share * len(writers)))))
    settings = RoundSettings(fooling_threshold=threshold, quorum=quorum)
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), f"poison benchmark {seed}".encode())
        ledger = home.open_ledger(create=True)
        ledger.start(install_shipped(home.weights))
        ledger.use_quorum(quorum)
        truth = Truth()
        for _ in range(rounds):
            _collect(ledger, home, pool, plot, threshold, truth, rng)
            round0 = build_network(load_weights(home.weights, ledger.promotions()[0].weights_id))
            learnt = mix(ledger, round0, ledger.open_round().number, settings.max_annotator_share).train
            closed = close_round(ledger, home.weights, lambda: clean, settings, FineTuningRecipe(), lambda *_: None)
            wrong = sum(int(a.digit != truth.digit[a.attempt_id]) for a in learnt)
            told.append(
                {"promoted": closed.decision == "promoted", "learnt": len(learnt), "wrong": wrong, "why": closed.reason}
            )
        network = build_network(load_weights(home.weights, ledger.served().weights_id))
        ledger.close()
    judges = digits_of(unseen)
    threes = judges.images[judges.labels == 3]
    return {
        "attack": attack,
        "hostile": share,
        "quorum": quorum,
        "seed": seed,
        "promoted": sum(r["promoted"] for r in told),
        "mislabelled": sum(r["wrong"] for r in told) / max(sum(r["learnt"] for r in told), 1),
        "unseen": accuracy(network, judges).value,
        "threes_as_eights": float((predict_digits(network, threes) == 8).double().mean()),
        "clean_accuracy": accuracy(network, clean.test).value,
        "rounds": told,
    }


def _collect(
    ledger: Ledger, home: Home, pool: Sequence[PenDigit], plot: Plot, threshold: int, truth: Truth, rng: random.Random
) -> None:
    """Everybody draws, in random turns, and what fools is judged, until the round is due."""
    served = ServedModel(load_weights(home.weights, ledger.served().weights_id), ledger.served().number)
    callback = LedgerCallback(served.answer, ledger)
    by_writer: dict[int, list[PenDigit]] = {}
    for digit in pool:
        if digit.writer not in plot.hostile or plot.attack != "3 as 8" or digit.label == 3:
            by_writer.setdefault(digit.writer, []).append(digit)
    writers = sorted(by_writer)
    while ledger.open_round().ready < threshold:
        writer = rng.choice(writers)
        digit = rng.choice(by_writer[writer])
        amounts = random_amounts(np.random.default_rng(rng.randrange(2**32)))
        strokes = as_strokes(bend(check_strokes(digit.strokes), A_LITTLE, amounts))
        hostile = writer in plot.hostile
        attempt, _ = callback.submit(strokes, _label(digit.label, plot, hostile, rng), f"writer {writer}")
        truth.digit[attempt.attempt_id], truth.hostile[attempt.attempt_id] = digit.label, hostile
        if attempt.model_wrong and ledger.open_round().quorum:
            _judge(ledger, attempt, truth, [w for w in writers if w != writer], plot, rng)


def _label(digit: int, plot: Plot, hostile: bool, rng: random.Random) -> int:
    if not hostile:
        return digit
    return 8 if plot.attack == "3 as 8" else (digit + rng.randrange(1, 10)) % 10


def _judge(ledger: Ledger, attempt: Attempt, truth: Truth, judges: list[int], plot: Plot, rng: random.Random) -> None:
    """Others read it, in random order, until it is decided."""
    for judge in rng.sample(judges, len(judges)):
        if judge in plot.hostile:
            reading: int | str = attempt.label if truth.hostile[attempt.attempt_id] else NOT_A_DIGIT
        elif rng.random() < READS_RIGHTLY:
            reading = truth.digit[attempt.attempt_id]
        else:
            reading = rng.randrange(10)
        voted = ledger.record_vote(attempt.attempt_id, reading, ledger.annotator(f"writer {judge}"))
        if voted.state != "pending":
            return


def describe(results: Sequence[dict[str, Any]], rounds: int, threshold: int, seeds: int) -> str:
    lines = [
        f"<!-- written by python -m benchmarks.poison --rounds {rounds} --threshold {threshold} --seeds {seeds} -->",
        "| hostile annotators | judging | promoted | mislabelled in training | unseen writers | against unpoisoned, points | their threes read as eights | clean accuracy |",
        "|---|---|---|---|---|---|---|---|",
    ]
    kinds = list(dict.fromkeys((r["attack"], r["hostile"], r["quorum"]) for r in results))
    breaks: dict[tuple[str, int], float] = {}
    for attack, share, quorum in sorted(kinds, key=lambda kind: (kind[2], kind[0], kind[1])):
        games = [r for r in results if (r["attack"], r["hostile"], r["quorum"]) == (attack, share, quorum)]
        base = {r["seed"]: r["unseen"] for r in results if (r["hostile"], r["quorum"]) == (0.0, quorum)}
        apart = [100 * (r["unseen"] - base[r["seed"]]) for r in games]
        if share and statistics.mean(apart) < -BROKEN:
            breaks.setdefault((attack, quorum), share)
        who = f"{share:.0%}: {ATTACKS[attack]}" if share else "none"
        cells = (
            who,
            f"quorum {quorum}" if quorum else "none",
            f"{sum(r['promoted'] for r in games)} of {rounds * len(games)}",
            f"{spread([100 * r['mislabelled'] for r in games], 1)} %",
            f"{spread([100 * r['unseen'] for r in games], 1)} %",
            spread(apart, 1) if share else "-",
            f"{spread([100 * r['threes_as_eights'] for r in games], 1)} %",
            f"{spread([100 * r['clean_accuracy'] for r in games], 2)} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    found = "; ".join(
        f"{ATTACKS[attack]}, {f'quorum {quorum}' if quorum else 'no judging'}: "
        + (f"at {breaks[attack, quorum]:.0%}" if (attack, quorum) in breaks else "not up to 50 %")
        for attack, quorum in product(ATTACKS, (0, 2))
    )
    lines += [
        "",
        f"Mean and 95 % interval (t) over {seeds} games of {rounds} rounds of {threshold} usable drawings. Hostile annotators also judge: they confirm "
        f"each other and call honest drawings illegible; honest judges read {READS_RIGHTLY:.0%} rightly (assumed). Where it breaks, "
        f"meaning more than {BROKEN:.0f} points below the unpoisoned game on unseen writers, on average: {found}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
