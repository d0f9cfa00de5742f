"""From a clip to crops (paper, section 3.6): name the objects, find them, keep the best sight.

The same code fills a store from videos and the run's memory from the clips just made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set

import numpy as np

from procvid.media.image import crop_on_white
from procvid.memory.words import canonical
from procvid.protocols import Detector, SceneReader
from procvid.types import BoxXYXY, Crop, Detection, Frames, Image, Likelihood, Role, SceneObject

KEEP: frozenset[Likelihood] = frozenset({"likely", "highly_likely"})
"""The likelihoods whose objects become crops by default, as in the paper."""

MAX_FRAMES = 32
MIN_SIDE_PX = 4
SETTLED = 2 / 3
"""An `unlikely` object changes during the clip and is told in the state it ends in, so only the
frames after this share of the clip show that state."""

SHARP_VARIANCE = 400.0
FULL_SIZE_SHARE = 0.25
CUT_PENALTY = 0.5
SCORE_GRAIN = 0.05


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
    min_score: float = 0.3,
    batch_size: int = 16,
) -> list[Crop]:
    """The best crop of each object that a clip shows, in the order of the scene reader.

    Args:
        frames: uint8 (T, H, W, 3) RGB.
        fps: Frames a second, for `time_s` of the crops.
        text: What the clip shows, for the scene reader.
        source_id: Names the video, or `run/step`.
        scene_reader: Names objects, states and likelihoods.
        detector: Finds the objects in the frames.
        keep: Likelihoods of the objects that are kept.
        times_s: When each frame was, if not `index / fps`.
        licence: The licence of the source.
        min_score: Least detector score, 0 to 1.
        batch_size: How many frames go through the detector at once.

    Returns:
        At most one crop per object name; none for objects that are nowhere found.
    """
    wanted = _once([item for item in scene_reader.read(frames, text) if item.likelihood in keep])
    if not wanted:
        return []
    picked = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round())
    rows = [int(row) for row in picked]
    names = [item.name for item in wanted]
    seen: dict[str, list[tuple[int, Detection]]] = {canonical(name): [] for name in names}
    for batch in _batches(rows, batch_size):
        found = detector.detect([frames[row] for row in batch], names)
        for row, detections in zip(batch, found, strict=True):
            for detection in detections:
                if detection.score >= min_score and canonical(detection.label) in seen:
                    seen[canonical(detection.label)].append((row, detection))
    times = [row / fps for row in range(len(frames))] if times_s is None else list(times_s)
    crops = []
    for item in wanted:
        first_row = SETTLED * (len(frames) - 1) if item.likelihood == "unlikely" else 0
        sights = [sight for sight in seen[canonical(item.name)] if sight[0] >= first_row]
        crop = _best(item, sights, frames, times, source_id, licence)
        if crop is not None:
            crops.append(crop)
    return crops


def sharpness(image: Image) -> float:
    """How sharp a picture is, 0 (flat or blurred) to 1, from the variance of its Laplacian."""
    if min(image.shape[:2]) < 3:
        return 0.0
    grey = image.astype(np.float32).mean(axis=2)
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    variance = float(laplacian.var())
    return variance / (variance + SHARP_VARIANCE)


def quality(image: Image, box: BoxXYXY, score: float, role: Role) -> float:
    """How well a box shows its object, 0 to 1: sharpness, size, detector score; halved when cut.

    `image` is the whole frame. A surface fills the picture to its border by nature and is never
    called cut.
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
    """An id that is the same whenever the same thing is cut out again."""
    told = [source_id, name, state, f"{time_s:.3f}", *(f"{edge:.2f}" for edge in box)]
    return hashlib.sha256("\0".join(told).encode("utf-8")).hexdigest()[:16]


def _best(
    item: SceneObject,
    sights: Sequence[tuple[int, Detection]],
    frames: Frames,
    times_s: Sequence[float],
    source_id: str,
    licence: str,
) -> Crop | None:
    ranked = []
    for row, detection in sights:
        x0, y0, x1, y1 = detection.box_xyxy
        if min(x1 - x0, y1 - y0) < MIN_SIDE_PX:
            continue
        worth = quality(frames[row], detection.box_xyxy, detection.score, item.role)
        # Confidence first; within one grain of it the better picture, then the earlier one.
        ranked.append((int(detection.score / SCORE_GRAIN), worth, -row, detection))
    if not ranked:
        return None
    _, worth, minus_row, detection = max(ranked, key=lambda r: r[:3])
    row, box = -minus_row, tuple(float(edge) for edge in detection.box_xyxy)
    time_s = round(float(times_s[row]), 3)
    box_xyxy: BoxXYXY = (box[0], box[1], box[2], box[3])
    return Crop(
        id=crop_id(source_id, canonical(item.name), canonical(item.state), time_s, box_xyxy),
        name=canonical(item.name),
        role=item.role,
        description=item.description,
        state=canonical(item.state),
        likelihood=item.likelihood,
        source_id=source_id,
        time_s=time_s,
        box_xyxy=box_xyxy,
        detector_score=float(detection.score),
        quality=worth,
        image=crop_on_white(frames[row], box_xyxy, detection.mask),
        licence=licence,
    )


def _once(items: Sequence[SceneObject]) -> list[SceneObject]:
    first: dict[str, SceneObject] = {}
    for item in items:
        first.setdefault(canonical(item.name), item)
    return list(first.values())


def _batches(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
