"""Letter-boxing of reference images on white, to the size of the video.

Uses only PIL and numpy. The arithmetic and its truncations are those of upstream's `generate.py`: no
crop, no EXIF transpose, alpha dropped without compositing, small images enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

WHITE_RGB = (255, 255, 255)

ReferenceImage = Image.Image | np.ndarray


@dataclass(frozen=True)
class LetterBox:
    """Size and position of an image on its canvas, in pixels.

    Attributes:
        size_wh: Width and height of the resized image.
        offset_xy: Left and top of the resized image on the canvas.
    """

    size_wh: tuple[int, int]
    offset_xy: tuple[int, int]


def fit_letter_box(image_wh: tuple[int, int], canvas_wh: tuple[int, int]) -> LetterBox:
    """Fit an image into a canvas and keep its aspect ratio.

    Args:
        image_wh: Width and height of the image, px, positive.
        canvas_wh: Width and height of the canvas, px, positive.

    Returns:
        The box. Sizes and offsets are truncated, not rounded; an odd pixel goes to the right or bottom.
    """
    image_width, image_height = image_wh
    width, height = canvas_wh
    aspect = image_width / image_height
    if aspect > width / height:
        # At least one pixel: upstream fails if truncation gives zero (about 500:1).
        fitted_wh = (width, max(1, int(width / aspect)))
    else:
        fitted_wh = (max(1, int(height * aspect)), height)
    offset_xy = ((width - fitted_wh[0]) // 2, (height - fitted_wh[1]) // 2)
    return LetterBox(fitted_wh, offset_xy)


def letter_box(image: ReferenceImage, width: int, height: int) -> Image.Image:
    """Centre an image on a white canvas, resized (Lanczos) to touch two of its sides.

    Args:
        image: PIL image of any mode, or uint8 array `(h, w)`, `(h, w, 3)` RGB or `(h, w, 4)` RGBA.
        width: Width of the canvas, px.
        height: Height of the canvas, px.

    Returns:
        RGB image of `width` x `height`.
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    # convert() drops alpha as upstream does: a transparent pixel shows its hidden colour.
    image = image.convert("RGB")
    box = fit_letter_box(image.size, (width, height))
    canvas = Image.new("RGB", (width, height), WHITE_RGB)
    canvas.paste(image.resize(box.size_wh, Image.Resampling.LANCZOS), box.offset_xy)
    return canvas


def reference_pixels(image: ReferenceImage, width: int, height: int) -> np.ndarray:
    """Letter-box an image and scale its values for the video autoencoder.

    Args:
        image: Image for `letter_box`.
        width: Width of the video, px.
        height: Height of the video, px.

    Returns:
        float32 `(3, height, width)` RGB in [-1, 1].
    """
    pixels = np.asarray(letter_box(image, width, height), dtype=np.float32)
    return ((pixels / 255 - 0.5) / 0.5).transpose(2, 0, 1)
