"""Cut crops of toy-kitchen objects as the product does: detector box, vessels keyed onto white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procvid.media.image import crop_on_white
from procvid.media.keying import foreground_mask
from procvid.toykitchen.dataset import UNKNOWN_FOOD
from procvid.toykitchen.drawing import Box
from procvid.toykitchen.identity import SIDE_OBJECTS, TOOLS, VESSELS, ToyKitchen
from procvid.toykitchen.render import SIZE
from procvid.toykitchen.scene import Scene
from procvid.types import Image, Role

BOX_NOISE_PX = 1.2


@dataclass(frozen=True, eq=False)
class ToyCrop:
    """A crop with its ground truth: object, state, and look in words."""

    name: str
    role: Role
    state: str
    look: str
    image: Image


def role_of(name: str) -> Role:
    """Return the role of a toy object."""
    if name in VESSELS:
        return "vessel"
    if name in TOOLS:
        return "tool"
    return "surface" if name == "counter" or name in SIDE_OBJECTS else "food"


def cut(frame: Image, box: Box, role: Role) -> Image:
    """Cut a crop; vessels are keyed onto white, other objects keep their background."""
    return crop_on_white(frame, box, foreground_mask(frame) if role == "vessel" else None)


def noisy(rng: np.random.Generator, box: Box) -> Box:
    """Return the box as a detector finds it: about a pixel off on each side."""
    x0, y0, x1, y1 = (float(v) for v in np.array(box) + rng.normal(0, BOX_NOISE_PX, 4))
    return max(0.0, x0), max(0.0, y0), min(SIZE, max(x1, x0 + 4)), min(SIZE, max(y1, y0 + 4))


def look_of(name: str, kitchen: ToyKitchen) -> str:
    """Return the look of a toy object in words; "" for food."""
    if name in VESSELS:
        return kitchen.vessels[name].words(name)
    if name in TOOLS:
        return kitchen.tools[name].words(name)
    if name == "counter":
        return kitchen.counter.words()
    if kitchen.side is not None and name == kitchen.side.kind:
        return kitchen.side.words()
    return ""


def crops_of(
    rng: np.random.Generator,
    frame: Image,
    boxes: dict[str, Box],
    scene: Scene,
    kitchen: ToyKitchen,
    done: bool,
) -> list[ToyCrop]:
    """Return all objects of a frame as crops; `done` is True after the action changed the food."""
    states = {o.name: o.state for o in scene.others}
    if scene.food is not None:
        states[scene.food.name] = scene.state_after if done else scene.state_before
    return [
        ToyCrop(
            name,
            role_of(name),
            states.get(name, ""),
            look_of(name, kitchen),
            cut(frame, noisy(rng, box), role_of(name)),
        )
        for name, box in boxes.items()
        if name != UNKNOWN_FOOD
    ]
