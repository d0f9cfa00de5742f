"""Find and write finished examples: the video of an example recipe, shown without waiting.

Each example has four files named after its recipe: the video, its captions, a small picture, and a
JSON file with its settings.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from procvid.media.decode import read_clip, read_metadata
from procvid.media.encode import write_clip
from procvid.run.folder import CAPTIONS as RUN_CAPTIONS
from procvid.run.folder import CLIP, STEPS
from procvid.run.folder import VIDEO as RUN_VIDEO
from procvid.storage.atomic import replacing, write_text
from procvid.storage.files import read_json, sha256_of

FOLDER = "finished"
RECIPES = (".txt", ".md", ".json")
VIDEO, CAPTIONS, PICTURE, FACTS = ".mp4", ".vtt", ".jpg", ".facts.json"

RATE_FACTOR = 27
"""Constant rate factor of the videos: all examples together stay below 3 MB."""
PICTURE_PX = 192
MOMENT = 0.7
"""Place of the picture in its clip, 0 to 1: the step is under way and its objects are visible."""


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
        generator: Id and revision of the model that made the clips.
    """

    recipe_sha256: str
    profile: str
    seed: int
    denoising_steps: int
    num_clips: int
    duration_s: float
    generator: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the content of the facts file."""
        return asdict(self)


@dataclass(frozen=True)
class FinishedExample:
    """A finished example: its settings and files."""

    facts: Finished
    video: Path
    captions: Path
    picture: Path
    facts_file: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return self.video, self.captions, self.picture, self.facts_file


def example_recipes(folder: Path) -> tuple[Path, ...]:
    """Return the recipes of a folder, sorted by name."""
    return tuple(sorted(f for f in folder.glob("*.*") if f.suffix in RECIPES and f.is_file()))


def recipe_sha256(recipe: Path) -> str:
    """Return the sha256 of the file's bytes."""
    return sha256_of(recipe)


def finished_of(recipe: Path, profile: str, folder: Path | None = None) -> FinishedExample | None:
    """Return a finished example, or None if there is none of this recipe and profile.

    Args:
        recipe: The recipe file.
        profile: Name of the profile.
        folder: Folder of the finished examples; default `FOLDER` beside the recipe.
    """
    found = _files(recipe, folder or recipe.parent / FOLDER)
    try:
        facts = Finished(**read_json(found[-1]))
        good = (facts.recipe_sha256, facts.profile) == (recipe_sha256(recipe), profile)
    except (OSError, TypeError, ValueError):
        return None
    return FinishedExample(facts, *found) if good and all(f.is_file() for f in found) else None


def write_finished(recipe: Path, run: Path, facts: Finished, folder: Path) -> FinishedExample:
    """Write the files of a finished example into a folder, and return it.

    Args:
        recipe: The recipe file.
        run: The finished run.
        facts: Its settings.
        folder: The folder; it is created if needed.
    """
    video, captions, picture, facts_file = _files(recipe, folder)
    whole = read_clip(run / RUN_VIDEO)
    metadata = read_metadata(run / RUN_VIDEO)
    write_clip(video, whole.frames, whole.fps, metadata, rate_factor=RATE_FACTOR)
    write_text(captions, (run / RUN_CAPTIONS).read_text(encoding="utf-8"))
    save_jpeg(picture, telling_frame(run))
    write_text(facts_file, json.dumps(facts.to_json(), indent=2) + "\n")
    return FinishedExample(facts, video, captions, picture, facts_file)


def telling_frame(run: Path) -> Pillow.Image:
    """Return a small picture of the last clip before the dish is served."""
    clips = sorted((run / STEPS).glob(f"*/{CLIP}"))
    frames = read_clip(clips[-2] if len(clips) > 1 else clips[0]).frames
    frame = Pillow.fromarray(np.ascontiguousarray(frames[round(MOMENT * (len(frames) - 1))]))
    frame.thumbnail((PICTURE_PX, PICTURE_PX), Pillow.Resampling.LANCZOS)
    return frame


def save_jpeg(path: Path, picture: Pillow.Image) -> None:
    """Write a picture as a JPEG of the same bytes each time."""
    with replacing(path) as made:
        picture.save(made, "JPEG", quality=82, optimize=True)


def _files(recipe: Path, folder: Path) -> tuple[Path, Path, Path, Path]:
    video, captions, picture, facts = (
        folder / (recipe.stem + suffix) for suffix in (VIDEO, CAPTIONS, PICTURE, FACTS)
    )
    return video, captions, picture, facts
