"""The peer answers fairly: for the same drawing nearly what our page says."""

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from benchmarks.collection import round0_network
from benchmarks.peer_app import as_digit, probabilities_of
from benchmarks.server import RunningApp
from model.strokes import check_strokes, rasterise


@pytest.fixture
def composite(pen_digits) -> Image.Image:
    """A one as its canvas hands it over: black ink on white, 280 x 280."""
    digit = next(d for d in pen_digits if d.label == 1)
    ink = Image.fromarray(rasterise(check_strokes(digit.strokes)))
    return Image.eval(ink, lambda value: 255 - value).resize((280, 280))


def test_a_canvas_becomes_a_digit_as_mnist_has_it(composite):
    digit = as_digit(composite)
    assert (digit.size, digit.getpixel((0, 0))) == ((28, 28), 0)
    assert digit.getextrema()[1] > 200


def test_it_reads_what_was_drawn(composite):
    shares = probabilities_of(round0_network(), as_digit(composite))
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.__getitem__) == "1"


def test_it_can_be_asked_over_http(composite, tmp_path):
    path = tmp_path / "drawn.png"
    composite.save(path)
    with RunningApp(tmp_path / "peer", words=("-m", "benchmarks.peer_app")) as app:
        client = Client(app.url, verbose=False)
        drawing = {"background": None, "layers": [], "composite": handle_file(path)}
        assert client.predict(drawing, api_name="/predict")["label"] == "1"
        client.close()
