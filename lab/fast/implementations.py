"""The same arithmetic done by other code: attention backends and regional compile.

What cannot run here is told as unavailable, with what the library says.
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
    pipeline: PhantomWanPipeline, clip: ToyClip, way: Variant, rounds: int, *, with_compile: bool
) -> list[dict[str, Any]]:
    """Time of denoising with each, as a ratio to the same way without, and the latents' difference.

    The pipeline is left with its native attention; compiling is the last, for it stays.
    """
    rows = [_backend(pipeline, clip, way, rounds, name) for name in BACKENDS]
    if with_compile:
        rows.append(_compiled(pipeline, clip, way, rounds))
    return rows


def _backend(
    pipeline: PhantomWanPipeline, clip: ToyClip, way: Variant, rounds: int, name: str
) -> dict[str, Any]:
    plain = latents_of(pipeline, clip, way)

    def with_backend(run: Callable[..., Any]) -> Any:
        pipeline.transformer.set_attention_backend(name)
        try:
            return run(pipeline, clip, way)
        finally:
            pipeline.transformer.set_attention_backend(AttentionBackendName.NATIVE.value)

    told = f"attention backend {name}"
    try:
        made = with_backend(latents_of)
        seconds = measure_times(
            {
                "plain": lambda _number: make_whole(pipeline, clip, way),
                "other": lambda _number: with_backend(make_whole),
            },
            rounds,
        )
    except (ImportError, RuntimeError, ValueError) as error:
        return _unavailable(told, error)
    return _row(told, seconds, made, plain)


def _compiled(
    pipeline: PhantomWanPipeline, clip: ToyClip, way: Variant, rounds: int
) -> dict[str, Any]:
    plain = latents_of(pipeline, clip, way)
    before = measure_times({"plain": lambda _number: make_whole(pipeline, clip, way)}, rounds)
    start_s = time.perf_counter()
    try:
        pipeline.transformer.compile_repeated_blocks()
        made = latents_of(pipeline, clip, way)
    except (RuntimeError, ValueError) as error:
        return _unavailable("regional compile", error)
    compile_s = time.perf_counter() - start_s
    # Not in turns: a compiled block stays compiled.
    after = measure_times({"other": lambda _number: make_whole(pipeline, clip, way)}, rounds)
    name = f"regional compile ({compile_s:.0f} s to compile)"
    return _row(name, before | after, made, plain)


def _row(
    name: str, seconds: dict[str, dict[str, float]], made: torch.Tensor, plain: torch.Tensor
) -> dict[str, Any]:
    return {
        "name": name,
        "denoising_ratio": seconds["other"]["denoising"] / seconds["plain"]["denoising"],
        "latent_error": ((made - plain).norm() / plain.norm()).item(),
        "unavailable": "",
    }


def _unavailable(name: str, error: Exception) -> dict[str, Any]:
    said = str(error).strip().splitlines()
    why = said[0].split(". ")[0][:90].rstrip(".") if said else type(error).__name__
    return {"name": name, "unavailable": why}
