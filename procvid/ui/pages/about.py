"""The About tab: what this is, what runs here, and what the pictures are not."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path

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
shows how procvid works from end to end. It is not cooking footage, knows twelve foods, four tools
and six vessels, and draws something else in place of what it was never taught; the app says which.
"""

EFFECT = (
    "The same recipe and seeds, a picture a clip: with the memory one pan, one board, one counter."
)
ALT = (
    "Six clips of a tomato sauce. Above, without memory: every clip another pan, board and counter. "
    "Below, with memory: the same ones throughout."
)
PICTURE = Path(__file__).parents[2] / "assets" / "with_and_without_memory.png"

LICENCE = """
## Licence, limits, and how to cite
procvid is free software under the Apache licence 2.0, and so are the weights of the tiny profile
and its default memory. Phantom-Wan and Wan2.1, which the larger profiles load, are Apache-2.0 too.
Pictures that you upload stay yours, in your own run or your own memory on this server.

A clip is as good as its references: an object that the memory has never seen is made up by the
first clip that shows it. At most four references guide a clip. Nothing here checks whether a recipe
is safe to cook.

procvid builds on *Diffusion-Based Procedural Video Generation for Instructional Videos* (A. Jain,
K. Saini, S. S. Nair) and on *Phantom: Subject-consistent video generation via cross-modal
alignment* (Liu and others, 2025); please cite those, and procvid with its version.
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
    gr.HTML(_effect())
    gr.Markdown(TOY_KITCHEN)
    gr.HTML(_facts(facts))
    gr.Markdown(LICENCE)
    gr.Markdown(PROGRAMS)
    gr.HTML(f'<pre class="pv-code" tabindex="0"><code>{escape(EXAMPLE)}</code></pre>')


def _effect() -> str:
    picture = base64.b64encode(PICTURE.read_bytes()).decode()
    image = f'<img src="data:image/png;base64,{picture}" alt="{ALT}">'
    return f'<figure class="pv-effect">{image}<figcaption>{EFFECT}</figcaption></figure>'


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<div class="pv-about"><dl>{rows}</dl></div>'
