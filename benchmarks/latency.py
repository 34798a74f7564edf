"""How long after the pen is lifted the prediction stands on the page: `python -m benchmarks.latency`.

Real pen digits, drawn with the mouse in headless Chromium at 12 ms a point. Measured inside the page, from the
pointerup event to the moment the page shows the answer for the whole drawing. Needs the package playwright and a
chromium on the machine.
"""

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import sync_playwright

from benchmarks.pen_digits import load_pen_digits
from benchmarks.server import RunningApp

MEASURE = """() => {
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


def main(
    drawings: Annotated[int, typer.Option(help="How many digits to draw.")] = 60,
    seconds_per_point: Annotated[float, typer.Option(help="Speed of the pen.")] = 0.012,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Measure pen-up to prediction."""
    digits = [d for d in load_pen_digits("centred") if len(d.strokes) == 1][:drawings]
    with tempfile.TemporaryDirectory() as folder, RunningApp(Path(folder)) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(app.url)
        page.wait_for_selector("#sketchpad canvas")
        page.evaluate(MEASURE)
        box = page.locator("#sketchpad canvas").bounding_box()
        if box is None:
            raise RuntimeError("the sketchpad is not visible")
        for digit in digits:
            for number, (x, y) in enumerate(digit.strokes[0]):
                time.sleep(seconds_per_point)
                page.mouse.move(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280)
                if number == 0:
                    page.mouse.down()
            page.mouse.up()  # at once: the last point has no head start
            page.wait_for_timeout(150)
            page.keyboard.press("Escape")
            page.wait_for_timeout(50)
        waits: list[float] = page.evaluate("window.waits")
        browser.close()
    figures = {
        "n": len(waits),
        "drawings": len(digits),
        "median_ms": round(statistics.median(waits), 1),
        "p90_ms": round(statistics.quantiles(waits, n=10)[-1], 1),
        "worst_ms": round(max(waits), 1),
    }
    print(json.dumps(figures) if as_json else figures)


if __name__ == "__main__":
    typer.run(main)
