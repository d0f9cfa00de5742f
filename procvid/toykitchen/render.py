"""Render a scene as frames with the box of every object.

A frame is 96x96 px. Pillow draws it four times larger, then it is averaged down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from procvid.toykitchen.brush import UNITS, Brush
from procvid.toykitchen.counters import SIDE_BOX, draw_counter, draw_side
from procvid.toykitchen.drawing import Body, Box, FrameDrawing
from procvid.toykitchen.identity import ToyKitchen
from procvid.toykitchen.moves import MOVES
from procvid.toykitchen.scene import Scene
from procvid.toykitchen.vessels import draw_vessel, vessel_box

SIZE = 96
OVERSAMPLING = 4
NUM_FRAMES = 17
FPS = 8
CENTRE = (35.0, 33.0)
COUNTER_UNITS: Box = (0.0, 18.0, 13.5, 64.0)
"""Where the counter and its side object are visible."""
LEAST_UNITS = 3.0
"""Objects that show less than this at the frame's edge count as out of sight."""


@dataclass(frozen=True, eq=False)
class Rendered:
    """uint8 (T, 96, 96, 3) RGB frames and the boxes of visible objects per frame (xyxy px, clipped)."""

    frames: NDArray[np.uint8]
    boxes: tuple[dict[str, Box], ...]


def _clip_box(box: Box) -> Box | None:
    x0, y0, x1, y1 = (min(UNITS, max(0.0, v)) for v in box)
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= LEAST_UNITS else None


def _union(boxes: list[Box]) -> Box | None:
    clipped = [c for c in map(_clip_box, boxes) if c is not None]
    if not clipped:
        return None
    x0, y0, x1, y1 = zip(*clipped, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _background(kitchen: ToyKitchen, scene: Scene, x: float, y: float, scale: float) -> Image.Image:
    side = round(UNITS * scale)
    image = Image.new("RGB", (side, side))
    brush = Brush(ImageDraw.Draw(image), scale)
    draw_counter(brush, kitchen.counter)
    if kitchen.side is not None:
        draw_side(brush, kitchen.side)
    draw_vessel(brush, scene.vessel, kitchen.vessels[scene.vessel], x, y)
    return image


def render(
    scene: Scene,
    kitchen: ToyKitchen,
    num_frames: int = NUM_FRAMES,
    only: int | Sequence[int] | None = None,
) -> Rendered:
    """Render a scene in a kitchen; the same arguments give the same pixels.

    Args:
        scene: Action, foods and vessel.
        kitchen: Looks of vessel, tools, counter and side object.
        num_frames: Frames of the whole action, at least 2.
        only: Index or indices of the frames to return; default all.
    """
    shift = np.random.default_rng(scene.seed).uniform(-1.2, 1.2, 2)
    x, y = CENTRE[0] + float(shift[0]), CENTRE[1] + float(shift[1])
    scale = OVERSAMPLING * SIZE / UNITS
    background = _background(kitchen, scene, x, y, scale)
    still: dict[str, Box | None] = {
        "counter": COUNTER_UNITS,
        scene.vessel: _clip_box(vessel_box(scene.vessel, kitchen.vessels[scene.vessel], x, y)),
    }
    if kitchen.side is not None:
        still[kitchen.side.kind] = SIDE_BOX
    body = Body.of(scene.food) if scene.food else None
    others = tuple(Body.of(o) for o in scene.others)
    frames, truths = [], []
    for k in range(num_frames) if only is None else np.atleast_1d(only).tolist():
        drawing = FrameDrawing(background, scale, x, y, kitchen.food_tint)
        boxes = dict(still)
        move = MOVES[scene.action]
        tool = move(drawing, k / (num_frames - 1), body or NOTHING, others, kitchen.tools)
        frames.append(np.asarray(drawing.canvas.reduce(OVERSAMPLING)))
        for name, parts in drawing.boxes.items():
            boxes[name] = _union(parts)
        if tool is not None:
            boxes[tool[0]] = _clip_box(tool[1])
        truths.append({n: _to_pixels(b) for n, b in boxes.items() if n and b is not None})
    return Rendered(np.stack(frames), tuple(truths))


NOTHING = Body("", "nothing")


def _to_pixels(box: Box) -> Box:
    x0, y0, x1, y1 = (v * SIZE / UNITS for v in box)
    return x0, y0, x1, y1


COUNTER_BOX = _to_pixels(COUNTER_UNITS)
