"""A file dropped on the Recipe step: a recipe to read, or a video whose settings are wanted again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.errors import InputError, RecipeError
from procvid.media.video import read_metadata
from procvid.ui.server.jobs import read_seed, read_text, whole_number

VIDEOS = (".mp4",)


def restore(file: str) -> tuple[Any, Any, Any, Any, Any]:
    """The recipe's text, and for a video its seed, denoising steps, speed and memory too.

    Raises:
        RecipeError: It is too large or no text.
        InputError: The video cannot be read, or procvid did not make it.
    """
    if not isinstance(file, str):
        raise InputError("No file has come.", "Choose one again.")
    if Path(file).suffix.lower() not in VIDEOS:
        return read_text(file), gr.skip(), gr.skip(), gr.skip(), gr.skip()
    wished = _wished(Path(file))
    try:
        steps = [str(step) for step in wished["steps"]]
        text = recipe_text(str(wished["title"]), steps, [str(i) for i in wished["ingredients"]])
        return (
            text,
            read_seed(wished["seed"]),
            whole_number("steps", wished["denoising_steps"]),
            bool(wished["fast"]),
            "none" if wished["memory"] == "none" else "default",
        )
    except (KeyError, TypeError) as error:
        raise _no_settings(Path(file)) from error


def _wished(file: Path) -> dict[str, Any]:
    told = read_metadata(file).get("procvid", "")
    try:
        wished = json.loads(json.loads(told)["request"])
    except (ValueError, KeyError, TypeError) as error:
        raise _no_settings(file) from error
    if not isinstance(wished, dict):
        raise _no_settings(file)
    return wished


def _no_settings(file: Path) -> InputError:
    return RecipeError(
        f"The video {file.name[:60]!r} does not say how it was made.",
        "Give a whole video made by procvid; a single clip knows its own step only.",
    )


def recipe_text(title: str, steps: list[str], ingredients: list[str]) -> str:
    """A recipe as a person would write it."""
    lines = [title, ""]
    if ingredients:
        lines += ["Ingredients:", *(f"- {item}" for item in ingredients), "", "Steps:"]
    return "\n".join([*lines, *(f"{n}. {step}" for n, step in enumerate(steps, start=1))])
