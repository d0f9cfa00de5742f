"""Letter-boxing, against upstream's results for 24 pairs of image and video size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procvid.phantom.references import fit_letter_box, letter_box, reference_pixels

GOLDEN = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "phantom" / "preprocess.json").read_text()
)
CASES = {name: case for name, case in GOLDEN.items() if "->" in name}


def sizes_wh(name: str) -> list[tuple[int, int]]:
    return [tuple(int(n) for n in size.split("x")) for size in name.split("->")]


def gradient(width: int, height: int) -> np.ndarray:
    """The image of the golden file, described there under "synthetic"."""
    y, x = np.mgrid[:height, :width]
    channels = (x * 255 // (width - 1), y * 255 // (height - 1), (7 * x + 13 * y) % 256)
    return np.stack(channels, axis=-1).astype(np.uint8)


def test_there_are_24_golden_cases():
    assert len(CASES) == 24


@pytest.mark.parametrize("name", CASES)
def test_letter_box_is_upstreams(name):
    image_wh, canvas_wh = sizes_wh(name)
    box = fit_letter_box(image_wh, canvas_wh)
    assert box.size_wh == tuple(CASES[name]["resized"])
    assert box.offset_xy == tuple(CASES[name]["offset"])


@pytest.mark.parametrize("name", CASES)
def test_letter_boxed_pixels_are_upstreams(name):
    image_wh, canvas_wh = sizes_wh(name)
    pixels = np.asarray(letter_box(gradient(*image_wh), *canvas_wh))
    assert pixels.shape == (canvas_wh[1], canvas_wh[0], 3)
    # The mean and not the hash: Pillow's resampler may change by a grey level between versions.
    np.testing.assert_allclose(pixels.mean(axis=(0, 1)), CASES[name]["mean"], atol=0.01)


def test_the_margin_is_white_and_nothing_is_cropped():
    pixels = np.asarray(letter_box(Image.new("RGB", (10, 20), "red"), 64, 32))
    assert (pixels[:, 24:40] == (255, 0, 0)).all()
    assert (pixels[:, :24] == 255).all()
    assert (pixels[:, 40:] == 255).all()


def test_alpha_is_dropped_and_not_composited():
    transparent_red = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    corner = np.asarray(letter_box(transparent_red, 16, 16))[0, 0]
    assert corner.tolist() == GOLDEN["rgba_transparent_corner_pixel_becomes"]


def test_exif_orientation_is_ignored():
    image = Image.new("RGB", (20, 10), "blue")
    image.getexif()[0x0112] = 6
    assert letter_box(image, 20, 20).getpixel((0, 10)) == (0, 0, 255)


def test_an_extremely_thin_image_keeps_a_pixel():
    assert fit_letter_box((4000, 1), (64, 32)).size_wh == (64, 1)
    assert fit_letter_box((1, 4000), (64, 32)).size_wh == (1, 32)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "I;16"])
def test_any_mode_of_image_becomes_pixels(mode):
    pixels = reference_pixels(Image.new(mode, (8, 8)), 32, 16)
    assert pixels.shape == (3, 16, 32)
    assert pixels.dtype == np.float32


def test_arrays_and_images_agree_and_values_span_minus_one_to_one():
    array = gradient(30, 20)
    from_array = reference_pixels(array, 48, 32)
    from_image = reference_pixels(Image.fromarray(array), 48, 32)
    np.testing.assert_array_equal(from_array, from_image)
    assert from_array.min() >= -1
    assert from_array.max() == 1
