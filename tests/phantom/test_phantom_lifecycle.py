"""Stopping half-way, invalid inputs, missing parts, saving and loading, the benchmark."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import FirstBlockCacheConfig, FlowMatchEulerDiscreteScheduler
from diffusers import UniPCMultistepScheduler as UniPC
from PIL import Image

from procvid.phantom.benchmark import measure_denoising
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def final_latents(pipeline: PhantomWanPipeline, clip: dict) -> torch.Tensor:
    *_, last = pipeline.denoise(**(clip | {"generator": seeded()}))
    return last.latents


def test_gradients_are_off_inside_and_untouched_outside(pipeline, clip):
    assert torch.is_grad_enabled()
    steps = pipeline.denoise(**clip)
    for step in steps:
        assert torch.is_grad_enabled()
        assert not step.latents.requires_grad
        break
    steps.close()
    assert torch.is_grad_enabled()
    pipeline(**(clip | {"generator": seeded()}))
    assert torch.is_grad_enabled()


def test_stages_used_alone_need_no_gradients(pipeline, clip):
    assert not pipeline.encode_prompt("a pan")[0].requires_grad
    assert not pipeline.prepare_reference_latents(clip["images"], 32, 48).requires_grad
    assert not pipeline.decode_latents(torch.randn(1, 8, 1, 4, 6), "pt").requires_grad


def test_closing_half_way_leaves_the_pipeline_unchanged(pipeline, clip):
    expected = final_latents(pipeline, clip)
    for _ in range(3):
        steps = pipeline.denoise(**clip)
        next(steps)
        steps.close()
        assert torch.equal(final_latents(pipeline, clip), expected)


def test_closing_half_way_forgets_cached_activations(make_pipeline, parts, clip):
    transformer = type(parts["transformer"])(**parts["transformer"].config)
    transformer.load_state_dict(parts["transformer"].state_dict())
    # A threshold so high that a remembered block would always be reused.
    transformer.enable_cache(FirstBlockCacheConfig(threshold=1e6))
    pipeline = make_pipeline(transformer=transformer)
    expected = final_latents(pipeline, clip)
    steps = pipeline.denoise(**clip)
    next(steps)
    steps.close()
    assert torch.equal(final_latents(pipeline, clip), expected)


@pytest.mark.parametrize("ending", ["drained", "closed", "failed"])
def test_hooks_are_freed_however_it_ends(pipeline, clip, monkeypatch, ending):
    freed = []
    monkeypatch.setattr(pipeline, "maybe_free_model_hooks", lambda: freed.append(ending))

    def fail(*_):
        raise RuntimeError("stop")

    if ending == "failed":
        with pytest.raises(RuntimeError, match="stop"):
            list(pipeline.denoise(**clip, callback_on_step_end=fail))
    else:
        steps = pipeline.denoise(**clip)
        next(steps)
        list(steps) if ending == "drained" else steps.close()
    assert freed == [ending]


BAD_INPUTS = {
    "no prompt": ({"prompt": None}, "Give a prompt"),
    "list of prompts": ({"prompt": ["a", "b"]}, "prompt must be one string"),
    "prompt twice": ({"prompt_embeds": torch.zeros(1, 64, 16)}, "not both"),
    "negative prompt twice": (
        {"negative_prompt": "a", "negative_prompt_embeds": torch.zeros(1, 64, 16)},
        "not both",
    ),
    "long embedding": (
        {"prompt": None, "prompt_embeds": torch.zeros(1, 65, 16)},
        r"\[1, 1 to 64, 16\], but has \[1, 65, 16\]",
    ),
    "wide embedding": ({"prompt": None, "prompt_embeds": torch.zeros(1, 64, 17)}, "shape"),
    "embedding no tensor": ({"prompt": None, "prompt_embeds": [1.0]}, "must be a tensor"),
    "five images": ({"images": [Image.new("RGB", (8, 8))] * 5}, "at most 4"),
    "a path": ({"images": "pan.png"}, "open files with PIL"),
    "paths": ({"images": ["pan.png"]}, "Reference image 1 must be a PIL image"),
    "an iterator": ({"images": iter(())}, "images must be a PIL image"),
    "float image": ({"images": [np.zeros((8, 8, 3))]}, "float64"),
    "image of two channels": ({"images": [np.zeros((8, 8, 2), np.uint8)]}, "uint8 array"),
    "batch of images": ({"images": np.zeros((2, 8, 8, 3), np.uint8)}, "uint8 array"),
    "empty image": ({"images": [np.zeros((0, 8, 3), np.uint8)]}, "no pixels"),
    "references twice": ({"reference_latents": torch.zeros(1, 8, 1, 4, 6)}, "not both"),
    "five reference latents": (
        {"images": None, "reference_latents": torch.zeros(1, 8, 5, 4, 6)},
        "0 to 4",
    ),
    "reference latents of another size": (
        {"images": None, "reference_latents": torch.zeros(1, 8, 1, 4, 4)},
        "reference_latents must have the shape",
    ),
    "latents with reference slots": ({"latents": torch.zeros(1, 8, 5, 4, 6)}, "latents must"),
    "height": ({"height": 40}, "height must be a positive multiple of 16, but is 40"),
    "width": ({"width": 0}, "width must be a positive multiple of 16, but is 0"),
    "fractional height": ({"height": 32.0}, "height"),
    "eight frames": ({"num_frames": 8}, r"4n\+1 .* but is 8"),
    "no frame": ({"num_frames": -3}, "num_frames"),
    "no step": ({"num_inference_steps": 0}, "num_inference_steps"),
    "too many steps": ({"num_inference_steps": 1001}, "1 to 1000"),
    "infinite scale": ({"guidance_scale_text": float("inf")}, "finite"),
    "scale as text": ({"guidance_scale_image": "5"}, "must be a number"),
    "output type": ({"output_type": "mp4"}, "np, pt, pil, latent"),
    "callback tensor": ({"callback_on_step_end_tensor_inputs": ["noise"]}, "but not noise"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_inputs_are_one_clear_error_before_any_work(pipeline, clip, calls, name):
    wrong, message = BAD_INPUTS[name]
    with pytest.raises(ValueError, match=message):
        pipeline(**(clip | wrong))
    assert not calls


@pytest.mark.parametrize(
    ("missing", "purpose"),
    [
        ({"transformer": None}, "generate a video"),
        ({"vae": None}, "decode latents"),
        ({"text_encoder": None}, "encode prompts"),
        ({"tokenizer": None}, "encode prompts"),
    ],
)
def test_a_missing_part_is_named(make_pipeline, clip, missing, purpose):
    with pytest.raises(ValueError, match=f"without a {next(iter(missing))}.*{purpose}"):
        make_pipeline(**missing)(**clip)


def test_references_need_an_autoencoder_but_none_needs_none(make_pipeline, clip):
    pipeline = make_pipeline(vae=None)
    with pytest.raises(ValueError, match="encode reference images"):
        pipeline(**clip, output_type="latent")
    latents = pipeline(**(clip | {"images": None}), output_type="latent").frames
    assert latents.shape == (1, 8, 3, 4, 6)


def test_decoding_wants_latents_of_its_autoencoder(pipeline):
    with pytest.raises(ValueError, match="latents must have the shape"):
        pipeline.decode_latents(torch.zeros(1, 16, 3, 4, 6))


@pytest.mark.parametrize(
    "scheduler",
    [
        FlowMatchEulerDiscreteScheduler(),
        UniPC(),
        UniPC(prediction_type="flow_prediction"),
    ],
)
def test_another_scheduler_is_refused(make_pipeline, clip, scheduler):
    with pytest.raises(ValueError, match="needs UniPCMultistepScheduler"):
        make_pipeline(scheduler=scheduler)(**clip)


@pytest.mark.parametrize("of_wan22", ["transformer_2", "boundary_ratio", "expand_timesteps"])
def test_features_of_wan22_are_refused(make_pipeline, parts, of_wan22):
    values = {"transformer_2": parts["transformer"], "boundary_ratio": 0.9}
    with pytest.raises(ValueError, match="one transformer"):
        make_pipeline(**{of_wan22: values.get(of_wan22, True)})


def test_saved_and_loaded_it_is_the_same_to_the_bit(pipeline, clip, tmp_path):
    pipeline.save_pretrained(tmp_path / "built")
    loaded = PhantomWanPipeline.from_pretrained(tmp_path / "built")
    loaded.save_pretrained(tmp_path / "loaded")
    again = PhantomWanPipeline.from_pretrained(tmp_path / "loaded")
    assert again.config.max_sequence_length == 64
    assert again.scheduler.config.flow_shift == 5.0
    for name in ("text_encoder", "vae", "transformer"):
        weights, weights_again = (getattr(p, name).state_dict() for p in (pipeline, again))
        assert weights.keys() == weights_again.keys()
        assert all(torch.equal(weights[key], weights_again[key]) for key in weights)
    frames, frames_again = (p(**(clip | {"generator": seeded()})).frames for p in (loaded, again))
    np.testing.assert_array_equal(frames, frames_again)
    # Weights read from a file lie at other addresses, where matrix products round otherwise.
    built = pipeline(**(clip | {"generator": seeded()})).frames
    np.testing.assert_allclose(built, frames, atol=1e-4)


def test_parts_can_be_left_out_when_loading_and_saving(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "whole")
    text_only = PhantomWanPipeline.from_pretrained(tmp_path / "whole", transformer=None, vae=None)
    text_only.save_pretrained(tmp_path / "text")
    again = PhantomWanPipeline.from_pretrained(tmp_path / "text")
    assert again.transformer is None
    assert again.vae is None
    assert torch.equal(again.encode_prompt("a pan")[0], text_only.encode_prompt("a pan")[0])


def test_the_published_text_length_is_the_default(parts):
    pipeline = PhantomWanPipeline(**parts, scheduler=None)
    assert pipeline.config.max_sequence_length == 512


def test_the_benchmark_compares_equal_results(make_pipeline):
    pipeline = make_pipeline(tokenizer=None, text_encoder=None, vae=None)
    measured = measure_denoising(
        pipeline, height=32, width=32, num_frames=5, num_inference_steps=2, repeats=1
    )
    assert set(measured) == {"step_ms", "plain_step_ms", "ratio", "max_abs_difference"}
    assert measured["max_abs_difference"] < 1e-4
    with pytest.raises(ValueError, match="repeats"):
        measure_denoising(pipeline, repeats=0)
