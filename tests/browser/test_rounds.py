"""The Rounds tab in a real Chromium: figures, matrix, gallery, and that it stays still while people read."""

import pytest

from benchmarks.server import MAINTAINER_TOKEN, RunningApp
from flagging.home import Home
from tests.browser.conftest import Person
from tests.conftest import TEST_KEY, random_weights
from tests.made import add_attempts
from ui.gallery import PER_PAGE

pytestmark = pytest.mark.browser
PATIENCE_MS = 60_000
REASON = "accuracy on clean validation fell from 0.9950 to 0.9540 against round 0, more than the 0.5 points allowed"
PASSED = {"name": "recall", "passed": True, "words": "no digit's recall on clean validation fell"}
FAILED = {"name": "clean against round 0", "passed": False, "words": REASON}
FIGURES = {"clean_accuracy_before": 0.9945, "clean_accuracy_after": 0.9933, "clean_n": 10000, "clean_source": "MNIST"}
GATE = {"promoted": False, "checks": [FAILED, PASSED], "gain": {"words": "gain on held-out drawings: not shown yet"}}


def close(ledger, decision, reason, weights_id, figures):
    began = ledger.open_round()
    held_out = [a.attempt_id for a in ledger.attempts(split="test", usable_only=True) if a.round == began.number]
    ledger.close_round(decision, reason, weights_id, figures, began=began, test_set=held_out)
    return len(held_out)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """An app with three closed rounds, promoted, refused and rolled back, and a fourth one open; how many it held out."""
    home = Home(tmp_path_factory.mktemp("rounds") / "data", TEST_KEY)
    with RunningApp(home.folder, {"HOODWINK_ANNOTATOR_KEY": TEST_KEY.decode(), "HOODWINK_AUTO_RETRAIN": "0"}) as app:
        ledger = home.open_ledger()
        round0, better = ledger.served().weights_id, random_weights(home.weights, 1).id
        for number in range(120):
            add_attempts(ledger, 1, label=1, prediction=3, annotator=f"person {number}")
        add_attempts(ledger, 30, label=4, prediction=4)
        held_out = [close(ledger, "promoted", "no harm found", better, FIGURES)]
        for number in range(30):
            add_attempts(ledger, 1, label=4, prediction=9, annotator=f"person {number}")
        worse = random_weights(home.weights, 2).id
        held_out.append(
            close(ledger, "refused", REASON, worse, FIGURES | {"gate": GATE, "clean_accuracy_after": 0.954})
        )
        close(ledger, "rolled back", "a maintainer went back to the weights of round 0", round0, FIGURES)
        add_attempts(ledger, 3, label=7, prediction=1)
        app.held_out, app.ledger = held_out, ledger
        yield app
        ledger.close()


@pytest.fixture
def visitor(chromium, played):
    somebody = Visitor(chromium, played)
    yield somebody
    somebody.context.close()
    assert somebody.errors == []


class Visitor(Person):
    """A person who looks at the Rounds tab."""

    def __init__(self, chromium, app, **context):
        super().__init__(chromium, app, **context)
        self.page.set_default_timeout(PATIENCE_MS)
        self.look()

    def look(self):
        self.page.get_by_role("tab", name="Rounds").click()

    def pairs(self):
        return self.page.locator(".drawings .pair").all_inner_texts()

    def choose(self, name, value):
        self.page.locator(f".filters select[name={name}]").select_option(value)

    def until(self, script, arg=None):
        self.page.wait_for_function(script, arg=arg, timeout=PATIENCE_MS)


def test_the_table_tells_of_a_refusal_its_reason_and_its_checks(visitor):
    row = visitor.page.locator('.hw-rounds tbody[data-round="2"]')
    row.get_by_text(f"Refused: {REASON}").wait_for()
    assert row.locator(".hw-decision").inner_text() == "refused"
    assert row.get_by_text("failed clean against round 0").is_hidden()
    row.get_by_text("2 checks, 1 failed").click()
    assert row.locator("li.failed").inner_text() == f"✗ failed clean against round 0: {REASON}"
    assert row.locator("li.passed").is_visible()
    decisions = visitor.page.locator(".hw-rounds .hw-decision").all_inner_texts()
    assert decisions == ["open", "rolled back", "refused", "promoted"]


def test_plots_and_headline_sum_the_rounds_up(visitor):
    visitor.page.locator(".hw-tiles").get_by_text("1 refused, 1 rolled back").wait_for()
    plot = visitor.page.get_by_role("img", name="How often it was fooled")
    assert "round 1: 80 % (120 of 150; 95 % interval 73 to 86 %)" in plot.get_attribute("aria-label")
    assert visitor.page.get_by_role("img", name="Clean accuracy (MNIST test)").is_visible()


def test_the_matrix_marks_what_was_fooled_by_construction_and_what_says_little(visitor):
    many, few = visitor.app.held_out
    assert (many >= 20, 0 < few < 20) == (True, True)
    matrix = visitor.page.locator(".hw-matrix")
    matrix.wait_for()
    assert matrix.locator("thead th[scope=col]").all_inner_texts()[1:] == [
        f"round 1\nn = {many}",
        f"round 2\nn = {few}",
    ]
    kinds = [cell.get_attribute("class") for cell in matrix.locator("tbody td").all()]
    assert kinds == ["by-construction", "few", "shade", "by-construction"]
    assert matrix.locator("td.by-construction").first.inner_text().endswith("\nfooled")
    assert matrix.locator("tbody th").all_inner_texts() == ["round-0 weights\nserved now", "round 1"]


def test_confusion_is_of_all_rounds_or_of_the_one_that_is_chosen(visitor):
    cell = visitor.page.locator('.hw-confusion td[title^="meant 7, saw 1"]')
    cell.wait_for()
    assert visitor.page.locator(".of-round option").all_inner_texts() == ["all", "4 (open)"]  # what was recorded of it
    visitor.page.locator(".of-round").select_option("4")
    visitor.page.get_by_role("table", name="Round 4").wait_for()
    assert cell.inner_text() == "3"


def test_the_gallery_filters_by_digit_round_and_state(visitor):
    visitor.page.locator(".drawings button").first.wait_for()
    assert visitor.pairs()[:4] == ["7 → 1"] * 3 + ["4 → 9"]
    visitor.choose("label", "4")
    visitor.until("document.querySelectorAll('.drawings li').length === 30")
    assert set(visitor.pairs()) == {"4 → 9"}
    visitor.choose("round", "1")
    visitor.page.get_by_text("No drawing here is like that").wait_for()
    assert visitor.pairs() == []
    visitor.choose("label", "")
    visitor.until(f"document.querySelectorAll('.drawings li').length === {PER_PAGE}")
    visitor.page.get_by_role("button", name="More").click()
    visitor.until(f"document.querySelectorAll('.drawings li').length === {2 * PER_PAGE}")
    visitor.choose("state", "verified")
    visitor.page.get_by_text("No drawing here is like that").wait_for()


def test_a_click_replays_the_drawing_and_escape_closes_it(visitor):
    first = visitor.page.locator(".drawings button").first
    first.focus()
    visitor.page.keyboard.press("Enter")
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_text("1 (91 %)").wait_for()
    visitor.until("document.querySelector('.replay').dataset.points === '3'")  # a plain 7 has three points
    ink = "(() => { const c = document.querySelector('.replay'); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); })()"
    assert visitor.page.evaluate(ink)
    # From the first point again.
    visitor.page.evaluate(
        "() => { window.seen = []; new MutationObserver(() => seen.push(Number(document.querySelector('.replay').dataset.points)))"
        ".observe(document.querySelector('.replay'), { attributeFilter: ['data-points'] }); }"
    )
    dialog.get_by_role("button", name="Replay").click()
    visitor.until("window.seen.includes(1) && window.seen.at(-1) === 3")
    visitor.page.keyboard.press("ArrowRight")
    visitor.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_with_reduced_motion_the_drawing_is_there_at_once(chromium, played):
    visitor = Visitor(chromium, played, reduced_motion="reduce")
    visitor.page.locator(".drawings button").first.wait_for()
    points = "() => { document.querySelector('.drawings button').click(); return document.querySelector('.replay').dataset.points; }"
    assert visitor.page.evaluate(points) == "3"
    visitor.context.close()


def test_without_the_maintainer_token_there_is_no_hide_button(visitor):
    visitor.page.locator(".drawings button").first.click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Replay").wait_for()
    assert visitor.page.get_by_role("button", name="Hide").is_hidden()


def test_a_maintainer_hides_a_drawing_for_everybody_and_takes_it_back(chromium, played, visitor):
    visitor.choose("label", "7")
    visitor.until("document.querySelectorAll('.drawings li').length === 3")
    maintainer = Visitor(chromium, played)
    maintainer.page.goto("about:blank")
    maintainer.page.goto(f"{played.url}#maintainer={MAINTAINER_TOKEN}")
    maintainer.page.get_by_role("button", name="Retrain now").wait_for()
    maintainer.look()
    maintainer.page.locator(".drawings button").first.click()
    maintainer.page.get_by_role("button", name="Hide").click()
    maintainer.page.get_by_text("Hidden: meant 7, seen as 1.").wait_for()
    assert maintainer.page.get_by_role("dialog").is_hidden()
    assert maintainer.pairs()[:3] == ["7 → 1", "7 → 1", "4 → 9"]
    visitor.until("document.querySelectorAll('.drawings li').length === 2")  # elsewhere too, by itself
    assert played.ledger.open_round().counts.fooling == 2
    maintainer.page.get_by_role("button", name="Undo").click()
    visitor.until("document.querySelectorAll('.drawings li').length === 3")
    assert maintainer.pairs()[:3] == ["7 → 1"] * 3
    maintainer.context.close()


def test_a_wrong_token_hides_nothing_and_says_so(visitor):
    visitor.page.evaluate("sessionStorage.setItem('hoodwink-maintainer', 'not the token')")
    visitor.page.locator(".drawings button").first.click()
    visitor.page.get_by_role("button", name="Hide").click()
    visitor.page.get_by_role("dialog").get_by_text("this needs the maintainer token").wait_for()
    assert played_fooling(visitor) == 3


def played_fooling(visitor):
    return visitor.app.ledger.open_round().counts.fooling


def test_new_figures_come_by_themselves_and_leave_what_is_open_alone(visitor):
    row = visitor.page.locator('.hw-rounds tbody[data-round="2"]')
    row.get_by_text("2 checks, 1 failed").click()
    scrolled = visitor.page.evaluate("() => { window.scrollTo(0, 400); return window.scrollY; }")
    before = visitor.app.ledger.open_round().counts.attempts
    add_attempts(visitor.app.ledger, 1, label=5, prediction=5, annotator="late")
    visitor.until(
        "n => document.querySelector('.hw-rounds tbody[data-round=\"4\"]').children[0].children[5].textContent === n",
        str(before + 1),
    )
    assert row.locator("li.failed").is_visible()
    assert visitor.page.evaluate("window.scrollY") == scrolled == 400


def test_it_asks_for_nothing_while_another_tab_is_looked_at(visitor):
    visitor.until("document.querySelectorAll('[data-refreshing=true]').length === 2")
    visitor.page.get_by_role("tab", name="Draw", exact=True).click()
    visitor.until("document.querySelectorAll('[data-refreshing=true]').length === 0")
    visitor.look()
    visitor.until("document.querySelectorAll('[data-refreshing=true]').length === 2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_only_the_tables_scroll_sideways(chromium, played, scheme):
    visitor = Visitor(
        chromium, played, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme=scheme
    )
    visitor.page.locator(".hw-matrix").wait_for()
    visitor.page.locator(".drawings button").first.wait_for()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = visitor.page.locator(".hw-scroll").all()
    assert all(box.bounding_box()["width"] <= 390 for box in boxes)
    assert boxes[0].evaluate("box => box.scrollWidth > box.clientWidth")
    visitor.context.close()


def test_with_nothing_drawn_there_is_an_invitation_and_no_empty_axes(person):
    person.page.get_by_role("tab", name="Rounds").click()
    person.page.get_by_text("Nothing was drawn yet.").wait_for()
    for empty in (".hw-plot", ".hw-table", ".hw-matrix", ".hw-confusion", ".gallery"):
        assert person.page.locator(empty).is_visible() is False, empty
    assert person.page.locator(".rounds h2:visible").count() == 0
