"""On a Space: signing in, judging, maintaining and withdrawing."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.server import MAINTAINER_TOKEN, RunningApp
from flagging.home import Home
from flagging.ledger import Ledger
from tests.browser.conftest import Person
from tests.conftest import TEST_KEY
from tests.hub_server import HubServer
from tests.hub_server.people import user_id
from tests.made import PLAIN, add_fooling

pytestmark = pytest.mark.browser
DATASET = "alice/digits"


@pytest.fixture
def app(hub: HubServer, tmp_path) -> Iterator[RunningApp]:
    """As in the Space alice/hoodwink, with a dataset on the Hub. A Space may ask Gradio to render on its own server: it does not."""
    settings = {"HOODWINK_QUORUM": "1", "HOODWINK_ANNOTATOR_KEY": TEST_KEY.decode(), "HOODWINK_MAINTAINERS": "x, Carol"}
    app = RunningApp(tmp_path / "data", settings | {"GRADIO_SSR_MODE": "True"}, start_seconds=90)
    app.environment |= hub.environment | hub.sign_in_environment(app.port) | {"HOODWINK_HUB_DATASET": DATASET}
    with app:
        with urllib.request.urlopen(app.url) as answer:
            assert "x-sveltekit-page" not in answer.headers
            assert "https://huggingface.co" in answer.headers["content-security-policy"]
        yield app


@pytest.fixture
def ledger(app) -> Iterator[Ledger]:
    ledger = Home(app.home, TEST_KEY).open_ledger()
    yield ledger
    ledger.close()


@pytest.fixture
def people(chromium, app, hub):
    there: list[Person] = []

    def arrive(name: str | None = None) -> Person:
        there.append(Person(chromium, app))
        if name:
            sign_in(there[-1], hub, name)
        return there[-1]

    yield arrive
    for somebody in there:
        somebody.context.close()
        assert somebody.errors == []


def sign_in(person: Person, hub: HubServer, name: str) -> None:
    hub.signing_in = name
    person.page.click("#sign-in")
    person.page.locator(f"#signed-in summary[aria-label='Signed in as {name}']").wait_for()
    person.page.wait_for_selector("#sketchpad canvas[data-points]")


def open_tab(person: Person, name: str) -> None:
    person.page.get_by_role("tab", name=name, exact=True).click()


def fool(person: Person) -> int:
    """Draw a digit and say it was another one; which."""
    person.draw(PLAIN[1])
    label = (person.prediction() + 1) % 10
    assert person.submit(label).startswith("You fooled it!")
    return label


def test_drawing_needs_no_account_and_judging_does(people, hub, ledger, app):
    drew, reads = people(), people()
    label = fool(drew)
    (drawn,) = ledger.attempts()
    open_tab(reads, "Judge")
    invitation = reads.page.locator("#judge-sign-in")
    invitation.wait_for()
    assert "1 drawing waits for readers" in invitation.inner_text()
    assert reads.page.locator("#judge .digits").is_hidden()
    with pytest.raises(AppError, match="sign in with Hugging Face to judge"):
        Client(app.url, verbose=False).predict(drawn.attempt_id, label, api_name="/judge")

    hub.signing_in = "bob"
    invitation.get_by_role("button", name="Sign in with Hugging Face").click()
    reads.page.wait_for_function(
        "document.querySelector('#judge canvas')?.dataset.attempt", timeout=20_000
    )  # and back here
    reads.page.wait_for_timeout(450)
    reads.page.click(f"#judge-{label}")
    reads.says("Recorded. That settles it: this drawing counts.", "#judge-outcome")
    assert ledger.find(drawn.attempt_id).state == "verified"

    reads.page.click("#signed-in summary")
    reads.page.get_by_text("Sign out").click()
    reads.page.wait_for_selector("#sketchpad canvas[data-points]")
    open_tab(reads, "Judge")
    invitation.wait_for()


def test_who_declines_to_sign_in_is_back_at_the_game(people, hub):
    person = people()
    hub.signing_in = None
    person.page.click("#sign-in")
    person.page.wait_for_selector("#sketchpad canvas[data-points]")
    person.page.wait_for_selector("#sign-in")


def test_a_client_that_signed_in_may_judge(hub, app, ledger):
    first, second = add_fooling(ledger, 2)
    headers = {"Cookie": hub.sign_in(app.url, "bob")}
    client = Client(app.url, verbose=False, headers=headers)
    assert client.predict(first.attempt_id, 1, api_name="/judge")["state"] == "verified"
    forged = Client(app.url, verbose=False, headers=headers | {"Sec-Fetch-Site": "cross-site"})
    with pytest.raises(AppError, match="sign in with Hugging Face to judge"):
        forged.predict(second.attempt_id, 1, api_name="/judge")


def test_owner_and_named_maintainers_open_maintain_without_a_token_and_strangers_do_not(people, hub, ledger, app):
    (drawn,) = add_fooling(ledger, 1)
    ledger.record_vote(drawn.attempt_id, 1, "judge")
    for name in ("alice", "carol"):
        person = people(name)
        open_tab(person, "Maintain")
        person.page.get_by_role("button", name="Retrain now").wait_for()
        person.page.wait_for_selector(f"text={DATASET}")
        assert person.page.get_by_label("Maintainer token").is_hidden()
    stranger = people("bob")
    open_tab(stranger, "Maintain")
    stranger.page.get_by_label("Maintainer token").wait_for()
    assert stranger.page.get_by_role("button", name="Retrain now").is_hidden()
    # Nor does it help to call what the page calls.
    config = json.loads(stranger.page.evaluate("fetch('/config').then((answer) => answer.text())"))
    (desk,) = (c["id"] for c in config["components"] if c["props"].get("elem_id") == "maintain")
    for name in ("retrain", "rollback"):
        data = {"maintainer": "", "weights_id": drawn.weights_id}
        body = {"component_id": desk, "fn_name": name, "data": data, "session_hash": "s"}
        told = stranger.page.evaluate(
            "(body) => fetch('/gradio_api/component_server', {method: 'POST', body: JSON.stringify(body),"
            " headers: {'Content-Type': 'application/json'}}).then((answer) => answer.json())",
            body,
        )
        assert "needs the maintainer token" in told["error"]
    with pytest.raises(AppError, match="needs the maintainer token"):
        Client(app.url, verbose=False, headers={"Cookie": hub.sign_in(app.url, "bob")}).predict("", api_name="/retrain")
    assert ledger.open_round().number == 1
    # The token opens it for anybody.
    stranger.page.get_by_label("Maintainer token").fill(MAINTAINER_TOKEN)
    stranger.page.get_by_role("button", name="Retrain now").wait_for()


def test_a_maintainer_who_signed_in_hides_a_drawing_in_the_gallery(people, ledger):
    (drawn,) = add_fooling(ledger, 1)
    ledger.record_vote(drawn.attempt_id, 1, "judge")
    for name, may in (("bob", False), ("alice", True)):
        person = people(name)
        open_tab(person, "Rounds")
        person.page.locator("#gallery .drawings button").click()
        person.page.locator("#gallery .again").wait_for()
        assert person.page.locator("#gallery button.hide").is_visible() == may
    person.page.locator("#gallery button.hide").click()
    person.says("Hidden: meant 1, seen as 3.", "#gallery .hidden-one")
    assert list(ledger.attempts()) == []


def test_ones_own_drawings_of_before_and_after_signing_in_are_withdrawn_here_and_on_the_hub(people, hub, ledger):
    add_fooling(ledger, 1, annotator="somebody else")
    me = people()
    fool(me)
    sign_in(me, hub, "bob")
    fool(me)
    before, after = (a for a in ledger.attempts() if json.loads(a.strokes)[0][0][0] == 140)
    assert before.annotator != after.annotator == ledger.annotator(f"hub:{user_id('bob')}")
    open_tab(me, "Mine")
    me.says("2 drawings", "#mine .shown")
    # One of them, after a look at it.
    me.page.locator(f"#mine li[data-id='{before.attempt_id}'] > button").click()
    me.page.locator("#mine .withdraw-one").click()
    me.says("deleted within minutes from the dataset alice/digits on the Hub, history included", "#mine .sure")
    me.says("Weights already trained on them remain as they are.", "#mine .sure")
    me.page.get_by_role("button", name="Keep it").click()
    me.page.locator("#mine .withdraw-one").click()
    me.page.get_by_role("button", name="Withdraw it").click()
    me.says("1 drawing of yours deleted.", "#mine .said")
    assert {a.attempt_id for a in ledger.attempts()} & {before.attempt_id, after.attempt_id} == {after.attempt_id}
    # The others, all at once, while the Hub is out of reach.
    hub.offline = True
    me.page.get_by_role("button", name="Withdraw all").click()
    me.page.locator("#mine .sure .yes").click()
    me.says("You have no drawings here.", "#mine .none")
    me.page.locator("#mine .none").wait_for()
    assert [a.annotator for a in ledger.attempts()] == [ledger.annotator("somebody else")]
    # The page says that it is going on on the Hub, and when it is done.
    me.says("and is being deleted on the Hub. The Hub: ", "#mine .gone", seconds=60)
    open_tab(me, "Draw")
    me.says("kept here, and sent when the Hub can be used again", "#hub")
    assert "could not be reached" in me.page.locator("#hub span").get_attribute("title")
    hub.offline = False
    open_tab(me, "Mine")
    me.page.locator("#mine .gone").wait_for(state="hidden", timeout=120_000)
    open_tab(me, "Draw")
    me.says("All on the Hub (", "#hub a")
    assert me.page.locator("#hub a").get_attribute("href") == "https://huggingface.co/datasets/alice/digits"
