"""Evidence of the metrics: vectors, thumbnails and detections that are computed once for each clip.

Frames are dropped after a clip is read, so memory use does not grow with the length of clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from procvid.types import Frames, Image, Likelihood, Role, Vectors

FRAMES, CLIP, SHOTS, OBJECTS, SCENE, JUDGE = (
    "frame encoder",
    "CLIP",
    "shot detector",
    "detector",
    "scene reader",
    "judge",
)
"""Kinds of evidence, each named after the model that computes it."""

LPIPS, INCEPTION, VIDEO = "LPIPS", "Inception", "video network"
"""Kinds of evidence that only the standard metrics need."""

CAPTIONS, ENCODER = "captioner", "text encoder"
"""Kinds of evidence that only the metrics of captions need."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A planned object in one clip.

    Attributes:
        name: Name in the plan.
        role: Role in the plan.
        state: Planned state before the step, which a reference shows.
        changes: True if the step changes the state.
        likelihood: Likelihood that the object stays the same.
        score: Best detector score over the sampled frames, 0 to 1.
        vector: float32 (D,), L2-normalised mean over the crops; None below the detection threshold.
        reference_vector: Vector of the crop that conditioned the clip, or None without a crop.
        reference: Source of that crop, or empty.
        reference_lost: Why the crop that conditioned the clip cannot be read, or empty.
        pixel_match: Share of the reference's fine detail that the frames repeat pixel by pixel, 0 to
            1, median over the frames.
    """

    name: str
    role: Role
    state: str
    changes: bool
    likelihood: Likelihood
    score: float
    vector: NDArray[np.float32] | None = None
    reference_vector: NDArray[np.float32] | None = None
    reference: str = ""
    reference_lost: str = ""
    pixel_match: float | None = None


@dataclass(frozen=True)
class Observation:
    """An object in the middle frame of a clip, judged against its last known state.

    `first` marks a first appearance; `consistent` and `reason` are the judge's answer.
    """

    name: str
    state: str
    first: bool
    consistent: bool
    reason: str


@dataclass(frozen=True, eq=False)
class ClipEvidence:
    """The evidence of one clip. Evidence that is not needed or not available is None or empty.

    Attributes:
        number: Number of the step, from 1.
        text: Text of the step, or empty.
        num_frames, fps, width, height: Of the file.
        sampled: Index of each sampled frame in the clip, including the first and the last.
        pixel_motion: Mean absolute difference of neighbouring thumbnails, 0 to 255; None for one frame.
        num_pictures: Number of different images among the sampled frames, ignoring camera moves.
        resting: True if the step only waits, so that nothing has to move.
        known: False if the clip is not of the world that the models know; their evidence is then
            missing. None if it was not checked.
        frame_vectors: float32 (S, D) of the sampled frames, L2-normalised, from the frame encoder.
        clip_vectors: float32 (8, D) of frames spread over the clip, L2-normalised, from CLIP.
        last_clip_vector: float32 (D,) of the last frame, from CLIP.
        shot_thumbnails: uint8 (T', h, w, 3), the input of the shot detector. A long clip lacks whole
            windows in its middle, which do not affect any joint.
        sightings: The planned objects.
        seen: The objects of the middle frame with the judge's answers.
        vanished: Planned objects that the middle frame does not show.
        unread: Why the scene reader gave no usable answer for this clip, or empty.
        planned: Number of planned objects that the middle frame should show.
        first_image, last_image: For the film strip, at most 160 px wide.
        joint_images: First and last frame for the comparison at joints, 256x256 px.
        set_features: float32 (n, D) by kind of evidence, for comparison with real clips.
        caption: What the captioner saw, without knowing the step; or empty.
        uncaptioned: Why the captioner gave no caption for this clip, or empty.
    """

    number: int
    text: str
    num_frames: int
    fps: float
    width: int
    height: int
    sampled: tuple[int, ...]
    pixel_motion: float | None
    first_image: Image
    last_image: Image
    frame_vectors: Vectors | None = None
    clip_vectors: Vectors | None = None
    last_clip_vector: NDArray[np.float32] | None = None
    shot_thumbnails: Frames | None = None
    sightings: tuple[Sighting, ...] = ()
    seen: tuple[Observation, ...] = ()
    vanished: tuple[str, ...] = ()
    unread: str = ""
    joint_images: tuple[Image, Image] | None = None
    set_features: Mapping[str, Vectors] = field(default_factory=dict)
    caption: str = ""
    uncaptioned: str = ""
    planned: int = 0
    num_pictures: int | None = None
    resting: bool = False
    known: bool | None = None


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts and their vectors, the right one first; `vectors` is float32 (N, D), L2-normalised."""

    texts: tuple[str, ...]
    vectors: Vectors


@dataclass(frozen=True, eq=False)
class SetEvidence:
    """Features of real clips (N, D) and of one run's clips (M, D), float32, and their distance."""

    real: Vectors
    made: Vectors
    distance: Callable[[Vectors, Vectors], float]


@dataclass(frozen=True, eq=False)
class CaptionEvidence:
    """Captions and the texts of the recipe, all embedded by the text encoder.

    Attributes:
        vectors: float32 (D,) of each caption, L2-normalised, by step number.
        steps: All steps of the recipe.
        goal: The finished dish, followed by other dishes; None if the judge named none.
    """

    vectors: Mapping[int, NDArray[np.float32]]
    steps: Texts
    goal: Texts | None = None


@dataclass(frozen=True)
class RealAlignments:
    """How well the captions of real clips fit the texts of these clips.

    Attributes:
        scores: One for each clip with a text and a caption, 0 to 2.5.
        lost: Why the others have none, with their number, by reason.
        unavailable: Why no clip could be scored because a model is missing, or empty.
    """

    scores: tuple[float, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    unavailable: str = ""


@dataclass(frozen=True, eq=False)
class RunEvidence:
    """The evidence of all clips of one recipe.

    Attributes:
        name: Name of the run.
        clips: In order; a joint lies between clips with consecutive numbers.
        candidates: The step and its hard negatives, by step number.
        steps: All steps of the recipe.
        goal: The finished dish, followed by other dishes.
        shot_probabilities: float32, one for each of the `shot_thumbnails` of all clips in sequence.
        logit_scale: Logit scale of CLIP.
        joint_distances: LPIPS by the number of the clip after the joint.
        sets: Features of these and of real clips, by kind of evidence; empty without real clips.
        captions: Captions of the clips; None if they are not needed or there are none.
        real_alignments: Captions and scores of the real clips, computed by the first call; None
            without real clips.
        backbones: "id revision" by kind of evidence.
        missing: Reason why a kind of evidence is not available, by kind.
        limited: Kinds of evidence whose models know only some clips.
        why_limited: Why they cannot measure the others.
        notes: Notes for the user.
    """

    name: str
    clips: tuple[ClipEvidence, ...]
    candidates: Mapping[int, Texts] = field(default_factory=dict)
    steps: Texts | None = None
    goal: Texts | None = None
    shot_probabilities: NDArray[np.float32] | None = None
    logit_scale: float = 1.0
    joint_distances: Mapping[int, float] = field(default_factory=dict)
    sets: Mapping[str, SetEvidence] = field(default_factory=dict)
    captions: CaptionEvidence | None = None
    real_alignments: Callable[[], RealAlignments] | None = None
    backbones: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    limited: frozenset[str] = frozenset()
    why_limited: str = ""
    notes: tuple[str, ...] = ()

    def joints(self) -> list[tuple[ClipEvidence, ClipEvidence]]:
        """Return the pairs of consecutive clips: step i and step i + 1."""
        return [(a, b) for a, b in pairwise(self.clips) if b.number == a.number + 1]
