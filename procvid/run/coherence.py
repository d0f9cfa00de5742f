"""What a clip sees of the clip before it (`--coherence rolling`).

The end of the clip before is read from its file, so a resumed or regenerated step sees the same pixels.
Objects are painted white, as around a reference: the next step may show them changed, or not at all,
and has references of its own for them. What is left is the place: counter, things beside, light.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from procvid.errors import RunError
from procvid.media.video import read_clip
from procvid.protocols import Detector
from procvid.run.folder import CLIP, RunFolder
from procvid.run.parts import Parts
from procvid.types import Frames, StepPlan

TEMPORAL = 4
"""Most frames of the video in one latent frame; the encoder takes those that it needs."""

MARGIN_PX = 1
"""Painted around the box of an object, px."""

WHITE = 255


def seen_before(run: RunFolder, parts: Parts, step: StepPlan) -> tuple[Frames | None, str]:
    """Return the end of the clip before a step without its objects, and the hash of that clip.

    Nothing and "" for the first step, and for a run whose clips do not see each other.

    Returns:
        uint8 (T, H, W, 3) RGB in the size of the model, T = 4 K + 1, or fewer for a shorter clip.

    Raises:
        RunError: The clip before is missing or damaged.
    """
    sampling, number = run.record.request.sampling, step.number - 1
    if not sampling.context_frames or number < 1:
        return None, ""
    plan = run.read_plan()
    if plan is None:
        return None, ""
    record = run.read_step(number)
    if record is None:
        raise RunError(
            f"The clip of step {plan.names[number]} is missing or damaged, and the next one sees it.",
            "Run the command again, so that it is made first.",
        )
    clip = read_clip(run.step_folder(number) / CLIP, downscale=parts.profile.display_scale).frames
    end = clip[-(TEMPORAL * sampling.context_frames + 1) :]
    names = [item.name for item in plan.steps[number - 1].objects if item.role != "surface"]
    return without_objects(end, names, parts.detector), record.clip_sha256


def without_objects(frames: Frames, names: Sequence[str], detector: Detector) -> Frames:
    """Return frames with the boxes of objects painted white.

    Args:
        frames: uint8 (T, H, W, 3) RGB.
        names: Names of the objects.
        detector: Finds them; an object that it does not find stays.
    """
    painted = np.array(frames)
    for frame, boxes in zip(painted, _boxes(frames, names, detector), strict=True):
        for x0, y0, x1, y1 in boxes:
            top, left = max(0, math.floor(y0) - MARGIN_PX), max(0, math.floor(x0) - MARGIN_PX)
            frame[top : math.ceil(y1) + MARGIN_PX, left : math.ceil(x1) + MARGIN_PX] = WHITE
    return painted


def _boxes(
    frames: Frames, names: Sequence[str], detector: Detector
) -> Iterator[list[tuple[float, float, float, float]]]:
    if not names:
        yield from ([] for _ in frames)
        return
    for found in detector.detect(list(frames), list(names)):
        yield [one.box_xyxy for one in found]
