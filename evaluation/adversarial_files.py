"""What a comparison of plain and adversarial training says: sentences, tables, files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from evaluation.adversarial_training import SIDES
from evaluation.gradient_attacks import ATTACKS
from evaluation.spread import Spread, spread
from model.weights import write_whole

Row = Mapping[str, Any]
NAMES = {attack.name: f"{attack.method}, epsilon {attack.epsilon:g}" for attack in ATTACKS}


def write_adversarial(result: Row, folder: Path) -> list[str]:
    """adversarial.json and adversarial.md in the folder; what they say, in sentences."""
    write_whole(folder / "adversarial.json", json.dumps(result, indent=1).encode())
    write_whole(folder / "adversarial.md", describe(result).encode())
    return answer(result)


def answer(result: Row) -> list[str]:
    """Whether it helped, in words: a gain or loss only where the interval over seeds leaves 0 out."""
    runs, added = result["runs"], result["settings"]["attacked"]
    clean = [spread([100 * run[side]["clean"] for run in runs]) for side in SIDES]
    sentences = [
        f"Adding {added:,} attacked digits takes clean accuracy from {clean[0].mean:.2f} to {clean[1].mean:.2f} % (mean of "
        f"{_seeds(runs)}): {_verdict(_difference(runs, _clean))}.",
        _claim(_difference(runs, _clean)),
    ]
    for attack in result["settings"]["tested_with"]:
        name = f"{attack['method'].lower()}-{attack['epsilon']:g}"
        own = spread([100 * (_own(run, "adversarial", name) - _own(run, "plain", name)) for run in runs])
        means = [100 * fmean(_own(run, side, name) for run in runs) for side in SIDES]
        sentences.append(
            f"{NAMES.get(name, name)}, each network attacked with its own gradient: {means[0]:.1f} and {means[1]:.1f} %, {_verdict(own)}."
        )
    sentences.append(f"Shifts, mean of {len(runs[0]['plain']['shifts'])}: {_verdict(_difference(runs, _shift_mean))}.")
    return sentences


def describe(result: Row) -> str:
    """The tables, as Markdown."""
    runs, settings, data = result["runs"], result["settings"], result["data"]
    recipe = settings["recipe"]
    lines = [
        *(f"- {sentence}" for sentence in answer(result)),
        "",
        "| tested on | plain, % | adversarially trained, % | difference, points |",
        "|---|---|---|---|",
        _line("clean test digits", runs, _clean),
        _line("clean validation digits", runs, lambda run, side: float(run[side]["clean_validation"])),
        _line("shifts, mean", runs, _shift_mean),
        *(_line(name, runs, _shift(name)) for name in runs[0]["plain"]["shifts"]),
        "",
        "| attack | made against | plain reads, % | adversarially trained reads, % | difference, points |",
        "|---|---|---|---|---|",
    ]
    for name in runs[0]["plain"]["attacks"]:
        for against in SIDES:
            cells = _line(against, runs, _attacked(name, against))
            lines.append(f"| {NAMES.get(name, name)} {cells}")
    still = recipe["augmentation"]["rotation_degrees"] == 0
    made, versions = result["conditions"], result["conditions"]["versions"]
    lines += [
        "",
        f"Mean and 95 % interval (t) over seeds {', '.join(str(run['seed']) for run in runs)}; differences are paired by seed, bold where "
        f"their interval leaves 0 out. They tell of other seeds, not of other test digits: by its {data['test']:,} test digits alone one seed's clean "
        f"difference is known to {_reach(runs):.2f} points. {data['train']:,} {data['source']} digits to train on, {data['validation']:,} of the training set "
        f"aside as validation, {data['test']:,} to test. {settings['attacked']:,} training digits drawn at random, attacked with {settings['attack']}, "
        f"against the plain network of the same seed, of which it then misread {100 * fmean(run['fooled_when_added'] for run in runs):.0f} %; the second network "
        f"is trained from scratch on all {data['train'] + settings['attacked']:,}. Both: {recipe['epochs']} epochs of batches of {recipe['batch']}, "
        f"one-cycle AdamW at {recipe['peak_rate']:g}, {'no augmentation' if still else 'the augmentation of round 0'}. Attacks on the first "
        f"{min(settings['tested'], data['test']):,} test digits; shifts of {min(settings['shifted'], data['test']):,}, seed 1. torch {versions['torch']}, "
        f"{made['threads']} threads, {result['seconds']:.0f} s in all.",
        "",
    ]
    return "\n".join(lines)


def _claim(difference: Spread) -> str:
    """The usual claim: 0.4 points, from 0.989 to 0.993."""
    claim = "The usual claim, a gain of 0.4 points on clean digits,"
    if difference.low is None or difference.high is None:
        return f"{claim} is not tested by one seed."
    if difference.high < 0:
        return f"{claim} does not hold here: clean accuracy falls."
    if difference.high < 0.4:
        return f"{claim} does not hold here: these runs are compatible with {difference.high:.2f} points at most."
    if difference.low > 0:
        size = (
            "that much or more"
            if difference.low >= 0.4
            else f"{difference.low:.2f} points would explain these runs as well"
        )
        return f"{claim} is not ruled out: some gain is shown, and {size}."
    return f"{claim} is neither shown nor ruled out here."


def _verdict(difference: Spread) -> str:
    told = _spread(difference, 2)
    if difference.low is None:
        return f"{told} points, and one seed shows nothing"
    if not difference.excludes_zero:
        return f"no difference is shown, {told} points"
    return f"{told} points, a {'gain' if difference.mean > 0 else 'loss'}"


def _seeds(runs: Sequence[Row]) -> str:
    return "1 seed" if len(runs) == 1 else f"{len(runs)} seeds"


def _reach(runs: Sequence[Row]) -> float:
    """Half the paired interval of a seed's clean difference, in points, on average."""
    return fmean(50 * (run["clean_difference"]["high"] - run["clean_difference"]["low"]) for run in runs)


def _line(name: str, runs: Sequence[Row], of: Any) -> str:
    sides = [_spread(spread([100 * of(run, side) for run in runs]), 2) for side in SIDES]
    difference = _difference(runs, of)
    told = _spread(difference, 2)
    return f"| {name} | {sides[0]} | {sides[1]} | {f'**{told}**' if difference.excludes_zero else told} |"


def _difference(runs: Sequence[Row], of: Any) -> Spread:
    """Adversarially trained minus plain, paired by seed, in points."""
    return spread([100 * (of(run, "adversarial") - of(run, "plain")) for run in runs])


def _spread(of: Spread, digits: int) -> str:
    if of.low is None:
        return f"{of.mean:.{digits}f}"
    return f"{of.mean:.{digits}f} ({of.low:.{digits}f} to {of.high:.{digits}f})"


def _clean(run: Row, side: str) -> float:
    return float(run[side]["clean"])


def _shift_mean(run: Row, side: str) -> float:
    return fmean(run[side]["shifts"].values())


def _shift(name: str) -> Any:
    return lambda run, side: run[side]["shifts"][name]


def _attacked(attack: str, against: str) -> Any:
    return lambda run, side: run[side]["attacks"][attack][against]


def _own(run: Row, side: str, attack: str) -> float:
    return float(run[side]["attacks"][attack][side])
