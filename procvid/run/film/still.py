"""Write one step as a GIF or an animated WebP that repeats for ever."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from PIL import Image as Pillow

from procvid.errors import InputError
from procvid.media.ai_mark import add_to_gif, xmp
from procvid.media.video import read_clip
from procvid.run.film.chapters import FilmStep
from procvid.run.film.pictures import draw_mark
from procvid.run.film.settings import FilmSettings
from procvid.storage.atomic import write_bytes

MAX_SIDE_PX = {"gif": 480, "webp": 720}
GIF_FPS = 12.5
MAX_FRAMES = 300
COLOURS = 255


def write_animation(path: Path, step: FilmStep, settings: FilmSettings, fps: Fraction) -> float:
    """Write the clips of a step as a GIF or WebP; return its length in seconds.

    Raises:
        InputError: The step is too long for an image file.
        OutputError: The file cannot be written.
    """
    rate = min(float(fps), GIF_FPS) if settings.format == "gif" else float(fps)
    frames = []
    total = 0
    for clip in step.clips:
        shown = read_clip(clip).frames
        wanted = max(1, round(len(shown) * rate / float(fps)))
        frames += [_small(shown[at * len(shown) // wanted], settings) for at in range(wanted)]
        total += len(shown)
    if len(frames) > MAX_FRAMES:
        raise InputError(
            f"Step {step.number} has {len(frames)} frames, too many for a {settings.format}.",
            "Choose mp4.",
        )
    duration_s = float(total / fps)
    # Times are whole milliseconds in WebP and hundredths of a second in GIF.
    unit = 10 if settings.format == "gif" else 1
    marks = [
        round(duration_s * 1000 * n / len(frames) / unit) * unit for n in range(len(frames) + 1)
    ]
    each = [end - start for start, end in pairwise(marks)]
    write_bytes(path, _gif(frames, each) if settings.format == "gif" else _webp(frames, each))
    return duration_s


def _small(frame: object, settings: FilmSettings) -> Pillow.Image:
    image = Pillow.fromarray(frame)  # type: ignore[arg-type]  # uint8 (H, W, 3)
    image.thumbnail((MAX_SIDE_PX[settings.format],) * 2, Pillow.Resampling.LANCZOS)
    if settings.visible_mark:
        draw_mark(image)
    return image


def _gif(frames: list[Pillow.Image], each_ms: list[int]) -> bytes:
    # One palette for all frames, or the colours flicker.
    strip = Pillow.new("RGB", (frames[0].width, frames[0].height * min(len(frames), 8)))
    for at in range(min(len(frames), 8)):
        strip.paste(frames[at * len(frames) // min(len(frames), 8)], (0, at * frames[0].height))
    palette = strip.quantize(COLOURS, method=Pillow.Quantize.MEDIANCUT)
    flat = [f.quantize(palette=palette, dither=Pillow.Dither.FLOYDSTEINBERG) for f in frames]
    file = io.BytesIO()
    flat[0].save(file, "GIF", save_all=True, append_images=flat[1:], duration=each_ms, loop=0)
    return add_to_gif(file.getvalue())


def _webp(frames: list[Pillow.Image], each_ms: list[int]) -> bytes:
    file = io.BytesIO()
    frames[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=each_ms,
        loop=0,
        quality=82,
        method=4,
        xmp=xmp(),
    )
    return file.getvalue()
