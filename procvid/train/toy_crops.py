"""Crops of toy-kitchen objects as the product cuts them: box of a detector, keyed onto white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procvid.media.image import crop_on_white
from procvid.media.keying import foreground_mask
from procvid.toykitchen.dataset import UNKNOWN_FOOD
from procvid.toykitchen.identity import VESSELS, Kitchen
from procvid.toykitchen.render import TOOLS, Box, Scene
from procvid.types import Image, Role

BOX_NOISE_PX = 1.2


@dataclass(frozen=True, eq=False)
class ToyCrop:
    """A crop with its truth: what it shows, in which state, and a vessel's look in words."""

    name: str
    role: Role
    state: str
    look: str
    image: Image


def role_of(name: str) -> Role:
    """The role of a toy object."""
    if name in VESSELS:
        return "vessel"
    if name in TOOLS:
        return "tool"
    return "surface" if name == "counter" else "food"


def cut(frame: Image, box: Box, role: Role) -> Image:
    """Vessels are keyed onto white; the rest keeps what surrounds it."""
    return crop_on_white(frame, box, foreground_mask(frame) if role == "vessel" else None)


def noisy(rng: np.random.Generator, box: Box) -> Box:
    """The box as a detector would give it, about a pixel off on each side."""
    x0, y0, x1, y1 = (float(v) for v in np.array(box) + rng.normal(0, BOX_NOISE_PX, 4))
    return max(0.0, x0), max(0.0, y0), min(64.0, max(x1, x0 + 3)), min(64.0, max(y1, y0 + 3))


def crops_of(
    rng: np.random.Generator,
    frame: Image,
    boxes: dict[str, Box],
    scene: Scene,
    kitchen: Kitchen,
    state: str,
) -> list[ToyCrop]:
    """All objects of a frame as crops; `state` is what the food is in at that frame."""
    found = []
    for name, box in boxes.items():
        role = role_of(name)
        counter = f"{kitchen.counter} counter"
        look = (
            kitchen.vessels[name].words(name)
            if role == "vessel"
            else counter
            if role == "surface"
            else ""
        )
        if name == UNKNOWN_FOOD:
            continue
        found.append(
            ToyCrop(
                name, role, state if role == "food" else "", look, cut(frame, noisy(rng, box), role)
            )
        )
    return found
