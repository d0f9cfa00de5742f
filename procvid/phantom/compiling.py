"""Compiled transformer blocks: elementwise operations fused by torch.compile, kept on disk.

The blocks are alike, so one compilation serves all of them. The results differ only by rounding.
Weights that a hook moves or casts for each block are left alone, so the ladder compiles on its first
two rungs only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from diffusers import WanTransformer3DModel

COMPILED_RUNGS = ("full", "model_offload")
"""Rungs of the ladder on which a block's weights stay as they are while the transformer runs."""

WARM_UP = "compiles the transformer once in the first clip, about a minute; later runs read it from the cache"
_FOLDER_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def keep_compiled_in(folder: Path) -> None:
    """Keep compiled code in a folder, unless the user's own variable names another.

    Call it before the first compilation of the process.
    """
    os.environ.setdefault(_FOLDER_VARIABLE, str(folder))


def compile_placed(pipeline: Any, rung: str, device: torch.device) -> list[str]:
    """Compile the transformer of a placed pipeline if it asks for it and the rung allows it.

    Args:
        pipeline: Its attribute `compiles` asks for it.
        rung: Name of the rung of the ladder.
        device: Device of the computation.

    Returns:
        Notes for the user.
    """
    if not getattr(pipeline, "compiles", False) or rung not in COMPILED_RUNGS:
        return []
    note = compile_blocks(pipeline.transformer, device)
    return [note] if note else []


def compile_blocks(transformer: WanTransformer3DModel, device: torch.device) -> str:
    """Compile the blocks of a transformer at their first call.

    Returns:
        A note for the user if the blocks stay uncompiled, else "".
    """
    if any(value.dtype == torch.uint8 for value in transformer.parameters()):
        return "the transformer runs uncompiled: its weights are quantised"
    reason = cannot_compile(device)
    if reason:
        return f"the transformer runs uncompiled: {reason}"
    transformer.compile_repeated_blocks()
    return ""


def undo_compiling(transformer: WanTransformer3DModel | None) -> None:
    """Run the blocks uncompiled again."""
    for block in _blocks(transformer):
        block._compiled_call_impl = None


def is_compiled(transformer: WanTransformer3DModel) -> bool:
    """Return True if the blocks are compiled, or will be at their first call."""
    return any(block._compiled_call_impl is not None for block in _blocks(transformer))


def _blocks(transformer: WanTransformer3DModel | None) -> list[torch.nn.Module]:
    """Return the repeated blocks, those of VACE included; none without a transformer."""
    lists = (getattr(transformer, name, ()) for name in ("blocks", "vace_blocks"))
    return [block for blocks in lists for block in blocks]


def cannot_compile(device: torch.device) -> str:
    """Return why torch cannot compile for a device, such as a missing C++ compiler; "" if it can."""
    try:
        compiled = torch.compile(_example)
        compiled(torch.ones(8, device=device))
    except Exception as error:
        # Each backend of the compiler has errors of its own.
        lines = str(error).strip().splitlines()
        return (lines[0] if lines else type(error).__name__)[:160].rstrip(".")
    return ""


def _example(values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.gelu(values * 2 + 1)
