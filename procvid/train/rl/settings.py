"""All settings that decide how a LoRA is reinforced. This module imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from typing import Any

from procvid.errors import InputError
from procvid.settings import MAX_SEED
from procvid.train.lora.settings import SCHEDULES, TARGETS, Precision, option, out_of_range

ALGORITHMS = ("nft", "grpo", "reward-gradient", "dpo")

_MACHINE_ONLY = frozenset(
    {"save_every", "validate_every", "batch_size", "stop_on_hacking", "checkpointing"}
)
"""These change time and memory, not what is learnt."""


@dataclass(frozen=True, kw_only=True)
class RlSettings:
    """Settings of one reinforcement. Fields with a help text are options of `procvid train rl`.

    Attributes:
        rewards: Weight of each reward by its id; 0 leaves it out.
        precision: "bf16" for a GPU, "no" for float32.
    """

    rewards: Mapping[str, float]
    algorithm: str = option("nft", "how the policy learns from the rewards", ALGORITHMS)
    rank: int = option(16, "rank of the LoRA matrices")
    alpha: float = option(16.0, "the LoRA is scaled by alpha / rank")
    targets: str = option("all", "layers to train; all adds the feed-forward layers", TARGETS)
    iterations: int = option(40, "rounds of clips and updates")
    shots: int = option(8, "shots (prompt and references) of an iteration")
    group: int = option(8, "clips of each shot")
    updates: int = option(1, "optimizer steps on the clips of an iteration")
    levels: int = option(4, "nft and dpo: noise levels at which each clip is learnt")
    learning_rate: float = option(3e-3, "learning rate of AdamW")
    weight_decay: float = option(0.0, "weight decay of AdamW")
    warmup: int = option(0, "steps in which the learning rate rises")
    schedule: str = option("linear", "learning rate after the warm-up", SCHEDULES)
    beta: float = option(0.5, "nft: distance of the two implicit policies from the old one")
    advantage_range: float = option(3.0, "advantages beyond this are clipped")
    old_decay: float = option(0.3, "nft: share of the old policy that an iteration keeps, 0 to 1")
    kl: float = option(0.3, "weight of the distance from the base model")
    clip_range: float = option(1e-3, "grpo: the ratio of the policies is clipped to 1 +- this")
    noise: float = option(0.3, "grpo: strength of the sampler's noise")
    sde_steps: int = option(2, "grpo: denoising steps that are sampled with noise")
    dpo_beta: float = option(
        500.0, "dpo: strength of the preference; less allows more change from the base"
    )
    gradient_steps: int = option(4, "reward-gradient: last denoising steps with gradients")
    batch_size: int = option(8, "clips of a group per forward pass")
    checkpointing: bool = option(
        False, "recompute activations in the backward pass: less GPU memory, a third more time"
    )
    seed: int = option(0, "seed of all random draws")
    validation: int = option(12, "held-out shots")
    validate_every: int = option(5, "iterations between validations")
    save_every: int = option(1, "iterations between saved states")
    stop_on_hacking: bool = option(False, "stop when the reward rises and held-out judges fall")
    precision: Precision = "no"

    def __post_init__(self) -> None:
        """Raise InputError when a value is out of range."""
        counts = ("rank", "iterations", "shots", "updates", "levels", "sde_steps", "gradient_steps",
                  "batch_size", "validate_every", "save_every")  # fmt: skip
        for name in counts:
            if getattr(self, name) < 1:
                raise out_of_range(name, getattr(self, name), "1 or more")
        if self.group < 2:
            raise InputError(
                f"A group of {self.group} clip has nothing to compare.", "Give --group 2 or more."
            )
        above = ("alpha", "learning_rate", "beta", "advantage_range", "clip_range", "noise",
                 "dpo_beta")  # fmt: skip
        for name in above:
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise out_of_range(name, getattr(self, name), "a number above 0")
        for name in ("kl", "weight_decay"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise out_of_range(name, getattr(self, name), "0 or more")
        for name, low, high in (("warmup", 0, 10**6), ("validation", 0, 1000),
                                ("old_decay", 0, 1), ("seed", 0, MAX_SEED)):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise out_of_range(name, getattr(self, name), f"{low} to {high}")
        for name, known in (
            ("algorithm", ALGORITHMS),
            ("schedule", SCHEDULES),
            ("targets", TARGETS),
        ):
            if getattr(self, name) not in known:
                raise out_of_range(name, getattr(self, name), " or ".join(known))
        if self.algorithm == "grpo" and not self.kl:
            raise InputError(
                "grpo without a distance from the base model destroys what no reward sees.",
                "Give --kl above 0.",
            )

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.iterations * self.updates

    def as_json(self) -> dict[str, Any]:
        """Return all settings, for `training.json`."""
        return {**asdict(self), "rewards": dict(self.rewards)}

    def of_the_curve(self) -> dict[str, Any]:
        """Return the settings that the curve depends on; a resumed training must match them."""
        return {k: v for k, v in self.as_json().items() if k not in _MACHINE_ONLY}


OPTIONS: tuple[Field[Any], ...] = tuple(f for f in fields(RlSettings) if "help" in f.metadata)
"""Fields that are command-line options."""
