"""How soon a stranger can draw: `python -m benchmarks.first_stroke`.

Peer: a Gradio page with nothing but a button, and the moment a click on it does something. Cold loads in headless
Chromium, each in a browser context of its own, in turns. Needs the package playwright and a chromium on the machine.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from playwright.sync_api import Browser

from benchmarks.browser import WINDOW, chromium
from benchmarks.quantiles import Spread, milliseconds, times
from benchmarks.results import Row, Section, command
from benchmarks.server import RunningApp, both

TIMES = 1.2  # asked: as late as the empty page, at most
EMPTY_PAGE = ("-m", "benchmarks.empty_page")
# Both try again with every frame, from the start of the navigation, until the page reacts; performance.now() counts from there.
TRYING = """
const attempt = () => {
  if (window.reacted === undefined && react()) window.reacted = performance.now();
  if (window.reacted === undefined) requestAnimationFrame(attempt);
};
requestAnimationFrame(attempt);
"""
PRESS = (
    """
const react = () => {
  if (window.pressed) return true;
  document.querySelector("#press")?.click();
  return Boolean(window.pressed);
};
"""
    + TRYING
)
STROKE = (
    """
const react = () => {
  const canvas = document.querySelector("#sketchpad canvas");
  const box = canvas?.getBoundingClientRect();
  if (!box?.width) return false;
  const touch = (kind, share) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, isPrimary: true, button: 0, bubbles: true, cancelable: true,
    clientX: box.left + share * box.width, clientY: box.top + share * box.height }));
  touch("pointerdown", 0.4);
  touch("pointermove", 0.6);
  touch("pointerup", 0.6);
  return Number(canvas.dataset.points) >= 2;
};
"""
    + TRYING
)


@dataclass(frozen=True)
class Load:
    """One cold load: milliseconds from the navigation to the first reaction; what came over the network by then and until it was quiet."""

    reacted_ms: float
    bytes: int
    requests: int


def load(browser: Browser, url: str, script: str) -> Load:
    context = browser.new_context(viewport=WINDOW)  # type: ignore[arg-type]
    context.add_init_script(script)
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    received: list[int] = []
    network.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    page.goto(url, wait_until="commit")
    page.wait_for_function("window.reacted !== undefined", timeout=60_000)
    reacted: float = page.evaluate("window.reacted")
    page.wait_for_timeout(1000)  # what is still on its way
    context.close()
    return Load(reacted, sum(received), len(received))


def measure(short: bool) -> Section:
    """From the address to the first stroke on the canvas, beside an empty Gradio page."""
    loads = 4 if short else 20
    ours: list[Load] = []
    peer: list[Load] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        both(RunningApp(Path(folder) / "ours"), RunningApp(Path(folder) / "peer", words=EMPTY_PAGE)) as (app, other),
        chromium() as browser,
    ):
        for number in range(loads + 1):  # the first of each warms the servers, and does not count
            our, their = load(browser, app.url, STROKE), load(browser, other.url, PRESS)
            if number:
                ours.append(our)
                peer.append(their)
    return describe(ours, peer)


def describe(ours: Sequence[Load], peer: Sequence[Load]) -> Section:
    our, their = (Spread.of([each.reacted_ms for each in loads]) for loads in (ours, peer))
    ratio = our.median / their.median
    size, their_size = (Spread.of([each.bytes for each in loads]).median / 1e6 for loads in (ours, peer))
    requests, their_requests = (Spread.of([each.requests for each in loads]).median for loads in (ours, peer))
    return Section(
        "From the address to the first stroke",
        [
            f"{our.n} cold loads each, in turns, each in a fresh browser context of one headless Chromium, server and browser on one machine.",
            "Ours: the first frame in which a stroke made of pointer events lands on the canvas. Peer: a Gradio page with one button, "
            "the first frame in which a click on it runs its handler. Both are tried with every frame from the navigation on.",
            "Bytes and requests: as they came over the network until one second later; no distance and no TLS in either.",
        ],
        [
            Row(
                "median",
                milliseconds(our.median),
                milliseconds(their.median),
                times(ratio),
                f"at most {TIMES} x",
                ratio <= TIMES,
            ),
            Row("90 % within", milliseconds(our.p90), milliseconds(their.p90), times(our.p90 / their.p90)),
            Row("received", f"{size:.2f} MB", f"{their_size:.2f} MB", times(size / their_size)),
            Row("requests", f"{requests:.0f}", f"{their_requests:.0f}", times(requests / their_requests)),
        ],
        {
            "ours_ms": our.rounded(),
            "peer_ms": their.rounded(),
            "ratio": round(ratio, 3),
            "ours_bytes": round(size * 1e6),
            "peer_bytes": round(their_size * 1e6),
            "ours_requests": requests,
            "peer_requests": their_requests,
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
