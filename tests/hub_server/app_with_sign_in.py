"""The smallest Gradio app that asks who is there; test_sign_in.py runs it as a Space would. Its argument is the port."""

import sys

import gradio as gr


def greet(profile: gr.OAuthProfile | None) -> str:
    return f"{profile.username}, {profile['sub']}" if profile else "nobody"


with gr.Blocks() as page:
    gr.LoginButton()
    who = gr.Textbox(label="Who", elem_id="who")
    page.load(greet, None, who)

if __name__ == "__main__":
    page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]))
