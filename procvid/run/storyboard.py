"""Draw a storyboard: the first frame of each shot after a part of its denoising steps.

It shows what a video will look like before most of its cost: same seed, prompt and references as the
clip, so the layout matches, but the picture is soft. References that only a clip of the run can supply are
missing, since there are no clips yet. If the denoising has too few steps for a preview, the clip is
made whole.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from procvid.media.image import fit_on_white
from procvid.run.generate import step_seed
from procvid.run.parts import Parts, start_memory
from procvid.run.step import preview
from procvid.types import Clip, Conditioning, Denoised, Image, Plan, Sampling, StepChanges

SHARE = 0.25
"""Share of the denoising steps that are made for a picture."""
COLUMNS, WIDTH, TEXT, REFERENCE, GAP, HEAD = 4, 288, 56, 48, 12, 48
"""Columns; width of a picture, heights of its text, references, gap and head, in pixels."""
MARK = "AI-generated storyboard"


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A picture of a storyboard: uint8 (H, W, 3) RGB, and what the clip will be made of."""

    step: int
    image: Image
    conditioning: Conditioning


def keyframes(
    parts: Parts,
    plan: Plan,
    sampling: Sampling,
    seed: int,
    changes: Mapping[int, StepChanges] | None = None,
) -> Iterator[Keyframe]:
    """Yield a picture of each shot.

    Args:
        parts: The models, built with previews.
        plan: The plan.
        sampling: The sampling of the video.
        seed: The seed of the video, which gives those of the shots.
        changes: Changes to steps, by number.
    """
    changed = changes or {}
    memory = start_memory(parts, seed, plan)
    wanted = max(1, math.ceil(SHARE * sampling.num_inference_steps))
    for conditioning in preview(parts, plan, memory, changed):
        own = changed.get(conditioning.step, StepChanges()).seed
        chosen = step_seed(seed, conditioning.step) if own is None else own
        of_shot = dataclasses.replace(sampling, seed=chosen)
        with closing(parts.generator.generate(conditioning, of_shot)) as denoising:
            yield Keyframe(conditioning.step, _first_picture(denoising, wanted), conditioning)


def _first_picture(denoising: Generator[Denoised, None, Clip], wanted: int) -> Image:
    """Return the first preview after so many steps; if there is none, the clip's first frame."""
    while True:
        try:
            denoised = next(denoising)
        except StopIteration as end:
            return np.asarray(end.value.frames[0])
        if denoised.preview is not None and denoised.step >= wanted:
            return denoised.preview


def sheet(plan: Plan, frames: Sequence[Keyframe]) -> Image:
    """Return the storyboard as one picture: title, and a cell with text and references per shot."""
    height, width = frames[0].image.shape[:2]
    picture = round(WIDTH * height / width)
    columns = min(COLUMNS, len(frames))
    rows = math.ceil(len(frames) / columns)
    cell = (WIDTH + GAP, picture + REFERENCE + TEXT + GAP)
    page = Pillow.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + 2 * GAP + HEAD), "white")
    pen = ImageDraw.Draw(page)
    title, text = ImageFont.load_default(20), ImageFont.load_default(14)
    pen.text((GAP, GAP), plan.title[:60], fill="#1f1b16", font=title)
    pen.text((GAP, GAP + 28), MARK, fill="#1f1b16", font=text)
    for place, frame in enumerate(frames):
        left = GAP + place % columns * cell[0]
        top = 2 * GAP + HEAD + place // columns * cell[1]
        large = Pillow.fromarray(frame.image).resize((WIDTH, picture), Pillow.Resampling.BICUBIC)
        page.paste(large, (left, top))
        for number, slot in enumerate(frame.conditioning.slots):
            small = fit_on_white(slot.image, REFERENCE, REFERENCE)
            at = (left + number * (REFERENCE + 4), top + picture + 4)
            page.paste(Pillow.fromarray(small), at)
        words = f"{plan.names[frame.step]}. {plan.steps[frame.step - 1].text}"
        lines = _lines(words, text)
        pen.multiline_text((left, top + picture + REFERENCE + 8), lines, fill="#1f1b16", font=text)
    return np.asarray(page)


def _lines(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return the text in at most three lines of the width of a picture."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > WIDTH and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join([*lines[:2], f"{lines[2]} ..."] if len(lines) > 3 else lines)
