"""Evidence of the standard metrics: frames at joints, and features of sets of clips."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from procvid.errors import UnavailableError
from procvid.evaluate.captions import real_alignments
from procvid.evaluate.evidence import ClipEvidence, RealAlignments, SetEvidence
from procvid.evaluate.inputs import ClipInput
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.sampling import SampledClip, sample
from procvid.media.image import resize
from procvid.types import Image, Vectors

JOINT_SIDE = 256
"""Size, in pixels, at which frames at joints are stored and compared."""


def joint_images(sampled: SampledClip) -> tuple[Image, Image]:
    """Return the first and the last frame, resized to `JOINT_SIDE`."""
    first, last = sampled.images[0], sampled.images[-1]
    return resize(first, JOINT_SIDE, JOINT_SIDE), resize(last, JOINT_SIDE, JOINT_SIDE)


def joint_distances(clips: Sequence[ClipEvidence], parts: EvaluationParts) -> dict[int, float]:
    """Return LPIPS of each joint by the number of the clip after it. Raises UnavailableError."""
    assert parts.frame_distance is not None
    found = {}
    for before, after in pairwise(clips):
        if after.number == before.number + 1 and before.joint_images and after.joint_images:
            found[after.number] = parts.frame_distance.distance(
                before.joint_images[1], after.joint_images[0]
            )
    return found


def set_features(sampled: SampledClip, parts: EvaluationParts, kind: str) -> Vectors:
    """Return the features of one clip. Raises UnavailableError."""
    distance = parts.set_distances[kind]
    frames = [sampled.images[place] for place in sampled.spread(distance.num_frames)]
    return distance.features(np.stack(frames))


class RealClips:
    """Real clips that runs are compared with; read when the first run needs them.

    Args:
        clips: At least two clips, or none.
        parts: The backbones.
        needs: Kinds of evidence that the chosen metrics need.
    """

    def __init__(
        self, clips: Sequence[ClipInput], parts: EvaluationParts, needs: Collection[str]
    ) -> None:
        self._clips, self._parts = clips, parts
        self._kinds = [kind for kind in parts.set_distances if kind in needs] if clips else []
        self.missing: dict[str, str] = {}

    @property
    def kinds(self) -> list[str]:
        """The kinds of features that can be compared; empty without real clips."""
        return [kind for kind in self._kinds if kind not in self.missing]

    @cached_property
    def features(self) -> dict[str, Vectors]:
        """float32 (N, D) by kind. An unavailable kind is left out, with its reason in `missing`.

        Raises:
            InputError: A clip cannot be read.
        """
        found: dict[str, list[Vectors]] = {}
        for clip in self._clips:
            sampled = sample(clip, None)
            for kind in self.kinds:
                try:
                    found.setdefault(kind, []).append(set_features(sampled, self._parts, kind))
                except UnavailableError as error:
                    self.missing[kind] = error.message
        return {kind: np.concatenate(found[kind]) for kind in self.kinds}

    @property
    def alignments(self) -> Callable[[], RealAlignments] | None:
        """Function that returns the scores of the real clips; None without real clips."""
        return (lambda: self._alignments) if self._clips else None

    @cached_property
    def _alignments(self) -> RealAlignments:
        return real_alignments(self._clips, self._parts)

    def sets(self, clips: Sequence[ClipEvidence]) -> dict[str, SetEvidence]:
        """Return the features of a run's clips together with the real ones, by kind."""
        features = self.features if self.kinds else {}
        return {
            kind: SetEvidence(
                real,
                np.concatenate([clip.set_features[kind] for clip in clips]),
                self._parts.set_distances[kind].distance,
            )
            for kind, real in features.items()
            if clips and all(kind in clip.set_features for clip in clips)
        }
