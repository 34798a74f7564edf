"""The Maintain tab: closed to all but maintainers."""

import pytest

from benchmarks.server import MAINTAINER_TOKEN, RunningApp
from flagging.home import Home
from tests.browser.conftest import Person
from tests.conftest import random_weights

pytestmark = pytest.mark.browser


def test_without_the_token_there_is_nothing_to_press(person):
    person.page.get_by_role("tab", name="Maintain").click()
    field = person.page.get_by_label("Maintainer token")
    field.fill("not the token")
    person.page.wait_for_selector("text=this needs the maintainer token")
    assert person.page.get_by_role("button", name="Retrain now").is_hidden()


def test_the_link_opens_it_and_leaves_no_token_in_the_address(chromium, app):
    home = Home(app.home)
    ledger = home.open_ledger()
    round0 = ledger.served().weights_id
    ledger.close_round("promoted", "for the test", random_weights(home.weights, 1).id, {}, began=ledger.open_round())
    person = Person(chromium, app)
    person.page.goto("about:blank")
    person.page.goto(f"{app.url}#maintainer={MAINTAINER_TOKEN}")
    person.page.get_by_role("button", name="Retrain now").wait_for()
    assert MAINTAINER_TOKEN not in person.page.url
    # Back to round 0: one click, and a confirmation that can be declined.
    person.page.get_by_label(round0).check()
    person.page.get_by_role("button", name="No", exact=True).click()
    person.page.get_by_role("button", name="Yes, serve them again").wait_for(state="hidden")
    assert ledger.served().weights_id != round0
    person.page.get_by_label(round0).check()
    person.page.get_by_role("button", name="Yes, serve them again").click()
    person.page.wait_for_selector("text=a maintainer went back")
    assert ledger.served().weights_id == round0
    # Retraining with nothing to learn from is refused in a sentence.
    person.page.get_by_role("button", name="Retrain now").click()
    person.page.wait_for_selector("text=there is no fooling drawing yet")
    person.context.close()
    ledger.close()


def test_a_retraining_that_fails_is_told_on_the_page(chromium, tmp_path):
    (tmp_path / "empty").mkdir()
    with RunningApp(
        tmp_path / "data", {"HOODWINK_MNIST_DIR": str(tmp_path / "empty"), "HOODWINK_THRESHOLD": "1"}
    ) as app:
        person = Person(chromium, app)
        person.draw([[[140, 60], [140, 220]]])
        person.submit((person.prediction() + 1) % 10)
        person.says("set HOODWINK_MNIST_DIR", "#problem", seconds=30)
        assert Home(app.home).open_ledger().open_round().ready == 1
        person.context.close()


def test_a_refused_round_is_told_with_its_reason_and_the_old_weights_play_on(person, app):
    ledger = Home(app.home).open_ledger()
    served = ledger.served().weights_id
    person.says("round 1", "#round-status")
    reason = "accuracy on clean validation fell from 0.9914 to 0.9852 against the served weights"
    ledger.close_round("refused", reason, random_weights(Home(app.home).weights, 1).id, {}, began=ledger.open_round())
    person.says(f"The new model was not good enough: {reason}. The old one plays on.", "#news")
    person.draw([[[140, 60], [140, 220]]])
    person.prediction()
    assert person.page.locator("#prediction").get_attribute("data-weights-id") == served
    ledger.close()
