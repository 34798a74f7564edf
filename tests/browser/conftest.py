"""A person at the page: mouse, finger and keyboard in a real Chromium."""

from collections.abc import Iterator

import pytest

from benchmarks.server import RunningApp
from model.strokes import Strokes


class Person:
    """One browser window on the page of a running app."""

    def __init__(self, chromium, app: RunningApp, **context) -> None:
        self.app = app
        self.context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}} | context)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open()

    def open(self, fragment: str = "") -> None:
        self.page.goto(self.app.url + fragment)
        self.page.wait_for_selector("#sketchpad canvas[data-points]")  # the pen listens

    def draw(self, strokes: Strokes) -> None:
        """Draw with the mouse, every point of the strokes."""
        box = self.page.locator("#sketchpad canvas").bounding_box()
        at = lambda p: (box["x"] + p[0] * box["width"] / 280, box["y"] + p[1] * box["height"] / 280)  # noqa: E731
        for stroke in strokes:
            self.page.mouse.move(*at(stroke[0]))
            self.page.mouse.down()
            for point in stroke[1:]:
                self.page.mouse.move(*at(point))
            self.page.mouse.up()

    def prediction(self) -> int:
        """The digit on the page, once it is the answer for the whole drawing."""
        self.page.wait_for_function(
            "document.querySelector('#prediction').dataset.points === document.querySelector('#sketchpad canvas').dataset.points"
        )
        return int(self.page.locator("#prediction .digit").inner_text())

    def submit(self, label: int) -> str:
        """Tap a digit; what the page then says. The canvas is empty again when this returns."""
        self.page.evaluate("document.querySelector('#outcome .text').textContent = ''")
        self.page.click(f"#digit-{label}")
        self.page.wait_for_function("document.querySelector('#outcome .text').textContent !== ''")
        return self.outcome()

    def outcome(self) -> str:
        return self.page.locator("#outcome .text").inner_text()

    def says(self, text: str, where: str = "#outcome", seconds: float = 10) -> None:
        self.page.wait_for_function(
            "([where, text]) => document.querySelector(where).textContent.includes(text)",
            arg=[where, text],
            timeout=seconds * 1000,
        )


@pytest.fixture
def person(chromium, app) -> Iterator[Person]:
    somebody = Person(chromium, app)
    yield somebody
    somebody.context.close()
    assert somebody.errors == []
