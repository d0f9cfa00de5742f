"""Add a LoRA to a transformer and save it in the layout that diffusers loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import WanPipeline, WanTransformer3DModel
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save

from procvid.errors import InputError
from procvid.hub.lora_file import METADATA, lora_facts
from procvid.storage.atomic import write_bytes

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""All linear layers of self- and cross-attention."""

FEED_FORWARD = ("ffn.net.0.proj", "ffn.net.2")
TEXT = ("text_embedder.linear_1", "text_embedder.linear_2")
LAYERS = {"attention": ATTENTION, "all": (*ATTENTION, *FEED_FORWARD, *TEXT)}
"""Layers by `LoraSettings.targets`."""

ADAPTER = "default"
TRAINING_METADATA = "procvid_training"


def add_lora(
    transformer: WanTransformer3DModel, rank: int, alpha: float, seed: int, targets: str
) -> dict[str, torch.nn.Parameter]:
    """Freeze a transformer and add trainable float32 matrices, drawn from a seed.

    Returns:
        The trainable parameters by name, sorted.
    """
    transformer.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(LAYERS[targets]))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformer.add_adapter(config, adapter_name=ADAPTER)
    cast_training_params(transformer, torch.float32)
    return {name: p for name, p in sorted(transformer.named_parameters()) if p.requires_grad}


def begin_with(transformer: WanTransformer3DModel, lora: Path) -> None:
    """Initialize the LoRA with a saved one of the same rank; the new one may have more layers.

    Raises:
        InputError: The saved LoRA has another layout, rank or model.
    """
    lora_facts(lora)
    tensors = {k.removeprefix("transformer."): v.float() for k, v in load_file(lora).items()}
    wanted = get_peft_model_state_dict(transformer, adapter_name=ADAPTER)
    shapes = {key: tuple(value.shape) for key, value in wanted.items()}
    if any(shapes.get(key) != tuple(value.shape) for key, value in tensors.items()):
        raise InputError(
            f"The LoRA {str(lora)!r} has another rank or other layers than this training.",
            "Give the same --rank and --targets, or omit --init.",
        )
    set_peft_model_state_dict(transformer, tensors, adapter_name=ADAPTER)


def save_lora(
    transformer: WanTransformer3DModel, folder: Path, training: Mapping[str, Any]
) -> None:
    """Write `pytorch_lora_weights.safetensors` with metadata of the adapter and the training.

    Raises:
        OutputError: The file cannot be written; the old file stays.
    """
    adapter = {
        f"transformer.{key}": sorted(value) if isinstance(value, (set, frozenset)) else value
        for key, value in transformer.peft_config[ADAPTER].to_dict().items()
    }
    metadata = {
        "format": "pt",
        METADATA: json.dumps(adapter, sort_keys=True, default=str),
        TRAINING_METADATA: json.dumps(training, sort_keys=True),
    }

    def write(tensors: dict[str, torch.Tensor], file: str) -> None:
        on_cpu = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        write_bytes(Path(file), save(on_cpu, metadata))

    WanPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(transformer, adapter_name=ADAPTER),
        save_function=write,
    )
