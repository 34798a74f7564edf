"""Rounds played with real pen strokes, through the API of a real server: `python -m benchmarks.rounds`.

24 writers, each an annotator with a client of their own, submit their digits in random order, in natural framing,
to a freshly started app; whenever enough fool it, its own worker retrains. Six other writers judge the result.
When all digits are used they are drawn again, shifted and scaled. Writes docs/rounds.md and docs/rounds.json.
"""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from gradio_client import Client

from benchmarks.collection import digits_of, pool_and_unseen, supply
from benchmarks.pen_digits import PenDigit
from benchmarks.server import RunningApp
from evaluation.metrics import Share, accuracy
from model.clean_digits import Digits
from model.weights import build_network, load_weights

DOCS = Path(__file__).parents[1] / "docs"


def main(
    rounds: Annotated[int, typer.Option(help="Rounds to play.")] = 5,
    threshold: Annotated[int, typer.Option(help="Fooling drawings a round.")] = 60,
    seeds: Annotated[int, typer.Option(help="How many times to play, each with another order of drawings.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for rounds.md and rounds.json.")] = DOCS,
) -> None:
    """Play rounds and report MER, clean accuracy and the accuracy on six unseen writers after each."""
    digits = pool_and_unseen()[0]
    judges = {framing: digits_of(pool_and_unseen(framing)[1]) for framing in ("natural", "centred")}
    runs = []
    for seed in range(1, seeds + 1):
        # One key, so that the same drawings are held out wherever this runs.
        settings = {"HOODWINK_THRESHOLD": str(threshold), "HOODWINK_ANNOTATOR_KEY": f"benchmark of rounds {seed}"}
        with tempfile.TemporaryDirectory() as folder, RunningApp(Path(folder), settings) as app:
            start = _judged(app, judges, Client(app.url, verbose=False).predict(api_name="/status")["weights_id"])
            runs.append(
                {"seed": seed, "start": start, "rounds": list(_play(app, digits, judges, rounds, threshold, seed))}
            )
        _write(runs, threshold, out)  # after each game: one that is broken off takes none with it


def _play(
    app: RunningApp, digits: list[PenDigit], judges: dict[str, Digits], rounds: int, threshold: int, seed: int
) -> Iterator[dict[str, Any]]:
    writers = sorted({d.writer for d in digits})
    clients = {
        writer: Client(app.url, verbose=False, headers={"X-Hoodwink-Annotator": f"pendigits-writer-{writer}"})
        for writer in writers
    }
    drawings = supply(digits, random.Random(seed))
    anybody = clients[writers[0]]
    for number in range(1, rounds + 1):
        ready = 0
        while ready < threshold:
            digit = next(drawings)
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
            f"seed {seed}, round {number}: MER {row['mer']['value']:.3f} of {row['attempts']}, {row['decision']}, clean "
            f"{row['clean_accuracy_after']:.4f}, unseen writers {row['natural']['value']:.3f}, {waited:.0f} s",
            flush=True,
        )
        yield row


def _judged(app: RunningApp, judges: dict[str, Digits], weights_id: str) -> dict[str, Any]:
    network = build_network(load_weights(app.home / "weights", weights_id))
    shares: dict[str, Share] = {framing: accuracy(network, digits) for framing, digits in judges.items()}
    return {framing: asdict(figures) for framing, figures in shares.items()}


def _write(runs: list[dict[str, Any]], threshold: int, out: Path) -> None:
    rounds = len(runs[0]["rounds"])
    n = runs[0]["start"]["natural"]["n"]
    start = runs[0]["start"] | {"clean": runs[0]["rounds"][0]["clean_accuracy_before"]}
    lines = [
        f"<!-- written by python -m benchmarks.rounds --rounds {rounds} --threshold {threshold} --seeds {len(runs)} -->",
        "| round | attempts | MER | promoted | clean accuracy after | unseen writers, natural | unseen writers, centred | fine-tuning |",
        "|---|---|---|---|---|---|---|---|",
        f"| round-0 weights | | | | {100 * start['clean']:.2f} % | {100 * start['natural']['value']:.1f} % | {100 * start['centred']['value']:.1f} % | |",
    ]
    for number in range(rounds):
        played = [run["rounds"][number] for run in runs]
        promoted = sum(row["decision"] == "promoted" for row in played)
        cells = (
            str(number + 1),
            _spread([row["attempts"] for row in played], "{:.0f}"),
            _spread([100 * row["mer"]["value"] for row in played], "{:.1f} %"),
            f"{promoted} of {len(played)}",
            _spread([100 * row["clean_accuracy_after"] for row in played], "{:.2f} %"),
            _spread([100 * row["natural"]["value"] for row in played], "{:.1f} %"),
            _spread([100 * row["centred"]["value"] for row in played], "{:.1f} %"),
            _spread([row["seconds"] for row in played], "{:.0f} s"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    fell = [run["rounds"][0]["mer"]["value"] / run["rounds"][-1]["mer"]["value"] for run in runs]
    lines += [
        "",
        f"Mean (lowest to highest) of {len(runs)} runs with other orders of drawings; {threshold} fooling drawings a round. MER, "
        f"the share of attempts that fooled the weights serving in the round, fell {_spread(fell, '{:.1f}')}-fold. Clean accuracy "
        f"(10,000 MNIST test digits) and the accuracy on {n} drawings of six unseen writers are of the weights a round made; "
        "fine-tuning ran beside the app on two cores.",
        "",
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "rounds.md").write_text("\n".join(lines))
    (out / "rounds.json").write_text(json.dumps(runs, indent=1))
    print("\n".join(lines))


def _spread(values: list[float], form: str) -> str:
    mean = form.format(statistics.mean(values))
    if len(values) == 1:
        return mean
    return f"{mean} ({form.format(min(values)).split()[0]} to {form.format(max(values)).split()[0]})"


if __name__ == "__main__":
    typer.run(main)
