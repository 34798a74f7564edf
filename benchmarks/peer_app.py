"""The peer of the page: the tutorial's digit recogniser on today's Gradio: `python -m benchmarks.peer_app`.

A stock `gr.Sketchpad`, its change event bound to a prediction through the queue, a `gr.Label`: what one writes with
Gradio alone. It answers with the shipped round-0 network, has black ink of our pen's width on a canvas of our size, and
is told what makes it faster: no saved history, no analytics, one layer. GRADIO_SERVER_PORT says where it listens.
"""

import os
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import numpy as np
import torch
from PIL import Image, ImageOps

from benchmarks.collection import round0_network
from model.network import Network, as_pixels
from model.strokes import CANVAS, PEN_RADIUS, SIDE

CANVAS_SIZE = (int(CANVAS), int(CANVAS))
INK = gr.Brush(colors=["#000000"], color_mode="fixed", default_size=round(2 * PEN_RADIUS * CANVAS / SIDE))


def as_digit(drawn: Image.Image) -> Image.Image:
    """Black ink on white, of whatever size, as MNIST has it: 28 x 28, light ink on black."""
    return ImageOps.invert(drawn.convert("L")).resize((SIDE, SIDE), Image.Resampling.BOX)


@torch.inference_mode()
def probabilities_of(network: Network, digit: Image.Image) -> dict[str, float]:
    """What `gr.Label` shows: a share for each of the ten digits."""
    pixels = as_pixels(torch.from_numpy(np.array(digit)).unsqueeze(0))  # (1, 1, 28, 28)
    return {str(d): share for d, share in enumerate(torch.softmax(network(pixels)[0], 0).tolist())}


def build() -> gr.Blocks:
    network = round0_network()

    def predict(drawing: dict[str, Any] | None) -> dict[str, float]:
        composite = drawing and drawing["composite"]
        return probabilities_of(network, as_digit(composite)) if composite else {}

    with gr.Blocks(title="Digits", analytics_enabled=False) as page:
        # Without an alpha channel Gradio puts the drawing on white before it hands it over.
        pad = gr.Sketchpad(
            type="pil", image_mode="L", canvas_size=CANVAS_SIZE, brush=INK, layers=False, width=340, elem_id="pad"
        )
        label = gr.Label(elem_id="label")
        pad.change(predict, pad, label, api_name="predict")
    return page


if __name__ == "__main__":
    torch.set_num_threads(1)  # as app.py: one small image at a time
    build().queue().launch(run_history=False)
