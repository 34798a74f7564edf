import os
import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.server import REPOSITORY, free_port, wait_until_it_answers
from flagging.callback import LedgerCallback
from flagging.home import Home
from model.served import ServedModel
from tests.conftest import random_weights
from tests.made import PLAIN


@pytest.fixture
def callback(tmp_path):
    served = ServedModel(random_weights(tmp_path, 1), promotion=0)
    callback = LedgerCallback(served.answer)
    callback.setup([gr.JSON(), gr.Number()], str(tmp_path / "flagged"))
    return callback


def test_it_is_a_flagging_callback_that_counts(callback, tmp_path):
    assert isinstance(callback, gr.FlaggingCallback)
    assert callback.flag([PLAIN[7], 7]) == 1
    assert callback.flag([PLAIN[1], 1], None, "somebody") == 2
    first, second = Home(tmp_path / "flagged").open_ledger().attempts()
    assert (first.label, second.label) == (7, 1)
    assert first.annotator != second.annotator


def test_image_and_prediction_are_its_own(callback, tmp_path):
    attempt, answer = callback.submit(PLAIN[7], 7, "token-of-somebody")
    assert attempt.prediction == answer.prediction
    assert attempt.probabilities == list(answer.probabilities)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([[], 3], "there are no strokes"),
        ([PLAIN[3], 12], "label is 12"),
        ([PLAIN[3], "three"], "label is 'three'"),
        ([PLAIN[3]], "got 1 values"),
        ([{"composite": "image.png"}, 3], "strokes are"),
    ],
)
def test_its_errors_reach_the_page(callback, tmp_path, data, says):
    with pytest.raises(gr.Error, match=says):
        callback.flag(data)
    assert Home(tmp_path / "flagged").open_ledger().totals().attempts == 0


def test_without_setup_it_says_what_to_do(tmp_path):
    with pytest.raises(gr.Error, match="call setup"):
        LedgerCallback(ServedModel(random_weights(tmp_path, 1), 0).answer).flag([PLAIN[3], 3])


def test_it_works_in_somebody_elses_app(tmp_path):
    port = free_port()
    script = Path(__file__).with_name("somebody_elses_app.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "flagged"), str(port)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/", process)
        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        assert client.predict(PLAIN[2], 2, api_name="/flag") == 1
        with pytest.raises(AppError, match="label is 12"):
            client.predict(PLAIN[2], 12, api_name="/flag")
        assert Home(tmp_path / "flagged").open_ledger().totals().attempts == 1
    finally:
        process.kill()
        process.wait()
