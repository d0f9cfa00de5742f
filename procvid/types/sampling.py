"""How clips are sampled: size, steps, guidance, shortcuts and what a clip sees of the one before."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

AttentionKind = Literal["auto", "native", "cudnn", "flash", "efficient", "flash3", "flash3_hub"]
"""Attention kernels for a GPU; see `procvid.phantom.attention`."""

CacheKind = Literal["first_block", "mag", "sea", "taylor"]
"""A step cache of diffusers; see `procvid.phantom.step_cache`."""


@dataclass(frozen=True)
class StepCache:
    """A step cache and its strength.

    Attributes:
        kind: Name of the cache in diffusers.
        strength: For "taylor", compute one of this many calls, a whole number from 2. For the
            others, the allowed error, above 0. Higher is faster and less exact.
        full_steps: Calls at the start that are always computed; "first_block" ignores it.
    """

    kind: CacheKind
    strength: float
    full_steps: int = 3


@dataclass(frozen=True)
class Shortcuts:
    """Shortcuts that make sampling faster. The default uses none.

    Attributes:
        batched: One model call for all branches of the guidance; exact but for rounding.
        guided_share: Share of the denoising steps, from the first, that are guided, 0 to 1; the
            others make the one call that sees references and text.
        guided_every: Every n-th guided step predicts all branches. The steps between reuse its
            guidance term and make one call.
        cache: Reuses what layers gave in earlier steps; None computes every step.
        drop_zero_references: The branch without references predicts the video frames alone, instead
            of the video frames and zeros for the references.
        attention_in_8_bits: Attention multiplies queries and keys in 8 bits, by the package
            sageattention on a GPU.
    """

    batched: bool = False
    guided_share: float = 1.0
    guided_every: int = 1
    cache: StepCache | None = None
    drop_zero_references: bool = False
    attention_in_8_bits: bool = False

    def num_guided(self, steps: int) -> int:
        """Return how many of the denoising steps are guided, rounded up."""
        # A share of k / steps means k steps, although the product may be a little more.
        return math.ceil(round(self.guided_share * steps, 9))

    @property
    def summary(self) -> str:
        """Return the shortcuts in a few words; "" for none. Part of a run's identity."""
        words = ["batched branches"] if self.batched else []
        if self.guided_share < 1:
            words.append(f"guided for {self.guided_share:g} of the steps")
        if self.guided_every > 1:
            words.append(f"guidance every {self.guided_every} steps")
        if self.cache is not None:
            cache = self.cache
            words.append(f"{cache.kind} cache {cache.strength:g} after {cache.full_steps} steps")
        if self.drop_zero_references:
            words.append("no zero references")
        if self.attention_in_8_bits:
            words.append("8-bit attention")
        return ", ".join(words)


EXACT = Shortcuts()


Coherence = Literal["none", "rolling"]
"""What a clip sees of the clip before it: nothing, or its last frames (`docs/coherence.md`)."""

CONTEXT_FRAMES = 1
"""Latent frames of the clip before that a clip sees with "rolling" (`docs/coherence.md`)."""

CONTEXT_NOISE = 0.1
"""Noise level of these frames, 0 to 1: less of what only the eye of the model sees is copied."""


@dataclass(frozen=True)
class Sampling:
    """How a clip is sampled: size in pixels, frames, steps, guidance and the step's own seed.

    `shortcuts` are those of `--fast` or `--distilled`; the exact loop uses none. `coherence` says what
    a clip sees of the one before it.
    """

    width: int
    height: int
    num_frames: int
    fps: int
    num_inference_steps: int
    guidance_scale_text: float
    guidance_scale_image: float
    seed: int
    shortcuts: Shortcuts = EXACT
    coherence: Coherence = "none"

    @property
    def context_frames(self) -> int:
        """Return how many latent frames of the clip before join the sequence of a clip."""
        return CONTEXT_FRAMES if self.coherence == "rolling" else 0

    @property
    def distilled(self) -> Sampling:
        """Return this sampling as a LoRA needs that was distilled for few steps.

        Such a LoRA has learned the guidance by text. Without any guidance Phantom loses the references,
        so the first half of the steps keeps a mild one (`docs/fast.md`).
        """
        return replace(
            self,
            num_inference_steps=6,
            guidance_scale_text=min(3.0, self.guidance_scale_text),
            guidance_scale_image=min(3.0, self.guidance_scale_image),
            shortcuts=Shortcuts(guided_share=0.5),
        )
