"""Signing in with Hugging Face: the provider by itself, and a Gradio app that uses it."""

import json
import os
import subprocess
import sys
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from huggingface_hub import HfApi

from benchmarks.server import free_port, wait_until_it_answers
from tests.hub_server import HubServer
from tests.hub_server.people import user_id

BACK = "https://127.0.0.1:7860/login/callback?_target_url=%2F"


def asked_for(hub: HubServer) -> dict[str, str]:
    """What the provider sends back with the browser."""
    settings = hub.sign_in_environment(7860)
    query = {
        "client_id": settings["OAUTH_CLIENT_ID"],
        "redirect_uri": BACK,
        "nonce": "n",
        "state": "s",
        "scope": "openid",
    }
    answer = httpx2.get(f"{hub.url}/oauth/authorize?{urlencode(query)}")
    location = answer.headers["Location"]
    assert location.startswith("http://127.0.0.1:7860/login/callback?_target_url=")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def exchanged(hub: HubServer, code: str) -> httpx2.Response:
    settings = hub.sign_in_environment(7860)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    client = (settings["OAUTH_CLIENT_ID"], settings["OAUTH_CLIENT_SECRET"])
    return httpx2.post(f"{hub.url}/oauth/token", data=form, auth=client)


def test_a_code_is_good_for_one_token_of_the_user_who_signs_in(hub: HubServer) -> None:
    hub.signing_in = "bob"
    back = asked_for(hub)
    assert back["state"] == "s"
    answer = exchanged(hub, back["code"]).json()
    claims = json.loads(urlsafe_b64decode(answer["id_token"].split(".")[1] + "=="))
    assert (claims["sub"], claims["preferred_username"], claims["nonce"]) == (user_id("bob"), "bob", "n")
    assert HfApi(endpoint=hub.url, token=answer["access_token"]).whoami()["id"] == user_id("bob")
    again = exchanged(hub, back["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_user_who_says_no_comes_back_without_a_code(hub: HubServer) -> None:
    hub.signing_in = None
    assert asked_for(hub) == {"_target_url": "/", "state": "s", "error": "access_denied"}


@pytest.fixture
def app(hub: HubServer) -> Iterator[str]:
    """The address of an app that runs as in a Space of this hub."""
    port = free_port()
    program = str(Path(__file__).with_name("app_with_sign_in.py"))
    process = subprocess.Popen(  # -P: Gradio looks for a package `spaces`, which is not our file of that name
        [sys.executable, "-P", program, str(port)],
        env=os.environ | hub.environment | hub.sign_in_environment(port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    wait_until_it_answers(url, process)
    yield url
    process.terminate()
    process.wait(30)


def greeting(app: str, cookie: str) -> str:
    """What the app calls whoever sends this cookie, through its own API."""
    headers = {"Cookie": cookie} if cookie else {}
    begin = urllib.request.Request(f"{app}/gradio_api/call/greet", b'{"data": []}', headers)
    begin.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(begin) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(
        urllib.request.Request(f"{app}/gradio_api/call/greet/{event}", headers=headers)
    ) as answer:
        return str(json.loads(answer.read().decode().split("data: ")[1].splitlines()[0])[0])


def test_an_app_knows_who_signed_in(hub: HubServer, app: str) -> None:
    assert greeting(app, "") == "nobody"
    bob, carol = hub.sign_in(app, "bob"), hub.sign_in(app, "carol")
    assert greeting(app, bob) == f"bob, {user_id('bob')}"
    assert greeting(app, carol) == f"carol, {user_id('carol')}"
    assert greeting(app, hub.sign_in(app, "bob")) == f"bob, {user_id('bob')}"


@pytest.mark.browser
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_browser_signs_in_and_out(hub: HubServer, app: str, chromium: Any, host: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(app.replace("127.0.0.1", host))
    page.get_by_text("Sign in with Hugging Face").click()
    page.get_by_text("Logout (alice)").wait_for()
    who = page.locator("#who textarea")
    page.wait_for_function("document.querySelector('#who textarea')?.value.length > 6")
    assert who.input_value() == f"alice, {user_id('alice')}"
    page.get_by_text("Logout (alice)").click()
    page.get_by_text("Sign in with Hugging Face").wait_for()
    context.close()
