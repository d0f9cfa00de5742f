"""Write toy-kitchen videos that resemble cooking videos: talk between steps and faulty subtitles.

Subtitles are shifted in time, roll, overlap, lack grammar and mention things that are not shown.
The ground truth is written beside the videos; curation never reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from procvid.media.captions import timestamp
from procvid.media.video import write_clip
from procvid.storage.atomic import write_text
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import SIZE, render
from procvid.types import Frames

FIRST_SEED = HELD_OUT + 60_000
FPS = 1
"""One frame per second: cost grows with frames, while matching depends on seconds."""

SCALE = 4
TRUTH = "truth.json"
STEP_S = (6.0, 14.0)
TALK_S = (3.0, 6.0)

LEADS = (
    "so now we're gonna", "okay next you want to", "and then", "alright I'm just going to", "now",
    "first we need to", "go ahead and", "um so we'll", "and now I like to", "",
)  # fmt: skip
CHATTER = (
    "hi everyone welcome back to my channel",
    "thank you so much for watching and don't forget to subscribe",
    "this is one of my favourite dishes and it's so easy",
    "my grandmother used to fry potatoes like this every sunday",
    "look at that it smells amazing",
    "if you have any questions leave a comment below",
    "[Music]",
)
NOT_SHOWN = (
    "you could also slice a cucumber and add it to the bowl",
    "at home you can fry the mushrooms in a skillet",
    "sometimes I like to boil the potatoes in a pot",
    "if you want you can dice an onion on the board",
)
"""Steps that are spoken but never shown."""


@dataclass(frozen=True)
class Said:
    """Speech in a span; `step` is the step it describes (from 1), or 0."""

    start_s: float
    end_s: float
    text: str
    step: int


@dataclass(frozen=True)
class ToyVideo:
    """Ground truth of a video: spans of the steps, and the speech."""

    video_id: str
    steps: tuple[tuple[float, float], ...]
    said: tuple[Said, ...]
    duration_s: float


def write_toy_videos(folder: Path, count: int) -> Iterator[int]:
    """Write missing videos with subtitles, then the ground truth; yield the number of videos done.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = []
    for number in range(count):
        recipe = random_recipe(FIRST_SEED + number)
        parts = _parts(recipe)
        video = _truth_of(recipe, parts)
        file = folder / "videos" / f"{video.video_id}.mp4"
        if not file.exists():
            rng = np.random.default_rng([recipe.seed, 3])
            suffix = ".srt" if rng.random() < 0.5 else ".vtt"
            write_text(file.with_suffix(suffix), _subtitles(rng, video, suffix))
            write_clip(file, _frames(recipe, parts), FPS, scale=SCALE, ai_generated=False)
        truth.append(asdict(video))
        yield number + 1
    write_text(folder / TRUTH, json.dumps(truth) + "\n")


def read_truth(folder: Path) -> dict[str, ToyVideo]:
    """Return the ground truth by video id."""
    rows = json.loads((folder / TRUTH).read_text("utf-8"))
    return {
        row["video_id"]: ToyVideo(
            row["video_id"],
            tuple((start, end) for start, end in row["steps"]),
            tuple(Said(**said) for said in row["said"]),
            row["duration_s"],
        )
        for row in rows
    }


@dataclass(frozen=True)
class _Part:
    """A part of the video: a step (from 1), or 0 for talk."""

    step: int
    num_frames: int


def _parts(recipe: ToyRecipe) -> list[_Part]:
    rng = np.random.default_rng([recipe.seed, 1])

    def frames(span: tuple[float, float]) -> int:
        return round(float(rng.uniform(*span)) * FPS)

    parts = [_Part(0, frames(TALK_S))]
    for number in range(1, len(recipe.steps) + 1):
        parts.append(_Part(number, frames(STEP_S)))
        if rng.random() < 0.35:
            parts.append(_Part(0, frames(TALK_S)))
    return [*parts, _Part(0, frames(TALK_S))]


def _truth_of(recipe: ToyRecipe, parts: list[_Part]) -> ToyVideo:
    """Return when steps are shown, and the speech before, during or after them."""
    rng = np.random.default_rng([recipe.seed, 2])
    steps: list[tuple[float, float]] = []
    said: list[Said] = []
    now_s = free_s = 0.0

    def say(start_s: float, length_s: float, text: str, step: int) -> None:
        nonlocal free_s
        start_s = max(start_s, free_s)
        free_s = start_s + length_s
        said.append(Said(round(start_s, 3), round(free_s, 3), text, step))

    for part in parts:
        length_s = part.num_frames / FPS
        if part.step:
            steps.append((now_s, now_s + length_s))
            lead = str(rng.choice(LEADS))
            text = f"{lead} {recipe.steps[part.step - 1].text.rstrip('.').lower()}".strip()
            late_s = float(np.clip(rng.normal(0.5, 1.5), -3.0, 4.0))
            say(now_s + late_s, float(rng.uniform(0.3, 0.9)) * length_s, text, part.step)
            if rng.random() < 0.15:
                say(free_s + 0.3, float(rng.uniform(2.5, 4.0)), str(rng.choice(NOT_SHOWN)), 0)
        else:
            chatter = CHATTER if rng.random() < 0.7 else NOT_SHOWN
            say(now_s + 0.2, length_s - 0.5, str(rng.choice(chatter)), 0)
        now_s += length_s
    video_id = f"toy-{recipe.seed}"
    return ToyVideo(video_id, tuple(steps), tuple(said), round(now_s, 3))


def _frames(recipe: ToyRecipe, parts: list[_Part]) -> Frames:
    rng = np.random.default_rng([recipe.seed, 4])
    clips = []
    for part in parts:
        if part.step:
            scene = recipe.steps[part.step - 1].scene
            clips.append(_filmed(rng, render(scene, recipe.kitchen, part.num_frames).frames))
        else:
            clips.append(_talk(rng, part.num_frames))
    return np.concatenate(clips)


def _filmed(rng: np.random.Generator, frames: Frames) -> Frames:
    """Return a step with its own zoom, mirroring and light, as cameras move between takes."""
    margin = int(rng.integers(0, 11))
    left, top = (int(n) for n in rng.integers(0, margin + 1, 2))
    side = SIZE - margin
    near = frames[:, top : top + side, left : left + side]
    near = near[:, :, ::-1] if rng.random() < 0.5 else near
    rows = np.arange(SIZE) * side // SIZE
    lit = near[:, rows][:, :, rows] * float(rng.uniform(0.7, 1.25))
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _talk(rng: np.random.Generator, num_frames: int) -> Frames:
    """Return frames of a speaker: a patterned wall and a round head that sways."""
    ground, head = rng.integers(30, 226, 3), rng.integers(120, 256, 3)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    wall = ground + 60 * ((x // 8 + y // 8) % 2)[..., None]
    frames = []
    for k in range(num_frames):
        centre = SIZE / 2 + 5 * np.sin(2.5 * k)
        inside = (x - centre) ** 2 + (y - 28) ** 2 < 15**2
        frames.append(np.where(inside[..., None], head, wall))
    return np.asarray(np.clip(np.stack(frames), 0, 255), np.uint8)


def _subtitles(rng: np.random.Generator, video: ToyVideo, suffix: str) -> str:
    """Return the speech as a subtitle file with typical faults."""
    cues: list[tuple[float, float, str]] = []
    rolls = suffix == ".vtt" and rng.random() < 0.5
    for said in video.said:
        words = said.text.split()
        half = max(1, len(words) // 2)
        middle_s = said.start_s + (said.end_s - said.start_s) * half / len(words)
        first, second = " ".join(words[:half]), " ".join(words[half:])
        cues.append((said.start_s, middle_s, first))
        if second:
            late_s = 0.4 if rng.random() < 0.2 else 0.0
            text = f"{first} {second}" if rolls else second
            cues.append((middle_s - late_s, said.end_s, text))
        if rng.random() < 0.05:
            cues.append((said.end_s, said.start_s, "the other way round"))
        if rng.random() < 0.05:
            cues.append((said.start_s, said.end_s, "  "))
    if rng.random() < 0.2:
        cues.append((0.0, 36_000.0, "subtitles by nobody"))
    if rng.random() < 0.2:
        rng.shuffle(cues)
    return _file(cues, suffix)


def _file(cues: list[tuple[float, float, str]], suffix: str) -> str:
    blocks = ["WEBVTT"] if suffix == ".vtt" else []
    for number, (start_s, end_s, text) in enumerate(cues, start=1):
        times = f"{timestamp(start_s)} --> {timestamp(end_s)}"
        if suffix == ".srt":
            blocks.append(f"{number}\n{times.replace('.', ',')}\n{text}")
        else:
            blocks.append(f"{times}\n{text}")
    return "\n\n".join(blocks) + "\n"
