"""Number of operations of a clip, computed from the config of the transformer."""

from __future__ import annotations

import math

from procvid.phantom.guidance import Branch, Guidance
from procvid.phantom.layout import Config
from procvid.phantom.vram import ClipShape
from procvid.types import Sampling, StepCache


def forward_flops(config: Config, num_tokens: int, text_length: int = 512) -> dict[str, float]:
    """Return the floating-point operations of one forward pass; a multiply-add counts as two.

    The blocks of VACE are of the same kind and run on as many tokens: the conditions of every frame,
    references included. Each has a projection of its result, the first one another of its input.

    Args:
        config: Arguments of `transformer_class`.
        num_tokens: Tokens of the video and the references.
        text_length: Rows of the text embedding.

    Returns:
        Operations of the "linear" layers of the blocks, of "self_attention" and of
        "cross_attention". Embeddings and head are left out (less than 1 %).
    """
    width = config["num_attention_heads"] * config["attention_head_dim"]
    controls = len(config.get("vace_layers", ()))
    layers, ffn = config["num_layers"] + controls, config["ffn_dim"]
    of_video = num_tokens * (6 * width**2 + 2 * width * ffn)
    of_text = text_length * 2 * width**2
    of_control = num_tokens * width**2 * (controls + 1) if controls else 0
    return {
        "linear": 2.0 * (layers * (of_video + of_text) + of_control),
        "self_attention": 4.0 * layers * num_tokens**2 * width,
        "cross_attention": 4.0 * layers * num_tokens * text_length * width,
    }


def num_tokens(config: Config, clip: ClipShape, spatial: int = 8, temporal: int = 4) -> int:
    """Return the number of tokens of a clip, including references."""
    patch_frames, patch_height, patch_width = config.get("patch_size", (1, 2, 2))
    frames = (clip.num_frames - 1) // temporal + 1 + clip.num_references
    rows = clip.height // (spatial * patch_height)
    return frames // patch_frames * rows * (clip.width // (spatial * patch_width))


def branch_forwards(sampling: Sampling, num_references: int) -> dict[Branch, int]:
    """Return the number of forward passes of a clip for each branch of the guidance.

    Only the "taylor" step cache skips by number. The other caches decide by value, so all their passes
    are counted. Without references the two weaker branches are one.
    """
    scales = sampling.guidance_scale_text, sampling.guidance_scale_image
    *weaker, strongest = Guidance(*scales, num_references).branches
    steps, shortcuts = sampling.num_inference_steps, sampling.shortcuts
    guided = math.ceil(shortcuts.num_guided(steps) / shortcuts.guided_every)
    guided = guided if weaker else 0
    companions = [b for b in weaker if b.sees_references or not shortcuts.drop_zero_references]
    if shortcuts.batched and companions:
        # The batch and the single branch have a cache each, and each fills its own.
        alone = _computed(shortcuts.cache, guided) + _computed(shortcuts.cache, steps - guided)
    else:
        alone = _computed(shortcuts.cache, steps)
    return {**dict.fromkeys(weaker, _computed(shortcuts.cache, guided)), strongest: alone}


def _computed(cache: StepCache | None, calls: int) -> int:
    """Return how many of the calls with one cache are computed."""
    if cache is None or cache.kind != "taylor":
        return calls
    in_full = min(calls, cache.full_steps)
    # The first call after the full ones is predicted, the second is computed.
    return in_full + max(0, math.ceil((calls - in_full - 1) / cache.strength))


def num_forwards(sampling: Sampling, num_references: int) -> int:
    """Return the number of forward passes of a clip over all branches; see `branch_forwards`."""
    return sum(branch_forwards(sampling, num_references).values())


def clip_tflop(config: Config, sampling: Sampling, num_references: int) -> float:
    """Return the transformer's operations for a clip, in 10^12, without encoding and decoding.

    Args:
        config: Arguments of `transformer_class`.
        sampling: Size, length, denoising steps, guidance and shortcuts.
        num_references: Number of references; each adds one latent frame.
    """
    total = 0.0
    for branch, forwards in branch_forwards(sampling, num_references).items():
        dropped = sampling.shortcuts.drop_zero_references and not branch.sees_references
        shape = ClipShape(
            sampling.width,
            sampling.height,
            sampling.num_frames,
            0 if dropped else num_references,
        )
        total += forwards * sum(forward_flops(config, num_tokens(config, shape)).values())
    return total / 1e12
