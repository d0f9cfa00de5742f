"""What a clip of VACE costs: bytes beside the allocator's, operations beside those of torch's counter."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKLWan, WanVACETransformer3DModel
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from procvid.phantom.denoising import LoopPosition
from procvid.phantom.fast import FastModel, shortened
from procvid.phantom.flops import clip_tflop, forward_flops, num_forwards, num_tokens
from procvid.phantom.guidance import Guidance
from procvid.phantom.layout import CONFIGS, parameter_shapes, stored_dtype
from procvid.phantom.peak import peak_bytes
from procvid.phantom.pipeline_vace import NO_IMAGE_SCALE, VaceModel, VacePipeline
from procvid.phantom.vram import ClipShape, Denoising, estimate
from procvid.settings import PHANTOM_1_3B, VACE_1_3B
from procvid.types import EXACT
from tests.phantom.test_phantom_vram import TEXT_ENCODER, TRANSFORMER, VAE, measured_peak

VACE = {
    **TRANSFORMER,
    "num_layers": 6,
    "vace_layers": [0, 2, 4],
    # Two latents of 8 channels and a mask of 8x8.
    "vace_in_channels": 80,
}
CLIP = ClipShape(width=128, height=96, num_frames=17, num_references=2, text_length=32)
SCALES = (5.0, NO_IMAGE_SCALE)


def estimated(dtype=torch.float32, clip=CLIP, precise=False):
    return estimate(clip, VACE, TEXT_ENCODER, VAE, dtype, Denoising(SCALES, precise))


@pytest.mark.parametrize("size", ["1.3b", "14b"])
def test_the_published_sizes_are_those_of_the_text_model_with_blocks_for_conditions(size):
    phantom, vace = CONFIGS[f"phantom-{size}"], CONFIGS[f"vace-{size}"]
    shapes = {name: math.prod(s) for name, s in parameter_shapes(phantom).items()}
    block = sum(count for name, count in shapes.items() if name.startswith("blocks.0."))
    width, blocks = 128 * vace["num_attention_heads"], len(vace["vace_layers"])
    projection = width**2 + width
    patch = width * vace["vace_in_channels"] * 4 + width
    wanted = sum(shapes.values()) + blocks * block + (blocks + 1) * projection + patch
    assert sum(map(math.prod, parameter_shapes(vace).values())) == wanted


def test_weights_are_counted_to_the_byte():
    model = WanVACETransformer3DModel(**VACE)
    size = sum(v.numel() * v.element_size() for v in (*model.parameters(), *model.buffers()))
    part = estimated().transformer
    assert part.weights == size
    blocks = [
        sum(p.numel() * 4 for p in block.parameters())
        for block in (*model.blocks, *model.vace_blocks)
    ]
    # The first block of the conditions has two projections, so it is the largest.
    assert part.block == blocks[len(model.blocks)] == max(blocks)
    assert part.outside == size - sum(blocks)


@pytest.mark.parametrize("precise", [False, True])
def test_the_activations_of_denoising_match_the_allocator(precise):
    model = WanVACETransformer3DModel(**VACE).eval()
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, torch.bfloat16))

    def run() -> None:
        torch.manual_seed(0)
        conditions = torch.randn(1, 80, 7, 12, 16).bfloat16()
        vace = VaceModel(model, Guidance(*SCALES, CLIP.num_references), conditions, precise)
        fast, latents = FastModel(vace, EXACT), torch.randn(1, 8, 7, 12, 16)
        text = {sees: torch.randn(1, CLIP.text_length, 64).bfloat16() for sees in (True, False)}
        with shortened(model, EXACT, precise, 2, 5):
            for index in range(2):
                timestep, position = torch.tensor(900 - index), LoopPosition(index, 2, 0.9)
                latents = latents + 0.1 * fast.velocity(latents, timestep, text, position)

    computed, measured = estimated(torch.bfloat16, precise=precise), measured_peak(run)
    assert 0.95 < computed.transformer.activations / measured < 1.1


def test_the_results_of_all_blocks_for_conditions_are_kept():
    five, six = (
        estimate(CLIP, {**VACE, "vace_layers": list(range(n))}, TEXT_ENCODER, VAE, torch.float32)
        for n in (5, 6)
    )
    result = num_tokens(VACE, CLIP) * 96 * 4
    # Each has a weight too, one number.
    assert six.transformer.activations - five.transformer.activations == result + 4


def test_encoding_the_conditions_is_counted():
    vae = AutoencoderKLWan(**VAE).eval()
    clip = replace(CLIP, width=64, height=48, num_frames=33)
    pipeline = VacePipeline(None, None, vae, None, WanVACETransformer3DModel(**VACE))
    pictures = [Image.new("RGB", (50, 30))] * 2
    with torch.no_grad():
        measured = peak_bytes(lambda: pipeline.conditions_of(pictures, 48, 64, 33))
        decoded = peak_bytes(lambda: vae.decode(torch.zeros(1, 8, 9, 6, 8)))
    found = estimated(clip=clip).vae.activations
    assert found == pytest.approx(max(measured, decoded), rel=0.05)
    # Of a narrow decoder the video and the mask are the larger part.
    narrow = estimate(clip, VACE, TEXT_ENCODER, {**VAE, "decoder_base_dim": 2})
    assert narrow.vae.activations == pytest.approx(measured, rel=0.05) and measured > decoded / 4


def test_operations_are_those_of_torchs_counter():
    with torch.device("meta"), torch.no_grad():
        model = WanVACETransformer3DModel(**VACE)
        with FlopCounterMode(display=False) as counter:
            model(
                torch.zeros(1, 8, 7, 12, 16),
                torch.zeros(1, dtype=torch.int64),
                torch.zeros(1, CLIP.text_length, 64),
                control_hidden_states=torch.zeros(1, 80, 7, 12, 16),
            )
    counts = counter.get_flop_counts()
    inside = [
        sum(ops.values())
        for name, ops in counts.items()
        if name.split(".")[-2:-1] in (["blocks"], ["vace_blocks"])
    ]
    assert len(inside) == 9
    computed = sum(forward_flops(VACE, num_tokens(VACE, CLIP), CLIP.text_length).values())
    assert computed == pytest.approx(sum(inside), rel=1e-6)
    # Embeddings and head of this narrow model are a larger part than of the published ones.
    assert computed > 0.9 * sum(counts["Global"].values())


def test_a_published_clip_takes_two_calls_a_step_of_more_operations():
    config, sampling = CONFIGS["vace-1.3b"], VACE_1_3B.sampling
    assert num_forwards(sampling, 4) == num_forwards(sampling, 0) == 100
    plain = replace(PHANTOM_1_3B.sampling, guidance_scale_image=1.0)
    text = clip_tflop(CONFIGS["phantom-1.3b"], plain, 4)
    # 15 blocks beside 30, of the same cost but for the projections.
    assert clip_tflop(config, sampling, 4) == pytest.approx(1.5 * text, rel=0.01)


@pytest.mark.slow
def test_the_published_sizes():
    clip = ClipShape(832, 480, 81, 4)
    for name, count in (("vace-1.3b", 2_153_972_032), ("vace-14b", 17_337_592_896)):
        part = estimate(clip, CONFIGS[name], denoising=Denoising(SCALES, True)).transformer
        assert count * 2 < part.weights < 1.03 * count * 2
