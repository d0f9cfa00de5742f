"""Inputs of an evaluation: run folders, loose clips with their texts, and real clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procvid.errors import InputError, RunError
from procvid.media.image import load_image
from procvid.media.video import read_metadata
from procvid.plan.shots import cut_into_shots
from procvid.run.folder import CLIP, RUN, RunFolder, read_run
from procvid.settings.environment import user_path
from procvid.types import Frames, Image, Plan, Recipe

MAX_CLIPS = 200
MAX_REAL_CLIPS = 5000
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")
MAX_SCALE = 8
TEXT_SUFFIX = ".txt"
MAX_TEXT_CHARS = 2000

AS_SHOTS = "The {} clips are read as the shots of the recipe's {} steps."


@dataclass(frozen=True, eq=False)
class Reference:
    """A crop that conditioned a clip: the object's name, the image and its source.

    If the image cannot be read, `image` is None and `source` is the reason.
    """

    object_name: str
    image: Image | None
    source: str


@dataclass(frozen=True, eq=False)
class ClipInput:
    """One clip, as a file or as frames.

    Attributes:
        number: Number of the step, from 1.
        file: An mp4, mov, mkv or webm file; None if `frames` are given.
        frames: uint8 (T, H, W, 3) RGB.
        fps: Frame rate of `frames`.
        scale: Whole factor by which the frames were enlarged when the file was written.
        references: The crops that conditioned the clip.
        text: Text of a real clip, or empty. The texts of a run are those of its recipe.
    """

    number: int
    file: Path | None = None
    frames: Frames | None = None
    fps: float = 0.0
    scale: int = 1
    references: tuple[Reference, ...] = ()
    text: str = ""


@dataclass(frozen=True, eq=False)
class RunInput:
    """The clips of one recipe.

    Attributes:
        name: Name in reports; different for each input.
        clips: In order.
        recipe: Title and steps; None for loose clips without texts.
        plan: Plan of the recipe, or None.
        settings: Settings of the clips; two runs are comparable if these agree.
        notes: Notes for the user.
    """

    name: str
    clips: tuple[ClipInput, ...]
    recipe: Recipe | None = None
    plan: Plan | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def text(self, number: int) -> str:
        """Return the text of a step, or ""."""
        steps = self.recipe.steps if self.recipe else ()
        return steps[number - 1] if 1 <= number <= len(steps) else ""


def run_input(folder: Path, name: str = "") -> RunInput:
    """Return the finished clips of a run folder.

    Raises:
        RunError: The folder has no run, or the run has no finished clip.
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
            f"The run in {str(folder)!r} has no finished clip.",
            "Finish it with the command that started it.",
        )
    if missing:
        notes.insert(0, f"missing steps: {', '.join(map(str, missing))}")
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
    """Return the crop, or the reason why it cannot be read; one damaged file does not stop the rest."""
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
    """Return loose clips, in order, with a recipe or with one text each.

    If there are as many clips as the recipe has shots, each clip belongs to its shot.

    Raises:
        InputError: No clips, too many, more texts or steps than clips, or both a recipe and texts.
    """
    if not files:
        raise InputError("No clip was given to evaluate.", "Give a run folder or video files.")
    if len(files) > MAX_CLIPS:
        raise InputError(f"{len(files)} clips are too many.", f"Give at most {MAX_CLIPS}.")
    if recipe is not None and texts:
        raise InputError("Both a recipe and texts were given.", "Give one of them.")
    if texts:
        recipe = Recipe(title=name, steps=tuple(" ".join(text.split()) for text in texts))
    notes: tuple[str, ...] = ()
    if recipe is not None and not texts and len(recipe.steps) != len(files):
        shots = cut_into_shots(recipe)
        if len(shots.steps) == len(files):
            recipe, notes = shots, (AS_SHOTS.format(len(files), len(shots.whole_steps)),)
    if recipe is not None and len(recipe.steps) > len(files):
        what = "texts" if texts else "steps in the recipe"
        raise InputError(
            f"There are {len(recipe.steps)} {what} but {len(files)} clips.",
            "Give one clip per step, in order.",
        )
    for file in files:
        _check_video(file)
    clips = tuple(
        ClipInput(number, file, scale=_scale(file)) for number, file in enumerate(files, start=1)
    )
    return RunInput(name, clips, recipe, plan, notes=notes)


def real_clips(paths: Sequence[Path]) -> tuple[ClipInput, ...]:
    """Return real clips to compare with: files, the videos directly inside folders, and run folders.

    The text of a clip is that of its step in a run folder. For other clips it is the content of the
    file with the same name and the suffix .txt, if there is one.

    Raises:
        InputError: A path is missing or not a video, there are too many clips or only one, or a text
            cannot be read.
        RunError: A run folder has no finished clip.
    """
    files: list[Path] = []
    texts: dict[int, str] = {}
    for path in map(user_path, paths):
        if not path.exists():
            raise InputError(
                f"{str(path)!r} does not exist.", "Give files of real clips, or their folder."
            )
        if (path / RUN).is_file():
            run = run_input(path)
            for clip in run.clips:
                assert clip.file is not None
                texts[len(files)] = run.text(clip.number)
                files.append(clip.file)
        elif path.is_dir():
            files += sorted(f for f in path.iterdir() if f.suffix.lower() in VIDEO_SUFFIXES)
        else:
            files.append(path)
    if paths and not 2 <= len(files) <= MAX_REAL_CLIPS:
        raise InputError(
            f"{len(files)} real clips cannot be compared with.",
            f"Give 2 to {MAX_REAL_CLIPS}; hundreds give a stable score.",
        )
    for file in files:
        _check_video(file)
    return tuple(
        ClipInput(
            number,
            file,
            scale=_scale(file),
            text=texts[number - 1] if number - 1 in texts else _text_beside(file),
        )
        for number, file in enumerate(files, start=1)
    )


def _text_beside(file: Path) -> str:
    """Return the text in the .txt file beside a clip, in one line; "" without such a file."""
    beside = file.with_suffix(TEXT_SUFFIX)
    if not beside.is_file():
        return ""
    try:
        with beside.open(encoding="utf-8") as opened:
            return " ".join(opened.read(MAX_TEXT_CHARS).split())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The text {beside.name!r} of a real clip cannot be read.", "Save it as UTF-8 text."
        ) from error


def _check_video(file: Path) -> None:
    if file.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(
            f"The file {file.name!r} is not a video.", f"Give {', '.join(VIDEO_SUFFIXES)}."
        )


def _scale(file: Path) -> int:
    """Return the factor by which procvid enlarged the frames of this file; 1 for any other file."""
    scale = read_metadata(file).get("scale", "1")
    return int(scale) if scale.isdigit() and 1 <= int(scale) <= MAX_SCALE else 1
