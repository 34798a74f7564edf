"""app.py with settings that make no sense, and without any."""

import re
import subprocess
import sys
import time
import urllib.request

import pytest
from gradio_client import Client

import app
from benchmarks.server import REPOSITORY, RunningApp
from tests.made import PLAIN


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HOODWINK_LIVE", "maybe", "HOODWINK_LIVE is 'maybe'; give 1 or 0"),
        ("HOODWINK_ANNOTATOR_KEY", "short", "HOODWINK_ANNOTATOR_KEY has 5 characters"),
        ("HOODWINK_HOME", "/dev/null/here", "hoodwink: "),
        ("SPACE_ID", "alice/hoodwink", "HOODWINK_ANNOTATOR_KEY is not set; a Space forgets its disk"),
        ("OAUTH_CLIENT_ID", "a-client", "OAUTH_CLIENT_ID is set, but this is no Space that can sign people in"),
    ],
)
def test_a_setting_that_makes_no_sense_ends_the_start_with_a_sentence(tmp_path, monkeypatch, variable, value, says):
    for name, setting in RunningApp(tmp_path).environment.items():
        monkeypatch.setenv(name, setting)
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    monkeypatch.setattr(app.torch, "set_num_threads", lambda _: None)
    with pytest.raises(SystemExit, match=re.escape(says)):
        app.main()


def test_gradio_keeps_no_more_of_calls_than_it_is_told(tmp_path):
    # In a Python of its own: a page that is never served leaves event loops open.
    look = "import app, gradio as gr; page = gr.Blocks().queue(); q = page._queue; print("
    look += "q.pending_event_ids_session == {}, app.forget_unfetched(page), "
    look += "q.pending_event_ids_session.max_size == 2 * q.pending_messages_per_session.max_size, "
    look += "q.ANALYTICS_MAX_EVENTS == 1, q.ANAYLTICS_CACHE_FREQUENCY == 10**12)"
    environment = RunningApp(tmp_path).environment
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["True", "None", "True", "True", "True"], done.stderr


def test_it_ends_without_a_traceback(tmp_path):
    environment = RunningApp(tmp_path).environment | {"HOODWINK_THRESHOLD": "0"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "set HOODWINK_THRESHOLD to 1 or more" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_token_one_is_made_and_printed_as_a_link(tmp_path):
    with RunningApp(tmp_path / "data", {"HOODWINK_MAINTAINER_TOKEN": "", "PYTHONUNBUFFERED": "1"}) as running:
        until = time.monotonic() + 10  # it is printed just after the page answers
        link = None
        while link is None and time.monotonic() < until:
            link = re.search(r"http://127\.0\.0\.1:\d+/#maintainer=([\w-]{20,})", running.log.read_text())
            time.sleep(0.05)
        assert link
        with urllib.request.urlopen(running.url + "config", timeout=10) as answer:
            assert link[1] not in answer.read().decode()


def test_without_mnist_people_draw_and_flag(tmp_path):
    with RunningApp(tmp_path / "data", {"HOODWINK_MNIST_DIR": ""}) as running:
        client = Client(running.url, verbose=False)
        seen = client.predict(PLAIN[1], api_name="/predict")["prediction"]
        assert client.predict(PLAIN[1], (seen + 1) % 10, api_name="/submit")["fooling"] == 1
