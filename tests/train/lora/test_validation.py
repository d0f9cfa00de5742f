"""Validation: fixed noise, lines of later epochs, and no effect on the random state."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from procvid.errors import UnavailableError
from procvid.phantom.model_folder import load_pipeline
from procvid.settings import TINY
from procvid.train.lora.folder import read_training_folder
from procvid.train.lora.latents import LatentCache
from procvid.train.lora.machine import log_validation, start_accelerator
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.validation import CURVE, Validation
from tests.train.lora.conftest import ASSETS

SETTINGS = LoraSettings(width=32, height=32, num_frames=1, fps=8, shift=2.0)
SAMPLING = replace(TINY.sampling, width=32, height=32, num_frames=1, num_inference_steps=1)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The tiny pipeline, a cache with one image, and its example."""
    folder = tmp_path_factory.mktemp("picture")
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(folder / "a.png")
    row = {"file_name": "a.png", "text": "A board.", "prior": True}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    data = read_training_folder(folder)
    pipeline = load_pipeline(ASSETS / "tiny_phantom", torch.float32)
    cache = LatentCache(folder / "cache", data, SETTINGS, "encoders")
    list(cache.encode(pipeline, data.examples, torch.device("cpu")))
    return pipeline, cache, data.examples


def validation(parts, out, epochs_done=0, examples=None) -> Validation:
    pipeline, cache, held_out = parts
    chosen = held_out if examples is None else examples
    out.mkdir(exist_ok=True)
    return Validation(pipeline, cache, chosen, SETTINGS, SAMPLING, out, epochs_done)


def test_a_validation_is_reproducible_and_leaves_no_trace(parts, tmp_path):
    job = validation(parts, tmp_path)
    before = torch.get_rng_state()
    (first,), (second,) = job.run(1), job.run(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.loss == second.loss > 0, "prior examples count with their own latents here"
    (clip,) = first.clips
    assert clip.file.is_file() and clip.file.parent.name == "epoch-001"
    assert clip.frames.shape == (1, 32, 32, 3) and job.last_clips == second.clips
    lines = (tmp_path / CURVE).read_text().splitlines()
    assert lines[0] == "epoch,loss,examples" and [line[0] for line in lines[1:]] == ["1", "2"]

    validation(parts, tmp_path, epochs_done=1)
    assert len((tmp_path / CURVE).read_text().splitlines()) == 2, "epoch 2 is validated again"


def test_without_held_out_examples_nothing_happens(parts, tmp_path):
    assert list(validation(parts, tmp_path, examples=()).run(1)) == []
    assert not (tmp_path / "validation").exists()


def test_a_validation_is_logged_to_tensorboard(parts, tmp_path):
    accelerator = start_accelerator(replace(SETTINGS, track=True), tmp_path)
    (event,) = validation(parts, tmp_path).run(1)
    log_validation(accelerator, event, 3)
    accelerator.end_training()
    assert list(tmp_path.rglob("events.out.tfevents*"))


def test_without_tensorboard_tracking_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("procvid.train.lora.machine.is_tensorboard_available", lambda: False)
    with pytest.raises(UnavailableError, match="pip install tensorboard"):
        start_accelerator(replace(SETTINGS, track=True), tmp_path)
