"""Draw the frames of a film: captions, the mark of AI, and the vertical page around a clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance, ImageFilter

from procvid.media.lettering import Colour, fitted
from procvid.media.video import read_clip
from procvid.run.film.chapters import FilmStep
from procvid.run.film.settings import FilmCue, FilmSettings
from procvid.run.film.timeline import StepTime, filled, shared
from procvid.types import Image

MARK = "Made by AI"
MIN_SIDE_PX = 720
"""Clips smaller than this are enlarged by a whole factor before text is drawn on them."""

BOX: Colour = (0, 0, 0, 190)
FAINT: Colour = (255, 255, 255, 190)
ACCENT: Colour = (255, 178, 92, 255)
TRACK: Colour = (255, 255, 255, 60)

Draw = Callable[[Image, float], Image]
"""Turns a frame of a clip into a frame of the film, which is shown at a time in seconds."""


@dataclass(frozen=True)
class Layout:
    """Size of the film, and the factor by which clips are enlarged."""

    width: int
    height: int
    scale: int


def layout_of(settings: FilmSettings, width: int, height: int) -> Layout:
    """Return the layout of a film of clips of this size."""
    if settings.shape == "vertical":
        return Layout(1080, 1920, 1) if width >= 480 else Layout(720, 1280, 1)
    draws = settings.burn_captions or settings.visible_mark
    scale = max(1, math.ceil(MIN_SIDE_PX / min(width, height))) if draws else 1
    return Layout(width * scale, height * scale, scale)


def step_frames(step: FilmStep, time: StepTime, fps: Fraction, draw: Draw) -> Iterator[Image]:
    """Yield the frames of one step, its clips held or repeated for the time of the step."""
    clips = [read_clip(path).frames for path in step.clips]
    counts = shared([len(clip) for clip in clips], time.num_frames)
    number = time.first_frame
    for clip, count in zip(clips, counts, strict=True):
        for at in filled(len(clip), count):
            yield draw(clip[at], float(number / fps))
            number += 1


def plain_drawer(
    layout: Layout, cues: Sequence[FilmCue], settings: FilmSettings, words: str
) -> Draw:
    """Return the drawing of a film in the clips' own shape.

    Args:
        layout: Size of the film.
        cues: Captions to draw, if the settings ask for them.
        settings: The choices for the film.
        words: All words of the film, which choose its font.
    """
    size = (layout.width, layout.height)
    drawn = cues if settings.burn_captions else ()
    over: dict[str, Pillow.Image] = {}

    def draw(frame: Image, time_s: float) -> Image:
        text = next((c.text for c in drawn if c.start_s <= time_s < c.end_s), "")
        if text not in over:
            over[text] = _overlay(size, text, settings.visible_mark, words)
        canvas = Pillow.fromarray(frame)
        if canvas.size != size:
            canvas = canvas.resize(size, Pillow.Resampling.LANCZOS)
        canvas.paste(over[text], mask=over[text])
        return np.asarray(canvas)

    return draw


def _overlay(size: tuple[int, int], text: str, has_mark: bool, words: str) -> Pillow.Image:
    overlay = Pillow.new("RGBA", size)
    if text:
        draw_caption(overlay, text, words)
    if has_mark:
        draw_mark(overlay)
    return overlay


def draw_caption(canvas: Pillow.Image, text: str, words: str = "") -> None:
    """Draw a caption on a dark box at the bottom, inside the safe area."""
    width, height = canvas.size
    block = fitted(text, round(0.84 * width), round(0.3 * height), _em(canvas, 19), like=words)
    if not block.lines:
        return
    pad = block.size // 2
    top = round(0.93 * height) - block.height - pad
    left = (width - block.width) // 2 - pad
    box = (left, top - pad, left + block.width + 2 * pad, top + block.height + pad)
    ImageDraw.Draw(canvas).rounded_rectangle(box, radius=pad, fill=BOX)
    block.draw(canvas, 0, top, width)


def draw_mark(canvas: Pillow.Image) -> None:
    """Draw "Made by AI" in the upper right corner."""
    width, height = canvas.size
    block = fitted(MARK, width // 2, height // 6, _em(canvas, 34), smallest=9)
    pad = round(0.55 * block.size)
    margin = round(0.025 * min(width, height))
    left, top = width - margin - block.width - 2 * pad, margin
    box = (left, top, width - margin, top + block.height + pad)
    ImageDraw.Draw(canvas).rounded_rectangle(box, radius=block.size, fill=BOX)
    block.draw(canvas, left, top + pad // 2, block.width + 2 * pad)


def _em(canvas: Pillow.Image, parts: int) -> int:
    """Return the size of text that is one of `parts` of the smaller side."""
    return max(11, min(canvas.size) // parts)


def vertical_drawer(
    layout: Layout,
    step: FilmStep,
    num_steps: int,
    title: str,
    cues: Sequence[FilmCue],
    settings: FilmSettings,
    words: str,
) -> Draw:
    """Return the drawing of a step as a vertical page: title, clip, step number and words.

    The words of the step stand below the clip. The phrase that is spoken is shown there if the
    settings ask for captions in the picture.
    """
    pages: dict[str, tuple[Pillow.Image, tuple[int, int, int, int]]] = {}

    def draw(frame: Image, time_s: float) -> Image:
        text = step.text
        if settings.burn_captions:
            text = next((c.text for c in cues if c.start_s <= time_s < c.end_s), "")
        clip = Pillow.fromarray(frame)
        if text not in pages:
            page = _page(layout, clip, step.number, num_steps, title, text, words)
            if settings.visible_mark:
                draw_mark(page[0])
            pages[text] = page
        made, (left, top, right, bottom) = pages[text]
        canvas = made.copy()
        shown = clip.resize((right - left, bottom - top), Pillow.Resampling.LANCZOS)
        canvas.paste(shown, (left, top), _rounded(shown.size, layout.width // 36))
        return np.asarray(canvas)

    return draw


def _page(
    layout: Layout, clip: Pillow.Image, number: int, total: int, title: str, text: str, words: str
) -> tuple[Pillow.Image, tuple[int, int, int, int]]:
    """Return the page without the clip, and the box of the clip."""
    width, height = layout.width, layout.height
    canvas = _background(clip, (width, height))
    margin = width // 18
    inner = width - 2 * margin
    high = min(round(inner * clip.height / clip.width), round(0.5 * height))
    wide = round(high * clip.width / clip.height)
    top = round(0.235 * height) + max(0, round(0.25 * height) - high // 2)
    box = ((width - wide) // 2, top, (width - wide) // 2 + wide, top + high)
    heading = fitted(title, inner, round(0.12 * height), width // 13, like=words)
    heading.draw(canvas, margin, round(0.145 * height) - heading.height // 2, inner)
    below = top + high + round(0.025 * height)
    _draw_progress(canvas, number, total, below)
    label = fitted(f"Step {number} of {total}", inner, height, width // 24, like=words)
    label.draw(canvas, margin, below + height // 60, inner, ACCENT)
    first = below + height // 60 + label.height + height // 80
    block = fitted(text, inner, round(0.93 * height) - first, width // 17, like=words)
    block.draw(canvas, margin, first, inner)
    return canvas, box


def _background(clip: Pillow.Image, size: tuple[int, int]) -> Pillow.Image:
    """Return the clip enlarged, blurred and darkened, so that white text is legible on it."""
    width, height = size
    small = clip.resize((max(2, width // 12), max(2, height // 12)), Pillow.Resampling.BILINEAR)
    dark = ImageEnhance.Brightness(small.filter(ImageFilter.GaussianBlur(6))).enhance(0.28)
    return dark.resize(size, Pillow.Resampling.BICUBIC)


def _draw_progress(canvas: Pillow.Image, number: int, total: int, top: int) -> None:
    """Draw one bar for each step, those until now in the accent colour."""
    width = canvas.width
    margin, gap = width // 18, max(2, width // 180)
    pen = ImageDraw.Draw(canvas, "RGBA")
    wide = (width - 2 * margin - gap * (total - 1)) / total
    for at in range(total):
        left = margin + at * (wide + gap)
        colour = ACCENT if at < number else TRACK
        pen.rectangle((left, top, left + max(1.0, wide), top + width // 120), fill=colour)


def _rounded(size: tuple[int, int], radius: int) -> Pillow.Image:
    mask = Pillow.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, fill=255)
    return mask
