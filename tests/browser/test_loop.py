"""The main job: real pen strokes fool the model until a new one takes over, without a reload."""

import json

import pytest

from benchmarks.server import RunningApp
from flagging.home import Home
from tests.browser.conftest import Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_ten_fooling_drawings_bring_a_new_model_without_a_reload(chromium, tmp_path, pen_digits, mnist_folder):
    with RunningApp(tmp_path / "data") as app:
        person = Person(chromium, app)
        person.page.evaluate("window.neverReloaded = true")
        ledger = Home(app.home).open_ledger()
        before = ledger.served()
        fooled, drawn = 0, iter(pen_digits)
        while fooled < 10:
            digit = next(drawn)
            person.draw(digit.strokes)
            seen = person.prediction()
            said = person.submit(digit.label)
            assert said.startswith("You fooled it!" if seen != digit.label else "Not fooled"), said
            fooled += seen != digit.label
        assert ledger.open_round().ready == 10
        person.says("learning", "#round-status")
        # The page stays usable while the model learns.
        person.draw(next(drawn).strokes)
        person.prediction()
        person.says("A new model is playing now", "#news", seconds=200)
        closed = ledger.last_closed_round()
        assert (closed.number, closed.decision, closed.counts.fooling) == (1, "promoted", 10)
        # 20 s on two idle cores is what benchmarks/rounds.py shows; here others may be using them.
        assert closed.figures["seconds"] <= 120
        person.page.keyboard.press("Escape")
        person.draw(next(drawn).strokes)
        person.prediction()
        person.page.wait_for_function(
            "id => document.querySelector('#prediction').dataset.weightsId === id", arg=closed.weights_id
        )
        assert closed.weights_id != before.weights_id
        person.says("0 of 10", "#round-status")
        person.says("round 2", "#round-status")
        assert person.page.evaluate("window.neverReloaded") is True
        # What was drawn is what was recorded.
        first = next(ledger.attempts())
        assert first.label == pen_digits[0].label
        for drawn_stroke, kept_stroke in zip(pen_digits[0].strokes, json.loads(first.strokes), strict=True):
            assert kept_stroke[0][:2] == pytest.approx(drawn_stroke[0], abs=0.5)
            assert kept_stroke[-1][:2] == pytest.approx(drawn_stroke[-1], abs=1)
        person.page.get_by_role("tab", name="Rounds").click()
        person.page.wait_for_selector("td:has-text('promoted')")
        assert person.errors == []
        person.context.close()
        ledger.close()
