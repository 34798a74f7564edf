"""My drawings, as a person sees them: their own, replayed, withdrawn one by one, chosen ones or all."""

import pytest

from flagging.decisions import RoundCounts
from flagging.home import Home
from tests.browser.conftest import Person
from tests.made import PLAIN, add_fooling

pytestmark = pytest.mark.browser
SHOWN = "#mine .drawings li"


@pytest.fixture
def ledger(app):
    ledger = Home(app.home).open_ledger()
    yield ledger
    ledger.close()


def draw(person: Person, *digits: int) -> None:
    for digit in digits:
        person.draw(PLAIN[digit])
        person.prediction()
        person.submit(digit)


def look(person: Person, count: int) -> None:
    person.page.get_by_role("tab", name="Mine").click()
    person.says(f"{count} drawing", "#mine .shown")


def test_nothing_drawn_yet_is_said_and_leads_to_the_sketchpad(person, ledger):
    add_fooling(ledger, 1, annotator="somebody else")
    person.page.get_by_role("tab", name="Mine").click()
    person.page.get_by_role("button", name="Draw one").click()
    person.page.locator("#sketchpad canvas").wait_for()
    assert person.page.locator("#hub").is_hidden()  # no repository is used


def test_chosen_drawings_are_withdrawn_after_a_confirmation_that_can_be_declined(person, ledger):
    add_fooling(ledger, 1, annotator="somebody else")
    draw(person, 1, 4, 7)
    look(person, 3)
    page = person.page
    assert page.locator(SHOWN).count() == 3
    assert page.get_by_role("button", name="Withdraw chosen").is_disabled()
    for place in (0, 2):
        page.locator(f"{SHOWN} input").nth(place).check()
    page.get_by_role("button", name="Withdraw 2 chosen").click()
    person.says("Withdraw these 2 drawings?", "#sure-title")
    assert page.locator("#mine .sure .there").is_hidden()
    page.keyboard.press("Escape")
    assert ledger.totals().attempts == 4
    page.get_by_role("button", name="Withdraw 2 chosen").click()
    page.get_by_role("button", name="Withdraw 2", exact=True).click()
    person.says("2 drawings of yours deleted.", "#mine .said")
    person.says("1 drawing", "#mine .shown")
    assert page.locator(SHOWN).inner_text().startswith("4 → 4")
    assert page.locator("#mine .gone").is_hidden()
    assert [attempt.label for attempt in ledger.attempts()] == [1, 4]


def test_all_are_withdrawn_with_the_tries_and_others_drawings_stay(person, ledger):
    draw(person, 1, 4)
    person.draw(PLAIN[3])
    person.prediction()
    look(person, 2)
    person.page.get_by_role("button", name="Withdraw all").click()
    person.page.locator("#mine .sure .yes").click()
    person.says("2 drawings of yours deleted.", "#mine .said")
    assert ledger.totals() == RoundCounts()


def test_what_was_taken_back_is_shown_as_such_and_replayed_by_keyboard(person):
    draw(person, 1, 7)
    person.page.click("#retract")
    person.says("Taken back")
    look(person, 2)
    states = person.page.locator(f"{SHOWN} .state").all_inner_texts()
    assert states == ["taken back", "did not fool it"]
    person.page.locator(f"{SHOWN} button").first.focus()
    person.page.keyboard.press("Enter")
    person.says("taken back", "#mine dialog.large dl")
    person.page.keyboard.press("ArrowRight")
    person.says("did not fool it", "#mine dialog.large dl")
    person.page.wait_for_function("Number(document.querySelector('#mine .replay').dataset.points) > 1")
    person.page.keyboard.press("Escape")
    person.page.locator("#mine dialog.large").wait_for(state="hidden")


def test_on_a_phone_every_tab_is_in_sight_and_nothing_is_wider_than_the_screen(chromium, app):
    person = Person(chromium, app, viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    draw(person, 1, 4)
    look(person, 2)
    tabs = ["Draw", "Judge", "Mine", "Rounds", "Stress test", "Maintain"]
    assert person.page.get_by_role("tab").all_inner_texts() == tabs
    box = person.page.locator(f"{SHOWN} label").first.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 360
    person.context.close()
