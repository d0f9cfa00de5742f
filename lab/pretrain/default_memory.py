"""The default crop store: toy-kitchen videos through the product's own build code.

`python -m lab.pretrain.default_memory VIDEOS` renders clips and their list; then
`procvid memory build VIDEOS/clips.jsonl --out STORE` makes the store as for anybody's videos.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from procvid.media.video import write_clip
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import ToyKitchen, random_kitchen
from procvid.toykitchen.recipes import random_recipe
from procvid.toykitchen.render import FPS, render
from procvid.toykitchen.scene import STATES, Scene, item
from procvid.toykitchen.words import caption

FIRST_SEED = 500_000
RECIPES = 10
SCALE = 2


def scenes(recipes: int) -> Iterator[tuple[str, str, Scene, ToyKitchen]]:
    """Name, source, scene and kitchen of each clip: recipes, then every food in every state."""
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


def write_videos(folder: Path, recipes: int = RECIPES) -> Path:
    """Render the clips and write `clips.jsonl` beside them; returns the list."""
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
                "text": caption(scene),
                "source_id": source_id,
                "licence": "Apache-2.0",
            }
        )
    listing = folder / "clips.jsonl"
    listing.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return listing


def main() -> None:
    """Render the videos of the default store."""
    parser = argparse.ArgumentParser(
        description="Render toy-kitchen videos for the default crop store."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipes", type=int, default=RECIPES)
    args = parser.parse_args()
    print(write_videos(args.folder, args.recipes))


if __name__ == "__main__":
    main()
