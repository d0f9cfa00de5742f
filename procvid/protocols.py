"""The seams: what a stage needs from a model, so that any model can stand behind it.

Adapters live in `procvid.models`, one folder per seam, and only `procvid.wiring.run` imports them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from procvid.types import (
    Clip,
    Conditioning,
    Denoised,
    Detection,
    Frames,
    Image,
    ModelInfo,
    Plan,
    Recipe,
    Sampling,
    SceneObject,
    ServiceUse,
    StateChange,
    TimedText,
    Vectors,
    Verdict,
)


@runtime_checkable
class Planner(Protocol):
    """Says which objects each step shows, in which state, and writes the enhanced prompt."""

    info: ModelInfo

    def plan(self, recipe: Recipe) -> Plan:
        """Plan all steps of a recipe."""
        ...


@runtime_checkable
class ServicePlanner(Planner, Protocol):
    """A planner that asks a model behind an API, which may cost money."""

    def recall(self, recipe: Recipe) -> Plan | None:
        """The plan when all answers to it are kept from before; else None. Asks nobody."""
        ...

    def forecast(self, recipe: Recipe) -> ServiceUse:
        """About what `plan` would ask; nothing when all is kept. Asks nobody."""
        ...


@runtime_checkable
class SceneReader(Protocol):
    """Names the objects of a clip with description, state and likelihood (paper, 3.6)."""

    info: ModelInfo

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Objects in a clip: uint8 (T, H, W, 3) RGB frames and the text that goes with them."""
        ...


@runtime_checkable
class StepFinder(Protocol):
    """Finds the cooking steps in what is said in a video, with their times (paper, 3.2)."""

    info: ModelInfo

    def find(self, title: str, cues: Sequence[TimedText]) -> tuple[TimedText, ...]:
        """Steps in the order of time. Raises InputError when this transcript cannot be used."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Describes a clip by looking at it, and rates a description (CookGen, appendix C)."""

    info: ModelInfo

    def caption(self, frames: Frames, action: str) -> str:
        """What uint8 (T, H, W, 3) RGB frames show, in at most 80 words; `action` is what is said."""
        ...

    def rate(self, frames: Frames, caption: str) -> int:
        """0 to 6: 3 and more is free of invention, the higher the more complete."""
        ...


@runtime_checkable
class Detector(Protocol):
    """Finds named objects in an image."""

    info: ModelInfo

    def detect(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        """Best detection first, per image; each name at most once. Score 0 to 1."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A CLIP space shared by images and text."""

    info: ModelInfo

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        ...

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """float32 (N, dim), L2-normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """float32 (N, dim), L2-normalised."""
        ...


@runtime_checkable
class TextImageScorer(Embedder, Protocol):
    """An embedder that also tells how sharp its cosines are meant to be, for the metrics."""

    @property
    def logit_scale(self) -> float:
        """The learned factor of the cosines before a softmax (about 100 for the published CLIPs)."""
        ...


@runtime_checkable
class FrameEncoder(Protocol):
    """Appearance of a whole frame or a crop, without words (DINO in the paper)."""

    info: ModelInfo

    def embed_frames(self, images: Sequence[Image]) -> Vectors:
        """float32 (N, dim), L2-normalised; the images may differ in size."""
        ...


@runtime_checkable
class FrameDistance(Protocol):
    """How different two frames look to people (LPIPS)."""

    info: ModelInfo

    def distance(self, a: Image, b: Image) -> float:
        """0 for the same picture; the two may differ in size."""
        ...


@runtime_checkable
class SetDistance(Protocol):
    """How far two sets of clips are from each other (FID, FVD)."""

    info: ModelInfo
    num_frames: int

    def features(self, frames: Frames) -> Vectors:
        """float32 (n, D) of `num_frames` frames of one clip, uint8 (T, H, W, 3) RGB; n is 1 or T."""
        ...

    def distance(self, real: Vectors, made: Vectors) -> float:
        """Fréchet distance of the features of two sets, 0 or more."""
        ...


@runtime_checkable
class ShotDetector(Protocol):
    """How probable a cut is at each frame of a video (TransNetV2 in the paper)."""

    info: ModelInfo

    def thumbnails(self, frames: Frames) -> Frames:
        """What the network sees of uint8 (T, H, W, 3) RGB frames: uint8 (T, h, w, 3), small."""
        ...

    def probabilities(
        self, thumbnails: Frames, wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """float32 (T,), 0 to 1: that a shot ends at this frame. Frames that are not `wanted` may be NaN."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Answers what the metrics ask in words: a language model, or rules."""

    info: ModelInfo

    def hard_negatives(self, step: str, count: int) -> tuple[str, ...]:
        """Texts very similar to a step that differ in one way that matters, at most `count`."""
        ...

    def goal(self, recipe: Recipe) -> str:
        """One sentence: what the finished dish looks like."""
        ...

    def other_goals(self, recipe: Recipe, count: int) -> tuple[str, ...]:
        """Finished dishes that this recipe does not make, worded like `goal`; at most `count`."""
        ...

    def explains(self, change: StateChange) -> Verdict:
        """Whether the step's text explains that an object changed its state."""
        ...


@runtime_checkable
class ClipGenerator(Protocol):
    """Makes one clip from a conditioning."""

    info: ModelInfo
    default_sampling: Sampling

    def check(self, sampling: Sampling) -> None:
        """Raise InputError if this model cannot make such a clip."""
        ...

    def undrawable(self, conditioning_words: Sequence[str]) -> tuple[str, ...]:
        """Return the object names that this model was not trained on; () if that is unknown."""
        ...

    def notes(self, sampling: Sampling) -> tuple[str, ...]:
        """Return what the user should know of such clips before the run, such as memory use."""
        ...

    def tflop(self, sampling: Sampling, num_references: int) -> float:
        """Return the operations of a clip with this many references, in 10^12."""
        ...

    def prepare(self) -> None:
        """Load the weights now; otherwise the first clip loads them."""
        ...

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        """Yield after every denoising step; return the clip. Closing it frees the device."""
        ...

    def release(self) -> None:
        """Free the weights; the next clip loads them again."""
        ...
