"""All settings that decide how a model of visual states is trained. This module imports no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from procvid.errors import InputError
from procvid.settings import MAX_SEED
from procvid.train.lora.settings import option, out_of_range

INPUTS = ("both", "action", "caption")
MAX_CONTEXT = 64
MAX_STORIES = 300_000
MAX_VALIDATION = 400_000
"""More toy recipes would take seeds of the validation, or of the test kitchen."""


@dataclass(frozen=True, kw_only=True)
class DirectorSettings:
    """Settings of one training. Fields with a help text are options of `procvid train director`."""

    steps: int = option(600, "optimizer steps")
    batch_size: int = option(32, "stories per step")
    learning_rate: float = option(2e-3, "highest learning rate of AdamW; it falls as a cosine")
    muon: float = option(0.02, "highest learning rate of Muon, for the matrices")
    alpha: float = option(1.0, "weight of 1 - cosine in the loss")
    beta: float = option(1.0, "weight of the squared distance in the loss")
    inputs: str = option("both", "texts of each step that are read", INPUTS)
    context: int = option(8, "earlier steps that a prediction sees, with their texts and clips")
    width: int = option(128, "width of the transformer, a multiple of 4")
    layers: int = option(3, "layers of the transformer")
    validation: int = option(200, "stories to hold out if no row has another split")
    save_every: int = option(200, "steps between saved states")
    seed: int = option(0, "seed of all random draws")

    def __post_init__(self) -> None:
        """Raise InputError when a value is out of range."""
        for name in ("steps", "batch_size", "context", "width", "layers", "save_every"):
            if getattr(self, name) < 1:
                raise out_of_range(name, getattr(self, name), "1 or more")
        for name in ("learning_rate", "muon"):
            if not 0 < getattr(self, name) <= 1:
                raise out_of_range(name, getattr(self, name), "more than 0 and at most 1")
        for name in ("alpha", "beta"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise out_of_range(name, getattr(self, name), "0 or more")
        if self.alpha == self.beta == 0:
            raise InputError(
                "--alpha and --beta are both 0, so there is no loss.",
                "Set one above 0.",
            )
        if self.context > MAX_CONTEXT:
            raise out_of_range("context", self.context, f"at most {MAX_CONTEXT}")
        if self.width % 4:
            raise out_of_range("width", self.width, "a multiple of 4")
        if not 0 <= self.validation <= MAX_VALIDATION:
            raise out_of_range("validation", self.validation, f"0 to {MAX_VALIDATION}")
        for name, most in (("batch_size", 4096), ("width", 4096), ("layers", 64)):
            if getattr(self, name) > most:
                raise out_of_range(name, getattr(self, name), f"at most {most}")
        if not 0 <= self.seed <= MAX_SEED:
            raise out_of_range("seed", self.seed, f"0 to {MAX_SEED}")

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of each step that are read."""
        return ("action", "caption") if self.inputs == "both" else (self.inputs,)

    def learnt(self) -> dict[str, float | str]:
        """Return the settings that change the weights."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("save_every", "validation")
        }


OPTIONS = tuple(field for field in fields(DirectorSettings) if field.metadata)
