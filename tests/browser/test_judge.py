"""Judging, as people do it: somebody else's drawing, blind, by tap and by key."""

from collections.abc import Iterator

import pytest

from benchmarks.server import RunningApp
from flagging.home import Home
from flagging.ledger import Ledger
from tests.browser.conftest import Person
from tests.made import PLAIN, FakeAnswer, add_fooling

pytestmark = pytest.mark.browser

READABLE = """id => {
    const shown = document.querySelector('#judge canvas')?.dataset.attempt;
    return id === null ? Boolean(shown) : shown === id;
}"""
INKED = """() => {
    const canvas = document.querySelector('#judge canvas');
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let inked = 0;
    for (let i = 3; i < data.length; i += 4) inked += data[i] > 128;
    return inked / (canvas.width * canvas.height);
}"""


@pytest.fixture
def app(tmp_path) -> Iterator[RunningApp]:
    with RunningApp(tmp_path / "data", {"HOODWINK_QUORUM": "2"}) as running:
        yield running


@pytest.fixture
def ledger(app) -> Iterator[Ledger]:
    ledger = Home(app.home).open_ledger()
    yield ledger
    ledger.close()


@pytest.fixture
def people(chromium, app):
    """People at browsers of their own."""
    there: list[Person] = []

    def arrive(**context) -> Person:
        there.append(Person(chromium, app, **context))
        return there[-1]

    yield arrive
    for somebody in there:
        somebody.context.close()
        assert somebody.errors == []


def open_tab(person: Person, name: str = "Judge") -> None:
    person.page.get_by_role("tab", name=name, exact=True).click()


def shown(person: Person, attempt_id: str | None = None) -> None:
    """Wait until a drawing is shown, for as long as a person looks at it before they answer."""
    person.page.wait_for_function(READABLE, arg=attempt_id, timeout=20_000)
    person.page.wait_for_timeout(450)


def test_two_others_judge_a_drawing_and_only_then_it_counts(people, ledger):
    drew, first, second = people(), people(), people()
    drew.draw(PLAIN[1])
    seen = drew.prediction()
    label = (seen + 1) % 10
    assert drew.submit(label).startswith("You fooled it!")
    (drawn,) = ledger.attempts()
    drew.says("0 of 10", "#round-status")
    open_tab(drew)
    drew.says("Nothing for you to read right now. 1 drawing waits for other readers.", "#judge-empty")

    open_tab(first)
    shown(first, drawn.attempt_id)
    first.says("1 drawing waits for a reader", "#judge-waiting")
    first.page.click(f"#judge-{label}")
    first.says("Recorded. One more reader can settle it.", "#judge-outcome")
    first.says("You have read 1 drawing.", "#judge-read")
    first.says("Nothing for you to read right now.", "#judge-empty")
    first.says("0 of 10", "#round-status")

    open_tab(second)
    shown(second, drawn.attempt_id)
    second.page.click(f"#judge-{label}")
    second.says("Recorded. That settles it: this drawing counts.", "#judge-outcome")
    for somebody in (drew, first, second):
        somebody.says("1 of 10", "#round-status")
    assert ledger.find(drawn.attempt_id).state == "verified"


def test_before_the_vote_the_browser_gets_neither_label_nor_prediction(people, ledger):
    strokes = [[[140, 60, 0], [140, 220, 400]]]
    served = ledger.served()
    drawn = ledger.record_attempt(
        FakeAnswer(6, served.number, served.weights_id, strokes), 4, ledger.annotator("ann"), "try-ann"
    )
    person = people()
    answers = []
    person.page.on("response", lambda r: "component_server" in r.url and answers.append(r.json()))
    open_tab(person)
    shown(person, drawn.attempt_id)
    assert {"attempt_id": drawn.attempt_id, "strokes": strokes, "waiting": 1, "quorum": 2} in answers
    told = " ".join(
        person.page.locator(f"#judge-{name}").text_content() for name in ("waiting", "outcome", "empty", "read", "ask")
    )
    assert set(told) & set("0123456789") <= {"1"}  # one drawing waits
    # The ten digits all look alike.
    digits = person.page.locator("#judge .digits button")
    assert digits.all_inner_texts() == [str(digit) for digit in range(10)]
    assert len({digits.nth(digit).get_attribute("class") for digit in range(10)}) == 1
    for kept in (drawn.weights_id, drawn.annotator):
        assert kept not in person.page.locator("#judge").inner_html()


def test_keys_answer_on_the_judge_tab_only(people, ledger):
    first, second, third = add_fooling(ledger, 3)
    person = people()
    person.draw(PLAIN[1])
    person.prediction()
    open_tab(person)
    shown(person, first.attempt_id)
    open_tab(person, "Rounds")
    person.page.keyboard.press("7")
    open_tab(person)
    person.page.keyboard.press("7")
    person.says("Recorded.", "#judge-outcome")
    shown(person, second.attempt_id)
    person.page.keyboard.press("n")
    shown(person, third.attempt_id)
    person.page.keyboard.press("s")
    person.says("Nothing for you to read right now.", "#judge-empty")
    person.page.keyboard.press("3")
    person.page.click("#judge-again")
    shown(person, third.attempt_id)
    assert ledger.totals().attempts == 3  # the one on the Draw tab was not submitted
    assert [ledger.find(a.attempt_id).lacking for a in (first, second, third)] == [1, 1, 2]
    open_tab(person, "Draw")
    person.page.keyboard.press("1")
    person.says("it saw a")
    assert ledger.totals().attempts == 4
    assert ledger.find(third.attempt_id).lacking == 2


def test_a_double_tap_does_not_answer_for_a_drawing_nobody_has_seen(people, ledger):
    first, second = add_fooling(ledger, 2)
    person = people()
    open_tab(person)
    shown(person, first.attempt_id)
    person.page.dblclick("#judge-1")
    shown(person, second.attempt_id)
    assert ledger.find(second.attempt_id).lacking == 2
    person.page.click("#judge-1")
    person.says("You have read 2 drawings.", "#judge-read")


def test_a_drawing_turns_up_by_itself_and_is_shown_as_it_was_drawn(people, ledger):
    person = people()
    open_tab(person)
    person.says("A drawing turns up here as soon as somebody fools the model.", "#judge-empty")
    drawing = people()
    drawing.draw(PLAIN[8])
    assert drawing.submit((drawing.prediction() + 1) % 10).startswith("You fooled it!")
    shown(person)
    ink = """id => { const c = document.createElement('canvas'); c.width = c.height = 28;
        c.getContext('2d').drawImage(document.querySelector(id), 0, 0, 28, 28);
        return Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 3); }"""
    drawing.draw(PLAIN[8])  # the same again: it is on the sketchpad still
    drawing.prediction()
    on_paper = person.page.evaluate(ink, "#judge canvas")
    on_sketchpad = drawing.page.evaluate(ink, "#sketchpad canvas")
    differing = sum(abs(a - b) > 64 for a, b in zip(on_paper, on_sketchpad, strict=True))
    assert sum(a > 128 for a in on_paper) > 40
    assert differing <= 4


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_replay_draws_it_stroke_by_stroke_and_ends_with_all_of_it(people, ledger, motion):
    served = ledger.served()
    strokes = [
        [[60, 60, 0], [60, 220, 300]],
        [[140, 60, 900], [140, 220, 1200]],
        [[220, 60, 60_000], [220, 220, 60_300]],
    ]
    answer = FakeAnswer(3, served.number, served.weights_id, strokes)
    ledger.record_attempt(answer, 1, ledger.annotator("ann"), "try-ann")
    person = people(reduced_motion=motion)
    open_tab(person)
    shown(person)
    whole = person.page.evaluate(INKED)
    person.page.keyboard.press("r")
    person.page.wait_for_function(f"({INKED})() < {whole / 2}")
    person.page.wait_for_function("!document.querySelector('.reader').classList.contains('replaying')", timeout=20_000)
    assert person.page.evaluate(INKED) == pytest.approx(whole)
    person.page.click("#judge-replay")
    person.page.wait_for_function("document.querySelector('.reader').classList.contains('replaying')")
    person.page.click("#judge-1")  # nobody has to wait for its end
    person.says("Recorded.", "#judge-outcome")


def test_when_the_server_is_gone_the_drawing_stays_and_the_same_answer_counts_once(people, app, ledger):
    (drawn,) = add_fooling(ledger, 1)
    person = people()
    open_tab(person)
    shown(person, drawn.attempt_id)
    app.process.kill()
    app.process.wait()
    person.page.keyboard.press("1")
    person.says("Say it again: it counts once.", "#judge-outcome", seconds=40)
    app.__enter__()
    person.page.keyboard.press("1")
    person.says("Recorded. One more reader can settle it.", "#judge-outcome", seconds=40)


def test_with_quorum_0_the_tab_says_that_judging_is_off_and_how_to_turn_it_on(chromium, tmp_path):
    with RunningApp(tmp_path / "off") as app:
        person = Person(chromium, app)
        open_tab(person)
        person.says("every fooling drawing counts at once", "#judge-off")
        person.page.wait_for_selector("#judge-off:visible")
        assert "HOODWINK_QUORUM=2" in person.page.locator("#judge").inner_text()
        assert person.page.locator("#judge .digits").is_hidden()
        person.context.close()
        assert person.errors == []
