"""Files in the published layouts, with random weights and tiny dimensions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from procvid.phantom.layout import original_names, parameter_shapes

TINY_CONFIG = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 8,
    "out_channels": 8,
    "text_dim": 32,
    "freq_dim": 32,
    "ffn_dim": 64,
    "num_layers": 3,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "eps": 1e-6,
    "image_dim": None,
    "added_kv_proj_dim": None,
    "rope_max_seq_len": 64,
}


def published_weights(config: Mapping = TINY_CONFIG, seed: int = 0) -> dict[str, torch.Tensor]:
    """float32 weights under the original names, in the order of the original file."""
    generator = torch.Generator().manual_seed(seed)
    shapes = parameter_shapes(config)
    return {
        original: 0.3 * torch.randn(shapes[name], generator=generator)
        for original, name in original_names(config).items()
    }


def write_shards(weights: Mapping[str, torch.Tensor], folder: Path, count: int = 6) -> Path:
    """`Phantom_Wan_14B-0000n-of-00006.safetensors` with its index."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(weights)
    of_file = {}
    for number in range(count):
        file = f"Phantom_Wan_14B-{number + 1:05d}-of-{count:05d}.safetensors"
        mine = names[number * len(names) // count : (number + 1) * len(names) // count]
        save_file({name: weights[name] for name in mine}, folder / file)
        of_file |= dict.fromkeys(mine, file)
    total = sum(value.numel() * value.element_size() for value in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": of_file}
    (folder / "Phantom_Wan_14B.safetensors.index.json").write_text(json.dumps(index))
    return folder


def write_gguf(weights, file: Path) -> Path:
    """Write a GGUF with original names: matrices in Q8_0, small and 5-D tensors unquantised."""
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(file, "wan")
    for key, value in weights.items():
        array = value.numpy()
        if array.ndim == 2 and array.shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(key, gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(key, array.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
