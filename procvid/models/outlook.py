"""Foresee how the clips of a profile fit a card, from configs alone: no weights are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from procvid.models.wan_model import WanModel
from procvid.phantom.flops import clip_tflop
from procvid.phantom.ladder import Rung, choose_rung, rungs
from procvid.phantom.layout import CONFIGS
from procvid.phantom.loading import read_config
from procvid.phantom.vram import ClipBytes, ClipShape, Denoising, estimate
from procvid.settings import Profile
from procvid.types import Sampling


@dataclass(frozen=True)
class Outlook:
    """How clips fit.

    Attributes:
        rung: The first rung of the ladder that fits; None if none does.
        smallest: The rung that needs the least machine memory among those that fit the card; if none
            does, the one that needs the least GPU memory.
        tflop: Operations of a clip, in 10^12.
    """

    rung: Rung | None
    smallest: Rung
    tflop: float


def foresee(
    profile: Profile,
    folder: Path,
    sampling: Sampling,
    free: tuple[int, int],
    *,
    precise: bool = True,
    dtype: str = "bfloat16",
) -> Outlook:
    """Foresee the rung and the operations of a clip.

    Args:
        profile: Clips to make, with all references that a step can have.
        folder: The converted model; if it does not exist, the published configs are used.
        sampling: Size, length, denoising steps and shortcuts.
        free: Free bytes of the card and of the machine.
        precise: Keep upstream's float32 layers.
        dtype: Dtype of transformer and text encoder, "bfloat16" or "float16".
    """
    references = profile.max_references
    shape = ClipShape(sampling.width, sampling.height, sampling.num_frames, references)
    scales = (sampling.guidance_scale_text, sampling.guidance_scale_image)
    denoising = Denoising(scales, precise, sampling.shortcuts)
    stored = getattr(torch, dtype)
    bytes_of, unmapped = _model(profile, folder, stored, shape)
    all_rungs = rungs(shape, lambda clip: bytes_of(clip, stored, denoising), unmapped)
    chosen = choose_rung(all_rungs, *free)
    on_card = [rung for rung in all_rungs if rung.device_bytes <= free[0]]
    file = folder / "transformer" / "config.json"
    config = read_config(file) if file.is_file() else CONFIGS[profile.name]
    return Outlook(
        rung=None if chosen is None else all_rungs[chosen],
        smallest=min(on_card, key=lambda rung: rung.host_bytes)
        if on_card
        else min(all_rungs, key=lambda rung: rung.device_bytes),
        tflop=clip_tflop(config, sampling, references),
    )


def _model(
    profile: Profile, folder: Path, dtype: torch.dtype, shape: ClipShape
) -> tuple[Callable[[ClipShape, torch.dtype, Denoising], ClipBytes], int]:
    """Return what computes the bytes of a clip, and the bytes of weights that are not mapped."""
    if (folder / "model_index.json").is_file():
        model = WanModel(profile, folder)
        return model.clip_bytes, model.unmapped_bytes(dtype, has_loras=False)
    config, copied = CONFIGS[profile.name], 0
    if dtype != torch.bfloat16:
        # `procvid convert` writes bfloat16.
        parts = estimate(shape, config, dtype=dtype)
        copied = parts.text_encoder.weights + parts.transformer.weights
    return (
        lambda clip, dtype, denoising: estimate(clip, config, dtype=dtype, denoising=denoising),
        copied,
    )
