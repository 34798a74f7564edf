"""A Gradio app that is not ours and flags into a ledger: python somebody_elses_app.py FLAGGING_DIR PORT"""

import sys
from pathlib import Path

import gradio as gr

from flagging.callback import LedgerCallback
from model.served import ServedModel
from model.weights import SHIPPED_FOLDER, load_weights, shipped_weights_id

flagging_dir, port = Path(sys.argv[1]), int(sys.argv[2])
served = ServedModel(load_weights(SHIPPED_FOLDER, shipped_weights_id()), promotion=0)
callback = LedgerCallback(served.answer)
with gr.Blocks() as demo:
    strokes, label, count = gr.JSON(), gr.Number(precision=0), gr.Number()
    callback.setup([strokes, label], str(flagging_dir))
    gr.Button().click(lambda *data: callback.flag(list(data)), [strokes, label], count, api_name="flag")
demo.launch(server_name="127.0.0.1", server_port=port)
