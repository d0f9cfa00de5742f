"""Cut crops from a clip (paper, section 3.6): name the objects, find them, keep the best sight.

The same code fills a store from videos and a run's memory from its new clips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from procvid.media.image import crop_on_white, resize
from procvid.memory.words import canonical
from procvid.protocols import Detector, SceneReader
from procvid.stopping import stop_if_asked
from procvid.types import BoxXYXY, Crop, Detection, Frames, Image, Likelihood, Role, SceneObject

KEEP: frozenset[Likelihood] = frozenset({"likely", "highly_likely"})
"""The likelihoods whose objects become crops by default, as in the paper."""

MAX_FRAMES = 32
MIN_SIDE_PX = 4
SETTLED = 2 / 3
"""An `unlikely` object changes during the clip and is described in its final state. Only the frames
after this share of the clip show that state."""

SHARP_VARIANCE = 400.0
FULL_SIZE_SHARE = 0.25
CUT_PENALTY = 0.5
SCORE_GRAIN = 0.05
INSIDE = 0.8
"""Minimum share of a thing's box that lies in another box, for the thing to count as inside."""

MAX_SIDE_PX = 768
"""Longest side of a saved crop. No generator uses larger references."""


def crops_of_clip(
    frames: Frames,
    fps: float,
    text: str,
    source_id: str,
    *,
    scene_reader: SceneReader,
    detector: Detector,
    keep: Set[Likelihood] = KEEP,
    times_s: Sequence[float] | None = None,
    licence: str = "",
    url: str = "",
    min_score: float = 0.3,
    batch_size: int = 16,
) -> list[Crop]:
    """Return the best crop of each object in a clip, in the order of the scene reader.

    Args:
        frames: uint8 (T, H, W, 3) RGB.
        fps: Frames per second, for `time_s` of the crops.
        text: Description of the clip, for the scene reader.
        source_id: Id of the video, or `run/step`.
        scene_reader: Names objects, states and likelihoods.
        detector: Finds the objects in the frames.
        keep: Likelihoods of the objects that are kept.
        times_s: Time of each frame in seconds. Default: `index / fps`.
        licence: Licence of the source.
        url: Address where the source is published.
        min_score: Minimum detector score, 0 to 1.
        batch_size: Frames per call of the detector.

    Returns:
        At most one crop per object name. Objects that are not found have none.
    """
    items = scene_reader.read(frames, text)
    times = [row / fps for row in range(len(frames))] if times_s is None else list(times_s)
    settled_s = times[0] + SETTLED * (times[-1] - times[0])
    best = BestSights(items, settled_s, keep, source_id, licence, url, min_score)
    picked = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round())
    rows = [int(row) for row in picked]
    for start in range(0, len(rows), batch_size):
        stop_if_asked()
        batch = rows[start : start + batch_size]
        best.look([frames[row] for row in batch], [times[row] for row in batch], detector)
    return best.crops()


class BestSights:
    """The best sight of each object so far, updated frame by frame.

    Args:
        items: The objects that the scene reader named. The first of each name counts.
        settled_s: The time from which an `unlikely` object is in its described state.
        keep: Likelihoods of the objects that become crops.
        source_id: Source id of the clip.
        licence: Licence of the source.
        url: Address of the source.
        min_score: Minimum detector score, 0 to 1.
    """

    def __init__(
        self,
        items: Sequence[SceneObject],
        settled_s: float,
        keep: Set[Likelihood] = KEEP,
        source_id: str = "",
        licence: str = "",
        url: str = "",
        min_score: float = 0.3,
    ) -> None:
        self._items: dict[str, SceneObject] = {}
        for item in items:
            self._items.setdefault(canonical(item.name), item)
        self._keep, self._settled_s, self._min_score = keep, settled_s, min_score
        self._source_id, self._licence, self._url = source_id, licence, url
        self._best: dict[str, tuple[tuple[int, float], Crop]] = {}

    @property
    def wanted(self) -> bool:
        """Return True if any object is to be found."""
        return any(item.likelihood in self._keep for item in self._items.values())

    def look(self, frames: Sequence[Image], times_s: Sequence[float], detector: Detector) -> None:
        """Search more frames, uint8 (H, W, 3) RGB each, that follow those of earlier calls."""
        if not self.wanted:
            return
        names = [item.name for item in self._items.values()]
        for frame, time_s, found in zip(
            frames, times_s, detector.detect(frames, names), strict=True
        ):
            sights: dict[str, Detection] = {}
            for detection in found:
                name = canonical(detection.label)
                if detection.score >= self._min_score and name in self._items:
                    sights.setdefault(name, detection)
            for name, detection in sights.items():
                self._consider(name, detection, frame, float(time_s), sights)

    def crops(self) -> list[Crop]:
        """Return the crops in the order of the scene reader."""
        return [self._best[name][1] for name in self._items if name in self._best]

    def _consider(
        self,
        name: str,
        detection: Detection,
        frame: Image,
        time_s: float,
        sights: Mapping[str, Detection],
    ) -> None:
        item = self._items[name]
        x0, y0, x1, y1 = detection.box_xyxy
        if (
            item.likelihood not in self._keep
            or (item.likelihood == "unlikely" and time_s < self._settled_s)
            or min(x1 - x0, y1 - y0) < MIN_SIDE_PX
        ):
            return
        worth = quality(frame, detection.box_xyxy, detection.score, item.role)
        # Rank by detector score in steps of SCORE_GRAIN, then by quality, then the earlier frame.
        # For an object that changes, the latest frame wins, because it shows the final state.
        second = time_s if item.likelihood == "unlikely" else worth
        rank = (int(detection.score / SCORE_GRAIN), second)
        if name in self._best and rank <= self._best[name][0]:
            return
        box: BoxXYXY = (float(x0), float(y0), float(x1), float(y1))
        mask, masked = detection.mask, frozenset[str]()
        if item.role == "vessel":
            mask, masked = self._without_contents(name, detection, box, sights)
        state, time_s = canonical(item.state), round(time_s, 3)
        crop = Crop(
            id=crop_id(self._source_id, name, state, time_s, box),
            name=name,
            role=item.role,
            description=item.description,
            state=state,
            likelihood=item.likelihood,
            time_s=time_s,
            box_xyxy=box,
            detector_score=float(detection.score),
            quality=worth,
            image=cut(frame, box, mask),
            shows=tuple(
                words
                for words in self._inside(name, box, time_s, sights)
                if words.partition(": ")[0] not in masked
            ),
            source_id=self._source_id,
            licence=self._licence,
            url=self._url,
        )
        self._best[name] = (rank, crop)

    def _without_contents(
        self, name: str, detection: Detection, box: BoxXYXY, sights: Mapping[str, Detection]
    ) -> tuple[NDArray[np.bool_] | None, frozenset[str]]:
        """Return the mask of a vessel without the foods in it, and the foods that have a mask."""
        inside = {
            other: sight.mask
            for other, sight in sights.items()
            if other != name
            and sight.mask is not None
            and self._items[other].role == "food"
            and share_inside(sight.box_xyxy, box) >= INSIDE
        }
        if not inside:
            return detection.mask, frozenset()
        foods = np.logical_or.reduce([mask for mask in inside.values() if mask is not None])
        return ~foods if detection.mask is None else detection.mask & ~foods, frozenset(inside)

    def _inside(
        self, name: str, box: BoxXYXY, time_s: float, sights: Mapping[str, Detection]
    ) -> tuple[str, ...]:
        """Return the other objects of the frame that lie in the box, with their states if known."""
        inside = []
        for other, detection in sights.items():
            if other == name or share_inside(detection.box_xyxy, box) < INSIDE:
                continue
            item = self._items[other]
            sure = item.likelihood != "unlikely" or time_s >= self._settled_s
            inside.append(f"{other}: {canonical(item.state)}" if sure and item.state else other)
        return tuple(sorted(inside))


def cut(frame: Image, box: BoxXYXY, mask: NDArray[np.bool_] | None = None) -> Image:
    """Return the crop of a box, on white if there is a mask, at most `MAX_SIDE_PX` long."""
    crop = crop_on_white(frame, box, mask)
    height, width = crop.shape[:2]
    share = MAX_SIDE_PX / max(height, width)
    if share >= 1:
        return crop
    return resize(crop, max(1, round(width * share)), max(1, round(height * share)))


def share_inside(inner: BoxXYXY, outer: BoxXYXY) -> float:
    """Return the share of a box's area that lies in another box, 0 to 1."""
    width = min(inner[2], outer[2]) - max(inner[0], outer[0])
    height = min(inner[3], outer[3]) - max(inner[1], outer[1])
    area = (inner[2] - inner[0]) * (inner[3] - inner[1])
    return max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0


def sharpness(image: Image) -> float:
    """Return the sharpness, 0 (flat or blurred) to 1, from the variance of the Laplacian."""
    if min(image.shape[:2]) < 3:
        return 0.0
    grey = image.astype(np.float32).mean(axis=2)
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    variance = float(laplacian.var())
    return variance / (variance + SHARP_VARIANCE)


def quality(image: Image, box: BoxXYXY, score: float, role: Role) -> float:
    """Return how well a box shows its object, 0 to 1, from sharpness, size and detector score.

    The value is halved if the frame's border cuts the object. Surfaces always reach the border, so
    they are exempt. `image` is the whole frame.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    left, top = max(0, int(x0)), max(0, int(y0))
    size = np.sqrt(max(0.0, (x1 - x0) * (y1 - y0)) / (height * width)) / FULL_SIZE_SHARE
    inside = sharpness(image[top : int(np.ceil(y1)), left : int(np.ceil(x1))])
    value = 0.4 * inside + 0.3 * min(1.0, float(size)) + 0.3 * score
    cut = role != "surface" and (x0 < 1 or y0 < 1 or x1 > width - 1 or y1 > height - 1)
    return float(np.clip(value * (CUT_PENALTY if cut else 1.0), 0.0, 1.0))


def crop_id(source_id: str, name: str, state: str, time_s: float, box: BoxXYXY) -> str:
    """Return an id that is the same for the same crop in every build."""
    parts = [source_id, name, state, f"{time_s:.3f}", *(f"{edge:.2f}" for edge in box)]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:16]
