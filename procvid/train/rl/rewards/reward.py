"""What every reward has: a card, the models that it asks, and a value for a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from procvid.types import Frames, Image, ModelInfo, StepPlan


@dataclass(frozen=True)
class RewardCard:
    """What a reward measures.

    Attributes:
        id: Name in records, curves and options; also the name of its file.
        title: Title in tables.
        measures: One sentence: what gets 1 and what gets 0.
        none: When it does not apply.
        limits: What it does not see, or how it can be fooled.
    """

    id: str
    title: str
    measures: str
    none: str
    limits: str


@dataclass(frozen=True, eq=False)
class Shown:
    """A clip with what it should show.

    Attributes:
        frames: uint8 (T, H, W, 3) RGB.
        step: The plan of its step.
        references: The images that conditioned it, by object name, uint8 (h, w, 3) RGB.
    """

    frames: Frames
    step: StepPlan
    references: Mapping[str, Image]


class Reward(Protocol):
    """Scores a clip. The same clip gets the same value."""

    @property
    def card(self) -> RewardCard:
        """What it measures."""
        ...

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models that it asks."""
        ...

    def __call__(self, clip: Shown) -> float | None:
        """Return a value from 0 to 1, or None if the reward does not apply to this clip."""
        ...


class StateReader(Protocol):
    """Says how well images show an object in a state."""

    info: ModelInfo

    def state_fit(self, images: Sequence[Image], name: str, state: str) -> list[float] | None:
        """Return 0 to 1 for each image, or None if the reader does not know the name or state."""
        ...


class LookReader(Protocol):
    """Says how well images show the same thing as a reference."""

    info: ModelInfo

    def look_fit(self, images: Sequence[Image], name: str, reference: Image) -> list[float] | None:
        """Return 0 to 1 for each whole frame, or None if the reader does not know the object."""
        ...
