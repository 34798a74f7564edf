"""The README's main figure: how long the model holds out against an adversary that adapts, round after round."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.adversary import TRIES
from benchmarks.collection import ARMS

# Okabe and Ito's colours, which the colour-blind tell apart; markers differ too.
LOOKS = {
    "product": ("#000000", "P"),
    "fooling": ("#D55E00", "o"),
    "adaptive": ("#CC79A7", "D"),
    "random": ("#0072B2", "s"),
    "all": ("#009E73", "^"),
    "none": ("#7F7F7F", "v"),
}


def draw_tries(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Three panels: tries by round, survival of the last weights, unseen writers by round; from the lowest to the highest seed."""
    figure = Figure(figsize=(13, 4.9), layout="constrained")
    by_round, survival, unseen = figure.subplots(1, 3)
    for arm, name in ARMS.items():
        games = [r["weights"] for r in results if r["arm"] == arm]
        if not games:
            continue
        colour, marker = LOOKS[arm]
        looks: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "label": name,
            "capsize": 2,
            "linewidth": 1.6,
            "markersize": 5,
        }
        for axes, key, scale in ((by_round, "tries", 1), (unseen, "natural", 100)):
            values = [[scale * game[number][key] for game in games] for number in range(len(games[0]))]
            middle = [statistics.mean(v) for v in values]
            reach = [
                [m - min(v) for m, v in zip(middle, values, strict=True)],
                [max(v) - m for m, v in zip(middle, values, strict=True)],
            ]
            axes.errorbar(range(len(values)), middle, reach, **looks)
        steps = list(zip(*(game[-1]["survival"] for game in games), strict=True))
        low, high = [[100 * end(step) for step in steps] for end in (min, max)]
        survival.fill_between(range(TRIES + 1), low, high, step="post", color=colour, alpha=0.15, linewidth=0)
        curve = [100 * statistics.mean(step) for step in steps]
        survival.step(range(TRIES + 1), curve, where="post", color=colour, linewidth=1.6)
    first = [100 * share for share in results[0]["weights"][0]["survival"]]
    survival.step(range(TRIES + 1), first, where="post", color="#56B4E9", linestyle=":", label="round-0 weights")
    by_round.set(
        title="Tries the adversary needs", xlabel="round (0: round-0 weights)", ylabel="mean tries, at most 20"
    )
    survival.set(title="Digits that held out, last weights", xlabel="tries", ylabel="% not fooled", ylim=(0, 101))
    unseen.set(title="Unseen writers", xlabel="round (0: round-0 weights)", ylabel="% read rightly")
    survival.legend(frameon=False, fontsize=8)
    handles, names = by_round.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    for axes in (by_round, survival, unseen):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
