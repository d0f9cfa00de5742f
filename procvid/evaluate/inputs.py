"""What is evaluated: a run folder, or loose clips with their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procvid.errors import InputError, RunError
from procvid.media.image import load_image
from procvid.media.video import read_metadata
from procvid.run.folder import CLIP, RunFolder, read_run
from procvid.types import Frames, Image, Plan, Recipe

MAX_CLIPS = 200
MAX_REAL_CLIPS = 5000
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")
MAX_SCALE = 8


@dataclass(frozen=True, eq=False)
class Reference:
    """A crop that conditioned a clip: the object's name, its picture and where it came from.

    Where the picture cannot be read, `image` is None and `source` says why.
    """

    object_name: str
    image: Image | None
    source: str


@dataclass(frozen=True, eq=False)
class ClipInput:
    """One clip: a file, or its frames where they are at hand.

    Attributes:
        number: The step that it shows, from 1.
        file: An mp4, mov, mkv or webm file; None when `frames` are given.
        frames: uint8 (T, H, W, 3) RGB.
        fps: Of `frames`.
        scale: The file's frames were enlarged by this whole factor when they were written.
        references: The crops that conditioned it.
    """

    number: int
    file: Path | None = None
    frames: Frames | None = None
    fps: float = 0.0
    scale: int = 1
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, eq=False)
class RunInput:
    """The clips of one recipe.

    Attributes:
        name: For people; different for each input.
        clips: In order.
        recipe: Title and steps; None for loose clips without a text.
        plan: Of the recipe, or None.
        settings: What the clips were made with; two runs are comparable when these agree.
        notes: What the user should know.
    """

    name: str
    clips: tuple[ClipInput, ...]
    recipe: Recipe | None = None
    plan: Plan | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def text(self, number: int) -> str:
        """The text of a step, or empty."""
        steps = self.recipe.steps if self.recipe else ()
        return steps[number - 1] if 1 <= number <= len(steps) else ""


def is_run_folder(path: Path) -> bool:
    """Whether this is a folder; loose clips are files."""
    return path.is_dir()


def run_input(folder: Path, name: str = "") -> RunInput:
    """The finished clips of a run folder.

    Raises:
        RunError: There is no run in the folder, or no finished clip.
    """
    record = read_run(folder)
    run = RunFolder(folder, record)
    plan = run.read_plan()
    clips, missing, notes = [], [], list[str]()
    for number in range(1, len(record.request.recipe.steps) + 1):
        step = run.read_step(number)
        if step is None:
            missing.append(number)
            continue
        place = run.step_folder(number)
        references = tuple(
            _reference(place / r.file, r.object_name, r.source_id) for r in step.references
        )
        notes += [f"step {number}: {r.source}" for r in references if r.image is None]
        clips.append(
            ClipInput(number, place / CLIP, scale=_scale(place / CLIP), references=references)
        )
    if not clips:
        raise RunError(
            f"The run in {str(folder)!r} has no finished clip.", "Finish it with the same command."
        )
    if missing:
        notes.insert(0, f"steps {_listed(missing)} are missing")
    request = record.request
    sampling = request.sampling
    settings = {
        "profile": request.profile,
        "frames": sampling.num_frames,
        "fps": sampling.fps,
        "size": f"{sampling.width}x{sampling.height}",
        "steps": sampling.num_inference_steps,
        "guidance": f"{sampling.guidance_scale_text:g}/{sampling.guidance_scale_image:g}",
        "seed": request.seed,
        "generator": record.models.get("generator", ""),
        "memory": "none" if not record.stores else "+".join(record.stores),
        "lora": ", ".join(request.lora) or "none",
        "shortcuts": sampling.shortcuts.summary or "none",
    }
    return RunInput(name or folder.name, tuple(clips), request.recipe, plan, settings, tuple(notes))


def _reference(file: Path, name: str, source: str) -> Reference:
    """The crop, or why it cannot be looked at: one damaged picture takes no other down with it."""
    try:
        return Reference(name, load_image(file), source)
    except InputError:
        return Reference(name, None, f"the reference of the {name} ({file.name}) cannot be read")


def clips_input(
    files: Sequence[Path],
    *,
    name: str = "clips",
    recipe: Recipe | None = None,
    texts: Sequence[str] = (),
    plan: Plan | None = None,
) -> RunInput:
    """Loose clips, in order, with a recipe or with a text each.

    Raises:
        InputError: No clips, too many, more texts or steps than clips, or both a recipe and texts.
    """
    if not files:
        raise InputError("There is no clip to evaluate.", "Give a run folder or video files.")
    if len(files) > MAX_CLIPS:
        raise InputError(f"{len(files)} clips are too many.", f"Give at most {MAX_CLIPS}.")
    if recipe is not None and texts:
        raise InputError("There are a recipe and texts.", "Give one of them.")
    if texts:
        recipe = Recipe(title=name, steps=tuple(" ".join(text.split()) for text in texts))
    if recipe is not None and len(recipe.steps) > len(files):
        what = "texts" if texts else "steps in the recipe"
        raise InputError(
            f"There are {len(recipe.steps)} {what} and {len(files)} clips.",
            "Give one clip a step, in order.",
        )
    for file in files:
        _check_video(file)
    clips = tuple(
        ClipInput(number, file, scale=_scale(file)) for number, file in enumerate(files, start=1)
    )
    return RunInput(name, clips, recipe, plan)


def real_clips(paths: Sequence[Path]) -> tuple[ClipInput, ...]:
    """Real clips to compare with: files, and the videos right inside folders.

    Raises:
        InputError: One is not there, no video, or there are too many or only one.
    """
    files: list[Path] = []
    for path in (given.expanduser() for given in paths):
        if not path.exists():
            raise InputError(f"There is no {str(path)!r}.", "Give real clips, or their folder.")
        if path.is_dir():
            files += sorted(f for f in path.iterdir() if f.suffix.lower() in VIDEO_SUFFIXES)
        else:
            files.append(path)
    if paths and not 2 <= len(files) <= MAX_REAL_CLIPS:
        raise InputError(
            f"{len(files)} real clips are no set to compare with.",
            f"Give 2 to {MAX_REAL_CLIPS}; hundreds make a steady figure.",
        )
    for file in files:
        _check_video(file)
    return tuple(ClipInput(n, file, scale=_scale(file)) for n, file in enumerate(files, start=1))


def _check_video(file: Path) -> None:
    if file.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(
            f"The file {file.name!r} is not a video that can be read.",
            f"Give {', '.join(VIDEO_SUFFIXES)}.",
        )


def _scale(file: Path) -> int:
    """By how much procvid enlarged the frames when it wrote this file; 1 for any other file."""
    told = read_metadata(file).get("scale", "1")
    return int(told) if told.isdigit() and 1 <= int(told) <= MAX_SCALE else 1


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
