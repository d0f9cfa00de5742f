"""Read rank, alpha, targets and size of a LoRA file without loading a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize, safe_open

from procvid.errors import InputError

PREFIX = "transformer."
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
METADATA = "lora_adapter_metadata"
HINT = "Save it with `WanPipeline.save_lora_weights(..., transformer_lora_adapter_metadata=...)`."

_EXPONENTS: Mapping[str, tuple[Any, int]] = {
    "F32": (np.uint32, 0x7F800000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}
"""By dtype: an integer of its width, and its exponent bits, all set if a number is not finite."""


def lora_facts(file: Path) -> dict[str, Any]:
    """Return rank, alpha, targets and size of a LoRA in diffusers' layout.

    Returns:
        "rank" (the largest), "alpha", "targets" (layer names within a block), "modules" (number of
        adapted modules), "parameters", "dtype".

    Raises:
        InputError: The file is not safetensors, has another layout, lacks the adapter's metadata or
            one matrix of a pair, or holds numbers that are not finite.
    """
    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
        tensors = dict(deserialize(file.read_bytes()))  # type: ignore[no-untyped-call]
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"The LoRA {file.name} is truncated, damaged or not a safetensors file.", HINT
        ) from error
    shapes = {name: tuple(tensor["shape"]) for name, tensor in tensors.items()}
    foreign = [n for n in shapes if not (n.startswith(PREFIX) and n.endswith((DOWN, UP)))]
    if foreign or not shapes:
        raise InputError(
            f"The LoRA {file.name} is not in diffusers' layout: {(foreign or ['no keys'])[0]!r}.",
            HINT,
        )
    modules = {name.removesuffix(DOWN).removesuffix(UP) for name in shapes}
    for module in modules:
        down, up = shapes.get(module + DOWN), shapes.get(module + UP)
        if down is None or up is None or len(down) != 2 or len(up) != 2 or down[0] != up[1]:
            raise InputError(
                f"The LoRA {file.name} lacks one matrix of the pair for {module}.", HINT
            )
    _check_finite(file, tensors)
    adapter = _adapter(file, metadata)
    return {
        "rank": max(shapes[module + DOWN][0] for module in modules),
        "alpha": adapter["lora_alpha"],
        "targets": sorted({_layer(module) for module in modules}),
        "modules": len(modules),
        "parameters": int(sum(np.prod(shape) for shape in shapes.values())),
        "dtype": "/".join(sorted({str(tensor["dtype"]) for tensor in tensors.values()})),
    }


def _layer(module: str) -> str:
    """ "transformer.blocks.0.attn1.to_q" -> "attn1.to_q"."""
    parts = module.removeprefix(PREFIX).split(".")
    return ".".join(parts[2:] if parts[0] == "blocks" and len(parts) > 2 else parts)


def _check_finite(file: Path, tensors: Mapping[str, Mapping[str, Any]]) -> None:
    for name, tensor in tensors.items():
        known = _EXPONENTS.get(str(tensor["dtype"]))
        if known is None:
            raise InputError(
                f"The LoRA {file.name} holds the unsupported dtype {tensor['dtype']} in {name}.",
                HINT,
            )
        integer, exponent = known
        if (np.frombuffer(tensor["data"], integer) & exponent == exponent).any():
            raise InputError(f"The LoRA {file.name} holds numbers that are not finite.", HINT)


def _adapter(file: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        stored = json.loads(metadata[METADATA])
        named = {key.removeprefix(PREFIX): value for key, value in stored.items()}
        if not (isinstance(named["r"], int) and float(named["lora_alpha"]) > 0):
            raise ValueError
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"The LoRA {file.name} lacks the metadata of its adapter ({METADATA}: r, lora_alpha).",
            HINT,
        ) from None
    return named
