"""The About tab: what this is, what runs here, and what the pictures are not."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import gradio as gr

WHAT = """
## A recipe becomes a video in which the pan stays the same pan
procvid reads a recipe and makes one short clip per step. Before each clip it works out which
objects must stay the same and in which state they are, looks them up in a memory of pictures, and
hands up to four of them to the video model as references. The clips are joined into one video.

The video model is Phantom-Wan, run by a pipeline of the diffusers library. Every clip carries in
its file how it was made, and a mark that it is AI-generated.
"""

TOY_KITCHEN = """
## The toy kitchen, honestly
The `tiny` profile needs no GPU, no download and no key. Its models are real ones of a very small
size, trained on a *toy kitchen*: drawings of pans, boards and a few foods made by a program. It
shows how procvid works from end to end. It is not cooking footage, knows eight foods, three tools
and five vessels, and draws something else in place of what it was never taught; the app says which.
"""

PROGRAMS = """
## From a program
Every step of this page is an endpoint too; “Use via API” at the foot of the page lists them.
"""

EXAMPLE = """from gradio_client import Client

client = Client("ADDRESS OF THIS PAGE")
run = client.predict("Carrot omelette\\n1. Slice the carrot.\\n2. Fry it.", api_name="/generate")
print(run["video"])
"""


def build(facts: Mapping[str, str]) -> None:
    """Lay out the tab; `facts` are shown as a list of names and values."""
    gr.Markdown(WHAT)
    gr.Markdown(TOY_KITCHEN)
    gr.HTML(_facts(facts))
    gr.Markdown(PROGRAMS)
    gr.HTML(f'<pre class="pv-code" tabindex="0"><code>{escape(EXAMPLE)}</code></pre>')


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<div class="pv-about"><dl>{rows}</dl></div>'
