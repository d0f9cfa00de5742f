"""The default crop store: toy-kitchen videos through the product's own build code.

`python -m procvid.train.default_memory VIDEOS` renders clips and their list; then
`procvid memory build VIDEOS/clips.jsonl --out STORE` makes the store as for anybody's videos.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from procvid.media.video import write_clip
from procvid.toykitchen.recipes import random_recipe
from procvid.toykitchen.render import FPS

FIRST_SEED = 500_000
RECIPES = 40
SCALE = 4


def write_videos(folder: Path, recipes: int = RECIPES) -> Path:
    """Render the clips of `recipes` toy recipes and write `clips.jsonl` beside them; returns the list."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for seed in range(FIRST_SEED, FIRST_SEED + recipes):
        recipe = random_recipe(seed)
        for number, step in enumerate(recipe.steps, start=1):
            clip = recipe.render(number).frames
            name = f"toy-{seed}-{number:02d}.mp4"
            write_clip(folder / name, clip, FPS, {"title": recipe.title}, scale=SCALE)
            lines.append(
                {
                    "file": name,
                    "start_s": 0.0,
                    "end_s": len(clip) / FPS,
                    "text": step.text,
                    "source_id": f"toykitchen/{seed}/{number}",
                    "licence": "Apache-2.0",
                }
            )
    listing = folder / "clips.jsonl"
    listing.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return listing


def main() -> None:
    """Render the videos of the default store."""
    parser = argparse.ArgumentParser(description="Render toy-kitchen videos for the default crop store.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipes", type=int, default=RECIPES)
    args = parser.parse_args()
    print(write_videos(args.folder, args.recipes))


if __name__ == "__main__":
    main()
