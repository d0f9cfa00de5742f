"""The About page: purpose, profile of this server, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import gradio as gr

from procvid.ui.markup import file_url

WHAT = """
## A recipe becomes a video in which the pan stays the same pan
procvid reads a recipe and makes one short clip per action. Before each clip it decides which objects
must look the same as before and what state they are in. It retrieves images of them from a memory
and passes up to four of them to the video model as reference images. Finally it joins the clips.

With a GPU the video model is Phantom-Wan in a diffusers pipeline; the `tiny` profile uses a small
model with the same architecture. Each clip file records how it was made and is marked as
AI-generated.
"""

TOY_KITCHEN = """
## The toy kitchen
The `tiny` profile needs no GPU, no download and no key. Its models are small and were trained on a
*toy kitchen*: drawings of twelve foods, four tools and six vessels, made by a program. It shows how
procvid works; it does not make real cooking footage. If a recipe names anything else, the page
lists what the model cannot draw.
"""

EFFECT = "The same recipe and seeds, one frame per clip, without and with memory."
ALT = (
    "Six clips of a tomato sauce. Top row, without memory: pan, board and counter change in every "
    "clip. Bottom row, with memory: they stay the same."
)
PICTURE = Path(__file__).parents[2] / "assets" / "with_and_without_memory.png"

LICENCE = """
## Licence, limits, and citation
procvid is free software under the Apache licence 2.0. So are the weights and the default memory of
the tiny profile. Phantom-Wan and Wan2.1, which the larger profiles load, are Apache-2.0 too. Images
that you upload stay in your own run or your own memory on this server.

A clip is as good as its reference images. If the memory has no image of an object, the first clip
that shows it invents one. At most four reference images guide a clip. procvid does not check if a
recipe is safe to cook.

procvid builds on *Diffusion-Based Procedural Video Generation for Instructional Videos* (A. Jain,
K. Saini, S. S. Nair) and on *Phantom: Subject-consistent video generation via cross-modal
alignment* (Liu et al., 2025). Please cite both, and procvid with its version.
"""

PROGRAMS = """
## HTTP API
Every step of this page is also an endpoint. “Use via API” at the bottom of the page lists them.
"""

EXAMPLE = """from gradio_client import Client

client = Client("ADDRESS OF THIS PAGE")
run = client.predict("Carrot omelette\\n1. Slice the carrot.\\n2. Fry it.", api_name="/generate")
print(run["video"])
"""


def build(facts: Mapping[str, str]) -> None:
    """Lay out the page; `facts` is shown as a list of names and values."""
    gr.Markdown(WHAT)
    gr.HTML(_effect())
    gr.Markdown(TOY_KITCHEN)
    gr.HTML(_facts(facts))
    gr.Markdown(LICENCE)
    gr.Markdown(PROGRAMS)
    gr.HTML(f'<pre class="pv-code" tabindex="0"><code>{escape(EXAMPLE)}</code></pre>')


def _effect() -> str:
    # Served as a file, so that the browser loads it only when the tab is opened.
    gr.set_static_paths([PICTURE])
    image = f'<img loading="lazy" src="{file_url(PICTURE)}" alt="{ALT}">'
    return f'<figure class="pv-effect">{image}<figcaption>{EFFECT}</figcaption></figure>'


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<div class="pv-about"><dl>{rows}</dl></div>'
