"""What the metrics look at: numbers and small pictures drawn from each clip once.

Frames are gone after a clip has been read; vectors, thumbnails and sightings stay, so memory does
not grow with the length of the clips.
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
"""The kinds of evidence, named after the model that gives them."""

LPIPS, INCEPTION, VIDEO = "LPIPS", "Inception", "video network"
"""The kinds that only standard figures need."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A planned object in one clip.

    Attributes:
        name: As planned.
        role: As planned.
        state: As planned before the step; a reference shows this state.
        changes: Whether the step changes its state.
        likelihood: Of staying the same.
        score: Best detector score over the sampled frames, 0 to 1.
        vector: float32 (D,), L2-normalised mean over its crops; None below the gate.
        reference_vector: The same of the crop that conditioned the clip, or None without one.
        reference: Where that crop came from, or empty.
        reference_lost: Why the crop that conditioned the clip cannot be looked at, or empty.
        pixel_match: Share of the reference's fine detail that the frames repeat pixel by pixel, 0 to
            1, median over them.
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
class Seen:
    """An object in the middle frame of a clip, judged against what was known of it.

    `first` marks a first appearance; `consistent` and `reason` are the judge's answer.
    """

    name: str
    state: str
    first: bool
    consistent: bool
    reason: str


@dataclass(frozen=True, eq=False)
class ClipEvidence:
    """One clip. What was not asked for or could not be had is None or empty.

    Attributes:
        number: The step that it shows, from 1.
        text: The step, or empty.
        num_frames, fps, width, height: Of the file.
        sampled: Index of each sampled frame in the clip; the first and the last are among them.
        pixel_motion: Mean absolute difference of neighbouring thumbnails, 0 to 255; None for one frame.
        num_pictures: How many different pictures the sampled frames show, camera moves apart.
        resting: Whether its step only waits, so that nothing need move.
        frame_vectors: float32 (S, D) of the sampled frames, L2-normalised, from the frame encoder.
        clip_vectors: float32 (8, D) of frames uniform over the clip, L2-normalised, from CLIP.
        last_clip_vector: float32 (D,) of the last frame.
        shot_thumbnails: uint8 (T', h, w, 3): what the shot detector sees. From a long clip a middle
            part of whole windows is left out, which no joint can feel.
        sightings: The planned objects.
        seen: The objects of the middle frame with the judge's answers.
        vanished: Planned objects that the middle frame does not show.
        unread: Why the scene reader said nothing of use of this clip, or empty.
        planned: How many planned objects the middle frame should show.
        first_image, last_image: For the filmstrip, at most 160 px wide.
        joint_images: First and last frame for the comparison at joints, 256x256 px.
        set_features: float32 (n, D) by kind of evidence, for comparison with real clips.
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
    seen: tuple[Seen, ...] = ()
    vanished: tuple[str, ...] = ()
    unread: str = ""
    joint_images: tuple[Image, Image] | None = None
    set_features: Mapping[str, Vectors] = field(default_factory=dict)
    planned: int = 0
    num_pictures: int | None = None
    resting: bool = False


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts and their CLIP vectors, the right one first; `vectors` is float32 (N, D)."""

    texts: tuple[str, ...]
    vectors: Vectors


@dataclass(frozen=True, eq=False)
class SetEvidence:
    """Features of real clips and of one run's, float32 (N, D) and (M, D), and what compares them."""

    real: Vectors
    made: Vectors
    distance: Callable[[Vectors, Vectors], float]


@dataclass(frozen=True, eq=False)
class RunEvidence:
    """All clips of one recipe, in order.

    Attributes:
        name: Of the run, for people.
        clips: In order; a joint lies between clips of following numbers.
        candidates: By step number, the step and its hard negatives.
        steps: All steps of the recipe, as CLIP sees their texts.
        goal: The finished dish and the other dishes.
        shot_probabilities: float32, of the `shot_thumbnails` one clip after the other.
        logit_scale: Of CLIP.
        joint_distances: LPIPS by the number of the clip behind the joint.
        sets: By kind of evidence; empty without real clips.
        backbones: "id revision" by kind of evidence.
        missing: Why a kind of evidence could not be had, by kind.
        notes: What the user should know of how it came about.
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
    backbones: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def joints(self) -> list[tuple[ClipEvidence, ClipEvidence]]:
        """Neighbouring clips: step i and step i + 1."""
        return [(a, b) for a, b in pairwise(self.clips) if b.number == a.number + 1]
