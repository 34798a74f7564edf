"""What it looked at, below the ink."""

import pytest

from benchmarks.server import RunningApp
from flagging.home import Home
from tests.browser.conftest import Person
from tests.conftest import random_weights
from tests.made import PLAIN

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
# How much of the sketchpad has a colour: ink and paper have next to none.
COLOURED = """(() => {
  const canvas = document.querySelector("#sketchpad canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 20 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60) sum += i % 977;
  return sum;
})()"""
# Where everything stands, once nothing moves any more.
PLACES = """async () => {
  const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
  const parts = "#draw .board :is(canvas, .bars, #prediction, #outcome, #undo, #clear, #streak, .digits button)";
  return [...document.querySelectorAll(parts)].map((one) => JSON.stringify(one.getBoundingClientRect()));
}"""


def explained(person: Person) -> str:
    """The legend, once it is that of the whole drawing and of the prediction's weights."""
    person.page.wait_for_function(
        "(([told, seen, pad]) => told.points && told.points === pad.points && told.weightsId === seen.weightsId)"
        "(['#explained', '#prediction', '#sketchpad canvas'].map((one) => document.querySelector(one).dataset))"
    )
    return person.page.locator("#explained .looked").inner_text()


def painted(person: Person) -> int:
    person.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return int(person.page.evaluate(COLOURED))


def test_heat_appears_follows_the_drawing_and_the_switch_is_remembered(person):
    button = person.page.locator("#explain")
    assert button.get_attribute("aria-pressed") == "false"
    person.draw(PLAIN[1])
    person.prediction()
    assert painted(person) == 0
    places = person.page.evaluate(PLACES)
    person.page.keyboard.press("e")
    seen = person.prediction()
    assert explained(person) == f"what it looked at for: {seen}"
    assert person.page.evaluate(PLACES) == places
    of_one = painted(person)
    assert of_one > 0
    assert person.page.locator("#before").is_hidden()  # there were no weights before
    person.draw(PLAIN[4])
    explained(person)
    assert painted(person) not in (0, of_one)
    person.page.click("#clear")
    assert painted(person) == 0
    person.open()
    assert button.get_attribute("aria-pressed") == "true"
    button.focus()
    person.page.keyboard.press("Enter")
    person.draw(PLAIN[1])
    person.prediction()
    person.page.wait_for_timeout(300)
    assert painted(person) == 0


def test_pointing_at_another_digit_or_tabbing_to_it_explains_that_one(person):
    person.page.click("#explain")
    person.draw(PLAIN[4])
    seen = person.prediction()
    explained(person)
    of_seen = painted(person)
    other = (seen + 5) % 10
    person.page.hover(f".bars li:nth-child({other + 1})")
    person.says(f": {other}", "#explained .looked")
    assert painted(person) != of_seen
    person.page.mouse.move(5, 5)
    person.says(f": {seen}", "#explained .looked")
    assert painted(person) == of_seen
    person.page.locator(f".bars li:nth-child({other + 1})").focus()
    person.says(f": {other}", "#explained .looked")
    person.draw(PLAIN[1])  # the pen takes the focus away
    person.says(f": {person.prediction()}", "#explained .looked")


def test_after_a_promotion_it_tells_what_was_seen_before_and_shows_its_heat(person, app):
    home = Home(app.home)
    ledger = home.open_ledger()
    person.page.click("#explain")
    person.draw(PLAIN[4])
    then = person.prediction()
    explained(person)
    of_then = painted(person)
    weights = random_weights(home.weights, 1)
    ledger.close_round("promoted", "for the test", weights.id, {}, began=ledger.open_round())
    ledger.close()
    person.says(f"before round 1 it saw a {then} (", "#before")
    now = person.prediction()
    explained(person)
    assert painted(person) != of_then
    person.page.click("#before")
    person.says(f"what it looked at before, for: {then}", "#explained .looked")
    assert painted(person) == of_then
    person.page.click("#before")
    person.says(f"for: {now}", "#explained .looked")
    person.page.click("#clear")
    assert person.page.locator("#before").is_hidden()


def test_on_a_phone_a_tap_chooses_the_digit_and_nothing_moves(chromium, app):
    home = Home(app.home)
    ledger = home.open_ledger()
    weights = random_weights(home.weights, 1)
    ledger.close_round("promoted", "for the test", weights.id, {}, began=ledger.open_round())
    ledger.close()
    person = Person(chromium, app, **PHONE)
    person.says("round 2", "#round-status")
    person.draw(PLAIN[4])
    seen = person.prediction()
    places = person.page.evaluate(PLACES)
    person.page.tap("#explain")
    explained(person)
    person.says("before round 1 it saw a 4", "#before")
    assert person.page.evaluate(PLACES) == places
    other = (seen + 3) % 10
    person.page.tap(f".bars li:nth-child({other + 1})")
    person.says(f": {other}", "#explained .looked")
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert person.errors == []
    person.context.close()


def test_with_live_off_there_is_no_switch(chromium, tmp_path):
    with RunningApp(tmp_path / "data", {"HOODWINK_LIVE": "0"}) as app:
        person = Person(chromium, app)
        person.page.evaluate("localStorage.setItem('hoodwink-explain', '1')")
        person.open()
        person.draw(PLAIN[1])
        person.page.keyboard.press("e")
        person.page.wait_for_timeout(400)
        assert person.page.locator("#explain").is_hidden()
        assert person.page.locator("#explained").is_hidden()
        assert painted(person) == 0
        assert Home(app.home).open_ledger().totals().tries == 0
        person.context.close()
