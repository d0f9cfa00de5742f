"""Reading frames, and the cache of latents and embeddings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from procvid.errors import InputError
from procvid.media.video import write_clip
from procvid.phantom.model_folder import load_pipeline
from procvid.train.lora.folder import Example, read_training_folder
from procvid.train.lora.latents import LatentCache, read_frames
from procvid.train.lora.settings import LoraSettings
from tests.train.lora.conftest import ASSETS

SETTINGS = LoraSettings(width=32, height=16, num_frames=9, fps=8, shift=2.0)
CPU = torch.device("cpu")


def gradient(height: int, width: int) -> np.ndarray:
    """An image whose red and green channels are the column and the row."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns, rows, np.zeros_like(rows)], 2).astype(np.uint8)


@pytest.mark.parametrize(("length", "expected"), [(3, 1), (5, 5), (8, 5), (9, 9), (20, 9)])
def test_clips_have_4n_plus_1_frames(tmp_path, length, expected):
    file = tmp_path / "a.mp4"
    write_clip(file, np.zeros((length, 16, 32, 3), np.uint8), 8, ai_generated=False)
    frames = read_frames(Example("a", file, "t", ""), SETTINGS)
    assert frames.shape == (expected, 16, 32, 3) and frames.dtype == np.uint8


def test_a_part_of_a_video_begins_at_its_start(tmp_path):
    file = tmp_path / "a.mp4"
    clip = np.concatenate([np.full((8, 16, 32, 3), level, np.uint8) for level in (20, 220)])
    write_clip(file, clip, 8, ai_generated=False)
    frames = read_frames(Example("a", file, "t", "", start_s=1.0, end_s=1.7), SETTINGS)
    assert len(frames) == 5 and frames.mean() > 200


@pytest.mark.parametrize("size", [(16, 32), (16, 64), (64, 32), (32, 64)])
def test_pictures_cover_the_size_and_keep_their_centre(tmp_path, size):
    file = tmp_path / "a.png"
    Image.fromarray(gradient(*size)).save(file)
    (frame,) = read_frames(Example("a", file, "t", ""), SETTINGS)
    assert frame.shape == (16, 32, 3)
    assert frame[..., 0].mean() == pytest.approx((size[1] - 1) / 2, abs=1)
    assert frame[..., 1].mean() == pytest.approx((size[0] - 1) / 2, abs=1)
    if size == (16, 32):
        assert np.array_equal(frame, gradient(*size))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """An image with a crop, an image that is missing, and a broken crop."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(gradient(16, 32)).save(folder / "a.png")
    Image.fromarray(gradient(8, 8)).save(folder / "crop.png")
    (folder / "broken.png").write_bytes(b"no picture")
    crops = [{"file_name": f"{name}.png", "name": name} for name in ("crop", "broken", "gone")]
    rows = [
        {"file_name": "a.png", "text": "Slice the carrot.", "crops": crops},
        {"file_name": "gone.png", "text": "Fry it."},
    ]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_training_folder(folder)


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(ASSETS / "tiny_phantom", torch.float32)


def test_a_cache_is_filled_once_and_lists_what_is_unusable(data, pipeline, tmp_path):
    cache = LatentCache(tmp_path, data, SETTINGS, "encoders")
    one, gone = data.examples
    assert not cache.has(one) and not cache.has_crop(one.crops[0].file)
    events = list(cache.encode(pipeline, data.examples, CPU))
    assert [(event.done, event.total, event.skipped) for event in events] == [(1, 2, 0), (2, 2, 1)]
    assert cache.has(one) and not cache.has(gone) and set(cache.skipped) == {"gone.png"}
    assert {file.name for file in cache.broken_crops} == {"broken.png", "gone.png"}
    channels = pipeline.vae.config.z_dim
    assert cache.video(one).shape == (channels, 1, 2, 4)
    assert cache.crop(one.crops[0].file).shape == (channels, 1, 2, 4)
    text = cache.text(one.text, 96)
    assert text.shape[0] == 96 and text[0].any() and not text[-1].any()

    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    again = LatentCache(tmp_path, data, SETTINGS, "encoders")
    list(again.encode(pipeline, data.examples, CPU))
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.safetensors")} == files
    assert not LatentCache(tmp_path, data, SETTINGS, "other encoders").has(one)


def test_a_cached_file_that_vanished_is_named(data, tmp_path):
    cache = LatentCache(tmp_path, data, SETTINGS, "none")
    with pytest.raises(InputError, match=r"is missing or damaged\. Delete the cache folder"):
        cache.video(data.examples[0])
