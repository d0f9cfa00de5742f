"""Draw what stays the same through a recipe: counter, vessels, tools and side object.

Colours are RGB 0 to 255. All draws come from one `numpy.random.Generator`, so a seed determines a
kitchen. Some looks are held out: training never draws them, the test kitchen draws only them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Literal

import numpy as np

RGB = tuple[int, int, int]
Split = Literal["train", "test", "any"]

COLOURS: dict[str, RGB] = {
    "red": (214, 40, 40),
    "orange": (240, 130, 30),
    "yellow": (240, 205, 40),
    "green": (50, 160, 70),
    "teal": (20, 165, 165),
    "blue": (45, 90, 215),
    "purple": (130, 60, 190),
    "pink": (240, 110, 180),
}
VESSEL_COLOURS = COLOURS
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
COUNTER_PATTERNS = ("plain", "tiled", "striped", "checked")
EXTRA_COUNTERS: dict[str, RGB] = {"planks": (196, 150, 98)}
"""Counters of the extension, in boards of two tones; no shipped model was trained on them."""
SHAPES: dict[str, tuple[str, ...]] = {
    "frying pan": ("round", "square"),
    "pot": ("round", "oval"),
    "bowl": ("round", "hexagonal"),
    "cutting board": ("rectangular", "round", "paddle"),
    "plate": ("round", "square"),
    "baking tray": ("rectangular", "oval"),
}
VESSELS = tuple(SHAPES)
PATTERNS = ("plain", "ring", "dots")
TOOLS = ("knife", "spoon", "whisk", "spatula")
HANDLES = ("plain", "banded")
SIDE_OBJECTS = ("jar", "mug", "bottle", "plant")
COLOUR_JITTER = 9
TINT_JITTER = 6
HELD_OUT_SHARE = 8
"""One look in this many is held out."""
HELD_OUT_RADIUS = 45.0
"""No counter of any colour is this near (RGB distance) to a held-out one of the same pattern."""
ANY_COUNTER_SHARE = 0.6
"""Share of training kitchens with a counter of any colour."""
STRONGEST_PATTERN = 4.5
"""The strongest pattern on a counter of any colour, as a multiple of those in the test kitchen."""


@dataclass(frozen=True)
class VesselLook:
    """A vessel's identity: colour name, exact RGB, shape and pattern."""

    colour: str
    rgb: RGB
    shape: str
    pattern: str

    def words(self, name: str) -> str:
        """Return words such as "red square frying pan with dots"."""
        extra = {"plain": "", "ring": " with a ring", "dots": " with dots"}[self.pattern]
        return f"{self.colour} {self.shape} {name}{extra}"


@dataclass(frozen=True)
class ToolLook:
    """A hand tool's identity: colour of the handle, and whether it has bands."""

    colour: str
    rgb: RGB
    pattern: str

    def words(self, name: str) -> str:
        """Return words such as "knife with a teal banded handle"."""
        band = "banded " if self.pattern == "banded" else ""
        return f"{name} with a {self.colour} {band}handle"


@dataclass(frozen=True)
class SideLook:
    """The object beside the vessel in every step: its kind and colour."""

    kind: str
    colour: str
    rgb: RGB

    def words(self) -> str:
        """Return words such as "blue jar"."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True)
class CounterLook:
    """The counter: colour name ("" for a colour without a name), RGB, pattern, RGB of the pattern."""

    colour: str
    rgb: RGB
    pattern: str
    second: RGB

    def words(self) -> str:
        """Return words such as "tiled sage counter"."""
        pattern = "" if self.pattern == "plain" else self.pattern
        return " ".join(word for word in (pattern, self.colour, "counter") if word)


@dataclass(frozen=True)
class ToyKitchen:
    """The looks of one recipe. `side` may be None; `food_tint` shifts the colours of its foods."""

    counter: CounterLook
    vessels: dict[str, VesselLook]
    tools: dict[str, ToolLook]
    side: SideLook | None
    food_tint: RGB


@lru_cache
def looks(name: str, split: Split) -> tuple[tuple[str, ...], ...]:
    """Return all looks of a thing in a split: tuples of words such as (colour, shape, pattern).

    One in eight is held out for the test kitchen; the choice depends on the words only.
    """
    parts: dict[str, tuple[tuple[str, ...], ...]] = {
        "side": (SIDE_OBJECTS, tuple(COLOURS)),
        "counter": (tuple(COUNTERS), COUNTER_PATTERNS),
        **{tool: (tuple(COLOURS), HANDLES) for tool in TOOLS},
        **{vessel: (tuple(COLOURS), SHAPES[vessel], PATTERNS) for vessel in VESSELS},
    }
    every = sorted(
        product(*parts[name]), key=lambda words: zlib.crc32("/".join((name, *words)).encode())
    )
    held_out = len(every) // HELD_OUT_SHARE
    chosen = {"any": every, "test": every[:held_out], "train": every[held_out:]}[split]
    return tuple(sorted(chosen))


def _jitter(rng: np.random.Generator, rgb: RGB, amount: int) -> RGB:
    moved = np.clip(np.array(rgb) + rng.integers(-amount, amount + 1, 3), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def _choose(rng: np.random.Generator, split: Split, name: str) -> tuple[str, ...]:
    options = looks(name, split)
    return options[int(rng.integers(len(options)))]


def random_kitchen(rng: np.random.Generator, split: Split = "train") -> ToyKitchen:
    """Draw a kitchen with independent looks.

    Args:
        rng: Source of all draws.
        split: "train" draws no held-out looks, "test" only held-out looks, "any" all.
    """
    vessels = {}
    for name in VESSELS:
        colour, shape, pattern = _choose(rng, split, name)
        vessels[name] = VesselLook(
            colour, _jitter(rng, COLOURS[colour], COLOUR_JITTER), shape, pattern
        )
    tools = {}
    for name in TOOLS:
        colour, pattern = _choose(rng, split, name)
        tools[name] = ToolLook(colour, _jitter(rng, COLOURS[colour], COLOUR_JITTER), pattern)
    kind, colour = _choose(rng, split, "side")
    side = SideLook(kind, colour, _jitter(rng, COLOURS[colour], COLOUR_JITTER))
    tint = rng.integers(-TINT_JITTER, TINT_JITTER + 1, 3)
    return ToyKitchen(
        _counter(rng, split),
        vessels,
        tools,
        side if rng.random() < 0.85 else None,
        (int(tint[0]), int(tint[1]), int(tint[2])),
    )


def training_kitchen(rng: np.random.Generator) -> ToyKitchen:
    """Draw a kitchen for training: no held-out looks, and mostly a counter of any colour."""
    kitchen = random_kitchen(rng)
    if rng.random() < ANY_COUNTER_SHARE:
        return replace(kitchen, counter=any_counter(rng))
    return kitchen


def any_counter(rng: np.random.Generator) -> CounterLook:
    """Return a counter of any colour and pattern for training, none like a held-out one.

    With 28 looks, a model learns which patterns a colour has. With all colours it must read them.
    Most patterns are stronger than in the test kitchen, so that a model learns to copy them.
    """
    while True:
        red, green, blue = rng.integers(30, 236, 3)
        rgb = (int(red), int(green), int(blue))
        pattern = str(rng.choice(COUNTER_PATTERNS))
        near = (
            colour
            for colour, words in looks("counter", "test")
            if words == pattern and _distance(rgb, COUNTERS[colour]) < HELD_OUT_RADIUS
        )
        if not any(near):
            return counter_look(rng, "", rgb, pattern, float(rng.uniform(1, STRONGEST_PATTERN)))


def _distance(a: RGB, b: RGB) -> float:
    return float(np.linalg.norm(np.subtract(a, b)))


def _counter(rng: np.random.Generator, split: Split) -> CounterLook:
    colour, pattern = _choose(rng, split, "counter")
    return counter_look(rng, colour, COUNTERS[colour], pattern)


def counter_look(
    rng: np.random.Generator, colour: str, rgb: RGB, pattern: str, strength: float = 1.0
) -> CounterLook:
    """Return a counter near `rgb`; its pattern is lighter on dark counters, else darker."""
    rgb = _jitter(rng, rgb, COLOUR_JITTER)
    end, share = (255, 0.14 * strength) if sum(rgb) < 300 else (0, 0.12 * strength)
    second = [round(c + (end - c) * share) for c in rgb]
    return CounterLook(colour, rgb, pattern, (second[0], second[1], second[2]))
