"""Estimate the cost of a reinforcement for `procvid train rl --dry-run`.

The arithmetic of clips is that of `procvid.phantom.flops`, that of gradients and memory that of
`procvid.train.lora.cost`. Hours assume the rate of published runs on an H100.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.phantom.flops import clip_tflop, num_forwards
from procvid.phantom.guidance import Guidance
from procvid.phantom.layout import CONFIGS
from procvid.phantom.loading import read_config
from procvid.phantom.vram import ALLOWANCE
from procvid.train.lora.cost import H100_TFLOPS, OPTIMISER_BYTES, TEMPORAL, model_sizes, tflop
from procvid.train.lora.settings import LoraSettings
from procvid.train.rl.settings import RlSettings
from procvid.types import Sampling


@dataclass(frozen=True)
class RlCost:
    """Estimated cost of a whole training on one GPU.

    Attributes:
        clips: Clips of all iterations.
        steps: Optimizer steps.
        trained_parameters: Parameters of the LoRA.
        sampling_tflop: TFLOP of all clips, without decoding and judging.
        learning_tflop: TFLOP of all updates.
        weights_bytes: Bytes of the transformer.
        kept_bytes: Bytes of activations kept for the backward pass of a batch, all branches.
    """

    clips: int
    steps: int
    trained_parameters: int
    sampling_tflop: float
    learning_tflop: float
    weights_bytes: int
    kept_bytes: int

    @property
    def hours(self) -> float:
        """Hours at `H100_TFLOPS`."""
        return (self.sampling_tflop + self.learning_tflop) / H100_TFLOPS / 3600

    @property
    def peak_bytes(self) -> int:
        """Peak GPU memory of an update, bytes."""
        lora = OPTIMISER_BYTES * self.trained_parameters
        return int(ALLOWANCE * (self.weights_bytes + lora + self.kept_bytes))

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON."""
        more = {"hours": self.hours, "peak_bytes": self.peak_bytes, "tflop_per_s": H100_TFLOPS}
        return {**self.__dict__, **more}

    def lines(self) -> list[str]:
        """Return the estimate as sentences."""
        return [
            f"{self.clips:,} clips, {self.steps} optimizer steps.",
            f"The LoRA has {self.trained_parameters:,} trainable parameters.",
            f"Estimate: {self.sampling_tflop:,.0f} TFLOP for the clips and {self.learning_tflop:,.0f} "
            f"for the updates, {self.hours:.1f} hours on one H100 at {H100_TFLOPS:.0f} TFLOP/s, without "
            "decoding and judging.",
            f"Estimate: {self.peak_bytes / 1e9:.1f} GB of GPU memory for an update "
            f"({self.weights_bytes / 1e9:.1f} weights, {self.kept_bytes / 1e9:.1f} activations).",
        ]


def rl_cost(
    settings: RlSettings,
    sampling: Sampling,
    profile: str,
    folder: Path,
    references: int,
    *,
    has_pairs: bool = False,
) -> RlCost:
    """Estimate a training.

    Args:
        settings: Settings of the training.
        sampling: How clips are sampled.
        profile: Profile whose published config is used if the model is not installed.
        folder: Folder of the model.
        references: References of a shot; the largest number, if they differ.
        has_pairs: True if dpo learns from given pairs, so no clips are made.
    """
    file = folder / "transformer" / "config.json"
    is_dpo = settings.algorithm == "dpo"
    config = read_config(file) if file.is_file() else CONFIGS[profile]
    scales = (sampling.guidance_scale_text, sampling.guidance_scale_image)
    branches = len(Guidance(*scales, references).branches)
    like_lora = LoraSettings(
        width=sampling.width,
        height=sampling.height,
        num_frames=sampling.num_frames,
        fps=sampling.fps,
        shift=1.0,
        rank=settings.rank,
        alpha=settings.alpha,
        targets=settings.targets,
        batch_size=2 if is_dpo else min(settings.batch_size, settings.group),
        precision=settings.precision,
        checkpointing=settings.checkpointing,
    )
    frames = (sampling.num_frames - 1) // TEMPORAL + 1
    weights, trained, kept = model_sizes(config, like_lora, frames, references)
    each = clip_tflop(config, sampling, references)
    forward = each / num_forwards(sampling, references)
    trained_pass = tflop(config, like_lora, frames, references)
    times, others = {
        "nft": (settings.levels, 2 if settings.old_decay else 1),
        "grpo": (settings.sde_steps, 1),
        "reward-gradient": (settings.gradient_steps, 1),
        "dpo": (settings.levels, 1),
    }[settings.algorithm]
    learning = settings.updates * times * branches * (trained_pass + others * forward)
    rounds = settings.iterations * settings.shots
    clips = 0 if has_pairs else rounds * settings.group
    learnt = rounds * 2 if is_dpo else clips
    return RlCost(
        clips=clips,
        steps=settings.total_steps,
        trained_parameters=trained,
        sampling_tflop=round(clips * each, 1),
        learning_tflop=round(learnt * learning, 1),
        weights_bytes=weights,
        kept_bytes=kept * branches,
    )
