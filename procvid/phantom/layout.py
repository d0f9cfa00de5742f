"""The published layouts of Phantom-Wan and Wan VACE: key names, their names in diffusers, and shapes.

Phantom is a full fine-tune of Wan2.1-T2V, so names and shapes are those of the original Wan code. VACE
adds blocks of the same kind for its conditions. The two layouts differ only in names: nothing is
transposed, reshaped or permuted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import WanTransformer3DModel, WanVACETransformer3DModel

Shape = tuple[int, ...]
Config = Mapping[str, Any]

PREFIXES = ("model.diffusion_model.", "diffusion_model.")
"""Prefixes of every key in re-packed single files: ComfyUI's, and the same without its outer part."""

_COMMON: Config = {
    "patch_size": (1, 2, 2),
    "attention_head_dim": 128,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 4096,
    "freq_dim": 256,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "eps": 1e-6,
    "image_dim": None,
    "added_kv_proj_dim": None,
    "rope_max_seq_len": 1024,
}

CONFIGS: dict[str, Config] = {
    "phantom-1.3b": {**_COMMON, "num_attention_heads": 12, "num_layers": 30, "ffn_dim": 8960},
    "phantom-14b": {**_COMMON, "num_attention_heads": 40, "num_layers": 40, "ffn_dim": 13824},
}
CONFIGS |= {
    "vace-1.3b": {
        **CONFIGS["phantom-1.3b"],
        "vace_layers": list(range(0, 30, 2)),
        "vace_in_channels": 96,
    },
    "vace-14b": {
        **CONFIGS["phantom-14b"],
        "vace_layers": list(range(0, 40, 5)),
        "vace_in_channels": 96,
    },
}
"""Arguments of `transformer_class` for the published sizes, by profile."""

_ATTENTION = {
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "o": "to_out.0",
    "norm_q": "norm_q",
    "norm_k": "norm_k",
}
_OUTSIDE = {
    "patch_embedding": "patch_embedding",
    "vace_patch_embedding": "vace_patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "head.head": "proj_out",
}
_IN_BLOCK = {
    **{f"self_attn.{old}": f"attn1.{new}" for old, new in _ATTENTION.items()},
    **{f"cross_attn.{old}": f"attn2.{new}" for old, new in _ATTENTION.items()},
    # The affine norm before the cross-attention: the third by name in Wan, the second in diffusers.
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
    # Only in blocks of VACE.
    "before_proj": "proj_in",
    "after_proj": "proj_out",
}
_BLOCK = re.compile(r"((?:vace_)?blocks\.\d+\.)(.+)")


def is_vace(config: Config) -> bool:
    """Return True for the config of a Wan VACE transformer, False for that of Wan T2V or Phantom."""
    return "vace_layers" in config


def transformer_class(config: Config) -> type[WanTransformer3DModel | WanVACETransformer3DModel]:
    """Return the class of diffusers whose arguments a config has."""
    return WanVACETransformer3DModel if is_vace(config) else WanTransformer3DModel


def without_prefix(key: str) -> str:
    """Return a key without the prefix of a re-packed file."""
    for prefix in PREFIXES:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


def diffusers_module(module: str) -> str | None:
    """Return the diffusers name of a module of the original code, or None."""
    block = _BLOCK.fullmatch(module)
    if block is None:
        return _OUTSIDE.get(module)
    inside = _IN_BLOCK.get(block[2])
    return None if inside is None else f"{block[1]}{inside}"


def diffusers_name(key: str) -> str | None:
    """Return the diffusers name of a key in the published layout, prefixed or not; None if unknown."""
    key = without_prefix(key)
    if key == "head.modulation":
        return "scale_shift_table"
    block = _BLOCK.fullmatch(key)
    if block is not None and block[2] == "modulation":
        return f"{block[1]}scale_shift_table"
    module, _, parameter = key.rpartition(".")
    renamed = diffusers_module(module)
    if renamed is None or parameter not in ("weight", "bias"):
        return None
    return f"{renamed}.{parameter}"


def original_names(config: Config) -> dict[str, str]:
    """Return all keys of the published layout for a config, with their diffusers names."""
    modules = dict(_OUTSIDE)
    tables = {"head.modulation": "scale_shift_table"}
    blocks = [f"blocks.{number}." for number in range(config["num_layers"])]
    blocks += [f"vace_blocks.{number}." for number in range(len(config.get("vace_layers", ())))]
    for block in blocks:
        modules |= {block + old: block + new for old, new in _IN_BLOCK.items()}
        tables[f"{block}modulation"] = f"{block}scale_shift_table"
    back = {new: old for old, new in modules.items()}
    names = {}
    for name in parameter_shapes(config):
        module, _, parameter = name.rpartition(".")
        if module in back:
            names[f"{back[module]}.{parameter}"] = name
    return names | tables


def empty_transformer(config: Config) -> WanTransformer3DModel | WanVACETransformer3DModel:
    """Return a transformer whose parameters have shapes but no memory; its buffers are real."""
    with init_empty_weights(include_buffers=False):
        return transformer_class(config)(**config)


def parameter_shapes(config: Config) -> dict[str, Shape]:
    """Return the shape of every parameter by its diffusers name."""
    # Not `empty_transformer`: it patches torch for all threads, and another may be loading a model.
    with torch.device("meta"):
        transformer = transformer_class(config)(**config)
    return {name: tuple(value.shape) for name, value in transformer.named_parameters()}


def kept_in_fp32(name: str) -> bool:
    """Return True if a parameter, by its diffusers name, stays float32 in a half-precision model.

    The list is diffusers' own, the same for both classes. `from_pretrained` respects it;
    `from_single_file` does not.
    """
    kept = WanTransformer3DModel._keep_in_fp32_modules
    return any(part in kept for part in name.split("."))


def stored_dtype(name: str, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of a parameter in a model of dtype `dtype`."""
    return torch.float32 if kept_in_fp32(name) else dtype
