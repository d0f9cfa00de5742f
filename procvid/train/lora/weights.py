"""The LoRA itself: put into a transformer, and saved in the layout that diffusers loads."""

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
from procvid.files import write_bytes
from procvid.hub.lora_file import METADATA, lora_facts

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""All linear layers of self- and cross-attention."""

ADAPTER = "default"
TRAINING_METADATA = "procvid_training"


def add_lora(
    transformer: WanTransformer3DModel, rank: int, alpha: float, seed: int
) -> dict[str, torch.nn.Parameter]:
    """Add trainable matrices in float32, drawn from a seed, to a frozen transformer.

    Returns:
        The trainable parameters by name, sorted.
    """
    transformer.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformer.add_adapter(config, adapter_name=ADAPTER)
    cast_training_params(transformer, torch.float32)
    return {name: p for name, p in sorted(transformer.named_parameters()) if p.requires_grad}


def begin_with(transformer: WanTransformer3DModel, lora: Path) -> None:
    """Put the weights of a saved LoRA of the same rank and layers into the fresh one.

    Raises:
        InputError: It is of another layout, rank or model.
    """
    lora_facts(lora)
    tensors = {k.removeprefix("transformer."): v.float() for k, v in load_file(lora).items()}
    wanted = get_peft_model_state_dict(transformer, adapter_name=ADAPTER)
    shapes = [{k: tuple(v.shape) for k, v in each.items()} for each in (tensors, wanted)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"The LoRA {str(lora)!r} has another rank or other layers than this training.",
            "Give the same --rank, or begin without --init.",
        )
    set_peft_model_state_dict(transformer, tensors, adapter_name=ADAPTER)


def save_lora(
    transformer: WanTransformer3DModel, folder: Path, training: Mapping[str, Any]
) -> None:
    """Write `pytorch_lora_weights.safetensors` with the adapter's metadata and the training's.

    Raises:
        OutputError: It cannot be written; the old file stays.
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
        kept = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        write_bytes(Path(file), save(kept, metadata))

    WanPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(transformer, adapter_name=ADAPTER),
        save_function=write,
    )
