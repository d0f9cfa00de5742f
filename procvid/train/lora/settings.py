"""Everything that decides how a LoRA is trained, in one value."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from procvid.errors import InputError
from procvid.settings import MAX_REFERENCES, MAX_SEED

Precision = Literal["no", "bf16"]
SCHEDULES = ("constant", "linear")
TARGETS = ("attention", "all")

_OF_THE_MACHINE = frozenset(
    {"batch_size", "accumulate", "checkpointing", "save_every", "validate_every", "track"}
)
"""They change time and memory and not what is learnt."""


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """How to train; the defaults are the paper's (section 4) where it says them.

    Attributes:
        width: Of what the model is shown, px.
        height: Likewise.
        num_frames: Most frames of a clip, 4n+1; shorter clips give fewer, pictures one.
        fps: Clips are read at this rate.
        shift: Of the flow: how far the noise levels are moved towards noise.
        rank: Of every pair of matrices.
        targets: "attention" layers, or "all": feed-forward layers and the projection of the text too.
        alpha: The change is scaled by alpha / rank.
        epochs: Passes over the data.
        batch_size: Examples of one shape that go through the model together.
        accumulate: Batches of one optimiser step, on each GPU.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        warmup: Steps in which the rate rises.
        schedule: Then "constant", or "linear" down to zero.
        drop_text: Share of examples whose text is Wan's negative prompt, as in the null branch.
        drop_references: Share of examples with references whose latents are zeros, likewise.
        no_references: Share of examples that get no reference at all, as text to video has none.
        shuffle_references: Share of examples whose references come in another order.
        max_references: Most references of an example.
        focus_weight: How much more the loss counts in the boxes that the data name; 0 is not more.
        prior_weight: How much an example of the prior counts, where others count 1.
        validation: Examples that are kept out of training, when the data do not name their own.
        seed: Of everything that is drawn.
        precision: "bf16" for a GPU; "no" computes in float32.
        checkpointing: Compute activations again in the backward pass: less memory, a third more time.
        save_every: Steps between two saved states.
        validate_every: Epochs between two validations.
        track: Whether curves and clips go to TensorBoard too.
    """

    width: int
    height: int
    num_frames: int
    fps: int
    shift: float
    rank: int = 16
    alpha: float = 16.0
    targets: str = "attention"
    epochs: int = 20
    batch_size: int = 1
    accumulate: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: int = 20
    schedule: str = "constant"
    drop_text: float = 0.1
    drop_references: float = 0.1
    no_references: float = 0.15
    shuffle_references: float = 0.2
    max_references: int = MAX_REFERENCES
    focus_weight: float = 0.0
    prior_weight: float = 1.0
    validation: int = 4
    seed: int = 0
    precision: Precision = "no"
    checkpointing: bool = False
    save_every: int = 100
    validate_every: int = 5
    track: bool = False

    def __post_init__(self) -> None:
        """Raise InputError when a value makes no sense."""
        for name in ("rank", "epochs", "batch_size", "accumulate", "save_every", "validate_every"):
            if getattr(self, name) < 1:
                raise _wrong(name, getattr(self, name), "1 or more")
        for name in ("drop_text", "drop_references", "no_references", "shuffle_references"):
            if not 0 <= getattr(self, name) <= 1:
                raise _wrong(name, getattr(self, name), "0 to 1")
        for name in ("alpha", "learning_rate", "shift"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise _wrong(name, getattr(self, name), "a number above 0")
        for name, low, high in (("warmup", 0, 10**6), ("validation", 0, 1000),
                                ("max_references", 0, MAX_REFERENCES), ("seed", 0, MAX_SEED)):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise _wrong(name, getattr(self, name), f"{low} to {high}")
        if self.num_frames < 1 or self.num_frames % 4 != 1:
            raise _wrong("num_frames", self.num_frames, "4n+1, such as 1 or 81")
        for name in ("focus_weight", "prior_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise _wrong(name, getattr(self, name), "0 or more")
        for name, known in (("schedule", SCHEDULES), ("targets", TARGETS)):
            if getattr(self, name) not in known:
                raise _wrong(name, getattr(self, name), " or ".join(known))

    def as_json(self) -> dict[str, Any]:
        """All of it, for `training.json`."""
        return asdict(self)

    def of_the_curve(self, processes: int) -> dict[str, Any]:
        """What must be the same for a training to go on: all that the curve depends on.

        How a step is cut into batches, and over how many processes, is not part of it.
        """
        kept = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in _OF_THE_MACHINE
        }
        return {**kept, "examples_per_step": self.examples_per_step(processes)}

    def examples_per_step(self, processes: int) -> int:
        """Examples of one optimiser step."""
        return self.batch_size * self.accumulate * processes


def _wrong(name: str, value: object, wanted: str) -> InputError:
    return InputError(f"{name.replace('_', ' ')} is {value!r}.", f"Choose {wanted}.")
