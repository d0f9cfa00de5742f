"""Step caches of diffusers on the Wan transformer: what a layer gave before, instead of computing it.

Each call of a denoising step runs in a `cache_context` of its own name, so branches never share a
state. PyramidAttentionBroadcast keeps one state for all contexts and FasterCache assumes two branches
in one batch: neither fits three calls a step, so neither is offered.

    first_block   FirstBlockCache: the other blocks are skipped while the first one's change is small
    mag           MagCache: blocks are skipped by a table of how the change shrinks, per checkpoint
    sea           SeaCache: blocks are skipped while the filtered latents change little (diffusers 0.42)
    taylor        TaylorSeer, lite: between computed steps the output is extrapolated
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import WanTransformer3DModel, hooks

from procvid.errors import UnavailableError
from procvid.types import StepCache

MAG_STEPS_IN_A_ROW = 2
"""Most steps that MagCache skips one after the other."""

_CONFIGS = {
    "first_block": "FirstBlockCacheConfig",
    "mag": "MagCacheConfig",
    "sea": "SeaCacheConfig",
    "taylor": "TaylorSeerCacheConfig",
}


def known_caches() -> tuple[str, ...]:
    """The caches that the installed diffusers has."""
    return tuple(kind for kind, name in _CONFIGS.items() if hasattr(hooks, name))


@contextmanager
def step_cache(
    transformer: WanTransformer3DModel,
    cache: StepCache | None,
    *,
    num_steps: int,
    num_video_frames: int,
    mag_ratios: Sequence[float] | None = None,
) -> Iterator[None]:
    """Run a transformer with a step cache; afterwards it is as it was. None caches nothing.

    Args:
        transformer: Without a cache of its own.
        cache: Which one, and how bold.
        num_steps: Denoising steps of the run.
        num_video_frames: Latent frames of the video, the references left out.
        mag_ratios: For "mag": the ratio of each step's change to the one before, as
            `measure_mag_ratios` gives it for this checkpoint.

    Raises:
        UnavailableError: The installed diffusers lacks the cache.
        ValueError: A setting cannot be used.
    """
    if cache is None:
        yield
        return
    transformer.enable_cache(_config(cache, num_steps, num_video_frames, mag_ratios))
    try:
        yield
    finally:
        transformer.disable_cache()


def forget(transformer: WanTransformer3DModel) -> None:
    """Drop all that is cached: the next steps are computed in full."""
    transformer._reset_stateful_cache()


def _config(
    cache: StepCache, num_steps: int, num_video_frames: int, mag_ratios: Sequence[float] | None
) -> Any:
    make = getattr(hooks, _CONFIGS[cache.kind], None)
    if make is None:
        raise UnavailableError(
            f"The installed diffusers has no {cache.kind} cache.", "Install a newer diffusers."
        )
    match cache.kind:
        case "first_block":
            return make(threshold=cache.strength)
        case "mag":
            return make(
                threshold=cache.strength,
                max_skip_steps=MAG_STEPS_IN_A_ROW,
                retention_ratio=cache.full_steps / num_steps,
                num_inference_steps=num_steps,
                mag_ratios=None if mag_ratios is None else torch.tensor(mag_ratios),
            )
        case "sea":

            def video_frames(
                _module: Any, _args: Any, kwargs: dict[str, Any]
            ) -> list[torch.Tensor]:
                # References do not change, so they would make every step look alike.
                return list(kwargs["hidden_states"][:, :, :num_video_frames].unbind(0))

            return make(
                threshold=cache.strength,
                retention_steps=cache.full_steps,
                raw_vision_callback=video_frames,
            )
        case "taylor":
            return make(
                cache_interval=int(cache.strength),
                disable_cache_before_step=cache.full_steps,
                max_order=1,
                taylor_factors_dtype=torch.float32,
                # Its default names match nothing on Wan; lite keeps the output layer's result alone.
                use_lite_mode=True,
            )
