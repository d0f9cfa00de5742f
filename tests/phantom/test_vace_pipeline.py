"""The VACE pipeline compared with the call of diffusers, on tiny real models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import WanVACEPipeline

from procvid.phantom.pipeline_vace import VacePipeline
from tests.phantom.vace import build_parts

CLIP = {"height": 32, "width": 48, "num_frames": 9, "num_inference_steps": 3, "guidance_scale": 5.0}
PROMPT = {"prompt": "a hand stirs the red pan", "negative_prompt": "the pan"}


@pytest.fixture(scope="module")
def vace() -> VacePipeline:
    pipeline = VacePipeline(**build_parts())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def last_latents(pipeline: VacePipeline, images, **changes) -> torch.Tensor:
    *_, last = pipeline.denoise(**PROMPT, **{**CLIP, **changes}, images=images, generator=seeded())
    return last.latents


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("scale", [5.0, 1.0])
def test_a_clip_is_that_of_diffusers(vace, pictures, count, scale):
    theirs = WanVACEPipeline(**vace.components)
    theirs.set_progress_bar_config(disable=True)
    asked = {
        **PROMPT,
        **CLIP,
        "guidance_scale": scale,
        "reference_images": pictures[:count] or None,
    }
    expected = theirs(**asked, generator=seeded(), output_type="latent").frames[:, :, count:]
    found = last_latents(vace, pictures[:count], guidance_scale=scale)
    assert found.shape == expected.shape == (1, 8, 3, 4, 6)
    assert torch.equal(found, expected)
    frames = theirs(**asked, generator=seeded()).frames
    # The random decoder enlarges the rounding of its input.
    assert np.abs(vace.decode_latents(found) - frames).max() < 3e-5


def test_a_clip_shorter_than_its_references(vace, pictures):
    """diffusers makes too small a mask for it and fails."""
    assert last_latents(vace, pictures, num_frames=5).shape == (1, 8, 2, 4, 6)
