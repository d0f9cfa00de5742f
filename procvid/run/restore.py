"""Store the plan of a run in the metadata of its video, and read recipe and plan back from a video."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.errors import InputError, RecipeError
from procvid.media.video import read_metadata
from procvid.plan.codec import plan_from_json, plan_to_json
from procvid.plan.shots import MAX_SHOTS
from procvid.run.takes import MAX_AT_ONCE
from procvid.settings import MAX_SEED, MAX_STEPS
from procvid.types import Coherence, Plan, Recipe, ShotMode

MAX_PLAN_BYTES = 4_000_000
"""Largest plan that is read from a video, in bytes of JSON."""
STEP_NAMES = re.compile(r"[0-9a-z.]{1,8}(, [0-9a-z.]{1,8}){0,99}")
OTHER_PLAN = "The plan in this video cannot be read, so only its recipe is opened."


@dataclass(frozen=True)
class RestoredVideo:
    """What the metadata of a video say about how it was made.

    Attributes:
        recipe: The recipe, cut into shots if there is a plan.
        plan: The plan with its edits; None for a video of an older version, or a damaged plan.
        seed: Seed of the run.
        steps: Denoising steps of a clip.
        fast: True for fewer model calls.
        memory: "default", or "none".
        shots: How the steps became clips.
        size: Width and height of the clips, such as "832x480"; "" if unknown.
        frames: Frames of a clip; None if unknown.
        takes: Number of takes of each step.
        verify: True if clips were checked against the plan.
        coherence: What a clip saw of the one before it.
        note: A sentence for the user, or "".
    """

    recipe: Recipe
    plan: Plan | None
    seed: int
    steps: int
    fast: bool
    memory: str
    shots: ShotMode
    size: str = ""
    frames: int | None = None
    takes: int = 1
    verify: bool = False
    coherence: Coherence = "none"
    note: str = ""


def packed_plan(plan: Plan) -> str:
    """Return the plan as compressed text for metadata; the same plan gives the same text."""
    text = json.dumps(plan_to_json(plan), sort_keys=True, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def unpacked_plan(text: str) -> Plan:
    """Return the plan of `packed_plan`.

    Raises:
        InputError: The text is damaged, too large or no plan.
    """
    try:
        unzip = zlib.decompressobj()
        found = unzip.decompress(base64.b64decode(text, validate=True), MAX_PLAN_BYTES)
        if not unzip.eof:
            raise ValueError("cut off, or too large")
        value = json.loads(found)
    except (ValueError, zlib.error, RecursionError) as error:
        raise InputError("The plan is damaged.", "Make the plan again.") from error
    plan = plan_from_json(value)
    if len(plan.steps) > MAX_SHOTS:
        raise InputError(f"The plan has {len(plan.steps)} clips.", f"Use at most {MAX_SHOTS}.")
    return plan


def restored(file: Path) -> RestoredVideo:
    """Return how a video was made: recipe, plan and settings.

    Raises:
        RecipeError: procvid did not make the video, or it is a single clip.
        InputError: The video cannot be read.
    """
    try:
        facts = json.loads(read_metadata(file).get("procvid", ""))
        request = json.loads(facts["request"])
        recipe = Recipe(
            str(request["title"]),
            tuple(str(text) for text in request["steps"]),
            tuple(str(item) for item in request["ingredients"]),
        )
        settings: dict[str, Any] = {
            "seed": _whole(request["seed"], MAX_SEED),
            "steps": _whole(request["denoising_steps"], MAX_STEPS),
            "fast": bool(request["fast"]),
            "memory": "none" if request["memory"] == "none" else "default",
            # Videos of older versions have one clip per step.
            "shots": "auto" if request.get("shots", "one") == "auto" else "one",
            "size": str(request.get("size", ""))[:20],
            "frames": request.get("frames"),
            "takes": max(1, _whole(request.get("takes", {}).get("best_of", 1), MAX_AT_ONCE)),
            "verify": bool(request.get("takes", {}).get("repeats", 0)),
            "coherence": "rolling" if request.get("coherence") == "rolling" else "none",
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError(
            f"The video {file.name[:60]!r} has no record of its settings.",
            "Open a whole video made by procvid; a single clip records its own step only.",
        ) from error
    plan, note = _plan_of(facts, recipe)
    if plan is not None:
        recipe = _cut_as(recipe, plan)
    notes = [note] if note else []
    return RestoredVideo(
        recipe, plan, **settings, note=" ".join((*notes, *_not_held(facts, request)))
    )


def _not_held(facts: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each thing that the video was made with and its metadata do not hold."""
    changed = str(facts.get("changed_steps", ""))
    if STEP_NAMES.fullmatch(changed):
        one = "," not in changed
        yield (
            f"Step{'' if one else 's'} {changed} had {'its' if one else 'their'} own seed, prompt or "
            "images, which this file does not hold, so a new video will differ there."
        )
    if request.get("other_memory"):
        yield "Its images came from another library; choose it under Memory."
    if request.get("lora"):
        yield "It was made with a LoRA; choose it under LoRA."


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("not a whole number in range")
    return value


def _plan_of(facts: Mapping[str, Any], recipe: Recipe) -> tuple[Plan | None, str]:
    """Return the plan in the metadata, or None and the reason for the user."""
    if "plan" not in facts:
        return None, ""
    try:
        plan = unpacked_plan(str(facts["plan"]))
    except InputError:
        return None, OTHER_PLAN
    groups = plan.groups
    pairs = zip(groups, recipe.steps, strict=False)
    same = len(groups) == len(recipe.steps) and plan.title == recipe.title
    if not same or any(len(group) == 1 and group[0].text != text for group, text in pairs):
        return None, OTHER_PLAN
    return plan, ""


def _cut_as(recipe: Recipe, plan: Plan) -> Recipe:
    return Recipe(
        recipe.title,
        tuple(step.text for step in plan.steps),
        recipe.ingredients,
        parents=tuple(n for n, group in enumerate(plan.groups, start=1) for _ in group),
        written=recipe.steps,
    )
