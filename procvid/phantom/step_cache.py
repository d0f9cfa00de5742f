"""Step caches of diffusers on the Wan transformer, which reuse the output of layers between steps.

Each model call of a denoising step runs in its own `cache_context`, so branches never share a state.
PyramidAttentionBroadcast has one state for all contexts, and FasterCache assumes two branches in one
batch. Neither fits three calls per step, so neither is offered.

    first_block   FirstBlockCache: skips the other blocks while the output of the first changes little
    mag           MagCache: skips blocks by a table of how the change shrinks, measured per checkpoint
    sea           SeaCache: skips blocks while the filtered latents change little (diffusers 0.42)
    taylor        TaylorSeer, lite: extrapolates the output between computed steps
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import WanTransformer3DModel, hooks
from diffusers.hooks import HookRegistry
from diffusers.hooks import group_offloading as names

from procvid.errors import UnavailableError
from procvid.types import StepCache

MAG_STEPS_IN_A_ROW = 2
"""Maximum number of consecutive steps that MagCache skips."""

_CONFIGS = {
    "first_block": "FirstBlockCacheConfig",
    "mag": "MagCacheConfig",
    "sea": "SeaCacheConfig",
    "taylor": "TaylorSeerCacheConfig",
}


def known_caches() -> tuple[str, ...]:
    """Return the caches of the installed diffusers."""
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
    """Run a transformer with a step cache, and remove the cache afterwards. None caches nothing.

    Args:
        transformer: A transformer without a cache.
        cache: Kind and strength of the cache.
        num_steps: Denoising steps of the run.
        num_video_frames: Latent frames of the video, without references.
        mag_ratios: For "mag": the ratio of each step's change to that of the step before, measured for
            this checkpoint.

    Raises:
        UnavailableError: The installed diffusers lacks the cache.
        ValueError: A setting is not valid.
    """
    if cache is None:
        yield
        return
    config = _config(cache, num_steps, num_video_frames, mag_ratios)
    with without_trackers(transformer):
        transformer.enable_cache(config)
    try:
        yield
    finally:
        # Before the hooks go: their states would stay on the device in reference cycles.
        forget(transformer)
        transformer.disable_cache()


@contextmanager
def without_cache(transformer: WanTransformer3DModel) -> Iterator[None]:
    """Take a step cache off while the block moves the model, and put it on again, empty.

    Removing or adding a hook of offloading under the hook of a cache breaks one of them.
    """
    config = transformer._cache_config
    if not transformer.is_cache_enabled:
        yield
        return
    # The states take memory, and a call that failed may have left one that is incomplete.
    forget(transformer)
    transformer.disable_cache()
    try:
        yield
    finally:
        with without_trackers(transformer):
            transformer.enable_cache(config)


@contextmanager
def without_trackers(transformer: WanTransformer3DModel) -> Iterator[None]:
    """Take off the trackers of group offloading while the block runs.

    With a stream, diffusers tracks the order of the layers in the first forward pass and then removes
    its trackers. Removing one overwrites a hook that was registered later, so a cache must lie below
    them.
    """
    root = HookRegistry.check_if_exists_or_initialize(transformer)
    prefetch = root.get_hook(names._LAZY_PREFETCH_GROUP_OFFLOADING)
    if prefetch is None:
        yield
        return
    for name in (names._LAZY_PREFETCH_GROUP_OFFLOADING, names._LAYER_EXECUTION_TRACKER):
        root.remove_hook(name, recurse=True)
    try:
        yield
    finally:
        # It registers its trackers again.
        root.register_hook(prefetch, names._LAZY_PREFETCH_GROUP_OFFLOADING)


def forget(transformer: WanTransformer3DModel) -> None:
    """Clear the cache, so that the next steps are computed in full."""
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
                # References never change, so they would hide the changes of the video.
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
                # The default names match no layer of Wan; lite mode caches only the output layer.
                use_lite_mode=True,
            )
