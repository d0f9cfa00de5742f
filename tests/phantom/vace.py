"""A tiny Wan VACE: the real classes with seeded random weights, as a folder in the diffusers layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan, WanVACETransformer3DModel

from procvid.phantom.model_folder import write_manifest
from procvid.phantom.pipeline_vace import VacePipeline
from procvid.settings import PROFILES, TINY, VACE_1_3B
from tests.phantom.conftest import build_scheduler, build_text_encoder, build_tokenizer

TRANSFORMER = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 8,
    "out_channels": 8,
    "text_dim": 16,
    "freq_dim": 32,
    "ffn_dim": 32,
    "num_layers": 3,
    "vace_layers": [0, 2],
    # Two latents of 8 channels and a mask of 8x8.
    "vace_in_channels": 80,
    "rope_max_seq_len": 64,
}
VAE = {
    "base_dim": 4,
    "z_dim": 8,
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "attn_scales": [],
    "temperal_downsample": [False, True, True],
    "latents_mean": [0.1 * i for i in range(8)],
    "latents_std": [1.0 + 0.1 * i for i in range(8)],
}

TINY_VACE = replace(
    VACE_1_3B,
    sampling=replace(
        TINY.sampling, guidance_scale_text=5.0, guidance_scale_image=1.0, num_inference_steps=3
    ),
    needs_gpu=False,
    half_precision=False,
)
"""The profile of VACE with clips of the tiny profile's size, on a CPU."""


def build_transformer() -> WanVACETransformer3DModel:
    transformer = WanVACETransformer3DModel(**TRANSFORMER).eval()
    with torch.no_grad():
        # Fresh biases and output weights are near zero; then guidance would change little.
        for weights in transformer.parameters():
            weights.add_(0.2 * torch.randn(weights.shape))
    return transformer


def build_parts() -> dict[str, object]:
    """Return the components of the tiny pipeline, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {
            "tokenizer": build_tokenizer(),
            "text_encoder": build_text_encoder(),
            "vae": AutoencoderKLWan(**VAE).eval(),
            "transformer": build_transformer(),
            "scheduler": build_scheduler(3.0),
        }


def write_vace(folder: Path) -> Path:
    """Write the tiny pipeline as its publisher does: the class is that of diffusers."""
    VacePipeline(**build_parts()).save_pretrained(folder)
    index = folder / "model_index.json"
    facts = {**json.loads(index.read_text()), "_class_name": "WanVACEPipeline"}
    index.write_text(json.dumps(facts))
    return folder


def install_vace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the tiny pipeline as the converted model of the profile vace-1.3b; return its folder.

    The profile runs on a CPU, and its memory uses the embedded models.
    """
    from procvid.wiring import run as wiring

    made = write_vace(folder / VACE_1_3B.name)
    write_manifest(made, {"transformer": "Wan-AI/Wan2.1-VACE-1.3B-diffusers@abc"})
    monkeypatch.setenv("PROCVID_MODELS", str(folder))
    monkeypatch.setitem(PROFILES, VACE_1_3B.name, TINY_VACE)
    embedder, detector = wiring.build_embedder, wiring.build_detector
    monkeypatch.setattr(wiring, "build_embedder", lambda _: embedder(TINY))
    monkeypatch.setattr(wiring, "build_detector", lambda _, own: detector(TINY, own))
    return made
