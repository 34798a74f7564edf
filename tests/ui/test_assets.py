"""Gradio's scripts and styles, as the page gets them."""

import re

import brotli
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.assets import FOLDER, NAMES, asset


@pytest.fixture(scope="module")
def client():
    return TestClient(Starlette(routes=[Route("/assets/{name}", asset)]))


def largest(ending):
    return max((name for name in NAMES if name.endswith(ending)), key=lambda name: (FOLDER / name).stat().st_size)


@pytest.mark.parametrize(("ending", "kind"), [(".js", "javascript"), (".css", "text/css"), (".woff2", "font/woff2")])
def test_each_is_what_the_file_has(client, ending, kind):
    name = largest(ending)
    for encoding in ("identity", "gzip", "br"):
        answer = client.get(f"/assets/{name}", headers={"accept-encoding": encoding})
        assert answer.content == (FOLDER / name).read_bytes()
        assert kind in answer.headers["content-type"]


def test_scripts_are_packed_for_who_can_unpack(client):
    name = largest(".css")
    with client.stream("GET", f"/assets/{name}", headers={"accept-encoding": "gzip, deflate, br"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "br"
    assert brotli.decompress(packed) == (FOLDER / name).read_bytes()
    assert "content-encoding" not in client.get(f"/assets/{name}", headers={"accept-encoding": "gzip"}).headers


def test_what_is_named_by_its_content_is_kept_for_good(client):
    assert all(re.fullmatch(r"[\w.-]+-[\w-]{8,9}\.\w+", name) for name in NAMES)
    assert "immutable" in client.get(f"/assets/{largest('.js')}").headers["cache-control"]


@pytest.mark.parametrize("name", ["nothing.js", "..", "%2e%2e%2findex.html", ".", "index.html"])
def test_nothing_else_is_served(client, name):
    answer = client.get(f"/assets/{name}")
    assert answer.status_code == 404
