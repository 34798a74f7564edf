"""Predictions a second through HTTP, 64 drawers at once: `python -m benchmarks.predictions`. The peer is the tutorial's app."""

import asyncio
import io
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import torch
import typer
from PIL import Image, ImageOps

from benchmarks import load
from benchmarks.connection import Connection
from benchmarks.latency import PEER_APP
from benchmarks.load import Kind, Load
from benchmarks.pen_digits import load_pen_digits
from benchmarks.quantiles import Spread, milliseconds, times
from benchmarks.results import Row, Section, command
from benchmarks.server import REPOSITORY, RunningApp, both
from model.served import Snapshot
from model.strokes import check_strokes, rasterise
from model.weights import SHIPPED_FOLDER, load_weights, shipped_weights_id
from ui.together import MOST

DRAWERS = 64
UPLOADS = 10  # of the peer, for each prediction
BOUNDARY = "what-stands-between-the-parts"
A_SECOND, TIMES, P99_MS = 1000, 60, 80  # asked


def measure(short: bool) -> Section:
    """Predictions a second with 64 drawers, ours and the tutorial's app on stock Gradio."""
    blocks, seconds = (1, 5.0) if short else (3, 15.0)
    ours: list[Load] = []
    peers: list[tuple[int, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        both(RunningApp(Path(folder) / "ours"), RunningApp(Path(folder) / "peer", words=PEER_APP)) as (app, peer),
    ):
        load.put(app.url, Kind(DRAWERS, 2.0))  # warm
        for block in range(blocks):
            ours.append(load.put(app.url, Kind(DRAWERS, seconds), block))
            peers.append(put_on_peer(peer.url, DRAWERS, seconds))
        alone = load.put(app.url, Kind(1, seconds, 20), 99)
    return describe(ours, peers, alone, seconds, parts_us())


def parts_us() -> dict[str, float]:
    """Where an answer's time goes, microseconds, medians in this process: what no server in front of it can undercut."""
    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(False)  # as app.py has both
    snapshot = Snapshot.of(load_weights(SHIPPED_FOLDER, shipped_weights_id()), 0)
    took: dict[str, list[float]] = {"checking": [], "drawing": [], "all": [], "together": []}
    digits = load_pen_digits("natural")[: 60 * MOST]
    for digit in digits:
        began = time.perf_counter()
        drawing = check_strokes(digit.strokes)
        checked = time.perf_counter()
        rasterise(drawing)
        drawn = time.perf_counter()
        snapshot.answer(digit.strokes)
        took["checking"].append(checked - began)
        took["drawing"].append(drawn - checked)
        took["all"].append(time.perf_counter() - drawn)
    for first in range(0, len(digits), MOST):
        began = time.perf_counter()
        snapshot.answer_each([check_strokes(digit.strokes) for digit in digits[first : first + MOST]])
        took["together"].append((time.perf_counter() - began) / MOST)
    return {name: 1e6 * Spread.of(seconds).median for name, seconds in took.items()}


def describe(
    ours: list[Load], peers: list[tuple[int, float]], alone: Load, seconds: float, parts: dict[str, float]
) -> Section:
    """peers: answers and seconds of each block."""
    rate = sum(one.answers for one in ours) / (seconds * len(ours))
    peer_rate = sum(answers for answers, _ in peers) / sum(took for _, took in peers)
    p99 = max(one.p99_ms for one in ours)
    ratio = rate / peer_rate
    return Section(
        "Predictions through HTTP",
        [
            f"{len(ours)} blocks of {seconds:g} s each, in turns, ours and the peer, both servers up all the while; {DRAWERS} connections "
            "that ask again as soon as they are answered, from a process of their own on the same machine, which takes a core.",
            "Ours: real pen digits as they grow, points as JSON, drawn, read and recorded as tries; one annotator each.",
            f"Peer: the tutorial's app through its queue, as its page asks: {UPLOADS} uploads of the drawing's parts and one queued call a "
            "prediction (counted in Chromium: 21 uploads and 2 calls for a drawing of one stroke that is then cleared, 42 and 3 for two).",
            "p99 is the worst block's.",
            f"Where it goes: an answer takes {parts['all']:.0f} us of one thread without any server, {parts['checking']:.0f} of them to check the strokes, "
            f"{parts['drawing']:.0f} to draw them as pixels, the rest in the network; {parts['together']:.0f} if {MOST} are answered together, as those are that come in the same moment. "
            f"A request at this load takes {1e6 / rate:.0f} us of the server's core, beside the drawers' on the other.",
        ],
        [
            Row(
                "predictions a second, 64 drawers",
                f"{rate:.0f}",
                f"{peer_rate:.1f}",
                times(ratio),
                f"at least {A_SECOND} and {TIMES} x",
                rate >= A_SECOND and ratio >= TIMES,
            ),
            Row("p99, 64 drawers", milliseconds(p99), "", "", f"at most {P99_MS} ms", p99 <= P99_MS),
            Row("median, one drawer alone, 20 a second", milliseconds(alone.p50_ms)),
        ],
        {"ours": [asdict(one) for one in ours], "peer": peers, "alone": asdict(alone), "parts_us": parts},
    )


def put_on_peer(url: str, drawers: int, seconds: float) -> tuple[int, float]:
    """Answers, and seconds, from a process of its own."""
    command_line = [sys.executable, "-m", "benchmarks.predictions", "peer-load", url, str(drawers), str(seconds)]
    done = subprocess.run(command_line, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True)
    answers, took = json.loads(done.stdout)
    return answers, took


async def _load_peer(url: str, drawers: int, seconds: float) -> tuple[int, float]:
    files = [_file(digit.strokes) for digit in load_pen_digits("natural")[:20]]
    pens = [await Connection.to(url) for _ in range(drawers)]
    began = time.monotonic()
    until = began + seconds

    async def draw(number: int, pen: Connection) -> int:
        answers = 0
        while time.monotonic() < until:
            await _ask_peer(pen, files[(number + answers) % len(files)])
            answers += 1
        return answers

    answers = await asyncio.gather(*map(draw, range(drawers), pens))
    return sum(answers), time.monotonic() - began


def _file(strokes: list[list[list[float]]]) -> bytes:
    digit = ImageOps.invert(Image.fromarray(rasterise(check_strokes(strokes)))).resize((280, 280)).convert("RGB")
    file = io.BytesIO()
    digit.save(file, "PNG")
    return file.getvalue()


async def _upload(pen: Connection, file: bytes) -> dict[str, Any]:
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="files"; filename="drawing.png"\r\ncontent-type: image/png\r\n\r\n'
    form = head.encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()
    _, said = await pen.post("/gradio_api/upload", form, f"multipart/form-data; boundary={BOUNDARY}")
    return {"path": orjson.loads(said)[0], "meta": {"_type": "gradio.FileData"}}


async def _ask_peer(pen: Connection, file: bytes) -> None:
    background, layer, composite, *_ = [await _upload(pen, file) for _ in range(UPLOADS)]
    drawing = {"background": background, "layers": [layer], "composite": composite}
    _, called = await pen.post("/gradio_api/call/predict", orjson.dumps({"data": [drawing]}))
    _, said = await pen.get(f"/gradio_api/call/predict/{orjson.loads(called)['event_id']}")
    if b"confidences" not in said:
        raise RuntimeError(f"the peer did not answer: {said[:300]!r}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer-load"]:
        print(json.dumps(asyncio.run(_load_peer(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))))
    else:
        typer.run(command(measure))
