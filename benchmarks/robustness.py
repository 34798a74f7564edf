"""Parity and speed of the black-box attacks against robustcheck 1.1.0: `python -m benchmarks.robustness`.

robustcheck gets a virtual environment of its own, with this one's packages beneath it: it brings MLflow, and is not
needed otherwise. Both attack the same images with the same weights and parameters on the same cores, in turns: ours
before and after robustcheck. Writes docs/robustness.md and docs/robustness.json when told to.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from benchmarks.robustcheck_peer import mnist_test
from evaluation.black_box import Attack, EpsilonGreedy, EvoBA, SimBA
from evaluation.robustness import check_robustness
from model.weights import SHIPPED_FOLDER, build_network, load_weights, shipped_weights_id

PEER = "robustcheck==1.1.0"
ROOT = Path(__file__).parents[1]
# Patch 4: ours, robustcheck asks for groups and has no default. EvoBA as it is by default.
ATTACKS: dict[str, tuple[Attack, dict[str, Any]]] = {
    "evoba": (EvoBA(), {}),
    "epsilon-greedy": (EpsilonGreedy(), {"patch": 4}),
    # By default it fools next to no digit, and a ratio needs some that are fooled.
    "simba": (SimBA(epsilon=0.5, steps=200), {"epsilon": 0.5, "steps": 200}),
}
PARITY = (0.9, 1.1)  # where the interval of every ratio of means has to lie
TIMES = 50  # robustcheck's queries per second, at least
LISTS = {"queries": "queries_succ", "L0": "l0_dists_succ", "L2": "l2_dists_succ"}


def peer_python(folder: Path) -> Path:
    """A Python that has robustcheck, made in `folder` unless it is there."""
    python = folder / "bin/python"
    ready = folder / "robustcheck.done"
    if not ready.exists():
        print(f"installing {PEER} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        (site,) = (folder / "lib").glob("python*/site-packages")
        (site / "beneath.pth").write_text(sysconfig.get_paths()["purelib"])
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEER], check=True
        )
        ready.touch()
    return python


def run_peer(python: Path, attack: str, images: int, threads: int) -> dict[str, Any]:
    command = [str(python), "-m", "benchmarks.robustcheck_peer", attack, str(images), json.dumps(ATTACKS[attack][1])]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def threads_that_suit(python: Path, attack: str) -> int:
    """1 or all, whichever robustcheck is faster with over ten images: its batches are small, and waiting may cost more."""
    seconds = {threads: run_peer(python, attack, 10, threads)["seconds"] for threads in (torch.get_num_threads(), 1)}
    return min(seconds, key=lambda threads: seconds[threads])


def run_ours(attack: str, images: int, seeds: range) -> list[dict[str, Any]]:
    """Every seed's figures, with seconds."""
    test = mnist_test()
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))
    whole = attack == "epsilon-greedy"  # robustcheck's knows no other values than 0 to 255
    pixels = test.images[:images].unsqueeze(1)
    if not whole:
        pixels = pixels.float() / 255
    runs = []
    for seed in seeds:
        began = time.perf_counter()
        figures = check_robustness(network, pixels, test.labels[:images], ATTACKS[attack][0], seed=seed)
        figures["seconds"] = time.perf_counter() - began
        if whole:
            figures["l2_dists_succ"] = [each / 255 for each in figures["l2_dists_succ"]]
        runs.append(figures)
    return runs


def ratio(
    ours: list[dict[str, Any]], theirs: dict[str, Any], name: str, images: int, resamples: int = 10_000
) -> dict[str, float]:
    """Our mean over the images fooled / theirs, with a 95 % interval: percentile bootstrap over images, paired.

    An image is drawn with its one run by robustcheck and all of our seeds, so chance in either enters.
    """
    rng = np.random.default_rng(0)
    sums, counts = np.zeros((2, images)), np.zeros((2, images))
    for side, runs in enumerate((ours, [theirs])):
        for run in runs:
            np.add.at(sums[side], run["indices_succ"], run[name])
            np.add.at(counts[side], run["indices_succ"], 1)
    drawn = rng.integers(0, images, (resamples, images))

    def means(side: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):  # nan where no image drawn was fooled
            return np.asarray(sums[side][chosen].sum(-1) / counts[side][chosen].sum(-1))

    every = np.arange(images)
    low, high = np.nanpercentile(means(0, drawn) / means(1, drawn), [2.5, 97.5])
    mine, other = float(means(0, every)), float(means(1, every))
    return {"ours": mine, "robustcheck": other, "ratio": mine / other, "low": float(low), "high": float(high)}


def compare(attack: str, images: int, seeds: int, python: Path) -> dict[str, Any]:
    run_ours(attack, min(images, 20), range(1))  # warm caches and threads
    half = seeds // 2
    before = run_ours(attack, images, range(half))
    threads = threads_that_suit(python, attack)
    theirs = run_peer(python, attack, images, threads)
    ours = before + run_ours(attack, images, range(half, seeds))
    speeds = [run["queries_total"] / run["seconds"] for run in ours]
    other = theirs["queries_total"] / theirs["seconds"]
    return {
        "attack": attack,
        "date": datetime.now(UTC).date().isoformat(),
        "load_average": os.getloadavg()[0],
        "settings": ours[0]["attack"],
        "images": images,
        "seeds": seeds,
        "fooled": {
            "ours": [run["count_succ"] for run in ours],
            "robustcheck": len(theirs["indices_succ"]),
            "attacked": ours[0]["count_attacked"],
        },
        "ratios": {name: ratio(ours, theirs, key, images) for name, key in LISTS.items()},
        "queries_per_second": {
            "ours": statistics.median(speeds),
            "ours_slowest": min(speeds),
            "ours_fastest": max(speeds),
            "robustcheck": other,
            "robustcheck_threads": threads,
            "times": statistics.median(speeds) / other,
        },
    }


def main(
    attack: Annotated[list[str] | None, typer.Option(help="evoba (if none is given), epsilon-greedy or simba.")] = None,
    images: Annotated[int, typer.Option(help="The first so many MNIST test images.", min=2)] = 400,
    seeds: Annotated[int, typer.Option(help="Runs of ours; robustcheck has no seed and runs once.", min=2)] = 10,
    peer: Annotated[Path | None, typer.Option(help="A Python that has robustcheck 1.1.0.")] = None,
    write: Annotated[bool, typer.Option(help="Write docs/robustness.md and .json.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Ratios of means with intervals, and queries per second; EvoBA over 400 images takes about ten minutes.

    Ends with 1 if a ratio's interval is not within 0.9 to 1.1, or ours makes less than 50 times the queries per second.
    """
    if unknown := set(attack or []) - set(ATTACKS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose {', '.join(ATTACKS)}", param_hint="--attack")
    with tempfile.TemporaryDirectory() as nowhere:
        cache = os.environ.get("HOODWINK_HOME")
        python = peer or peer_python(Path(cache or nowhere).resolve() / "robustcheck")
        figures: dict[str, Any] = {
            "machine": machine(),
            "weights_id": shipped_weights_id(),
            "attacks": [compare(name, images, seeds, python) for name in attack or ["evoba"]],
        }
    text = page(figures)
    if write:
        kept = with_earlier(figures, ROOT / "docs/robustness.json")
        (ROOT / "docs/robustness.json").write_text(json.dumps(kept, indent=1) + "\n")
        (ROOT / "docs/robustness.md").write_text(page(kept))
    print(json.dumps(figures) if as_json else text)
    if any(map(missed, figures["attacks"])):
        raise typer.Exit(1)


def missed(each: dict[str, Any]) -> list[str]:
    """What does not lie where it has to, in words."""
    low, high = PARITY
    found = [
        f"the interval of {name} reaches out of {low} to {high}"
        for name, ratio in each["ratios"].items()
        if not low <= ratio["low"] <= ratio["high"] <= high
    ]
    times = each["queries_per_second"]["times"]
    return found + ([f"{times:.0f} times the queries per second, not {TIMES}"] if times < TIMES else [])


def with_earlier(figures: dict[str, Any], path: Path) -> dict[str, Any]:
    """With other attacks' figures from an earlier run, if machine, versions and weights were the same."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    same = all(earlier.get(name) == figures[name] for name in ("machine", "weights_id"))
    attacks = {each["attack"]: each for each in [*(earlier["attacks"] if same else []), *figures["attacks"]]}
    return {**figures, "attacks": [attacks[name] for name in ATTACKS if name in attacks]}


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "robustcheck": PEER.split("==")[1],
    }


def page(figures: dict[str, Any]) -> str:
    has = figures["machine"]
    text = [
        "# Black-box attacks against robustcheck",
        "",
        f"`python -m benchmarks.robustness --write`: weights {figures['weights_id']}, the first MNIST test images; "
        f"{has['cores']} cores ({has['cpu']}), Python {has['python']}, torch {has['torch']}, robustcheck {has['robustcheck']}. "
        "Ratio: our mean over the images fooled, over all seeds, by robustcheck's; in brackets the 95 % interval, "
        "percentile bootstrap over images, paired, 10,000 resamples. Queries per second: queries charged by time, the "
        "median of our runs (slowest to fastest), half of them before robustcheck's and half after; ours on all cores, "
        "robustcheck with all or one of them, whichever it was faster with.",
        "",
        "| attack | images, our seeds, date | fooled: ours (mean), robustcheck | queries | L0 | L2 | queries/s: ours | robustcheck | times |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in figures["attacks"]:
        fooled, speed = each["fooled"], each["queries_per_second"]
        ratios = " | ".join(
            f"{r['ours']:.4g} / {r['robustcheck']:.4g} = **{r['ratio']:.3f}** ({r['low']:.3f} to {r['high']:.3f})"
            for r in each["ratios"].values()
        )
        settings = ", ".join(f"{key} {value}" for key, value in each["settings"].items() if key != "name")
        text.append(
            f"| {each['settings']['name']} ({settings}) | {each['images']}, {each['seeds']}, {each['date']} | "
            f"{statistics.fmean(fooled['ours']):.1f}, {fooled['robustcheck']} of {fooled['attacked']} | {ratios} | "
            f"{speed['ours']:,.0f} ({speed['ours_slowest']:,.0f} to {speed['ours_fastest']:,.0f}) | "
            f"{speed['robustcheck']:,.0f} (threads: {speed['robustcheck_threads']}) | **{speed['times']:.0f}** |"
        )
    for each in figures["attacks"]:
        said = (
            "; ".join(missed(each))
            or f"every interval lies within {PARITY[0]} to {PARITY[1]}, and {TIMES} times is passed"
        )
        text += ["", f"{each['settings']['name']}: {said}."]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    typer.run(main)
