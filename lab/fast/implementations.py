"""Measure other implementations of the same arithmetic: attention backends and regional compile.

An implementation that cannot run is reported as unavailable, with the library's reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName

from lab.fast.measure import ToyClip, Variant, latents_of, make_whole, measure_times
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline

BACKENDS = (
    "_native_math",
    "_native_efficient",
    "_native_flash",
    "_native_cudnn",
    "flex",
    "flash",
    "sage",
    "xformers",
)


def measure_implementations(
    pipeline: PhantomWanPipeline,
    clip: ToyClip,
    variant: Variant,
    rounds: int,
    *,
    with_compile: bool,
) -> list[dict[str, Any]]:
    """Return time of denoising relative to the native implementation, and the latent error.

    The pipeline keeps its native attention. Compiling comes last because it cannot be undone.
    """
    rows = [_backend(pipeline, clip, variant, rounds, name) for name in BACKENDS]
    if with_compile:
        rows.append(_compiled(pipeline, clip, variant, rounds))
    return rows


def _backend(
    pipeline: PhantomWanPipeline, clip: ToyClip, variant: Variant, rounds: int, name: str
) -> dict[str, Any]:
    plain = latents_of(pipeline, clip, variant)

    def with_backend(run: Callable[..., Any]) -> Any:
        pipeline.transformer.set_attention_backend(name)
        try:
            return run(pipeline, clip, variant)
        finally:
            pipeline.transformer.set_attention_backend(AttentionBackendName.NATIVE.value)

    label = f"attention backend {name}"
    try:
        latents = with_backend(latents_of)
        seconds = measure_times(
            {
                "plain": lambda _number: make_whole(pipeline, clip, variant),
                "other": lambda _number: with_backend(make_whole),
            },
            rounds,
        )
    except (ImportError, RuntimeError, ValueError) as error:
        return _unavailable(label, error)
    return _row(label, seconds, latents, plain)


def _compiled(
    pipeline: PhantomWanPipeline, clip: ToyClip, variant: Variant, rounds: int
) -> dict[str, Any]:
    plain = latents_of(pipeline, clip, variant)
    before = measure_times({"plain": lambda _number: make_whole(pipeline, clip, variant)}, rounds)
    start_s = time.perf_counter()
    try:
        pipeline.transformer.compile_repeated_blocks()
        latents = latents_of(pipeline, clip, variant)
    except (RuntimeError, ValueError) as error:
        return _unavailable("regional compile", error)
    compile_s = time.perf_counter() - start_s
    # Not alternating: a compiled block stays compiled.
    after = measure_times({"other": lambda _number: make_whole(pipeline, clip, variant)}, rounds)
    name = f"regional compile ({compile_s:.0f} s to compile)"
    return _row(name, before | after, latents, plain)


def _row(
    name: str, seconds: dict[str, dict[str, float]], latents: torch.Tensor, plain: torch.Tensor
) -> dict[str, Any]:
    return {
        "name": name,
        "denoising_ratio": seconds["other"]["denoising"] / seconds["plain"]["denoising"],
        "latent_error": ((latents - plain).norm() / plain.norm()).item(),
        "unavailable": "",
    }


def _unavailable(name: str, error: Exception) -> dict[str, Any]:
    lines = str(error).strip().splitlines()
    reason = lines[0].split(". ")[0][:90].rstrip(".") if lines else type(error).__name__
    return {"name": name, "unavailable": reason}
