"""Rounds played with real pen strokes, through the API of a real server: `python -m benchmarks.rounds`.

24 writers, each an annotator with a client of their own, submit their digits in random order, in natural framing,
to a freshly started app; whenever enough fool it, its own worker retrains. Six other writers judge the result.
When all digits are used they are drawn again, shifted and scaled. Writes docs/rounds.md and docs/rounds.json.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from gradio_client import Client

from benchmarks.pen_digits import HELD_OUT_WRITERS, PenDigit, load_pen_digits
from benchmarks.server import RunningApp
from evaluation.metrics import Share, accuracy
from model.clean_digits import Digits
from model.strokes import check_strokes, rasterise
from model.weights import build_network, load_weights

DOCS = Path(__file__).parents[1] / "docs"


def main(
    rounds: Annotated[int, typer.Option(help="Rounds to play.")] = 5,
    threshold: Annotated[int, typer.Option(help="Fooling drawings a round.")] = 60,
    seed: Annotated[int, typer.Option(help="Order in which the digits are drawn.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for rounds.md and rounds.json.")] = DOCS,
) -> None:
    """Play rounds and report MER, clean accuracy and the accuracy on six unseen writers after each."""
    digits = load_pen_digits("natural")
    judges = {framing: _as_digits(load_pen_digits(framing)) for framing in ("natural", "centred")}
    with tempfile.TemporaryDirectory() as folder:
        app = RunningApp(Path(folder), {"HOODWINK_THRESHOLD": str(threshold)})
        with app:
            start = _judged(app, judges, Client(app.url, verbose=False).predict(api_name="/status")["weights_id"])
            played = list(_play(app, digits, judges, rounds, threshold, seed))
    _write(start, played, threshold, seed, out)


def _play(
    app: RunningApp, digits: list[PenDigit], judges: dict[str, Digits], rounds: int, threshold: int, seed: int
) -> Iterator[dict[str, Any]]:
    writers = sorted({d.writer for d in digits} - set(HELD_OUT_WRITERS))
    clients = {
        writer: Client(app.url, verbose=False, headers={"X-Hoodwink-Annotator": f"pendigits-writer-{writer}"})
        for writer in writers
    }
    supply = _drawings([d for d in digits if d.writer in clients], random.Random(seed))
    anybody = clients[writers[0]]
    for number in range(1, rounds + 1):
        ready = 0
        while ready < threshold:
            digit = next(supply)
            ready = clients[digit.writer].predict(digit.strokes, digit.label, api_name="/submit")["ready"]
        began = time.monotonic()
        while (status := anybody.predict(api_name="/status"))["round"] == number:
            if status["problem"]:
                raise RuntimeError(f"round {number} was not closed: {status['problem']}")
            time.sleep(1)  # as often as the page asks
        closed = anybody.predict(api_name="/rounds")[-1]
        waited = time.monotonic() - began
        while anybody.predict(api_name="/status")["promotion"] != closed["promotion"]:
            time.sleep(0.05)  # until the server has swapped
        row = closed | {"waited_seconds": round(waited, 1)} | _judged(app, judges, closed["weights_id"])
        print(
            f"round {number}: MER {row['mer']['value']:.3f} of {row['attempts']}, {row['decision']}, clean "
            f"{row['clean_accuracy_after']:.4f}, unseen writers {row['natural']['value']:.3f}, {waited:.0f} s",
            flush=True,
        )
        yield row


def _drawings(pool: list[PenDigit], rng: random.Random) -> Iterator[PenDigit]:
    """Every digit once in random order, then again and again shifted by up to 20 units and scaled by up to 15 %."""
    first = True
    while True:
        for digit in rng.sample(pool, len(pool)):
            if first:
                yield digit
                continue
            scale, right, down = rng.uniform(0.85, 1.15), rng.uniform(-20, 20), rng.uniform(-20, 20)
            bent = [
                [[140 + (x - 140) * scale + right, 140 + (y - 140) * scale + down] for x, y in s] for s in digit.strokes
            ]
            yield PenDigit(digit.label, digit.writer, bent)
        first = False


def _as_digits(digits: list[PenDigit]) -> Digits:
    unseen = [d for d in digits if d.writer in HELD_OUT_WRITERS]
    images = np.stack([rasterise(check_strokes(d.strokes)) for d in unseen])
    return Digits(torch.from_numpy(images), torch.tensor([d.label for d in unseen]))


def _judged(app: RunningApp, judges: dict[str, Digits], weights_id: str) -> dict[str, Any]:
    network = build_network(load_weights(app.home / "weights", weights_id))
    shares: dict[str, Share] = {framing: accuracy(network, digits) for framing, digits in judges.items()}
    return {framing: asdict(figures) for framing, figures in shares.items()}


def _write(start: dict[str, Any], played: list[dict[str, Any]], threshold: int, seed: int, out: Path) -> None:
    n = start["natural"]["n"]
    lines = [
        f"<!-- written by python -m benchmarks.rounds --rounds {len(played)} --threshold {threshold} --seed {seed} -->",
        "| round | attempts | fooling | MER (95 % interval) | decision | clean accuracy | unseen writers, natural | unseen writers, centred | training |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| start | | | | | {played[0]['clean_accuracy_before']:.4f} | {_percent(start['natural'])} | {_percent(start['centred'])} | |",
    ]
    for row in played:
        mer = row["mer"]
        lines.append(
            f"| {row['round']} | {row['attempts']} | {row['fooling']} | {mer['value']:.3f} ({mer['low']:.3f} to {mer['high']:.3f}) "
            f"| {row['decision']} | {row['clean_accuracy_after']:.4f} | {_percent(row['natural'])} | {_percent(row['centred'])} "
            f"| {row['seconds']:.0f} s |"
        )
    first, last = played[0]["mer"]["value"], played[-1]["mer"]["value"]
    lines += [
        "",
        f"MER fell {first / last:.1f}-fold over {len(played)} rounds of {threshold} fooling drawings. It is the share of "
        "attempts that fooled the weights serving in that round; clean accuracy (10,000 MNIST test digits) and the "
        f"accuracy on {n} drawings of six unseen writers are those of the weights the round made. One run, seed {seed}.",
        "",
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "rounds.md").write_text("\n".join(lines))
    (out / "rounds.json").write_text(json.dumps({"start": start, "rounds": played}, indent=1))
    print("\n".join(lines))


def _percent(figures: dict[str, Any]) -> str:
    return f"{100 * figures['value']:.1f} %"


if __name__ == "__main__":
    typer.run(main)
