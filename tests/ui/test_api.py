"""The named endpoints of a running app, called as strangers call them."""

import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.server import MAINTAINER_TOKEN, RunningApp
from flagging.home import Home
from model.served import ServedModel
from model.weights import load_weights
from tests.conftest import random_weights
from tests.made import PLAIN

NESTED: list = []
for _ in range(200):
    NESTED = [NESTED]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with RunningApp(tmp_path_factory.mktemp("app") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def client(app):
    return Client(app.url, verbose=False)


@pytest.fixture(scope="module")
def ledger(app):
    return Home(app.home).open_ledger()


def fooling_label(prediction: int) -> int:
    return (prediction + 1) % 10


def test_predict_answers_for_strokes(client):
    answer = client.predict(PLAIN[1], api_name="/predict")
    assert set(answer) == {"prediction", "confidence", "probabilities", "weights_id", "round"}
    assert answer["confidence"] == max(answer["probabilities"]) == answer["probabilities"][answer["prediction"]]
    assert sum(answer["probabilities"]) == pytest.approx(1)


def test_submit_records_what_the_server_saw(client, ledger):
    before = client.predict(api_name="/status")
    seen = client.predict(PLAIN[2], api_name="/predict")
    result = client.predict(PLAIN[2], fooling_label(seen["prediction"]), api_name="/submit")
    assert result["prediction"] == seen["prediction"]
    assert result["model_wrong"] is True
    assert result["fooling"] == before["fooling"] + 1
    assert result["threshold"] == 10
    kept = {a.attempt_id: a for a in ledger.attempts()}[result["attempt_id"]]
    assert (kept.label, kept.prediction) == (result["label"], result["prediction"])
    # Asked and then submitted is one try.
    after = client.predict(api_name="/status")
    assert (after["tries"] - before["tries"], after["attempts"] - before["attempts"]) == (1, 1)


def test_the_same_drawing_submitted_twice_is_two_attempts(client):
    ids = {client.predict(PLAIN[4], 4, api_name="/submit")["attempt_id"] for _ in range(2)}
    assert len(ids) == 2


def test_retract_takes_back_ones_own_and_nobody_elses(client, app):
    before = client.predict(api_name="/status")["attempts"]
    attempt_id = client.predict(PLAIN[6], 6, api_name="/submit")["attempt_id"]
    with pytest.raises(AppError, match="this attempt is not yours"):
        Client(app.url, verbose=False).predict(attempt_id, api_name="/retract")
    assert client.predict(attempt_id, api_name="/retract")["retracted"] is True
    assert client.predict(api_name="/status")["attempts"] == before


def test_a_client_withdraws_its_own_drawings_and_nobody_elses(client, app):
    mine = [client.predict(PLAIN[6], 6, api_name="/submit")["attempt_id"] for _ in range(3)]
    with pytest.raises(AppError, match="is not yours; only who drew it can withdraw it"):
        Client(app.url, verbose=False).predict(mine[:1], api_name="/withdraw")
    assert client.predict(mine[:1], api_name="/withdraw")["deleted"] == 1
    with pytest.raises(AppError, match="no list of 1 to 1000 ids"):
        client.predict([], api_name="/withdraw")
    assert client.predict(["all"], api_name="/withdraw")["deleted"] >= 2


def test_a_client_that_sends_a_token_is_the_same_annotator_tomorrow(app):
    headers = {"X-Hoodwink-Annotator": "a-random-text-of-mine"}
    attempt_id = Client(app.url, verbose=False, headers=headers).predict(PLAIN[6], 6, api_name="/submit")["attempt_id"]
    again = Client(app.url, verbose=False, headers=headers)
    assert again.predict(attempt_id, api_name="/retract")["retracted"] is True


@pytest.mark.parametrize(
    ("strokes", "label", "says"),
    [
        (PLAIN[1], 12, "label is 12"),
        (PLAIN[1], "seven", "label is 'seven'"),
        (PLAIN[1], None, "label is None"),
        (PLAIN[1], 1.5, "label is 1.5"),
        (PLAIN[1], True, "label is True"),
        ([], 1, "there are no strokes"),
        (None, 1, "strokes are null"),
        ("a seven", 7, "strokes are text 'a seven'"),
        ({"strokes": []}, 1, "strokes are"),
        ([[]], 1, "stroke 1 has no points"),
        ([[[1e9, 1]]], 1, "x and y lie between 0 and 280"),
        ([[["1", "2"]]], 1, "all numbers"),
        ([[[-200, -200]]], 1, "nothing of the drawing lies on the canvas"),
        ([[[i % 280, i % 280, i] for i in range(60_000)]], 1, "more than 10000 points"),  # over a megabyte
        (NESTED, 1, "a point of stroke 1 is"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_input_gets_a_sentence_and_records_nothing(client, ledger, strokes, label, says):
    before = ledger.totals()
    with pytest.raises(AppError) as refusal:
        client.predict(strokes, label, api_name="/submit")
    assert says in str(refusal.value)
    assert "Traceback" not in str(refusal.value)
    assert ledger.totals() == before
    assert client.predict(PLAIN[1], api_name="/predict")["prediction"] in range(10)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_json_does_not_have_get_a_sentence_too(app, number):
    with pytest.raises(HTTPError) as refusal:
        call(app, "submit", f'{{"data": [[[[{number}, 1]]], 3]}}')
    assert refusal.value.code == 400
    assert "the body is no JSON that is taken here" in json.load(refusal.value)["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"data": []}', "needed: 2"),
        ('{"data": [[[[1, 2]]]]}', "needed: 2"),
        ('{"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, 1]}', "/etc/passwd"),
    ],
)
def test_what_gradio_itself_refuses_gets_a_sentence_too(app, ledger, body, says):
    before = ledger.totals()
    said = call(app, "submit", body)
    assert "event: error" in said
    assert says in said
    assert "root:" not in said
    assert ledger.totals() == before


def call(app, endpoint, body):
    """As curl does it."""

    def fetch(path, data=None):
        request = urllib.request.Request(app.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    event = json.loads(fetch(f"gradio_api/call/{endpoint}", body.encode()))["event_id"]
    return fetch(f"gradio_api/call/{endpoint}/{event}")


def test_two_others_judge_a_drawing_blind_and_only_then_it_counts(tmp_path):
    with RunningApp(tmp_path / "data", {"HOODWINK_QUORUM": "2"}) as app:
        drew, first, second = (
            Client(app.url, verbose=False, headers={"X-Hoodwink-Annotator": f"annotator {name}"}) for name in "abc"
        )
        seen = drew.predict(PLAIN[1], api_name="/predict")["prediction"]
        label = fooling_label(seen)
        attempt_id = drew.predict(PLAIN[1], label, api_name="/submit")["attempt_id"]
        assert drew.predict(api_name="/next_to_judge")["attempt_id"] is None
        with pytest.raises(AppError, match="this drawing is your own"):
            drew.predict(attempt_id, label, api_name="/judge")
        for judge, state, ready in ((first, "pending", 0), (second, "verified", 1)):
            shown = judge.predict(api_name="/next_to_judge")
            assert shown == {"attempt_id": attempt_id, "strokes": PLAIN[1], "waiting": 1, "quorum": 2}
            recorded = judge.predict(attempt_id, label, api_name="/judge")
            assert set(recorded) == {"attempt_id", "reading", "state", "lacking", "waiting"}
            assert recorded["state"] == state
            assert judge.predict(api_name="/status")["ready"] == ready
            assert judge.predict(api_name="/next_to_judge")["attempt_id"] is None
        with pytest.raises(AppError, match="nobody judges twice"):
            second.predict(attempt_id, "not a digit", api_name="/judge")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense", 7], "there is no drawing 'nonsense'"),
        (["nonsense", 12], "the reading is 12"),
        (["nonsense", "seven"], "the reading is 'seven'"),
        (["nonsense", None], "the reading is None"),
        ([7, 7], "attempt_id is 7"),
    ],
)
def test_a_vote_that_is_none_gets_a_sentence(client, arguments, says):
    with pytest.raises(AppError) as refusal:
        client.predict(*arguments, api_name="/judge")
    assert says in str(refusal.value)


def test_a_short_annotator_header_is_refused(app):
    with pytest.raises(AppError, match="annotator token"):
        Client(app.url, verbose=False, headers={"X-Hoodwink-Annotator": "a"}).predict(PLAIN[1], api_name="/predict")


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [("/retrain", ["wrong"]), ("/retrain", [""]), ("/rollback", ["wrong", "0123456789abcdef"]), ("/retrain", [None])],
)
def test_only_a_maintainer_retrains_or_rolls_back(client, endpoint, arguments):
    with pytest.raises(AppError, match="needs the maintainer token"):
        client.predict(*arguments, api_name=endpoint)


def test_rolling_back_to_weights_never_served_is_refused(client):
    with pytest.raises(AppError, match="were never served"):
        client.predict(MAINTAINER_TOKEN, "0123456789abcdef", api_name="/rollback")


def test_every_endpoint_is_described_with_an_example(app):
    with urllib.request.urlopen(app.url + "gradio_api/info", timeout=10) as answer:
        described = json.loads(answer.read())["named_endpoints"]
    play = {"/predict", "/submit", "/retract", "/withdraw", "/next_to_judge", "/judge", "/status", "/rounds"}
    assert set(described) == play | {"/retrain", "/rollback"}
    assert all(len(endpoint["description"]) > 60 for endpoint in described.values())
    assert [p["example_input"] for p in described["/submit"]["parameters"]] == [[[[140, 60], [140, 220]]], 1]
    assert not any(p["parameter_has_default"] for p in described["/submit"]["parameters"])


def test_history_and_analytics_are_off(app):
    with urllib.request.urlopen(app.url + "config", timeout=10) as answer:
        config = json.loads(answer.read())
    assert config["run_history"] is False
    assert config["analytics_enabled"] is False


def test_predictions_through_swaps_are_whole_and_none_fails(tmp_path):
    """Eight threads ask while another process promotes: no call fails, and each answer's probabilities are
    those of the weights it names."""
    home = Home(tmp_path / "data")
    with RunningApp(home.folder) as app:
        ledger = home.open_ledger()
        known = [load_weights(home.weights, ledger.served().weights_id)]
        known += [random_weights(home.weights, seed) for seed in range(4)]
        expected = {w.id: ServedModel(w, 0).answer(PLAIN[5]).probabilities for w in known}
        stop, answered = threading.Event(), threading.Barrier(9)

        def ask(_):
            client = Client(app.url, verbose=False)
            answers = [client.predict(PLAIN[5], api_name="/predict")]
            answered.wait(60)
            while not stop.is_set():
                answers.append(client.predict(PLAIN[5], api_name="/predict"))
            return answers

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, i) for i in range(8)]
            answered.wait(60)
            for weights in known[1:]:
                ledger.close_round("promoted", "for the test", weights.id, {}, began=ledger.open_round())
                began = time.monotonic()
                client = Client(app.url, verbose=False)
                while client.predict(api_name="/status")["weights_id"] != weights.id:
                    assert time.monotonic() - began < 2, "the server took more than 2 seconds to swap"
            stop.set()
        answers = [answer for done in asked for answer in done.result()]
        assert {answer["weights_id"] for answer in answers} == set(expected)
        for answer in answers:
            assert answer["probabilities"] == pytest.approx(expected[answer["weights_id"]], abs=1e-6)
        ledger.close()
