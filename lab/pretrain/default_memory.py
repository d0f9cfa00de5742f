"""Render the videos of the default crop store.

`python -m lab.pretrain.default_memory VIDEOS` renders clips and their list. Then
`procvid memory build VIDEOS/clips.jsonl --out STORE` builds the store, as for any videos.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from lab.command import count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.media.video import write_clip
from procvid.toykitchen.dataset import NATURAL_STATES, NATURAL_VESSELS, PEELABLE
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import VESSELS, ToyKitchen, random_kitchen
from procvid.toykitchen.recipes import random_recipe
from procvid.toykitchen.render import FPS, render
from procvid.toykitchen.scene import STATES, TOOL_OF, Scene, item
from procvid.toykitchen.words import caption

FIRST_SEED = 500_000
RECIPES = 10
SCALE = 2
EMPTY = 6
"""Clips of each empty vessel."""
UNSEEN = ("bake", "mash")
"""Actions of recipes whose texts mean an oven or a masher, which the kitchen does not draw."""
EACH_TOOL = 3
"""Clips of each action with a tool, whose texts name it."""


def scenes(recipes: int) -> Iterator[tuple[str, str, Scene, ToyKitchen]]:
    """Yield name, text, scene and kitchen of each clip.

    The clips are recipes, then every food in every state, then empty vessels and tools: an empty
    vessel shows no food that a later step changes. Nothing stands on the counters, so that a
    counter's crop shows the counter alone.
    """
    for name, text, scene, kitchen in _scenes(recipes):
        yield name, text, scene, replace(kitchen, side=None)


def _scenes(recipes: int) -> Iterator[tuple[str, str, Scene, ToyKitchen]]:
    for seed in range(FIRST_SEED, FIRST_SEED + recipes):
        recipe = random_recipe(seed)
        for number, step in enumerate(recipe.steps, start=1):
            if step.scene.action in UNSEEN:
                continue
            yield f"{seed}-{number:02d}", caption(step.scene), step.scene, recipe.kitchen
    rng = np.random.default_rng([FIRST_SEED, 1])

    def shown(action: str, food: str, state: str, vessel: str) -> Scene:
        return Scene(action, item(food, state), vessel, int(rng.integers(2**31)))

    for food, state in product(FOODS, STATES):
        scene = shown("add", food, state, str(rng.choice(("bowl", "frying pan", "pot"))))
        # "Mashed potato" is a dish of its own to the planner.
        text = f"Add the {food}, {state}, to the {scene.vessel}."
        yield f"{state}-{food}", text, scene, random_kitchen(rng)

    for vessel, view in product(VESSELS, range(EMPTY)):
        scene = Scene("serve", None, vessel, int(rng.integers(2**31)))
        text = f"The empty {vessel} on the counter."
        yield f"empty-{vessel.replace(' ', '-')}-{view}", text, scene, random_kitchen(rng)

    for (action, tool), view in product(TOOL_OF.items(), range(EACH_TOOL)):
        state = str(rng.choice(NATURAL_STATES[action]))
        vessel = str(rng.choice(NATURAL_VESSELS[action]))
        scene = shown(action, str(rng.choice(PEELABLE)), state, vessel)
        text = f"{caption(scene).rstrip('.')} with the {tool}."
        yield f"{action}-{tool}-{view}", text, scene, random_kitchen(rng)


def write_videos(folder: Path, recipes: int = RECIPES) -> Path:
    """Render the clips and write `clips.jsonl` beside them; return that file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, text, scene, kitchen in scenes(recipes):
        clip = render(scene, kitchen).frames
        file = f"toy-{name}.mp4"
        write_clip(folder / file, clip, FPS, {"title": name}, scale=SCALE, ai_generated=False)
        lines.append(
            {
                "file": file,
                "start_s": 0.0,
                "end_s": len(clip) / FPS,
                "text": text,
                "source_id": f"toykitchen/{name}",
                "licence": "Apache-2.0",
            }
        )
    listing = folder / "clips.jsonl"
    listing.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return listing


def parser() -> Parser:
    """Return the parser of `python -m lab.pretrain.default_memory`."""
    made = new_parser("pretrain.default_memory", "Render the videos of the default crop store.")
    made.add_argument("folder", type=Path, help="folder of the videos")
    made.add_argument("--recipes", type=count, default=RECIPES)
    made.set_defaults(run=default_memory)
    return made


def default_memory(arguments: argparse.Namespace) -> None:
    """Render the videos and print the path of their list."""
    print(write_videos(arguments.folder, arguments.recipes))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
