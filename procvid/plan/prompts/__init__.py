"""Prompts for language models, as text files beside this one."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

PromptName = Literal[
    "objects",
    "steps",
    "scene",
    "repair",
    "negatives",
    "dish",
    "other_dishes",
    "change",
    "transcript",
    "caption",
    "rating",
    "wishes",
    "dish_ingredients",
    "dish_steps",
    "watched",
    "differences",
    "pair_description",
    "pair_questions",
    "which_step",
]


@cache
def read_prompt(name: PromptName) -> str:
    """The text of a prompt, without the line break at its end."""
    return (resources.files(__name__) / f"{name}.txt").read_text("utf-8").strip()
