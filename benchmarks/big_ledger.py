"""A ledger as large as a game that went well: `python -m benchmarks.big_ledger --out FOLDER --attempts 1000000`.

Real pen digits in natural framing, answered by the shipped round-0 weights; every annotator draws in all rounds, one
attempt in twelve fools, fifty rounds are closed, nobody judges. Rows are multiplied inside SQLite, in one transaction:
added one by one, each safe on disk before the next, a million take hours. What they add up to is the ledger's own recount.
"""

import functools
import io
import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image

from benchmarks.collection import digits_of, pool_and_unseen
from benchmarks.pen_digits import PenDigit
from flagging import standings
from flagging.home import Home
from flagging.ledger import Ledger
from model.network import Network, as_pixels
from model.strokes import RASTER_VERSION, Strokes
from model.weights import Card, build_network, install_shipped, load_weights, save_weights

ROUNDS = 50
ATTEMPTS_EACH = 250  # of an annotator
MS_A_POINT = 12  # as often as a browser sends one; when the tablet saw each is not known
# Some of what retrain.rounds.close_round keeps of a round; the page's plots read it.
FIGURES = {
    "clean_accuracy_before": 0.9944,
    "clean_accuracy_after": 0.9944,
    "clean_n": 10_000,
    "clean_source": "MNIST",
    "annotators": 100,
    "seconds_until_fooled": 0.7,
    "seconds_until_fooled_n": 100,
    "confusion": [[10] * 10] * 10,
    "quorum": 0,
    "seconds": 16.0,
}


def make(home: Home, attempts: int, rounds: int = ROUNDS) -> None:
    """A data folder whose ledger holds so many attempts, of which a half per cent was taken back or hidden.

    Raises ValueError if there is a ledger already.
    """
    if home.ledger_path.exists():
        raise ValueError(f"there is a ledger in {home.folder} already; give a new folder")
    ledger = home.open_ledger(create=True)
    ledger.start(install_shipped(home.weights))
    ledger.close()  # from here on it only names annotators and splits
    # Whoever is broken off here begins again: nothing has to be safe before the end, nor passes for a ledger.
    making = home.ledger_path.rename(home.ledger_path.with_suffix(".making"))
    with closing(sqlite3.connect(making, isolation_level=None)) as db:
        for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        db.execute("BEGIN EXCLUSIVE")
        _fill(db, ledger, home.weights, attempts, rounds)
        standings.recount(db)
        db.execute("COMMIT")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_mode = WAL").fetchall()
    making.rename(home.ledger_path)


def _fill(db: sqlite3.Connection, ledger: Ledger, weights: Path, attempts: int, rounds: int) -> None:
    network = _promote(db, weights, rounds)
    values = {
        "attempts": attempts,
        "rounds": rounds,
        "annotators": max(attempts // ATTEMPTS_EACH, 10),
        "pool_size": _add_pool(db, pool_and_unseen()[0], network),
        "raster_version": RASTER_VERSION,
        "figures": json.dumps(FIGURES),
    }
    annotator_of = functools.cache(lambda number: ledger.annotator(f"browser:annotator {number}"))
    db.create_function("annotator_of", 1, annotator_of)
    db.create_function("split_of", 3, functools.cache(ledger._split))
    for statement in Path(__file__).with_suffix(".sql").read_text().split(";\n"):
        db.execute(statement, values)


def _promote(db: sqlite3.Connection, folder: Path, rounds: int) -> Network:
    """A promotion for every round: files of their own, all of which answer as round 0 does."""
    first = parent = db.execute("SELECT weights_id FROM promotions").fetchone()[0]
    network = build_network(load_weights(folder, first))
    for number in range(1, rounds + 1):
        parent = save_weights(network, Card(parent, number, number, {}, {}), folder).id
        at = "2026-01-01T00:00:00.000+00:00"
        db.execute("INSERT INTO promotions VALUES (?, ?, 'promoted', ?)", (number, parent, at))
    return network


@torch.inference_mode()
def _add_pool(db: sqlite3.Connection, digits: Sequence[PenDigit], network: Network) -> int:
    """The drawings to multiply, as the ledger keeps them, by whether they fool; how many there are of each kind."""
    digits = [replace(digit, strokes=_as_sent(digit.strokes)) for digit in digits]
    drawn = digits_of(digits)
    pixels = as_pixels(drawn.images)
    shares = torch.softmax(network(pixels).double(), 1).tolist()
    features = network.features(pixels).numpy()  # (N, 50)
    rows: tuple[list[tuple[object, ...]], list[tuple[object, ...]]] = ([], [])
    for digit, image, share, likeness in zip(digits, drawn.images, shares, features, strict=True):
        prediction = max(range(10), key=share.__getitem__)
        fools = int(prediction != digit.label)
        row = (
            fools,
            len(rows[fools]),
            json.dumps(digit.strokes, separators=(",", ":")),
            _png(image),
            digit.label,
            prediction,
            json.dumps(share),
        )
        rows[fools].append((*row, likeness.tobytes()))
    columns = "fools, number, strokes, image, label, prediction, probabilities, features"
    db.execute(f"CREATE TEMP TABLE pool ({columns}, PRIMARY KEY (fools, number)) WITHOUT ROWID")
    size = min(map(len, rows))
    db.executemany(f"INSERT INTO pool VALUES ({', '.join('?' * 8)})", rows[0][:size] + rows[1][:size])
    return size


def _as_sent(strokes: Strokes) -> Strokes:
    """As the page sends them: tenths of a unit, and the time of each point."""
    points = iter(range(10_000))
    return [[[round(x, 1), round(y, 1), MS_A_POINT * next(points)] for x, y in stroke] for stroke in strokes]


def _png(image: torch.Tensor) -> bytes:
    written = io.BytesIO()
    Image.fromarray(image.numpy()).save(written, "PNG")
    return written.getvalue()


def main(
    out: Annotated[Path, typer.Option(help="The data folder to make; it must not hold a ledger yet.")],
    attempts: Annotated[int, typer.Option(help="How many.")] = 1_000_000,
) -> None:
    """Make a data folder with many attempts."""
    began = time.monotonic()
    home = Home(out)
    make(home, attempts)
    size = home.ledger_path.stat().st_size / 1e9
    print(f"{attempts} attempts, {size:.2f} GB, in {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
