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
EACH_TOOL = 3
"""Clips of each action with a tool."""


def scenes(recipes: int) -> Iterator[tuple[str, str, Scene, ToyKitchen]]:
    """Yield name, source, scene and kitchen of each clip.

    The clips are recipes, then every food in every state, then empty vessels and tools: an empty
    vessel shows no food that a later step changes. Nothing stands on the counters, so that a
    counter's crop shows the counter alone.
    """
    for name, source, scene, kitchen in _scenes(recipes):
        yield name, source, scene, replace(kitchen, side=None)


def _scenes(recipes: int) -> Iterator[tuple[str, str, Scene, ToyKitchen]]:
    for seed in range(FIRST_SEED, FIRST_SEED + recipes):
        recipe = random_recipe(seed)
        for number, step in enumerate(recipe.steps, start=1):
            name = f"toy-{seed}-{number:02d}"
            yield name, f"toykitchen/{seed}/{number}", step.scene, recipe.kitchen
    rng = np.random.default_rng(FIRST_SEED)
    for food in FOODS:
        for state in STATES:
            vessel = str(rng.choice(("bowl", "frying pan", "pot")))
            scene = Scene("add", item(food, state), vessel, int(rng.integers(2**31)))
            yield f"toy-{state}-{food}", f"toykitchen/{state}-{food}", scene, random_kitchen(rng)

    for vessel in VESSELS:
        for number in range(EMPTY):
            scene = Scene("serve", None, vessel, int(rng.integers(2**31)))
            name = f"{vessel.replace(' ', '-')}-{number}"
            yield f"toy-empty-{name}", f"toykitchen/empty-{name}", scene, random_kitchen(rng)

    for action, tool in TOOL_OF.items():
        for number in range(EACH_TOOL):
            state = str(rng.choice(NATURAL_STATES[action]))
            vessel = str(rng.choice(NATURAL_VESSELS[action]))
            food = str(rng.choice(PEELABLE))
            scene = Scene(action, item(food, state), vessel, int(rng.integers(2**31)))
            name = f"{action}-{tool}-{number}"
            yield f"toy-{name}", f"toykitchen/{name}", scene, random_kitchen(rng)


def write_videos(folder: Path, recipes: int = RECIPES) -> Path:
    """Render the clips and write `clips.jsonl` beside them; return that file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, source_id, scene, kitchen in scenes(recipes):
        clip = render(scene, kitchen).frames
        write_clip(
            folder / f"{name}.mp4", clip, FPS, {"title": name}, scale=SCALE, ai_generated=False
        )
        lines.append(
            {
                "file": f"{name}.mp4",
                "start_s": 0.0,
                "end_s": len(clip) / FPS,
                "text": caption(scene)
                if scene.food
                else f"The empty {scene.vessel} on the counter.",
                "source_id": source_id,
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
