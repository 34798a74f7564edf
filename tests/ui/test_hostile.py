"""A running app, as somebody meets it who means it harm."""

import gzip
import http.client
import json
import random
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import nonsense
from benchmarks.fuzz import TABLES, describe, exceptions, rows
from benchmarks.server import MAINTAINER_TOKEN, REPOSITORY, RunningApp
from flagging.home import Home
from model.strokes import StrokesRefused, check_strokes, rasterise
from model.weights import install_shipped
from tests.conftest import random_weights
from tests.made import add_fooling

PACKAGES = ("ui", "flagging", "model", "retrain", "evaluation")
ME = "of-a-stranger-1"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """With fooling drawings of somebody else's, and earlier weights to go back to."""
    home = Home(tmp_path_factory.mktemp("hostile") / "data", b"the key of the hostile tests")
    ledger = home.open_ledger(create=True)
    ledger.start(install_shipped(home.weights))
    add_fooling(ledger, 5)
    ledger.close_round("promoted", "made up", random_weights(home.weights, 1).id, {}, began=ledger.open_round())
    add_fooling(ledger, 5)
    ledger.close()
    settings = {
        "HOODWINK_ANNOTATOR_KEY": "the key of the hostile tests",
        "HOODWINK_AUTO_RETRAIN": "0",
        "HOODWINK_QUORUM": "1",
        "HOODWINK_LIMITS": "0",
    }
    with RunningApp(home.folder, settings) as running:
        yield running


@pytest.fixture
def kept(app):
    """Nothing is recorded while a test runs."""
    before = rows(app.home)
    yield before
    assert rows(app.home) == before


def ask(app, method, path, body=None, headers=None, raw=False):
    """Status, headers and text; the path as it stands, however it looks."""
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)) as connection:
        sent = body if raw or body is None else json.dumps(body)
        connection.putrequest(method, path, skip_host="Host" in (headers or {}))
        given = {"Content-Type": "application/json", **(headers or {})}
        if sent is not None:
            given["Content-Length"] = str(len(sent.encode()))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(sent.encode() if sent is not None else None)
        answer = connection.getresponse()
        if "text/event-stream" in answer.getheader("content-type", ""):
            return answer.status, answer.headers, ""
        return answer.status, answer.headers, answer.read().decode(errors="replace")


def events(app, event):
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)) as connection:
        connection.request("GET", f"/gradio_api/call/{event}")
        return connection.getresponse().read().decode()


def functions(app):
    components = json.loads(ask(app, "GET", "/config")[2])["components"]
    return {name: c["id"] for c in components for name in c["props"].get("server_fns") or ()}


def call(app, name, data, headers=None):
    body = {"session_hash": "s", "component_id": functions(app)[name], "fn_name": name, "data": data}
    return ask(app, "POST", "/gradio_api/component_server", body, headers)


# -- nobody but maintainers ---------------------------------------------------------------------------------

WRONG = [
    None,
    "",
    "wrong",
    MAINTAINER_TOKEN[:-1],
    MAINTAINER_TOKEN + " x",
    MAINTAINER_TOKEN.upper(),
    7,
    [MAINTAINER_TOKEN],
    {"a": 1},
]
AS_IF = [
    {},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Real-IP": "127.0.0.1"},
    {"Host": "0123456789abcdef.gradio.live", "X-Forwarded-Proto": "https"},
    {"Authorization": f"Bearer {MAINTAINER_TOKEN[:-1]}", "X-Hoodwink-Annotator": "hub:1", "Cookie": "session=e30="},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", AS_IF)
@pytest.mark.parametrize("token", WRONG)
def test_no_other_token_starts_a_round_or_rolls_back(app, kept, token, headers):
    earlier = json.loads(ask(app, "POST", "/gradio_api/run/rounds", {"data": []})[2])["data"][0]
    for name, given in (("retrain", [token]), ("rollback", [token, earlier[0]["weights_id"]])):
        for where in ("run", "api"):
            status, _, text = ask(app, "POST", f"/gradio_api/{where}/{name}", {"data": given}, headers)
            assert status == 400, text
            assert "Traceback" not in text
        status, _, text = ask(app, "POST", f"/gradio_api/call/{name}", {"data": given}, headers)
        assert "event: error" in events(app, f"{name}/{json.loads(text)['event_id']}")


def test_no_event_of_the_page_can_be_used_instead(app, kept):
    """Gradio lets anybody call the functions behind buttons by their number, those of the locked tab included."""
    dependencies = json.loads(ask(app, "GET", "/config")[2])["dependencies"]
    assert len(dependencies) == 10  # the named endpoints
    for number in range(len(dependencies) + 3):
        for given in ([], ["wrong"], ["wrong", 1], [-1], [None, None]):
            for path in ("run/predict", "api/predict", "queue/join"):
                body = {"data": given, "fn_index": number, "session_hash": "s", "trigger_id": 1}
                status, _, text = ask(app, "POST", f"/gradio_api/{path}", body)
                assert status < 500
                assert "Traceback" not in text


@pytest.mark.parametrize("token", WRONG)
def test_nobody_else_hides_a_drawing(app, kept, token):
    ledger = Home(app.home, b"the key of the hostile tests").open_ledger()
    victim = next(ledger.attempts())
    ledger.close()
    data = {
        "token": ME,
        "maintainer": token,
        "maintainer_token": token,
        "attempt_id": victim.attempt_id,
        "hidden": True,
    }
    status, _, text = call(app, "hide", data)
    assert status == 200
    assert "maintainer token" in json.loads(text)["error"]


def test_nobody_gets_at_what_others_drew(app, kept):
    ledger = Home(app.home, b"the key of the hostile tests").open_ledger()
    others = [attempt.attempt_id for attempt in ledger.attempts()]
    ledger.close()
    for name, data in {
        "retract": {"token": ME, "attempt_id": others[0]},
        "withdraw": {"token": ME, "attempt_ids": others[:3], "all": False},
    }.items():
        assert "error" in json.loads(call(app, name, data)[2])
    for name, given in {"retract": [others[0]], "withdraw": [others[:3]]}.items():
        assert ask(app, "POST", f"/gradio_api/run/{name}", {"data": given})[0] == 400


# -- what is told -------------------------------------------------------------------------------------------


def test_answers_nobody_fetches_are_kept_up_to_a_bound_and_no_longer_once_fetched(app, kept):
    def call(session):
        return ask(app, "POST", "/gradio_api/call/status", {"data": [], "session_hash": session})

    answered = []
    while (one := call("nobody-fetches"))[0] == 200:
        answered.append(json.loads(one[2])["event_id"])
        assert len(answered) < 1000
    assert (one[0], "fetch them" in one[2]) == (429, True)
    assert len(answered) >= 75
    assert call("somebody-else")[0] == 200
    told = events(app, f"status/{answered[-1]}")
    assert told.count("event: complete") == len(answered)
    assert call("nobody-fetches")[0] == 200


def test_neither_keys_nor_annotators_nor_the_token_are_told(app):
    ledger = Home(app.home, b"the key of the hostile tests").open_ledger()
    secrets = {attempt.annotator for attempt in ledger.attempts()} | {
        MAINTAINER_TOKEN,
        "the key of the hostile tests",
        "try-",
    }
    ledger.close()
    told = [ask(app, "GET", path)[2] for path in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json")]
    told += [call(app, name, {"token": ME})[2] for name in functions(app)]
    told += [
        ask(app, "POST", f"/gradio_api/run/{name}", {"data": []})[2] for name in ("status", "rounds", "next_to_judge")
    ]
    assert len("".join(told)) > 20_000
    for secret in secrets:
        assert not any(secret in text for text in told)


def test_tokens_are_never_logged(app):
    ask(app, "POST", "/gradio_api/run/retrain", {"data": [MAINTAINER_TOKEN + "x"]})
    ask(app, "POST", "/gradio_api/look", {"token": ME, "try_id": "0" * 32, "strokes": []})
    log = app.log.read_text()
    assert MAINTAINER_TOKEN not in log
    assert ME not in log


def test_no_file_is_served_whatever_the_path_looks_like(app):
    (app.home / "secret.txt").write_text("do not tell")
    names = [
        "/etc/passwd",
        str(app.home / "ledger.sqlite"),
        str(app.home / "secret.txt"),
        "app.py",
        str(REPOSITORY / "app.py"),
    ]
    climbs = ["", "../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..%252f" * 8, "....//" * 8, "..\\" * 8, "%c0%ae%c0%ae/" * 8]
    prefixes = [
        "/gradio_api/file=",
        "/file=",
        "/gradio_api/file/",
        "/static/",
        "/assets/",
        "/svelte/",
        "/gradio_api/proxy=",
        "/",
    ]
    for prefix in prefixes:
        for climb in climbs:
            for name in names:
                status, _, text = ask(app, "GET", f"{prefix}{climb}{name.lstrip('/') if climb else name}")
                assert status in (400, 403, 404), (prefix, climb, name)
                assert not any(found in text for found in ("root:x", "do not tell", "SQLite format", "import torch"))


def test_headers_and_cookies_of_the_page(app):
    status, headers, _ = ask(app, "GET", "/")
    assert status == 200
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers
    for path in ("/config", "/gradio_api/info", "/nothing"):
        assert "content-security-policy" in ask(app, "GET", path)[1]


def test_the_page_itself_is_packed(app):
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)) as connection:
        connection.request("GET", "/", headers={"Accept-Encoding": "gzip, br"})
        answer = connection.getresponse()
        packed = answer.read()
    assert answer.getheader("content-encoding") == "gzip"
    assert len(packed) < 60_000 < len(gzip.decompress(packed))


def test_other_sites_may_not_read_what_a_browser_here_is_told(app):
    _, headers, _ = ask(
        app, "POST", "/gradio_api/look", {}, {"Origin": "https://evil.example", "Host": f"127.0.0.1:{app.port}"}
    )
    assert headers.get("access-control-allow-origin") != "https://evil.example"


def test_weights_are_only_ever_read_without_running_code():
    sources = [path.read_text() for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    assert len(sources) > 50
    for forbidden in ("torch.load(", "import pickle", "joblib", "allow_pickle=True", "eval(", "exec("):
        lines = [
            line for text in sources for line in text.splitlines() if forbidden in line and f".{forbidden}" not in line
        ]
        assert not lines, forbidden


# -- the fuzzing run ----------------------------------------------------------------------------------------


def test_the_fuzzing_run_notices_what_it_is_for():
    answered = SimpleNamespace(statuses={200: 1}, problems=["POST /x: 500"])
    section = describe(answered, 1, 1.0, (100, 200), (0, 3), ["tries: 0 -> 1"], (["Traceback"], 0))
    assert [row.reached for row in section.rows] == [False] * 5
    frame = f'Traceback (most recent call last)\n  File "{REPOSITORY}/ui/%s.py", line 1, in x\nKeyError: 1\n'
    ours, others = exceptions(frame % "guard" + frame % "game")
    assert (len(ours), others) == (1, 1)
    assert "game.py" in ours[0]


def is_a_drawing(strokes):
    try:
        return rasterise(check_strokes(strokes)).any()
    except StrokesRefused:
        return False


def test_what_is_sent_cannot_be_right():
    """Else rows would be recorded rightly, and the run would say nothing of wrong ones."""
    made = nonsense.Nonsense(random.Random(3), [(1, "submit")], ["an-id"])
    for _ in range(3000):
        assert not is_a_drawing(made.strokes())
    assert len(TABLES) == 10
    assert Path(REPOSITORY, "flagging/schema.sql").read_text().count("CREATE TABLE") >= 8
