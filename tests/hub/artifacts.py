"""Artifacts for the Hub's tests: a LoRA of random weights, stores of many crops."""

from __future__ import annotations

import json
from pathlib import Path

from procvid.memory.store import of_rows
from procvid.memory.store_folder import load_store, save_store
from tests.default_store import CROPS

ASSETS = Path(__file__).resolve().parents[2] / "procvid" / "assets"
RANK, ALPHA = 4, 8
SMALL = -(-CROPS // 10)
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")


def tiny_lora(folder: Path, seed: int = 0, scale: float = 0.05, assets: Path = ASSETS) -> Path:
    """Save untrained random matrices for all attention layers of the tiny transformer in `assets`."""
    import torch
    from diffusers import WanPipeline
    from safetensors.torch import load_file

    weights = load_file(assets / "tiny_phantom/transformer/diffusion_pytorch_model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    layers = {}
    for name, weight in weights.items():
        module = name.removesuffix(".weight")
        if name.endswith(".weight") and module.endswith(TARGETS) and "attn" in module:
            out, into = weight.shape
            layers[f"{module}.lora_A.weight"] = scale * torch.randn(RANK, into, generator=generator)
            layers[f"{module}.lora_B.weight"] = scale * torch.randn(out, RANK, generator=generator)
    WanPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=layers,
        transformer_lora_adapter_metadata={
            "r": RANK,
            "lora_alpha": ALPHA,
            "target_modules": list(TARGETS),
        },
    )
    training = {
        "name": "Omelette LoRA",
        "base_model": "tiny",
        "licence": "apache-2.0",
        "data": "none: random weights, made for tests",
        "limits": ["Its weights are random: it makes the tiny model worse."],
    }
    (folder / "training.json").write_text(json.dumps(training))
    return folder


def small_store(folder: Path) -> Path:
    """Save every tenth crop of the default store: `SMALL` crops."""
    store = load_store(ASSETS / "default_memory")
    save_store(of_rows(store, range(0, len(store), 10)), folder)
    return folder
