"""The About page: purpose, the model that runs here, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import gradio as gr

from procvid.settings import Profile
from procvid.ui.markup import file_url

WHAT = """
## A recipe becomes a video in which the pan stays the same pan
procvid makes one short clip per action. Before each clip it picks the objects that must look as
before, finds pictures of them in a memory, and gives up to four of them to the video model.
"""

DEMO = """
**This server runs the demo model.** It was trained on a *toy kitchen*: drawings of twelve foods, four tools
and six vessels, made by a program. It needs no GPU and no download, and it does not make real
cooking footage.
"""

FULL = """
**This server uses the profile {name}**: {purpose}.
"""

EFFECT = "The same recipe and seeds, one frame per clip: without memory above, with memory below."
ALT = (
    "Six clips of a tomato sauce. Top row, without memory: pan, board and counter change in every "
    "clip. Bottom row, with memory: they stay the same."
)
PICTURE = Path(__file__).parents[2] / "assets" / "with_and_without_memory.png"

LIMITS = """
Every video is marked as AI-generated. procvid does not check if a recipe is safe to cook. Pictures
that you upload stay in your own video or your own memory on this server.

procvid is free software under Apache 2.0, as are its models. It builds on *Diffusion-Based Procedural
Video Generation for Instructional Videos* (Jain, Saini, Nair) and *Phantom* (Liu et al., 2025);
please cite both.

Everything on this page is also available over HTTP: see “Use via API” at the foot of the page.
"""


def build(profile: Profile, facts: Mapping[str, str]) -> None:
    """Lay out the page.

    Args:
        profile: The profile that runs here.
        facts: Names and values of this server, folded.
    """
    gr.Markdown(WHAT)
    gr.HTML(_effect())
    gr.Markdown(model_words(profile))
    gr.Markdown(LIMITS)
    with gr.Accordion("About this server", open=False):
        gr.HTML(_facts(facts))


def model_words(profile: Profile) -> str:
    """Return which video model runs here."""
    return DEMO if profile.demo else FULL.format(name=profile.name, purpose=profile.purpose)


def _effect() -> str:
    # Served as a file, so that the browser loads it only when the tab is opened.
    gr.set_static_paths([PICTURE])
    image = f'<img loading="lazy" src="{file_url(PICTURE)}" alt="{ALT}">'
    return f'<figure class="pv-effect pv-small-effect">{image}<figcaption>{EFFECT}</figcaption></figure>'


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<div class="pv-about"><dl>{rows}</dl></div>'
