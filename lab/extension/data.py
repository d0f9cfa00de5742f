"""Write training data of the extended toy kitchen for `procvid train lora`.

A third of the recipes have both new foods, a third have one, and a third belong to the base kitchen
to prevent forgetting. Half of the clips show a new food.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lab.pretrain.toy_crops import cut, noisy, role_of
from lab.pretrain.toy_texts import prompt_of
from procvid.media.image import save_png
from procvid.media.video import write_clip
from procvid.plan.writing.toy_prompt import with_toy_looks
from procvid.storage.atomic import write_text
from procvid.toykitchen.extension import EXTRA_FOODS, extended_recipe
from procvid.toykitchen.identity import EXTRA_COUNTERS
from procvid.toykitchen.recipes import ToyRecipe, random_recipe
from procvid.toykitchen.render import FPS, NUM_FRAMES, SIZE, Rendered
from procvid.toykitchen.scene import TOOL_OF, Scene

SCALE = 4
COUNTER_SHARE = 0.3
"""Share of texts that name the new counter."""


def write_data(folder: Path, recipes: int) -> int:
    """Write clips, crops and `metadata.jsonl`; return the number of clips.

    Raises:
        OutputError: The folder cannot be written.
    """

    def draw(seed: int) -> ToyRecipe:
        known = seed % 3 == 2
        return random_recipe(seed) if known else extended_recipe(seed, both_new=seed % 3 == 0)

    return write_recipes(folder, recipes, draw)


def write_recipes(folder: Path, recipes: int, draw: Callable[[int], ToyRecipe]) -> int:
    """Write the training data of the recipes that a function draws from the seeds 0, 1, ...

    Raises:
        OutputError: The folder cannot be written.
    """
    rows: list[dict[str, Any]] = []
    for seed in range(recipes):
        recipe = draw(seed)
        for number, step in enumerate(recipe.steps, start=1):
            rng = np.random.default_rng([seed, number, 21])
            rows.append(_row(folder, rng, recipe, f"{seed:04d}", number, step.scene))
    write_text(folder / "metadata.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return len(rows)


def _row(
    folder: Path,
    rng: np.random.Generator,
    recipe: ToyRecipe,
    source: str,
    number: int,
    scene: Scene,
) -> dict[str, Any]:
    clip = recipe.render(number)
    name = f"{source}-{number}"
    write_clip(folder / f"clips/{name}.mp4", clip.frames, FPS, scale=SCALE, ai_generated=False)
    text = prompt_of(rng, scene, recipe.kitchen)
    counter = recipe.kitchen.counter
    if counter.colour in EXTRA_COUNTERS and rng.random() < COUNTER_SHARE:
        text = with_toy_looks(text, [("counter", counter.words())])
    states = {o.name: o.state for o in scene.others} | {scene.food_name: scene.state_after}
    crops = []
    for thing, box in clip.boxes[NUM_FRAMES - 1].items():
        role = role_of(thing)
        file = f"crops/{name}-{thing.replace(' ', '-')}.png"
        save_png(folder / file, cut(clip.frames[NUM_FRAMES - 1], noisy(rng, box), role))
        crops.append({"file_name": file, "name": thing, "state": states.get(thing, "")})
    wants = [{"name": scene.vessel, "state": ""}]
    if scene.food is not None:
        wants.append({"name": scene.food_name, "state": scene.state_before})
    wants.append({"name": "counter", "state": ""})
    if scene.action in TOOL_OF:
        wants.append({"name": TOOL_OF[scene.action], "state": ""})
    return {
        "file_name": f"clips/{name}.mp4",
        "text": text,
        "source_id": source,
        "wants": wants,
        "crops": crops,
        "focus_xyxy": _where(clip, scene.food_name),
        "prior": scene.food_name not in EXTRA_FOODS and counter.colour not in EXTRA_COUNTERS,
    }


def _where(clip: Rendered, food: str) -> list[float] | None:
    """Return the box that contains the food in all frames, as shares of the frame."""
    boxes = np.array([boxes[food] for boxes in clip.boxes if food in boxes])
    if not len(boxes):
        return None
    box = (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))
    return [round(float(value) / SIZE, 4) for value in box]
