"""Drawing and submitting, as a person does it."""

import json
import random

import pytest

from benchmarks.server import RunningApp
from flagging.decisions import RoundCounts
from flagging.home import Home
from tests.browser.conftest import Person
from tests.conftest import random_weights
from tests.made import PLAIN, bent

pytestmark = pytest.mark.browser


@pytest.fixture
def ledger(app):
    ledger = Home(app.home).open_ledger()
    yield ledger
    ledger.close()


def last_strokes(ledger):
    *_, last = ledger.attempts()
    return json.loads(last.strokes)


def test_every_stroke_arrives_from_the_first_to_the_last_drawing_after_drawing(person, ledger):
    rng = random.Random(3)
    for label in (4, 7, 1, 8):
        strokes = bent(PLAIN[label], rng)
        person.draw(strokes)
        person.prediction()
        person.submit(label)
        kept = last_strokes(ledger)
        assert len(kept) == len(strokes)
        for drawn, got in zip(strokes, kept, strict=True):
            assert len(got) == len(drawn)
            for point, (x, y, ms) in zip(drawn, got, strict=True):
                assert abs(point[0] - x) <= 0.5
                assert abs(point[1] - y) <= 0.5
                assert ms >= 0
    assert ledger.totals().attempts == 4


def test_the_prediction_follows_the_pen(person):
    box = person.page.locator("#sketchpad canvas").bounding_box()
    person.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    person.page.mouse.down()
    person.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.75, steps=12)
    person.prediction()  # the pen is still down
    assert person.page.locator(".bars li.best").count() == 1
    pixels = person.page.evaluate(
        "Array.from(document.querySelector('#seen').getContext('2d').getImageData(0, 0, 28, 28).data).filter((v, i) => i % 4 === 0 && v > 128).length"
    )
    assert pixels > 20
    person.page.mouse.up()


def test_a_single_dot_is_a_drawing(person, ledger):
    person.draw([[[140, 140]]])
    person.prediction()
    person.submit(1)
    assert [len(stroke) for stroke in last_strokes(ledger)] == [1]


def test_cleared_and_left_drawings_are_tries(person, ledger):
    person.draw(PLAIN[1])
    person.prediction()
    person.page.click("#clear")
    person.draw(PLAIN[2])
    person.prediction()
    person.page.keyboard.press("Escape")
    person.draw(PLAIN[5])
    person.prediction()
    person.page.keyboard.press("Backspace")
    person.draw(PLAIN[3])
    person.prediction()
    person.submit(3)
    person.draw(PLAIN[4])
    person.prediction()
    person.page.close()
    assert (ledger.totals().tries, ledger.totals().attempts) == (5, 1)


def test_undo_takes_the_last_stroke_by_button_and_key(person, ledger):
    person.draw([*PLAIN[1], *PLAIN[7], *PLAIN[2]])
    person.page.keyboard.press("Control+z")
    person.page.click("#undo")
    person.prediction()
    person.submit(1)
    assert len(last_strokes(ledger)) == 1
    assert person.page.locator("#undo").is_disabled()


def test_undo_with_the_pen_down_leaves_the_stroke_before_as_it_was(person, ledger):
    person.draw(PLAIN[1])
    box = person.page.locator("#sketchpad canvas").bounding_box()
    person.page.mouse.move(box["x"] + 20, box["y"] + 20)
    person.page.mouse.down()
    person.page.keyboard.press("Control+z")
    person.page.mouse.move(box["x"] + 200, box["y"] + 20, steps=5)
    person.page.mouse.up()
    person.prediction()
    person.submit(1)
    assert [[round(x), round(y)] for x, y, _ in last_strokes(ledger)[0]] == PLAIN[1][0]


def test_a_double_tap_is_one_attempt_and_keeps_what_was_said(person, ledger):
    person.draw(PLAIN[1])
    label = (person.prediction() + 1) % 10
    person.page.dblclick(f"#digit-{label}")
    person.says("You fooled it!")
    person.page.wait_for_timeout(300)
    assert person.outcome().startswith("You fooled it!")
    person.page.dblclick("#retract")
    person.says("Taken back")
    assert ledger.totals() == RoundCounts(tries=1, attempts=0, fooling=0)


def test_what_is_on_the_canvas_is_read_anew_when_a_new_model_takes_over(person, app, ledger):
    weights = random_weights(Home(app.home).weights, 1)
    person.draw(PLAIN[1])
    person.prediction()
    ledger.close_round("promoted", "for the test", weights.id, {}, began=ledger.open_round())
    person.page.wait_for_function(
        "id => document.querySelector('#prediction').dataset.weightsId === id", arg=weights.id, timeout=5000
    )


def test_digit_keys_submit_on_the_draw_tab_only_and_not_in_text_fields(person, ledger):
    person.draw(PLAIN[1])
    person.prediction()
    person.page.get_by_role("tab", name="Maintain").click()
    person.page.get_by_label("Maintainer token").fill("5")
    person.page.keyboard.press("5")
    person.page.get_by_role("tab", name="Rounds").click()
    person.page.keyboard.press("5")
    person.page.get_by_role("tab", name="Draw", exact=True).click()
    person.page.wait_for_timeout(300)
    assert ledger.totals().attempts == 0
    person.page.keyboard.press("1")
    person.says("it saw a", "#outcome")
    assert ledger.totals().attempts == 1


def test_a_digit_without_a_drawing_says_what_to_do(person, ledger):
    assert person.submit(4) == "Draw a digit first, then say which one you meant."
    assert ledger.totals() == RoundCounts()


def test_not_what_i_meant_takes_it_back(person, ledger):
    person.draw(PLAIN[1])
    label = (person.prediction() + 1) % 10
    assert person.submit(label).startswith("You fooled it!")
    person.says("1 of 10", "#round-status")
    person.page.click("#retract")
    person.says("Taken back")
    person.says("0 of 10", "#round-status")
    assert ledger.totals() == RoundCounts(tries=1, attempts=0, fooling=0)
    assert person.page.locator("#retract").is_hidden()


def test_an_annotator_stays_the_same_over_a_reload_and_two_are_two(chromium, person, app, ledger):
    person.draw(PLAIN[1])
    person.submit(1)
    person.open()
    person.draw(PLAIN[1])
    person.submit(1)
    other = Person(chromium, app)
    other.draw(PLAIN[1])
    other.submit(1)
    other.context.close()
    first, second, third = (attempt.annotator for attempt in ledger.attempts())
    assert first == second != third


def test_the_link_below_the_sketchpad_leads_to_ones_own_drawings(person):
    person.draw(PLAIN[1])
    person.submit(1)
    person.page.click("#withdraw")
    person.page.get_by_role("heading", name="My drawings").wait_for()
    person.says("1 drawing", "#mine .shown")


def test_when_the_server_is_gone_the_drawing_stays_and_the_page_says_so(chromium, tmp_path):
    with RunningApp(tmp_path / "data") as app:
        person = Person(chromium, app)
        person.draw(PLAIN[1])
        person.prediction()
        app.process.kill()
        app.process.wait()
        person.page.click("#digit-1")
        person.says("Tap the digit again: it counts once")
        assert person.page.locator("#undo").is_enabled()
        app.__enter__()
        person.page.click("#digit-1")
        person.says("it saw a")
        person.context.close()
        assert Home(app.home).open_ledger().totals().attempts == 1


def test_a_finger_draws_and_the_page_does_not_scroll(chromium, app, ledger):
    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}
    person = Person(chromium, app, **phone)
    session = person.context.new_cdp_session(person.page)

    def finger(kind, *points):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    box = person.page.locator("#sketchpad canvas").bounding_box()
    x, top, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2, box["y"] + box["height"] * 0.8
    finger("touchStart", (x, bottom))
    for step in range(1, 11):
        finger("touchMove", (x, bottom + (top - bottom) * step / 10))
    finger("touchMove", (x, top), (x + 30, top))  # a second finger draws nothing
    finger("touchEnd")
    person.prediction()
    assert person.page.evaluate("window.scrollY") == 0
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 360
    ratio = person.page.evaluate("(c => c.width / c.clientWidth)(document.querySelector('#sketchpad canvas'))")
    assert ratio == pytest.approx(3, abs=0.05)
    person.submit(1)
    (stroke,) = last_strokes(ledger)
    assert 10 <= len(stroke) <= 12
    assert all(abs(point[0] - 140) < 1 for point in stroke)
    person.context.close()


def test_a_pen_that_leaves_the_canvas_is_followed_and_comes_back(person, ledger):
    person.draw([[[140, 100], [140, 300], [200, 320], [200, 150]]])
    person.prediction()
    person.submit(7)
    (stroke,) = last_strokes(ledger)
    assert [round(point[1]) for point in stroke] == [100, 300, 320, 150]


def test_with_live_off_the_prediction_is_shown_after_submission_only(chromium, tmp_path):
    with RunningApp(tmp_path / "data", {"HOODWINK_LIVE": "0"}) as app:
        person = Person(chromium, app)
        person.draw(PLAIN[1])
        person.page.wait_for_timeout(400)
        assert person.page.locator("#prediction .digit").inner_text() == "–"
        assert Home(app.home).open_ledger().totals() == RoundCounts()
        assert "it saw a" in person.submit(1).lower()
        assert Home(app.home).open_ledger().totals().tries == 1
        person.context.close()


def test_points_rank_and_tries_are_told(person):
    person.draw(PLAIN[1])
    person.prediction()
    person.page.click("#clear")
    person.draw(PLAIN[4])
    seen = person.prediction()
    assert "on try 2. +1 point." in person.submit((seen + 1) % 10)
    assert person.page.locator("#streak").inner_text().split("\n") == ["streak 1 · best 1", "1 point · rank 1 of 1"]
    person.draw(PLAIN[4])
    person.prediction()
    assert "no point" in person.submit((seen + 1) % 10)  # a copy
    assert "1 point · rank 1 of 1" in person.page.locator("#streak").inner_text()
    person.page.click("#retract")
    person.says("Taken back")
    assert "1 point · rank 1 of 1" in person.page.locator("#streak").inner_text()


def test_a_target_comes_now_and_then_can_be_hit_and_skipped(person):
    target = person.page.locator("#target .what")
    for digit in (1, 4, 7):
        assert target.is_hidden()
        person.draw(PLAIN[digit])
        person.submit(person.prediction())
    text = target.inner_text()  # "Target: draw a 4 it takes for a 9"
    meant, wanted = (int(word) for word in text.replace("Target: draw", "").split() if word.isdigit())
    assert meant != wanted
    assert "wanted" in person.page.locator(f"#digit-{meant}").get_attribute("class")
    # Something it takes for the wanted digit.
    person.draw(PLAIN[wanted])
    if person.prediction() == wanted:
        assert "Bullseye" in person.submit(meant)
    else:
        person.page.click("#skip-target")
    assert target.is_hidden()
