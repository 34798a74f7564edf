"""Gradio's scripts and styles, as the page gets them."""

import re

import brotli
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.assets import FOLDER, LARGEST, SIZES, _kept, asset


@pytest.fixture(scope="module")
def client():
    return TestClient(Starlette(routes=[Route("/assets/{name}", asset)]))


def largest(ending):
    return max((name for name in SIZES if name.endswith(ending)), key=lambda name: (FOLDER / name).stat().st_size)


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


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br; q=0.0, gzip;q=0", None),
        ("br;q=0.1", "br"),
        ("identity", None),
        ("", None),
    ],
)
def test_each_client_gets_what_it_takes(client, accepted, encoding):
    answer = client.get(f"/assets/{largest('.css')}", headers={"accept-encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding


def test_the_largest_is_sent_in_pieces_and_not_kept(client):
    name = largest(".js")
    assert SIZES[name] > LARGEST
    client.get(f"/assets/{name}")
    assert not [kept for kept in _kept if kept[0] == name]


def test_what_is_named_by_its_content_is_kept_for_good(client):
    assert all(re.fullmatch(r"[\w.-]+-[\w-]{8,9}\.\w+", name) for name in SIZES)
    assert "immutable" in client.get(f"/assets/{largest('.js')}").headers["cache-control"]


@pytest.mark.parametrize("name", ["nothing.js", "..", "%2e%2e%2findex.html", ".", "index.html"])
def test_nothing_else_is_served(client, name):
    answer = client.get(f"/assets/{name}")
    assert answer.status_code == 404
