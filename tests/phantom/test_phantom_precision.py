"""Half precision with a float32 residual stream loses less than without; operations at full size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from procvid.models.measuring import measure_steps
from procvid.phantom.benchmark_gpu import (
    MODES,
    forward_flops,
    measure_rungs,
    num_tokens,
    random_pipeline,
    random_transformer,
)
from procvid.phantom.benchmark_ways import TimeLimit
from procvid.phantom.compiling import is_compiled
from procvid.phantom.layout import CONFIGS, kept_in_fp32
from procvid.phantom.precision import float32_layers, half_autocast
from procvid.phantom.vram import ClipShape
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.types import EXACT, Shortcuts, StepCache

CPU = torch.device("cpu")
CONFIG = {
    "num_attention_heads": 4,
    "attention_head_dim": 12,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 32,
    "freq_dim": 64,
    "ffn_dim": 96,
    "num_layers": 8,
    "rope_max_seq_len": 64,
}
SHAPE = ClipShape(width=64, height=48, num_frames=9, num_references=2)


def final_latents(
    dtype: torch.dtype, precise: bool = False, shortcuts: Shortcuts = EXACT
) -> torch.Tensor:
    pipeline = random_pipeline(CONFIG, torch.float32, CPU, all_parts=False)
    for name, parameter in pipeline.transformer.named_parameters():
        if not kept_in_fp32(name):
            parameter.data = parameter.data.to(dtype)
    pipeline.precise, pipeline.shortcuts = precise, shortcuts
    generator = torch.Generator().manual_seed(1)
    *_, last = pipeline.denoise(
        height=48,
        width=64,
        num_frames=9,
        num_inference_steps=4,
        generator=generator,
        prompt_embeds=torch.randn(1, 512, 32, generator=generator),
        negative_prompt_embeds=torch.randn(1, 512, 32, generator=generator),
        reference_latents=torch.randn(1, 16, 2, 6, 8, generator=generator),
    )
    return last.latents


@pytest.mark.parametrize(
    "shortcuts",
    [EXACT, Shortcuts(cache=StepCache("taylor", 2, 2))],
    ids=["exact", "with a step cache"],
)
def test_precise_is_nearer_to_float32_than_plain_half_precision(shortcuts):
    exact = final_latents(torch.float32, shortcuts=shortcuts)
    plain, precise = (
        ((final_latents(torch.bfloat16, p, shortcuts) - exact).norm() / exact.norm()).item()
        for p in (False, True)
    )
    assert 0 < precise < 0.5 * plain, (precise, plain)


def test_in_float32_precise_changes_nothing():
    exact = final_latents(torch.float32)
    assert torch.equal(final_latents(torch.float32, precise=True), exact)


def test_the_model_is_unchanged_afterwards():
    transformer = random_transformer(CONFIG, torch.bfloat16, CPU)
    frames, text = torch.randn(1, 16, 3, 6, 8).bfloat16(), torch.randn(1, 9, 32).bfloat16()
    call = (frames, torch.tensor([500]), text)
    with torch.no_grad():
        before = transformer(*call, return_dict=False)[0]
        with float32_layers(transformer), half_autocast(transformer, CPU):
            inside = transformer(*call, return_dict=False)[0]
        after = transformer(*call, return_dict=False)[0]
    assert inside.dtype == torch.float32 and before.dtype == torch.bfloat16
    assert torch.equal(before, after)


# The benchmark


@pytest.mark.parametrize(
    ("profile", "linear", "self_attention", "cross_attention"),
    [("phantom-1.3b", 97.7, 280.4, 3.7), ("phantom-14b", 934.6, 1246.0, 16.4)],
)
def test_operations_of_a_forward_at_full_size(profile, linear, self_attention, cross_attention):
    config = CONFIGS[profile]
    tokens = num_tokens(config, ClipShape(832, 480, 81, 4))
    assert tokens == 39_000
    flops = {name: value / 1e12 for name, value in forward_flops(config, tokens).items()}
    assert flops["linear"] == pytest.approx(linear, rel=0.005)
    assert flops["self_attention"] == pytest.approx(self_attention, rel=0.001)
    assert flops["cross_attention"] == pytest.approx(cross_attention, rel=0.01)


def test_every_mode_is_measured_and_exact_is_the_plain_loop():
    pipeline = random_pipeline(CONFIG, torch.bfloat16, CPU, all_parts=False)
    fast = replace(TINY.sampling, num_inference_steps=6, shortcuts=PHANTOM_1_3B.shortcuts)
    figures = measure_steps(pipeline, SHAPE, fast, CPU, 1, 1, TimeLimit(80))
    measured = figures["steps"]
    assert set(measured["step_s"]) == set(MODES) and all(s > 0 for s in measured["step_s"].values())
    assert measured["ratio_to_plain"]["plain"] == 1 and measured["calls_a_step"] == 3
    assert measured["max_abs_difference"] == 0
    assert measured["tflop_a_step"] == pytest.approx(
        measured["tflops"] * measured["step_s"]["exact"]
    )
    assert figures["attention"] == "native"
    ways = {way["name"]: way for way in figures["ways"]}
    assert "No viable backend" in ways["attention cudnn"]["reason"]
    assert "Sage Attention" in ways["attention in 8 bits"]["reason"]
    # Less time is left than is set aside for compiling.
    assert ways["compiled blocks"]["reason"] == "no time left"
    # Kernels differ by rounding; the call without zero references differs by more.
    assert ways["attention flash"]["max_abs_difference"] < 0.2
    assert ways["no zero references"]["max_abs_difference"] > 0
    assert not pipeline.precise and pipeline.shortcuts == EXACT
    assert pipeline.transformer.blocks[0].attn1.processor._attention_backend == "native"


@pytest.mark.slow
def test_compiled_blocks_are_measured_and_undone():
    pipeline = random_pipeline(CONFIG, torch.bfloat16, CPU, all_parts=False)
    figures = measure_steps(pipeline, SHAPE, TINY.sampling, CPU, 1, 1, TimeLimit())
    compiled = figures["ways"][-1]
    assert compiled["name"] == "compiled blocks" and compiled["first_s"] > compiled["step_s"] > 0
    assert not is_compiled(pipeline.transformer)


def test_what_does_not_fit_the_time_limit_is_left_out():
    pipeline = random_pipeline(CONFIG, torch.bfloat16, CPU, all_parts=False)
    figures = measure_steps(pipeline, SHAPE, TINY.sampling, CPU, 1, 9, TimeLimit(0))
    assert set(figures["steps"]["step_s"]) == {"exact", "precise", "plain"}
    assert {way["reason"] for way in figures["ways"]} == {"no time left"}


def test_random_weights_stay_in_range():
    pipeline = random_pipeline(CONFIG, torch.bfloat16, CPU, all_parts=False)
    frames, text = torch.randn(1, 16, 5, 6, 8).bfloat16(), torch.randn(1, 512, 32).bfloat16()
    with torch.no_grad():
        output = pipeline.transformer(frames, torch.tensor([999]), text, return_dict=False)[0]
    assert output.isfinite().all() and output.std() > 0.01
    again = random_transformer(CONFIG, torch.bfloat16, CPU).state_dict()
    assert all(torch.equal(v, again[k]) for k, v in pipeline.transformer.state_dict().items())
    assert pipeline.transformer.dtype == torch.bfloat16


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_rungs_need_the_estimated_vram():
    device = torch.device("cuda", 0)
    clip = ClipShape(width=416, height=240, num_frames=17, num_references=2)
    config = CONFIGS["phantom-1.3b"]
    pipeline = random_pipeline(config, torch.bfloat16, device, all_parts=True)
    rows = measure_rungs(pipeline, clip, device, TimeLimit())
    assert len(rows) == 5
    for row in rows:
        if row["estimated_bytes"] is not None:
            assert 0.7 < row["peak_bytes"] / row["estimated_bytes"] < 1.15, row
