"""Draw a storyboard: the first frame of each shot after a part of its denoising steps.

It shows what a video will look like before most of its cost: same seed, prompt and references as the
clip, so the same place of everything, but soft. References that only a clip of the run can supply are
missing, since there are no clips yet.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from procvid.errors import UnavailableError
from procvid.media.image import fit_on_white
from procvid.run.generate import step_seed
from procvid.run.parts import Parts, start_memory
from procvid.run.step import preview
from procvid.types import Conditioning, GenerateRequest, Image, Plan

SHARE = 0.25
"""Share of the denoising steps that are made for a picture."""
COLUMNS, WIDTH, TEXT, REFERENCE, GAP = 4, 288, 56, 48, 12
"""Columns; width of a picture, height of its text, side of a reference and gap, in pixels."""
MARK = "AI-generated storyboard"


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A picture of a storyboard: uint8 (H, W, 3) RGB, and what the clip will be made of."""

    step: int
    image: Image
    conditioning: Conditioning


def keyframes(parts: Parts, plan: Plan, request: GenerateRequest) -> Iterator[Keyframe]:
    """Yield a picture of each shot.

    Args:
        parts: The models, built with previews.
        plan: The plan.
        request: The request of the video; its seed gives those of the shots.

    Raises:
        UnavailableError: The models give no previews.
    """
    memory = start_memory(parts, request.seed, plan)
    wanted = max(1, math.ceil(SHARE * request.sampling.num_inference_steps))
    for conditioning in preview(parts, plan, memory, {}):
        sampling = dataclasses.replace(
            request.sampling, seed=step_seed(request.seed, conditioning.step)
        )
        with closing(parts.generator.generate(conditioning, sampling)) as denoising:
            for denoised in denoising:
                if denoised.preview is not None and denoised.step >= wanted:
                    yield Keyframe(conditioning.step, denoised.preview, conditioning)
                    break
            else:
                raise UnavailableError(
                    f"{request.sampling.num_inference_steps} denoising steps give no preview.",
                    "Use more --steps.",
                )


def sheet(plan: Plan, frames: Sequence[Keyframe]) -> Image:
    """Return the storyboard as one picture: title, and a cell with text and references per shot."""
    height, width = frames[0].image.shape[:2]
    picture = round(WIDTH * height / width)
    columns = min(COLUMNS, len(frames))
    rows = math.ceil(len(frames) / columns)
    cell = (WIDTH + GAP, picture + REFERENCE + TEXT + GAP)
    page = Pillow.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + 2 * GAP + 28), "white")
    pen = ImageDraw.Draw(page)
    title, text = ImageFont.load_default(20), ImageFont.load_default(14)
    pen.text((GAP, GAP), f"{plan.title[:60]}  ({MARK})", fill="#1f1b16", font=title)
    for place, frame in enumerate(frames):
        left = GAP + place % columns * cell[0]
        top = 2 * GAP + 28 + place // columns * cell[1]
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
