"""Protocols of the models, so that any model can serve a stage.

Adapters live in `procvid.models`, one folder per seam, and only `procvid.wiring.run` imports them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
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
    Samples,
    Sampling,
    SceneObject,
    ServiceUse,
    StateChange,
    StepPlan,
    TakeVerdict,
    TimedText,
    Vectors,
    Verdict,
)
from procvid.types.difference import ClipDifferences, ClipView, ClipWords, PairAnswers


@runtime_checkable
class Planner(Protocol):
    """Plans the objects and states of each step, and writes the enhanced prompt."""

    info: ModelInfo

    def plan(self, recipe: Recipe) -> Plan:
        """Plan all steps of a recipe."""
        ...


@runtime_checkable
class ServicePlanner(Planner, Protocol):
    """A planner that asks a model behind an API, which may cost money."""

    def recall(self, recipe: Recipe) -> Plan | None:
        """Return the plan if all answers are cached, else None; sends no request."""
        ...

    def forecast(self, recipe: Recipe) -> ServiceUse:
        """Estimate the requests of `plan` without sending any; zero if all answers are cached."""
        ...


@runtime_checkable
class SceneReader(Protocol):
    """Names the objects of a clip with description, state and likelihood (paper, 3.6)."""

    info: ModelInfo

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the objects in uint8 (T, H, W, 3) RGB frames, with the text that goes with them."""
        ...


@runtime_checkable
class DifferenceReader(Protocol):
    """Says what differs between two clips (Step Differences in Instructional Video, 2024)."""

    info: ModelInfo

    def differences(self, a: ClipView, b: ClipView, text: str) -> ClipDifferences:
        """Return what `b` shows instead of `a`; `text` is the step of both, or "".

        Raises:
            InputError: The reader gave no usable answer about these clips.
        """
        ...


@runtime_checkable
class PairWriter(Protocol):
    """Describes clips, and writes questions about two descriptions (paper as above, S1)."""

    info: ModelInfo

    def describe(self, words: ClipWords) -> str:
        """Return one sentence on what is done in a clip, and with which objects.

        Raises:
            InputError: There is no usable description of this clip.
        """
        ...

    def compare(
        self, first: ClipWords, second: ClipWords, descriptions: tuple[str, str]
    ) -> PairAnswers:
        """Return what the second clip has instead of the first, with questions.

        Args:
            first, second: What is known of the clips.
            descriptions: The sentence that `describe` returned for each.

        Raises:
            InputError: There is no usable answer about this pair.
        """
        ...


@runtime_checkable
class CoachReader(Protocol):
    """Says which step of a plan a clip shows, and what it does differently from one."""

    info: ModelInfo
    least_fit: float

    def fits(self, plan: Plan, clip: ClipView) -> tuple[float, ...]:
        """Return how well the clip fits each step, 0 to 1. It shows none below `least_fit`."""
        ...

    def against(self, step: StepPlan, clip: ClipView, made: ClipView | None) -> ClipDifferences:
        """Return what the clip does differently from a step.

        Args:
            step: The step.
            clip: The clip, B of the differences.
            made: The generated clip of the step, for readers that compare pictures.
        """
        ...


@runtime_checkable
class StepFinder(Protocol):
    """Finds the cooking steps in speech, with their times (paper, 3.2)."""

    info: ModelInfo

    def find(self, title: str, cues: Sequence[TimedText]) -> tuple[TimedText, ...]:
        """Return the steps in order of time. Raise InputError for an unusable transcript."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Describes a clip by looking at it, and rates a description (CookGen, appendix C)."""

    info: ModelInfo

    def caption(self, frames: Frames, action: str) -> str:
        """Describe uint8 (T, H, W, 3) RGB frames in at most 80 words; `action` is the speech, or ""."""
        ...

    def rate(self, frames: Frames, caption: str) -> int:
        """Return 0 to 6, higher is more complete; from 3 on nothing is invented."""
        ...


@runtime_checkable
class Detector(Protocol):
    """Finds named objects in an image."""

    info: ModelInfo

    def detect(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        """Return the detections per image, best first, each name at most once. Score 0 to 1."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A CLIP model: one space for images and text."""

    info: ModelInfo

    @property
    def dim(self) -> int:
        """Return the width of the vectors."""
        ...

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Return float32 (N, dim), L2-normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (N, dim), L2-normalised."""
        ...


@runtime_checkable
class TextImageScorer(Embedder, Protocol):
    """An embedder with a logit scale, for the metrics."""

    @property
    def logit_scale(self) -> float:
        """Return the learned factor of the cosines before a softmax (about 100 for CLIP)."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """Embeds texts of several sentences, so that two of them can be compared."""

    info: ModelInfo

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (N, D), L2-normalised. Raise UnavailableError if the model is missing."""
        ...


@runtime_checkable
class StatePredictor(Protocol):
    """Predicts what each clip of a plan looks like, before it is made (paper 003, equation 3)."""

    info: ModelInfo

    def predict(self, plan: Plan, clips: Mapping[int, Frames] | None = None) -> Vectors:
        """Return the embedding of each step's clip, float32 (N, dim), L2-normalised.

        `clips` are those that exist, by step number from 1: uint8 (T, H, W, 3) RGB.
        """
        ...

    def state(self, frames: Frames) -> Vectors:
        """Return the embedding of a clip, float32 (dim,), L2-normalised."""
        ...


@runtime_checkable
class FrameEncoder(Protocol):
    """Encodes the appearance of a whole frame or a crop (DINO in the paper)."""

    info: ModelInfo

    def embed_frames(self, images: Sequence[Image]) -> Vectors:
        """Return float32 (N, dim), L2-normalised; the images may differ in size."""
        ...


@runtime_checkable
class FrameDistance(Protocol):
    """Perceptual distance of two frames (LPIPS)."""

    info: ModelInfo

    def distance(self, a: Image, b: Image) -> float:
        """Return 0 for the same image, more for others; the two may differ in size."""
        ...


@runtime_checkable
class SetDistance(Protocol):
    """Distance of two sets of clips (FID, FVD)."""

    info: ModelInfo
    num_frames: int

    def features(self, frames: Frames) -> Vectors:
        """Return float32 (n, D) of `num_frames` frames of a clip, uint8 (T, H, W, 3) RGB; n is 1 or T."""
        ...

    def distance(self, real: Vectors, made: Vectors) -> float:
        """Return the Fréchet distance of the features of two sets, 0 or more."""
        ...


@runtime_checkable
class ShotDetector(Protocol):
    """Probability of a shot boundary at each frame of a video (TransNetV2 in the paper)."""

    info: ModelInfo

    def thumbnails(self, frames: Frames) -> Frames:
        """Return the input of the network, uint8 (T, h, w, 3), for uint8 (T, H, W, 3) RGB frames."""
        ...

    def probabilities(
        self, thumbnails: Frames, wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return the probability that a shot ends, float32 (T,). It may be NaN outside `wanted`."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Answers the text questions of the metrics: a language model, or rules."""

    info: ModelInfo

    def hard_negatives(self, step: str, count: int) -> tuple[str, ...]:
        """Return at most `count` texts that differ from a step in one way that matters."""
        ...

    def goal(self, recipe: Recipe) -> str:
        """Return one sentence that describes the finished dish."""
        ...

    def other_goals(self, recipe: Recipe, count: int) -> tuple[str, ...]:
        """Return at most `count` dishes that this recipe does not make, worded like `goal`."""
        ...

    def explains(self, change: StateChange) -> Verdict:
        """Return whether the step's text explains the change of an object's state."""
        ...


@runtime_checkable
class TakeJudge(Protocol):
    """Scores the takes of a step, so that the best one becomes its clip."""

    info: ModelInfo

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        """Return the score of a clip, 0 to 1, or None if it cannot be judged, with the reason.

        Args:
            frames: The clip, uint8 (T, H, W, 3) RGB, in the size in which it was generated.
            step: The plan of the step.
            references: The images that conditioned the clip, by object name.
        """
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
        """Return notes on such clips for the user before the run, such as memory use."""
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


@runtime_checkable
class Voice(Protocol):
    """Speaks text."""

    info: ModelInfo

    def speak(self, text: str) -> tuple[Samples, int]:
        """Return the speech as mono float32 (N,), -1 to 1, and its rate in Hz.

        Raises:
            UnavailableError: The voice does not work.
        """
        ...
