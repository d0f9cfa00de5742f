"""Still images: safe loading, PNG with text, fitting, and cropping on white.

All images are uint8 (H, W, 3) RGB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, PngImagePlugin

from procvid.errors import InputError
from procvid.storage.atomic import write_bytes
from procvid.types import BoxXYXY, Image

MAX_PIXELS = 40_000_000
"""Enough for a 24-megapixel photo, too few for a 219 kB PNG that unpacks to 225 megapixels."""

MAX_BYTES = 64 * 1024 * 1024
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
HEIC = tuple(b"ftyp" + brand for brand in (b"hei", b"hev", b"mif1", b"msf1"))
"""Brands of HEIC photos, at byte 4 of the file."""
OTHERS = (
    (4, b"ftypavi", "an AVIF image"),
    (0, b"II*\0", "a TIFF or raw photo"),
    (0, b"MM\0*", "a TIFF or raw photo"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"%PDF-", "a PDF document"),
)
"""Pictures of other kinds: where their first bytes stand, the bytes, and what they are."""

WHITE = 255

READ_ERRORS = (OSError, ValueError, SyntaxError, struct.error, EOFError)
"""All errors that Pillow raises on truncated or damaged files."""


def load_image(path: Path) -> Image:
    """Load an image file: upright by its EXIF data, alpha on white, first frame only.

    Raises:
        InputError: The file is missing, no image, damaged, or too large (checked before decoding).
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                f"The image {path.name} has {size:,} bytes, more than {MAX_BYTES:,}.",
                "Save it smaller and try again.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The image {path} cannot be read: {error.strerror}.", "Check its name."
        ) from error
    return decode_image(data, path.name)


def decode_image(data: bytes, name: str = "image") -> Image:
    """Decode PNG, JPEG, WebP, GIF, BMP or HEIC bytes. Errors mention `name`.

    Raises:
        InputError: The bytes are not an image, are damaged, or are larger than `MAX_PIXELS`.
    """
    formats: tuple[str, ...] = FORMATS
    if data.startswith(HEIC, 4):
        _register_heic(name)
        formats = ("HEIF",)
    try:
        with Pillow.open(io.BytesIO(data), formats=formats) as opened:
            width, height = opened.size
            if width * height > MAX_PIXELS:
                raise InputError(
                    f"The image {name} has {width}x{height} pixels, more than {MAX_PIXELS:,}.",
                    "Scale it down and try again.",
                )
            if formats == FORMATS:
                # An HEIC file opens at its main image, which need not be the first.
                opened.seek(0)
            return _on_white(ImageOps.exif_transpose(opened))
    except Pillow.DecompressionBombError as error:
        raise InputError(
            f"The image {name} has more than {MAX_PIXELS:,} pixels.",
            "Scale it down and try again.",
        ) from error
    except (*READ_ERRORS, RuntimeError) as error:
        kind = next((kind for at, mark, kind in OTHERS if data.startswith(mark, at)), "")
        if formats != FORMATS:
            raise InputError(
                f"The HEIC photo {name} is damaged or of an unknown kind.",
                "Save it as JPEG or PNG.",
            ) from error
        if kind:
            raise InputError(
                f"The file {name} is {kind}, which procvid does not read.",
                "Save it as JPEG or PNG.",
            ) from error
        raise InputError(
            f"The file {name} is not a readable image.",
            f"Give a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file.",
        ) from error


def _register_heic(name: str) -> None:
    """Let Pillow open HEIC photos. Raise InputError if their decoder is not installed."""
    try:
        # Imported here because few pictures need it.
        import pi_heif
    except ImportError as error:
        raise InputError(
            f"The file {name} is an HEIC photo, whose decoder `pi-heif` is not installed here.",
            "Save it as JPEG or PNG.",
        ) from error
    pi_heif.register_heif_opener()


def _on_white(image: Pillow.Image) -> Image:
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit grey clips bright pixels to white.
        grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, (WHITE, WHITE, WHITE, WHITE))
        return np.array(Pillow.alpha_composite(white, rgba).convert("RGB"))
    return np.array(image.convert("RGB"))


def png_bytes(image: Image, text: Mapping[str, str] | None = None) -> bytes:
    """Return the image as PNG with UTF-8 text chunks. The same input gives the same bytes."""
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def save_png(path: Path, image: Image, text: Mapping[str, str] | None = None) -> None:
    """Write a PNG atomically, with `text` (keys of at most 79 Latin letters) in its metadata.

    Raises:
        OutputError: The file cannot be written.
    """
    write_bytes(Path(path), png_bytes(image, text))


def resize(image: Image, width: int, height: int) -> Image:
    """Return the image resized to `width` x `height` pixels with Lanczos."""
    if image.shape[:2] == (height, width):
        return image
    return np.array(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS))


def fit_within(image: Image, side_px: int) -> Image:
    """Return the image with its longer side at most `side_px`. Smaller images are unchanged."""
    height, width = image.shape[:2]
    share = side_px / max(height, width)
    if share >= 1:
        return image
    return resize(image, max(1, round(width * share)), max(1, round(height * share)))


def fit_on_white(image: Image, width: int, height: int) -> Image:
    """Return the image, scaled to fit, in the middle of a white `width` x `height` canvas."""
    own_height, own_width = image.shape[:2]
    share = min(width / own_width, height / own_height)
    new_width = min(width, max(1, round(own_width * share)))
    new_height = min(height, max(1, round(own_height * share)))
    canvas = np.full((height, width, 3), WHITE, dtype=np.uint8)
    top, left = (height - new_height) // 2, (width - new_width) // 2
    canvas[top : top + new_height, left : left + new_width] = resize(image, new_width, new_height)
    return canvas


def crop_on_white(
    image: Image, box: BoxXYXY, mask: NDArray[np.bool_] | None = None, margin: float = 0.0
) -> Image:
    """Cut `box` out of the image. Pixels outside the mask become white.

    Args:
        image: uint8 (H, W, 3) RGB.
        box: `(x0, y0, x1, y1)` in pixels, x1 and y1 exclusive. Parts outside the image are cut off.
        mask: bool (H, W) over the whole image, or None to keep the background.
        margin: Widen the box on each side by this share of its longer side.

    Raises:
        InputError: The box lies outside the image.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    extra = margin * max(x1 - x0, y1 - y0)
    left, top = max(0, int(np.floor(x0 - extra))), max(0, int(np.floor(y0 - extra)))
    right, bottom = min(width, int(np.ceil(x1 + extra))), min(height, int(np.ceil(y1 + extra)))
    if left >= right or top >= bottom:
        raise InputError(
            f"The box {box} lies outside the image of {width}x{height} pixels.",
            "Give a box inside the image.",
        )
    crop = image[top:bottom, left:right].copy()
    if mask is not None:
        crop[~mask[top:bottom, left:right]] = WHITE
    return crop
