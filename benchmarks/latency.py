"""How long after the pen is lifted the prediction stands on the page: `python -m benchmarks.latency`.

Real pen digits, drawn with the mouse in headless Chromium, on our page and on the tutorial's (benchmarks.peer_app), in
turns. Needs the package playwright and a chromium on the machine.
"""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import typer
from playwright.sync_api import Browser, FloatRect, Page
from playwright.sync_api import TimeoutError as NoAnswer

from benchmarks.browser import WINDOW, box_of, chromium, draw
from benchmarks.pen_digits import PenDigit, load_pen_digits
from benchmarks.quantiles import Spread, milliseconds, times
from benchmarks.results import Row, Section, command
from benchmarks.server import RunningApp, both

SECONDS_PER_POINT = 0.012
FRAME_MS = 1000 / 60  # asked of our median: by the next picture the screen shows
CLOCK_MS = 0.1
PEER_APP = ("-m", "benchmarks.peer_app")
TIMES = 40  # asked: as much sooner than the peer, at least
PEER_ANSWERS_WITHIN_MS, PEER_QUIET_MS = 5000, 700  # its debounce is 500 ms
PEER_EVERY = 3  # it is drawn with every third point: without a graphics card each one costs its canvas some 100 ms

# The moment the page shows the answer for the whole drawing: then it says so many points as the canvas has.
OURS = """() => {
  window.lifted = null; window.waits = [];
  const box = document.querySelector("#prediction"), canvas = document.querySelector("#sketchpad canvas");
  document.addEventListener("pointerup", () => { window.lifted = performance.now(); check(); }, true);
  const check = () => {
    if (window.lifted !== null && box.dataset.points === canvas.dataset.points) {
      window.waits.push(performance.now() - window.lifted); window.lifted = null;
    }
  };
  new MutationObserver(check).observe(box, { attributes: true });
}"""
# The label does not say which drawing it answers. It is empty before the pen comes down, so its last change is the
# answer for the whole drawing; what turns while one waits is no change of it, and the shares are compared unrounded.
PEER = """() => {
  const label = document.querySelector("#label");
  const shown = () => label.querySelector("h2")?.textContent + [...label.querySelectorAll("meter")].map((m) => m.value);
  let before = shown();
  window.lifted = null; window.changed = null;
  document.addEventListener("pointerup", () => { window.lifted = performance.now(); window.changed = null; }, true);
  new MutationObserver(() => {
    if (shown() !== before && window.lifted !== null && label.querySelector("h2")) window.changed = performance.now();
    before = shown();
  }).observe(label, { attributes: true, childList: true, subtree: true, characterData: true });
}"""
# From pen-up: milliseconds to the answer, and to the first request.
WAITED = """() => {
  const sent = performance.getEntriesByType("resource").map((r) => r.startTime).filter((at) => at > window.lifted);
  performance.clearResourceTimings();
  const since = (at) => (at === null ? null : at - window.lifted);
  return [since(window.changed), since(sent.length ? Math.min(...sent) : null)];
}"""


class OurPage:
    def __init__(self, browser: Browser, url: str) -> None:
        self._page = _opened(browser, url, "#sketchpad canvas[data-points]")
        self._page.evaluate(OURS)

    def draw(self, digits: Sequence[PenDigit]) -> list[float]:
        """Milliseconds from pen-up to answer."""
        for digit in digits:
            draw(self._page, digit.strokes, box_of(self._page, "#sketchpad canvas"), SECONDS_PER_POINT)
            self._page.wait_for_timeout(150)
            self._page.keyboard.press("Escape")
            self._page.wait_for_timeout(50)
        waits: list[float] = self._page.evaluate("window.waits.splice(0)")
        return waits


class PeerPage:
    def __init__(self, browser: Browser, url: str) -> None:
        self._page = _opened(browser, url, "#pad canvas")
        self._page.wait_for_timeout(1000)  # its canvas moves once more after it appears
        self._page.evaluate(PEER)
        self.unsent: list[float] = []  # milliseconds from pen-up to its first request

    def draw(self, digits: Sequence[PenDigit]) -> list[float]:
        """Milliseconds from pen-up to answer, for the drawings it answered."""
        waits = []
        for digit in digits:
            # After every clearing strokes are swallowed until the brush is chosen again: that time is not counted.
            self._page.get_by_label("Brush", exact=True).first.click()
            self._page.wait_for_timeout(300)
            strokes = [[*stroke[:-1:PEER_EVERY], stroke[-1]] for stroke in digit.strokes]
            draw(self._page, strokes, self._paper(), SECONDS_PER_POINT)
            with suppress(NoAnswer):
                self._page.wait_for_function("window.changed !== null", timeout=PEER_ANSWERS_WITHIN_MS)
            self._page.wait_for_timeout(PEER_QUIET_MS)
            wait, unsent = self._page.evaluate(WAITED)
            waits += [] if wait is None else [wait]
            self.unsent += [] if unsent is None else [unsent]
            self._page.get_by_label("Clear canvas").first.click()
            self._page.wait_for_function("document.querySelector('#label h2') === null")
        return waits

    def _paper(self) -> FloatRect:
        """Its paper lies in the middle of a wider canvas, about as large as ours."""
        box = box_of(self._page, "#pad canvas")
        middle_x, middle_y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return {"x": middle_x - 140, "y": middle_y - 140, "width": 280, "height": 280}


def _opened(browser: Browser, url: str, wait_for: str) -> Page:
    page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_selector(wait_for)
    return page


def measure(short: bool) -> Section:
    """From pen-up to the answer on the page: ours, and the tutorial's app on stock Gradio."""
    blocks, ours_each, peer_each = (2, 4, 1) if short else (4, 15, 5)
    digits = [d for d in load_pen_digits("centred") if len(d.strokes) == 1][: blocks * ours_each]
    ours: list[float] = []
    peer: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        both(RunningApp(Path(folder) / "ours"), RunningApp(Path(folder) / "peer", words=PEER_APP)) as (app, other),
        chromium() as browser,
    ):
        our_page, peer_page = OurPage(browser, app.url), PeerPage(browser, other.url)
        for block in range(blocks):
            mine = digits[block * ours_each :][:ours_each]
            ours += our_page.draw(mine)
            peer += peer_page.draw(mine[:peer_each])
    return describe(ours, peer, peer_page.unsent, len(digits), blocks * peer_each)


def describe(
    ours: Sequence[float], peer: Sequence[float], unsent: Sequence[float], drawn: int, peer_drawn: int
) -> Section:
    """Raises ValueError if one of the pages answered nothing."""
    # On a busy machine the answer may be there before the pen is lifted: that counts as the least the browser's clock tells.
    our, their, silent = Spread.of([max(ms, CLOCK_MS) for ms in ours]), Spread.of(peer), Spread.of(unsent)
    ratio = their.median / our.median
    return Section(
        "From pen-up to the answer on the page",
        [
            f"{our.n} of {drawn} and, of the peer, {their.n} of {peer_drawn} real pen digits of one stroke, drawn by mouse at "
            f"{1000 * SECONDS_PER_POINT:.0f} ms a point in one headless Chromium, in turns; both servers run all the while.",
            "Peer: the tutorial's app on Gradio 6.31: stock gr.Sketchpad, its change event, the queue, gr.Label; same network.",
            "Counted from the pointerup event to the moment the page holds the answer for the whole drawing; painting is in neither.",
            f"The peer's answer is the last change of its label before {PEER_QUIET_MS} ms of quiet; choosing its brush again "
            "after each drawing is not counted, and it gets every third point only, which flatters it. Of its median it spends "
            f"{silent.median:.0f} ms before it sends anything: it waits 500 ms, and Chromium without a graphics card paints its canvas slowly.",
        ],
        [
            Row(
                "median",
                milliseconds(our.median),
                milliseconds(their.median),
                times(ratio),
                f"at most {FRAME_MS:.1f} ms",
                our.median <= FRAME_MS,
            ),
            Row("how much sooner", "", "", times(ratio), f"at least {TIMES} x", ratio >= TIMES),
            Row("90 % within", milliseconds(our.p90), milliseconds(their.p90), times(their.p90 / our.p90)),
            Row("worst", milliseconds(our.worst), milliseconds(their.worst), times(their.worst / our.worst)),
        ],
        {
            "ours_ms": our.rounded(),
            "peer_ms": their.rounded(),
            "peer_unsent_ms": silent.rounded(),
            "ratio": round(ratio, 1),
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
