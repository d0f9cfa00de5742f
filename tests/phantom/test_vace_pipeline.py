"""The VACE pipeline compared with the call of diffusers, on tiny real models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import WanVACEPipeline
from diffusers.hooks import HookRegistry

from procvid.phantom.compiling import is_compiled, undo_compiling
from procvid.phantom.pipeline_vace import VacePipeline
from procvid.phantom.placing import (
    FP8_GROUP_OFFLOAD,
    FULL,
    GROUP_OFFLOAD,
    MODEL_OFFLOAD,
    TILED,
    place,
)
from procvid.types import EXACT, Shortcuts, StepCache
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


def test_a_picture_of_a_few_pixels_is_letter_boxed(vace):
    """diffusers rounds its sides down to 0 px and fails."""
    for size in ((5, 5), (200, 2), (900, 9)):
        image = np.full((size[1], size[0], 3), 200, np.uint8)
        assert last_latents(vace, [image], num_inference_steps=1).isfinite().all()


def test_a_sampling_below_one_is_no_guidance_as_in_diffusers(vace, pictures):
    one, less = (last_latents(vace, pictures[:1], guidance_scale=scale) for scale in (1.0, 0.5))
    assert torch.equal(one, less)


def test_half_of_the_steps_can_be_unguided(vace, pictures):
    """As with `--distilled`, whose LoRA has learned the guidance."""
    vace.shortcuts = Shortcuts(guided_share=0.5)
    calls = []
    handle = vace.transformer.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        last_latents(vace, pictures[:1], num_inference_steps=4)
    finally:
        handle.remove()
        vace.shortcuts = EXACT
    assert len(calls) == 2 * 2 + 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 40}, "height must be a positive multiple of 16"),
        ({"num_frames": 8}, "num_frames must be 4n"),
        ({"num_inference_steps": 0}, "num_inference_steps must be"),
        ({"guidance_scale": float("nan")}, "guidance_scale_text must be finite"),
        ({"images": [np.zeros((8, 8, 3))]}, "Reference image 1 must be a uint8 array"),
        ({"images": [np.zeros((8, 8, 3), np.uint8)] * 5}, "at most 4 reference images, but 5"),
        ({"prompt": None}, "prompt must be one string"),
    ],
)
def test_a_wrong_argument_is_refused_before_any_work(vace, changes, message):
    with pytest.raises(ValueError, match=message):
        next(vace.denoise(**{**PROMPT, **CLIP, **changes}))


def test_a_step_cache_is_refused(vace):
    vace.shortcuts = Shortcuts(cache=StepCache("taylor", 3, 1))
    try:
        with pytest.raises(ValueError, match="Step caches are not supported"):
            last_latents(vace, [])
    finally:
        vace.shortcuts = EXACT


def test_exact_rungs_give_the_same_clip_and_8_bits_nearly(pictures):
    cpu, own = torch.device("cpu"), VacePipeline(**build_parts())
    expected = last_latents(own, pictures[:2])
    for name in (GROUP_OFFLOAD, FULL, TILED, MODEL_OFFLOAD):
        place(own, name, cpu)
        assert torch.equal(last_latents(own, pictures[:2]), expected), name
    place(own, FP8_GROUP_OFFLOAD, cpu)
    stored = {value.dtype for value in own.transformer.vace_blocks.parameters()}
    assert torch.float8_e4m3fn in stored
    error = (last_latents(own, pictures[:2]) - expected).norm() / expected.norm()
    assert 0 < error < 0.2


def test_the_blocks_for_conditions_are_offloaded_too(pictures):
    own = VacePipeline(**build_parts())
    place(own, GROUP_OFFLOAD, torch.device("cpu"))
    for block in (*own.transformer.vace_blocks, *own.transformer.blocks):
        assert HookRegistry.check_if_exists_or_initialize(block).get_hook("group_offloading")


def test_compiled_blocks_are_undone():
    own = VacePipeline(**build_parts())
    own.transformer.compile_repeated_blocks()
    assert all(block._compiled_call_impl for block in own.transformer.vace_blocks)
    undo_compiling(own.transformer)
    assert not is_compiled(own.transformer)
    assert not any(block._compiled_call_impl for block in own.transformer.vace_blocks)
