"""A real Chromium for benchmarks, and a hand that draws in it. Needs the package playwright."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from model.strokes import CANVAS, Strokes

WINDOW = {"width": 1280, "height": 800}
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Raises RuntimeError if this machine has none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise RuntimeError("there is no chromium on this machine; install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        yield browser
        browser.close()


def box_of(page: Page, selector: str) -> FloatRect:
    box = page.locator(selector).first.bounding_box()
    if box is None:
        raise RuntimeError(f"{selector} is not visible")
    return box


def draw(page: Page, strokes: Strokes, paper: FloatRect, seconds_per_point: float) -> None:
    """Draw on the paper, a square of the page, at a steady pace; the pen is lifted at once after the last point."""
    for stroke in strokes:
        for number, (x, y, *_) in enumerate(stroke):
            time.sleep(seconds_per_point)
            page.mouse.move(paper["x"] + x * paper["width"] / CANVAS, paper["y"] + y * paper["height"] / CANVAS)
            if number == 0:
                page.mouse.down()
        page.mouse.up()
