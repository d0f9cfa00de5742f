"""Write toy-kitchen videos with a list of clips, and provide their ground truth.

There is one video per recipe. The list holds annotator captions; the memory never sees the truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from procvid.media.video import write_clip
from procvid.memory.clip_crops import share_inside
from procvid.memory.words import canonical
from procvid.toykitchen.identity import TOOLS
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import FPS, NUM_FRAMES, render
from procvid.toykitchen.words import caption
from procvid.types import BoxXYXY, Crop, Role

FIRST_SEED = HELD_OUT + 40_000
SCALE = 4
CLIP_S = NUM_FRAMES / FPS
MIN_IOU = 0.5
LIST = "clips.jsonl"


@dataclass(frozen=True)
class VisibleObject:
    """An object in a frame: its box in pixels of the written video, its state and identity.

    The identity stays the same through a recipe: the look of a vessel, tool, counter or side
    object. The identity of a food is its name.
    """

    name: str
    role: Role
    state: str
    identity: str
    box_xyxy: BoxXYXY

    @property
    def thing(self) -> tuple[str, str, str]:
        """Name, state and identity."""
        return self.name, self.state, self.identity


class Truth:
    """Ground truth of the videos at any time; `recipes` are by source id."""

    def __init__(self, recipes: dict[str, ToyRecipe]) -> None:
        self.recipes = recipes

    def at(self, source_id: str, time_s: float) -> list[VisibleObject]:
        """Return the objects in a recipe's video at a time."""
        recipe = self.recipes[source_id]
        number = min(int((time_s + 1e-3) / CLIP_S), len(recipe.steps) - 1)
        frame = min(round((time_s - number * CLIP_S) * FPS), NUM_FRAMES - 1)
        return self.shown(recipe, number + 1, frame)

    def shown(self, recipe: ToyRecipe, number: int, frame: int) -> list[VisibleObject]:
        """Return the objects in a frame of a step (from 1)."""
        scene = recipe.steps[number - 1].scene
        boxes = render(scene, recipe.kitchen, only=frame).boxes[0]
        found = []
        for name, box in boxes.items():
            role, identity, state = "food", name, scene.state_before
            if name == scene.vessel:
                role, identity, state = "vessel", recipe.kitchen.vessels[name].words(name), ""
            elif name in TOOLS:
                role, identity, state = "tool", recipe.kitchen.tools[name].words(name), ""
            elif name == "counter":
                role, identity, state = "surface", recipe.kitchen.counter.words(), ""
            elif recipe.kitchen.side is not None and name == recipe.kitchen.side.kind:
                role, identity, state = "surface", recipe.kitchen.side.words(), ""
            elif name in (other.name for other in scene.others):
                state = next(other.state for other in scene.others if other.name == name)
            elif frame == NUM_FRAMES - 1:
                state = scene.state_after
            elif scene.state_after != scene.state_before:
                state = "changing"
            x0, y0, x1, y1 = (SCALE * edge for edge in box)
            found.append(VisibleObject(name, role, state, identity, (x0, y0, x1, y1)))  # type: ignore[arg-type]
        return found

    def of_crop(self, crop: Crop) -> VisibleObject | None:
        """Return the object with the crop's name in the crop's box, or None."""
        for shown in self.at(crop.source_id, crop.time_s):
            if shown.name == canonical(crop.name) and iou(shown.box_xyxy, crop.box_xyxy) >= MIN_IOU:
                return shown
        return None


def iou(one: BoxXYXY, two: BoxXYXY) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)]
    both = share_inside(one, two) * area[0]
    return both / (area[0] + area[1] - both) if area[0] + area[1] > both else 0.0


def toy_recipes(count: int, first_seed: int = FIRST_SEED) -> dict[str, ToyRecipe]:
    """Return recipes that no model was trained on, by source id."""
    return {f"toy-{seed}": random_recipe(seed) for seed in range(first_seed, first_seed + count)}


def write_videos(folder: Path, recipes: dict[str, ToyRecipe]) -> Iterator[int]:
    """Write missing videos, then the clip list; yield the number of videos done.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for done, (source_id, recipe) in enumerate(recipes.items(), start=1):
        file = folder / f"{source_id}.mp4"
        if not file.exists():
            frames = [recipe.render(number + 1).frames for number in range(len(recipe.steps))]
            write_clip(file, np.concatenate(frames), FPS, scale=SCALE, ai_generated=False)
        for number, step in enumerate(recipe.steps):
            line = {
                "file": file.name,
                "start_s": number * CLIP_S,
                "end_s": (number + 1) * CLIP_S,
                "text": caption(step.scene),
                "source_id": source_id,
                "licence": "Apache-2.0",
            }
            lines.append(json.dumps(line) + "\n")
        yield done
    (folder / LIST).write_text("".join(lines), encoding="utf-8")
