"""What stands before every request: paths, bodies, turns, addresses, headers."""

import asyncio
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made import run
from ui.guard import MAX_BODY, Guard, Surroundings, Turns, address_of
from ui.limits import Limits

AT_HOME = Surroundings()
ON_A_SPACE = Surroundings.from_environment({"SYSTEM": "spaces"}, behind_proxy=True)


def asked(
    method="POST", path="/gradio_api/look", body=b"{}", kind="application/json", app=None, client="1.2.3.4", **more
):
    """What a guard before `app` answers: status, headers, content."""

    async def default(scope, receive, send):
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message.get("body", b"") or b"nothing"})

    chunks = [body[i : i + 70_000] for i in range(0, len(body), 70_000)] or [b""]
    messages = [{"type": "http.request", "body": c, "more_body": c is not chunks[-1]} for c in chunks]
    sent = []

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", kind.encode())] if kind is not None else []
    headers += [(name.encode(), value.encode()) for name, value in more.get("headers", {}).items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": headers,
        "client": (client, 1),
        "query_string": b"",
        "root_path": more.get("root_path", ""),
    }
    surroundings, limits = more.get("surroundings", AT_HOME), more.get("limits", Limits(0))
    run(Guard(app or default, surroundings, limits, more.get("unfetched", lambda _: 0)), scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], found, content, scope


def refused(**what):
    status, _, content, _ = asked(**what)
    sentence = json.loads(content)["error"]
    assert len(sentence) > 20
    return status, sentence


def test_a_right_request_goes_through_whole():
    body = json.dumps({"a": ["ü" * 60_000]}).encode()
    status, _, content, scope = asked(body=body)
    assert (status, content) == (200, body)
    assert scope["hoodwink.body"] == {"a": ["ü" * 60_000]}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/gradio_api/file=/etc/passwd",
            "/gradio_api/file/etc/passwd",
            "/file=/etc/passwd",
            "/gradio_api/proxy=http://x/",
        ),
        *(
            "/static/../app.py",
            "/assets/../../etc/passwd",
            "/assets/..",
            "/svelte/..\\x",
            "/assets/a\n",
            "/data/ledger.sqlite",
        ),
        *(
            "/gradio_api/upload_progress",
            "/gradio_api/stream/a/b/c/playlist.m3u8",
            "/monitoring",
            "/gradio_api/vibe-code",
        ),
        *(
            "/gradio_api/custom_component/1/client/component/index.js",
            "/gradio_api/runs",
            "/gradio_api/dev/reload",
            "/.env",
        ),
        *(
            "/gradio_api/heartbeat/" + "x" * 65,
            "//etc/passwd",
            "/gradio_api/look",
            "/gradio_api/token",
            "/gradio_api/deep_link",
        ),
    ],
)
def test_what_the_page_does_not_ask_for_is_not_there(path):
    status, sentence = refused(method="GET", path=path, kind=None)
    assert status == 404
    assert sentence.startswith("there is nothing at ")


@pytest.mark.parametrize(
    "path", ["/", "/config", "/assets/index-DphvyggB.js", "/gradio_api/info", "/gradio_api/queue/data"]
)
def test_what_the_page_asks_for_is(path):
    assert asked(method="GET", path=path, kind=None)[0] == 200


def test_uploads_are_not_taken():
    assert refused(path="/gradio_api/upload", kind="multipart/form-data; boundary=x")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "X" * 100])
def test_other_methods_are_refused(method):
    assert refused(method=method, path="/")[0] == 405


@pytest.mark.parametrize("kind", [None, "", "text/plain", "multipart/form-data; boundary=x", "image/png"])
def test_only_json_is_taken(kind):
    assert refused(kind=kind) == (415, f"the body is {kind or ''!r}; send application/json")


def test_a_body_too_large_is_refused_before_it_is_read_to_its_end():
    assert refused(body=b'{"a": "' + b"x" * MAX_BODY + b'"}') == (
        413,
        "the body is larger than 1000000 bytes; a drawing has fewer points",
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"7", b"null", b"[" * 5000, b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff\xfe"]
)
def test_what_is_no_json_object_is_refused_in_a_sentence(body):
    assert refused(body=body)[0] == 400


@pytest.mark.parametrize("session", [7, "", "x" * 65, "a b", [], "../x"])
def test_a_session_is_a_short_name(session):
    assert refused(path="/gradio_api/queue/join", body=json.dumps({"session_hash": session}).encode())[0] == 400


@given(
    body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "application/json; charset=utf-16", "x"])
)
def test_any_body_is_answered(body, kind):
    status, _, content, _ = asked(body=body, kind=kind)
    assert status in (200, 400, 415)
    assert content


@given(path=st.text(max_size=60), method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"]))
def test_any_path_is_answered(path, method):
    assert asked(method=method, path="/" + path)[0] in (200, 400, 404)


async def _ours(scope, receive, send):
    Limits(-1)


async def _gradios(scope, receive, send):
    raise KeyError("a component there is not")


def test_what_gradio_fails_on_is_refused_and_what_we_fail_on_is_our_fault(caplog):
    status, sentence = refused(app=_gradios)
    assert status == 400
    assert "KeyError" not in sentence
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    status, sentence = refused(app=_ours)
    assert status == 503
    assert "HOODWINK" not in sentence
    assert "HOODWINK_LIMITS is -1" in caplog.text


def test_gradios_500_for_what_a_function_refused_is_the_callers_fault():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b'{"error": "label is 11"}'})

    assert asked(path="/gradio_api/run/submit", app=app)[0] == 400
    assert asked(method="GET", path="/", kind=None, app=app)[0] == 500


# -- headers ------------------------------------------------------------------------------------------------


def test_headers_at_home_let_nobody_frame_the_page():
    _, headers, _, _ = asked(method="GET", path="/", kind=None)
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self';" in policy + ";"
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cache-control"] == "no-store"


def test_openers_are_kept_away_but_where_there_is_none():
    def policy(**headers):
        return asked(method="GET", path="/", kind=None, headers=headers)[1].get("cross-origin-opener-policy")

    assert policy() == policy(**{"sec-fetch-site": "cross-site"}) == "same-origin"
    assert policy(**{"sec-fetch-site": "none"}) is None


def test_a_space_may_be_framed_by_the_hub_alone():
    _, headers, _, _ = asked(method="GET", path="/", kind=None, surroundings=ON_A_SPACE)
    assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in headers["content-security-policy"]
    assert "x-frame-options" not in headers


def test_refusals_have_the_headers_too():
    assert asked(method="GET", path="/.env", kind=None)[1]["x-content-type-options"] == "nosniff"


def test_what_may_be_kept_says_so_itself():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})
        await send({"type": "http.response.body", "body": b"x"})

    assert asked(method="GET", path="/assets/index.js", kind=None, app=app)[1]["cache-control"] == "public"
    assert asked(method="GET", path="/assets/index.js", kind=None)[1]["cache-control"] == "no-store"


def test_pages_are_made_one_after_the_other_going_round_the_addresses_and_a_flood_is_refused():
    making, most, made, refused = 0, 0, [], []

    async def app(scope, receive, send):
        nonlocal making, most
        making += 1
        most = max(most, making)
        await asyncio.sleep(0.002)
        making -= 1
        made.append(scope["client"][0])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    async def send(message):
        if message["type"] == "http.response.start" and message["status"] == 429:
            refused.append(dict(message["headers"])[b"retry-after"])

    async def flood():
        guard = Guard(app, AT_HOME, Limits(), lambda _: 0)

        def ask(client):
            scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": (client, 1)}
            return asyncio.create_task(guard(scope, None, send))

        asking = [ask("1.1.1.1") for _ in range(250)]
        await ask("2.2.2.2")
        before = len(made)
        await asyncio.sleep(1)
        for each in asking:
            each.cancel()
        return before

    before = run(flood)
    assert most == 1
    assert before <= 10  # the other one's turn came soon
    assert refused.count(b"1") in range(50, 100)  # 100 at once, and 80 that wait up to two seconds
    assert made.count("1.1.1.1") > 100


# -- addresses ----------------------------------------------------------------------------------------------


BEHIND_PROXY = Surroundings(behind_proxy=True)


@pytest.mark.parametrize(
    ("client", "forwarded", "where", "address"),
    [
        ("1.2.3.4", None, AT_HOME, "1.2.3.4"),
        ("127.0.0.1", "8.8.8.8", AT_HOME, "127.0.0.1"),
        ("10.0.0.7", "8.8.8.8", BEHIND_PROXY, "8.8.8.8"),
        ("10.0.0.7", "8.8.8.8, 192.168.1.5", BEHIND_PROXY, "192.168.1.5"),
        ("10.0.0.7", None, BEHIND_PROXY, "10.0.0.7"),
        ("10.0.0.7", "6.6.6.6, 8.8.8.8, 10.1.2.3", ON_A_SPACE, "8.8.8.8"),
        ("10.0.0.7", "nonsense, , 999.1.1.1", ON_A_SPACE, "10.0.0.7"),
        ("2a00:1450:4001:82b::200e", None, AT_HOME, "2a00:1450:4001:82b::/64"),
        ("::ffff:1.2.3.4", None, AT_HOME, "1.2.3.4"),
        ("a unix socket" * 10, None, AT_HOME, ("a unix socket" * 10)[:64]),
    ],
)
def test_whose_request_it_is(client, forwarded, where, address):
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert address_of({"client": (client, 1), "headers": headers}, where) == address


# -- turns --------------------------------------------------------------------------------------------------


def test_one_of_each_address_in_turn():
    order = []

    async def play():
        turns = Turns()

        async def ask(address):
            await turns.wait(address)
            order.append(address)

        await asyncio.gather(*(ask("flood") for _ in range(20)), ask("one"), ask("two"))

    run(play)
    assert order[:4] == ["flood", "one", "two", "flood"]
    assert len(order) == 22


def test_who_has_gone_keeps_nobody_waiting():
    async def play():
        turns = Turns()
        gone = asyncio.create_task(turns.wait("a"))
        stays = asyncio.create_task(turns.wait("a"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait_for(stays, 5)
        await asyncio.wait_for(turns.wait("b"), 5)

    run(play)


# -- what is costly or from elsewhere -------------------------------------------------------------------------


def test_a_body_of_a_hundred_thousand_lists_is_refused_unread():
    status, sentence = refused(body=b'{"a": [' + b"[]," * 200_000 + b"[]]}")
    assert (status, "more than 100000 lists" in sentence) == (400, True)


def test_the_largest_drawing_there_may_be_is_taken():
    body = json.dumps({"strokes": [[[279.9, -279.9, 86_399_999]] * 20] * 500}).encode()
    assert asked(body=body)[0] == 200
    assert asked(body=body)[3]["hoodwink.size"] == len(body)


def test_a_proxy_may_keep_the_prefix_it_serves_us_under():
    assert asked(method="GET", path="/hoodwink/config", kind=None, root_path="/hoodwink")[0] == 200
    assert asked(method="GET", path="/hoodwink/.env", kind=None, root_path="/hoodwink")[0] == 404


def test_a_share_link_s_page_gets_its_parts():
    shared = Surroundings.from_environment({"GRADIO_SHARE": "True"}, behind_proxy=False)
    _, headers, _, _ = asked(method="GET", path="/", kind=None, surroundings=shared)
    assert headers["content-security-policy"].count("https://gradio.s3-us-west-2.amazonaws.com") == 4
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


def test_a_fault_of_ours_at_a_named_endpoint_is_no_fault_of_the_caller():
    async def app(scope, receive, send):
        scope["hoodwink.fault"] = True
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b'{"error": "the ledger is locked"}'})

    assert asked(path="/gradio_api/run/submit", app=app)[0] == 503


def test_an_address_sends_only_so_much_at_once():
    limits, body = Limits(1, lambda: 100.0), json.dumps({"a": "x" * 900_000}).encode()
    headers = {"content-length": str(len(body))}
    statuses = [asked(body=body, headers=headers, limits=limits)[0] for _ in range(37)]
    assert statuses == [200] * 15 + [429] * 22  # 12 MB, and what comes within a quarter of a second
    assert asked(body=body, headers=headers, limits=limits, client="1.2.3.5")[0] == 200


def test_a_session_that_fetches_no_answers_gets_no_more():
    body, waiting = b'{"data": [], "session_hash": "busy"}', {"busy": 300, "idle": 299}
    for path in (
        "/gradio_api/call/status",
        "/gradio_api/call/v2/status/",
        "/gradio_api/queue/join",
        "/gradio_api/queue/join/",
    ):
        status, sentence = refused(path=path, body=body, unfetched=waiting.get)
        assert (status, "were not fetched" in sentence) == (429, True)
        assert asked(path=path, body=body.replace(b"busy", b"idle"), unfetched=waiting.get)[0] == 200
    assert asked(path="/gradio_api/run/status", body=body, unfetched=waiting.get)[0] == 200
    assert asked(path="/gradio_api/call/status", body=b'{"data": []}', unfetched=waiting.get)[0] == 200


def test_a_body_that_says_it_is_too_large_is_not_read():
    async def unread(scope, receive, send):
        pytest.fail("it came through")

    assert asked(headers={"content-length": "99999999"}, app=unread)[0] == 413
