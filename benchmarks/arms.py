"""Does adversarial collection help? Rounds with other ways to collect, everything else equal: `python -m benchmarks.arms`.

Every arm plays the same rounds with the same recipe, steps, gate and seeds; they differ in what a round learns from.
Six unseen writers judge, and an adversary that adapts counts how many tries it needs. Writes docs/arms.md,
docs/arms.json and the README's main figure, docs/tries.png.
"""

import json
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from scipy.stats import t as student  # type: ignore[import-untyped]

from benchmarks.adversary import READABLE, TRIES, attack
from benchmarks.collection import ARMS, Arm, digits_of, play, pool_and_unseen
from benchmarks.server import MNIST
from benchmarks.tries_figure import draw_tries
from evaluation.metrics import accuracy
from model.clean_digits import load_clean_digits
from model.network import Network
from model.strokes import check_strokes
from retrain.settings import FineTuningRecipe, RoundSettings

DOCS = Path(__file__).parents[1] / "docs"
ATTACKED = 500  # digits of the unseen writers the adversary starts from


def main(
    rounds: Annotated[int, typer.Option(help="Rounds to play.")] = 5,
    threshold: Annotated[int, typer.Option(help="Drawings a round.")] = 60,
    seeds: Annotated[int, typer.Option(help="Games of each arm, each with another order of drawings.")] = 5,
    only: Annotated[
        list[str] | None, typer.Option(help="Arms to play; the results of the others stay as they are in the folder.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Games at once, one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = DOCS,
) -> None:
    """Play every arm and report what each brought."""
    if unknown := set(only or ()) - set(ARMS):
        raise typer.BadParameter(f"there is no arm {', '.join(unknown)}; choose among {', '.join(ARMS)}")
    games = [(arm, seed) for seed in range(1, seeds + 1) for arm in ARMS if not only or arm in only]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(play_and_judge, arm, seed, rounds, threshold) for arm, seed in games]
        results = [r for r in _earlier(out) if only and r["arm"] not in only]
        for future in futures:
            results.append(future.result())
            last = results[-1]["weights"][-1]
            print(
                f"{results[-1]['arm']} {results[-1]['seed']}: unseen {last['natural']:.3f}, {last['tries']:.1f} tries",
                flush=True,
            )
    out.mkdir(parents=True, exist_ok=True)
    results.sort(key=lambda r: (list(ARMS).index(r["arm"]), r["seed"]))
    (out / "arms.json").write_text(json.dumps(results, indent=1))
    table = describe(results, rounds, threshold, seeds)
    (out / "arms.md").write_text(table)
    draw_tries(results, out / "tries.png")
    print(table)


def _earlier(out: Path) -> list[dict[str, Any]]:
    path = out / "arms.json"
    earlier: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return earlier


def play_and_judge(arm: Arm, seed: int, rounds: int, threshold: int) -> dict[str, Any]:
    """One game, and how each round's weights do on what no arm ever saw."""
    torch.set_num_threads(1)
    clean = load_clean_digits(MNIST, MNIST)
    pool, unseen = pool_and_unseen()
    judges = {"natural": digits_of(unseen), "centred": digits_of(pool_and_unseen("centred")[1])}
    game = play(
        arm,
        clean,
        pool,
        rounds=rounds,
        threshold=threshold,
        seed=seed,
        recipe=FineTuningRecipe(),
        settings=RoundSettings(),
    )
    # The same digits for every arm and seed: of all six unseen writers.
    started_from = unseen[:: len(unseen) // ATTACKED][:ATTACKED]
    drawings, labels = [check_strokes(d.strokes) for d in started_from], [d.label for d in started_from]

    def judged(network: Network) -> dict[str, Any]:
        tries = attack(network, drawings, labels, seed=1)
        return {
            "clean_validation": accuracy(network, clean.validation).value,
            "clean_accuracy": accuracy(network, clean.test).value,
            **{framing: accuracy(network, digits).value for framing, digits in judges.items()},
            "tries": float(tries.tries.clip(max=TRIES).mean()),
            "survival": tries.survival().tolist(),
        }

    return {"arm": arm, "seed": seed, "rounds": game.rounds, "weights": [judged(network) for network in game.networks]}


def describe(results: Sequence[dict[str, Any]], rounds: int, threshold: int, seeds: int) -> str:
    """The tables, as Markdown."""
    by_arm = {arm: [r for r in results if r["arm"] == arm] for arm in ARMS}
    lines = [
        f"<!-- written by python -m benchmarks.arms --rounds {rounds} --threshold {threshold} --seeds {seeds} -->",
        "| learnt from | drawings kept / made | promoted | MER fell | unseen writers, natural | centred | tries to fool | clean accuracy |",
        "|---|---|---|---|---|---|---|---|",
        _round0_row(results[0]["weights"][0]),
    ]
    lines += [_row(ARMS[arm], games) for arm, games in by_arm.items() if games]
    lines += ["", *_rounds_of(by_arm["product"])]
    lines += [
        "",
        "| gain on unseen writers, points | per 100 drawings kept | per 100 made | against fooling drawings, same seeds |",
        "|---|---|---|---|",
    ]
    lines += [_gain_row(ARMS[arm], games, by_arm["fooling"]) for arm, games in by_arm.items() if games]
    lines += [
        "",
        f"Mean and 95 % interval (t) over {seeds} games of {rounds} rounds of {threshold} drawings, each with another order of drawings; the "
        f"weights after the last round. Clean accuracy on 10,000 MNIST test digits; unseen writers on {len(pool_and_unseen()[1])} drawings of six; "
        f"tries to fool: the mean number an adversary needs from {ATTACKED} of their digits within {READABLE}, counting "
        f"{TRIES} where it gave up. All arms: same recipe, steps, gate and seeds.",
        "",
    ]
    return "\n".join(lines)


def _rounds_of(games: Sequence[dict[str, Any]]) -> list[str]:
    """What Hoodwink does, round by round."""
    lines = [
        "| round | attempts | MER | promoted | clean accuracy after | unseen writers, natural | centred | tries to fool |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number in range(len(games[0]["rounds"]) if games else 0):
        played = [game["rounds"][number] for game in games]
        after = [game["weights"][number + 1] for game in games]
        cells = (
            str(number + 1),
            spread([r["made"] for r in played], 0),
            f"{spread([100 * r['fooled'] / r['made'] for r in played], 1)} %",
            f"{sum(r['promoted'] for r in played)} of {len(played)}",
            f"{spread([100 * w['clean_accuracy'] for w in after], 2)} %",
            f"{spread([100 * w['natural'] for w in after], 1)} %",
            f"{spread([100 * w['centred'] for w in after], 1)} %",
            spread([w["tries"] for w in after], 1),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _round0_row(weights: dict[str, Any]) -> str:
    return (
        f"| round-0 weights | | | | {100 * weights['natural']:.1f} % | {100 * weights['centred']:.1f} % | "
        f"{weights['tries']:.1f} | {100 * weights['clean_accuracy']:.2f} % |"
    )


def _row(name: str, games: Sequence[dict[str, Any]]) -> str:
    last = [game["weights"][-1] for game in games]
    promoted = sum(r["promoted"] for game in games for r in game["rounds"])
    of = sum(len(game["rounds"]) for game in games)
    kept = statistics.mean(game["rounds"][-1]["kept"] for game in games)
    made = statistics.mean(sum(r["made"] for r in game["rounds"]) for game in games)
    return (
        f"| {name} | {kept:.0f} / {made:.0f} | {promoted} of {of} | {_fall(games)} | {spread([100 * w['natural'] for w in last], 1)} % | "
        f"{spread([100 * w['centred'] for w in last], 1)} % | {spread([w['tries'] for w in last], 1)} | "
        f"{spread([100 * w['clean_accuracy'] for w in last], 2)} % |"
    )


def _fall(games: Sequence[dict[str, Any]]) -> str:
    """How many times lower the share of attempts that fooled it is in the last round than in the first."""
    rates = [[r["fooled"] / r["made"] if r["made"] else None for r in game["rounds"]] for game in games]
    falls = [first / last for first, *_, last in rates if first and last]
    # Among 60 random attempts hardly one fools the last weights: too few to say; nor are an adversary's tries attempts.
    enough = len(falls) == len(games) and games[0]["arm"] not in ("random", "adaptive")
    return f"{spread(falls, 1)}-fold" if enough else "-"


def _gain_row(name: str, games: Sequence[dict[str, Any]], fooling: Sequence[dict[str, Any]]) -> str:
    gains = [100 * (g["weights"][-1]["natural"] - g["weights"][0]["natural"]) for g in games]
    kept = [g["rounds"][-1]["kept"] for g in games]
    made = [sum(r["made"] for r in g["rounds"]) for g in games]
    others = {g["seed"]: 100 * g["weights"][-1]["natural"] for g in fooling}
    apart = [100 * g["weights"][-1]["natural"] - others[g["seed"]] for g in games]
    per = [
        spread([100 * gain / n for gain, n in zip(gains, of, strict=True)], 2) if min(of) else "-"
        for of in (kept, made)
    ]
    against = "-" if games is fooling else f"{spread(apart, 1)} points"
    return f"| {name}: {spread(gains, 1)} | {per[0]} | {per[1]} | {against} |"


def spread(values: Sequence[float], digits: int) -> str:
    """Mean, and the 95 % interval of the mean by Student's t where there are several values."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    reach = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.{digits}f} ({mean - reach:.{digits}f} to {mean + reach:.{digits}f})"


if __name__ == "__main__":
    typer.run(main)
