"""A Gradio page with nothing on it but a button: what any page made with Gradio costs. `python -m benchmarks.empty_page`.

GRADIO_SERVER_PORT says where it listens.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

if __name__ == "__main__":
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Button("Press", elem_id="press").click(None, js="() => { window.pressed = true; }")
    page.launch(run_history=False)
