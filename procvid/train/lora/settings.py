"""All settings that decide how a LoRA is trained. This module imports no torch."""

from __future__ import annotations

import math
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, Literal

from procvid.errors import InputError
from procvid.settings import MAX_REFERENCES, MAX_SEED

Precision = Literal["no", "bf16"]
SCHEDULES = ("constant", "linear")
TARGETS = ("attention", "all")

_MACHINE_ONLY = frozenset(
    {"batch_size", "accumulate", "checkpointing", "save_every", "validate_every", "track"}
)
"""These change time and GPU memory, not what is learnt."""


def option(default: Any, help_text: str, choices: tuple[str, ...] = ()) -> Any:
    """Declare a field that is also a command-line option; see `OPTIONS`."""
    return field(default=default, metadata={"help": help_text, "choices": choices})


@dataclass(frozen=True)
class Roughness:
    """Largest disturbance of a reference; each reference gets a uniform share of it, from 0.

    Attributes:
        noise: Deviation of Gaussian noise, in deviations of the latents.
        mask: Share of cells that become zero, 0 to 1.
        shuffle: Share of cells that change places, 0 to 1.
    """

    noise: float = 0.0
    mask: float = 0.0
    shuffle: float = 0.0

    def __bool__(self) -> bool:
        return any((self.noise, self.mask, self.shuffle))


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Settings of one training. Defaults follow the paper (section 4) where it gives a value.

    Fields with a help text are the options of `procvid train lora`. The other fields:

    Attributes:
        width: Width of the training frames, px.
        height: Height of the training frames, px.
        num_frames: Maximum frames of a clip, 4n+1. Shorter clips give fewer, images give one.
        fps: Frame rate at which clips are read.
        shift: Flow shift; larger values move the noise levels towards noise.
        precision: "bf16" for a GPU, "no" for float32.
        shuffle_references: Share of examples whose references come in random order.
    """

    width: int
    height: int
    num_frames: int
    fps: int
    shift: float
    rank: int = option(16, "rank of the LoRA matrices")
    alpha: float = option(16.0, "the LoRA is scaled by alpha / rank")
    targets: str = option(
        "attention",
        "layers to train; all adds the feed-forward layers and the text projection",
        TARGETS,
    )
    epochs: int = option(20, "passes over the data")
    batch_size: int = option(1, "examples of one shape per forward pass")
    accumulate: int = option(8, "batches per optimizer step on each GPU")
    learning_rate: float = option(1e-4, "learning rate of AdamW")
    weight_decay: float = option(0.01, "weight decay of AdamW")
    warmup: int = option(20, "steps in which the learning rate rises")
    schedule: str = option(
        "constant", "learning rate after the warm-up; linear falls to zero", SCHEDULES
    )
    drop_text: float = option(0.1, "share of examples trained with the negative prompt as text")
    drop_references: float = option(0.1, "share of examples whose reference latents are zeros")
    no_references: float = option(0.15, "share of examples trained without references")
    shuffle_references: float = 0.2
    reference_noise: float = option(
        0.0, "largest noise of reference latents, in deviations of the latents (docs/lora.md)"
    )
    reference_mask: float = option(0.0, "largest share of a reference's cells that become zero")
    reference_shuffle: float = option(
        0.0, "largest share of a reference's cells that change places"
    )
    max_references: int = option(MAX_REFERENCES, "maximum references per example")
    focus_weight: float = option(0.0, "extra weight of the loss inside focus boxes; 0 for none")
    prior_weight: float = option(1.0, "weight of the loss of prior examples")
    validation: int = option(4, "held-out examples when the data name no validation split")
    seed: int = option(0, "seed of all random draws")
    precision: Precision = "no"
    checkpointing: bool = option(
        False, "recompute activations in the backward pass: less GPU memory, a third more time"
    )
    save_every: int = option(100, "steps between saved states")
    validate_every: int = option(5, "epochs between validations")
    track: bool = option(False, "log curves and clips to TensorBoard")

    def __post_init__(self) -> None:
        """Raise InputError when a value is out of range."""
        for name in ("rank", "epochs", "batch_size", "accumulate", "save_every", "validate_every"):
            if getattr(self, name) < 1:
                raise out_of_range(name, getattr(self, name), "1 or more")
        for name in ("drop_text", "drop_references", "no_references", "shuffle_references",
                     "reference_mask", "reference_shuffle"):  # fmt: skip
            if not 0 <= getattr(self, name) <= 1:
                raise out_of_range(name, getattr(self, name), "0 to 1")
        for name in ("alpha", "learning_rate", "shift"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise out_of_range(name, getattr(self, name), "a number above 0")
        for name, low, high in (("warmup", 0, 10**6), ("validation", 0, 1000),
                                ("max_references", 0, MAX_REFERENCES), ("seed", 0, MAX_SEED)):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise out_of_range(name, getattr(self, name), f"{low} to {high}")
        if self.num_frames < 1 or self.num_frames % 4 != 1:
            raise out_of_range("num_frames", self.num_frames, "4n+1, such as 1 or 81")
        for name in ("focus_weight", "prior_weight", "reference_noise"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise out_of_range(name, getattr(self, name), "0 or more")
        for name, known in (("schedule", SCHEDULES), ("targets", TARGETS)):
            if getattr(self, name) not in known:
                raise out_of_range(name, getattr(self, name), " or ".join(known))

    @property
    def roughness(self) -> Roughness:
        """Return how far references are disturbed."""
        return Roughness(self.reference_noise, self.reference_mask, self.reference_shuffle)

    def as_json(self) -> dict[str, Any]:
        """Return all settings, for `training.json`."""
        return asdict(self)

    def of_the_curve(self, processes: int) -> dict[str, Any]:
        """Return the settings that the loss curve depends on; a resumed training must match them.

        The batch size and the number of processes may change as long as their product with
        `accumulate` does not.
        """
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _MACHINE_ONLY}
        return {**kept, "examples_per_step": self.examples_per_step(processes)}

    def examples_per_step(self, processes: int) -> int:
        """Return the number of examples of one optimizer step."""
        return self.batch_size * self.accumulate * processes


OPTIONS: tuple[Field[Any], ...] = tuple(f for f in fields(LoraSettings) if "help" in f.metadata)
"""Fields that are command-line options: `--name-with-dashes`, with default, help and choices."""


def out_of_range(name: str, value: object, allowed: str) -> InputError:
    """Return the error of a setting that is out of range; `allowed` says what to choose."""
    return InputError(f"{name.replace('_', ' ')} is {value!r}.", f"Choose {allowed}.")
