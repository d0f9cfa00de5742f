"""What stays the same through a recipe: the counter and the look of every vessel.

Colours are RGB 0 to 255. All draws come from one `numpy.random.Generator`, so a seed is a kitchen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RGB = tuple[int, int, int]

VESSEL_COLOURS: dict[str, RGB] = {
    "red": (214, 40, 40),
    "orange": (240, 130, 30),
    "yellow": (240, 205, 40),
    "green": (50, 160, 70),
    "teal": (20, 165, 165),
    "blue": (45, 90, 215),
    "purple": (130, 60, 190),
    "pink": (240, 110, 180),
}
COUNTERS: dict[str, RGB] = {
    "light grey": (205, 205, 205),
    "slate": (85, 95, 110),
    "beige": (218, 198, 164),
    "brown": (112, 78, 54),
    "pale blue": (168, 200, 224),
    "sage": (152, 176, 144),
    "rose": (222, 178, 178),
    "charcoal": (52, 50, 54),
}
EXTRA_COUNTERS: dict[str, RGB] = {"planks": (196, 150, 98)}
"""Drawn too, in boards of two tones, but shown to none of the shipped models (extension.py)."""
SHAPES: dict[str, tuple[str, ...]] = {
    "frying pan": ("round", "square"),
    "pot": ("round", "oval"),
    "bowl": ("round", "hexagonal"),
    "cutting board": ("rectangular", "round", "paddle"),
    "plate": ("round", "square"),
}
VESSELS = tuple(SHAPES)
PATTERNS = ("plain", "ring", "dots")
COLOUR_JITTER = 9
TINT_JITTER = 6


@dataclass(frozen=True)
class VesselLook:
    """A vessel's identity: class of colour, its exact RGB, shape and pattern."""

    colour: str
    rgb: RGB
    shape: str
    pattern: str

    def words(self, name: str) -> str:
        """ "red square frying pan with dots"."""
        extra = (
            ""
            if self.pattern == "plain"
            else {"ring": " with a ring", "dots": " with dots"}[self.pattern]
        )
        return f"{self.colour} {self.shape} {name}{extra}"


@dataclass(frozen=True)
class Kitchen:
    """The identity of one recipe: counter, vessels by name, and a tint that its foods share."""

    counter: str
    counter_rgb: RGB
    vessels: dict[str, VesselLook]
    food_tint: RGB


def jitter(rng: np.random.Generator, rgb: RGB, amount: int) -> RGB:
    """A colour moved by up to `amount` a channel."""
    moved = np.clip(np.array(rgb) + rng.integers(-amount, amount + 1, 3), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def random_kitchen(rng: np.random.Generator) -> Kitchen:
    """Draw a kitchen; vessels are independent of each other."""
    counter = str(rng.choice(list(COUNTERS)))
    vessels = {}
    for name, shapes in SHAPES.items():
        colour = str(rng.choice(list(VESSEL_COLOURS)))
        vessels[name] = VesselLook(
            colour,
            jitter(rng, VESSEL_COLOURS[colour], COLOUR_JITTER),
            str(rng.choice(shapes)),
            str(rng.choice(PATTERNS)),
        )
    counter_rgb = jitter(rng, COUNTERS[counter], COLOUR_JITTER)
    return Kitchen(counter, counter_rgb, vessels, _food_tint(rng))


def _food_tint(rng: np.random.Generator) -> RGB:
    """A small additive shift of all food colours of a recipe, -6 to 6 a channel."""
    shift = rng.integers(-TINT_JITTER, TINT_JITTER + 1, 3)
    return int(shift[0]), int(shift[1]), int(shift[2])
