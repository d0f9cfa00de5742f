"""Stills: safe loading of every odd kind, PNG text, fitting and cropping on white."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from procvid.errors import InputError, OutputError
from procvid.media.image import (
    crop_on_white,
    decode_image,
    fit_on_white,
    load_image,
    png_bytes,
    save_png,
)
from tests.media.heic import heic_bytes


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_png_keeps_pixels_and_text(tmp_path: Path, picture: np.ndarray) -> None:
    text = {"procvid": '{"prompt": "Möhre 🥕"}', "Title": "x"}
    save_png(tmp_path / "a.png", picture, text)
    assert np.array_equal(load_image(tmp_path / "a.png"), picture)
    with Pillow.open(tmp_path / "a.png") as opened:
        assert opened.info == text
    assert png_bytes(picture, text) == (tmp_path / "a.png").read_bytes()


def test_alpha_lies_on_white() -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = (255, 0, 0, 255)
    buffer = io.BytesIO()
    Pillow.fromarray(rgba).save(buffer, "PNG")
    read = decode_image(buffer.getvalue())
    assert read[0, 0].tolist() == [255, 0, 0] and read[3, 3].tolist() == [255, 255, 255]


def test_exif_turns_the_picture_upright(picture: np.ndarray) -> None:
    image = Pillow.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    assert decode_image(buffer.getvalue()).shape == (30, 20, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    buffer = io.BytesIO()
    red, blue = (Pillow.new("RGB", (8, 8), colour) for colour in ("#ff0000", "#0000ff"))
    lossless = {"lossless": True} if kind == "WEBP" else {}
    red.save(buffer, kind, save_all=True, append_images=[blue], **lossless)
    assert decode_image(buffer.getvalue())[4, 4].tolist() == [255, 0, 0]


def test_sixteen_bit_grey_is_not_blown_out() -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(buffer, "PNG")
    assert decode_image(buffer.getvalue())[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (6, 5), "#ffffff").convert(mode).save(
        buffer, "JPEG" if mode == "CMYK" else "PNG"
    )
    read = decode_image(buffer.getvalue())
    assert read.shape == (5, 6, 3) and read.min() > 250


def png(width: int, height: int, bits: int, colour_type: int, rows: bytes) -> bytes:
    """Build a PNG by hand that Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def bomb(side: int) -> bytes:
    """A PNG whose header alone declares side x side pixels."""
    return png(side, side, 8, 2, b"\0" * 100)


HALF, QUARTER, FULL = (struct.pack(">H", value) for value in (0x8000, 0x4000, 0xFFFF))


@pytest.mark.parametrize(
    ("colour_type", "pixel", "seen"),
    [
        (0, HALF, [128, 128, 128]),
        (2, HALF + QUARTER + FULL, [128, 64, 255]),
        (4, HALF + b"\0\0", [255, 255, 255]),
        (6, HALF + QUARTER + FULL + b"\0\0", [255, 255, 255]),
    ],
    ids=["grey", "rgb", "grey alpha", "rgb alpha"],
)
def test_sixteen_bits_become_eight(colour_type: int, pixel: bytes, seen: list[int]) -> None:
    rows = b"".join(b"\0" + pixel * 5 for _ in range(4))
    assert decode_image(png(5, 4, 16, colour_type, rows))[0, 0].tolist() == seen


def test_one_pixel_is_a_picture() -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (1, 1), "#102030").save(buffer, "PNG")
    read = decode_image(buffer.getvalue())
    assert read.tolist() == [[[16, 32, 48]]]
    assert fit_on_white(read, 8, 8).tolist() == [[[16, 32, 48]] * 8] * 8


def test_cmyk_keeps_its_colours() -> None:
    buffer = io.BytesIO()
    Pillow.new("CMYK", (16, 16), (0, 255, 255, 0)).save(buffer, "JPEG")
    red = decode_image(buffer.getvalue())[8, 8].astype(int)
    assert np.abs(red - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("side", [7_000, 15_000, 20_000, 100_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(InputError, match=r"pixels, more than|more than 40,000,000 pixels"):
        decode_image(bomb(side), "bomb.png")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bomb(16),
    ],
)
def test_no_images(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png"):
        load_image(tmp_path / "a.png")


def test_mutated_pngs_give_a_sentence_or_an_image(picture: np.ndarray) -> None:
    whole = png_bytes(picture)
    rng = np.random.default_rng(1)
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = int(rng.integers(0, 256))
        try:
            assert decode_image(bytes(data)).ndim == 3
        except InputError as error:
            assert error.message


def test_a_missing_image_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "no.png", tmp_path):
        with pytest.raises(InputError):
            load_image(path)


def test_a_folder_that_cannot_be_written(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_png(tmp_path / "file" / "a.png", picture)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (100, 10), (10, 100), (30, 20)])
def test_fit_on_white(picture: np.ndarray, width: int, height: int) -> None:
    dark = picture // 4
    fitted = fit_on_white(dark, width, height)
    assert fitted.shape == (height, width, 3)
    inside = np.argwhere(fitted.sum(axis=2) < 600)
    spans = inside.max(axis=0) - inside.min(axis=0) + 1
    share = min(width / 30, height / 20)
    assert spans.tolist() == [round(20 * share), round(30 * share)]


def test_crop_on_white_whitens_what_the_mask_leaves_out(picture: np.ndarray) -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:10, 5:15] = True
    crop = crop_on_white(picture, (4, 4, 16, 11), mask)
    assert crop.shape == (7, 12, 3)
    assert np.array_equal(crop[1:6, 1:11], picture[5:10, 5:15])
    assert (crop[0] == 255).all() and (crop[:, 0] == 255).all()


def test_crop_margin_and_border(picture: np.ndarray) -> None:
    assert crop_on_white(picture, (10, 10, 20, 15), None, 0.2).shape == (9, 14, 3)
    assert crop_on_white(picture, (-5, -5, 4, 4)).shape == (4, 4, 3)
    with pytest.raises(InputError, match="outside"):
        crop_on_white(picture, (40, 0, 50, 10))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x1cftypavif", "an AVIF image"),
        (b"II*\0\x08\0\0\0", "a TIFF or raw photo"),
        (b"\xff\x0a\x00", "a JPEG XL image"),
        (b"<svg xmlns=''/>", "an SVG drawing"),
        (b"%PDF-1.4", "a PDF document"),
    ],
)
def test_pictures_of_other_kinds_are_named(data: bytes, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_image(data, "IMG_1.TIF")
    wanted = f"The file IMG_1.TIF is {kind}, which procvid does not read. Save it as JPEG or PNG."
    assert str(caught.value) == wanted


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    halves = np.zeros((96, 128, 3), np.uint8)
    halves[:, :64] = (220, 0, 0)
    halves[:, 64:] = (0, 0, 200)
    return halves


def test_an_heic_photo_is_read(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(heic_bytes(photo))
    read = load_image(tmp_path / "IMG_1.HEIC")
    assert read.shape == photo.shape
    assert np.abs(read.astype(int) - photo)[:, [10, 100]].max() < 8


@pytest.mark.parametrize(
    ("said_size", "says"),
    [
        ((9_000, 9_000), "more than 40,000,000"),
        ((100_000, 100_000), "more than 40,000,000"),
        ((64, 64), "is damaged"),
        ((0, 0), "is damaged"),
    ],
)
def test_an_heic_photo_of_another_size_than_it_says(
    photo: np.ndarray, said_size: tuple[int, int], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        decode_image(heic_bytes(photo, said_size), "IMG_1.HEIC")


def test_a_damaged_heic_photo_is_a_sentence(photo: np.ndarray) -> None:
    whole, rng = heic_bytes(photo), np.random.default_rng(0)
    for end in range(12, len(whole) - 1, 37):
        with pytest.raises(InputError, match=r"IMG_1\.HEIC (is|is damaged)|size"):
            decode_image(whole[:end], "IMG_1.HEIC")
    for _ in range(200):
        changed = bytearray(whole)
        changed[rng.integers(12, len(whole))] = rng.integers(256)
        with contextlib.suppress(InputError):
            decode_image(bytes(changed), "IMG_1.HEIC")


def test_an_heic_photo_without_the_decoder_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(InputError, match="`pi-heif` is not installed") as raised:
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "IMG_1.HEIC")
    assert raised.value.hint == "Save it as JPEG or PNG."
