"""Find and write finished examples: the video of an example recipe, shown without waiting.

Each example has three files named after its recipe: the video, its captions, and a JSON file with
its settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from procvid.storage.files import read_json, sha256_of

FOLDER = "finished"
RECIPES = (".txt", ".md", ".json")
VIDEO, CAPTIONS, FACTS = ".mp4", ".vtt", ".facts.json"


@dataclass(frozen=True)
class Finished:
    """Settings of a finished example.

    Attributes:
        recipe_sha256: Hash of the recipe file.
        profile: Name of the profile.
        seed: Seed of the run.
        denoising_steps: Denoising steps per clip.
        num_clips: Number of clips.
        duration_s: Length of the video in seconds.
    """

    recipe_sha256: str
    profile: str
    seed: int
    denoising_steps: int
    num_clips: int
    duration_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the content of the facts file."""
        return asdict(self)


def example_recipes(folder: Path) -> tuple[Path, ...]:
    """Return the recipes of a folder, sorted by name."""
    return tuple(sorted(f for f in folder.glob("*.*") if f.suffix in RECIPES and f.is_file()))


def recipe_sha256(recipe: Path) -> str:
    """Return the sha256 of the file's bytes."""
    return sha256_of(recipe)


def finished_of(recipe: Path, profile: str) -> tuple[Finished, Path, Path] | None:
    """Return facts, video and captions of an example, or None if they do not fit this recipe and
    profile.
    """
    place = recipe.parent / FOLDER
    video, captions = place / (recipe.stem + VIDEO), place / (recipe.stem + CAPTIONS)
    try:
        facts = Finished(**read_json(place / (recipe.stem + FACTS)))
        good = (facts.recipe_sha256, facts.profile) == (recipe_sha256(recipe), profile)
    except (OSError, TypeError, ValueError):
        return None
    return (facts, video, captions) if good and video.is_file() and captions.is_file() else None


def files_of(
    recipe: Path, run: Path, facts: Finished, facts_file: Path
) -> Iterator[tuple[str, Path]]:
    """Yield the three files with their names in `FOLDER`; write the facts to `facts_file`."""
    facts_file.write_text(json.dumps(facts.to_json(), indent=2) + "\n", encoding="utf-8")
    yield recipe.stem + VIDEO, run / "video.mp4"
    yield recipe.stem + CAPTIONS, run / "captions.vtt"
    yield recipe.stem + FACTS, facts_file
