"""Draw foods, whole and in pieces, at any point of a canvas. Points are in kitchen units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from procvid.toykitchen.brush import OUTLINE, Brush, blend
from procvid.toykitchen.identity import RGB

BROWN: RGB = (84, 42, 14)
ROAST: RGB = (150, 60, 10)
PALE: RGB = (240, 236, 224)
WHITE: RGB = (255, 255, 255)


@dataclass(frozen=True)
class FoodLook:
    """Colours of skin and flesh; `heart` is the colour of the middle of a slice."""

    skin: RGB
    flesh: RGB
    heart: RGB


LOOKS: dict[str, FoodLook] = {
    "carrot": FoodLook((235, 105, 0), (255, 135, 20), (255, 180, 90)),
    "tomato": FoodLook((195, 15, 20), (230, 35, 35), (255, 165, 110)),
    "cucumber": FoodLook((25, 100, 45), (125, 205, 85), (200, 240, 160)),
    "mushroom": FoodLook((92, 54, 36), (158, 106, 74), (205, 160, 124)),
    "egg": FoodLook((246, 242, 234), (255, 255, 252), (255, 178, 0)),
    "onion": FoodLook((120, 25, 130), (196, 112, 208), (240, 205, 245)),
    "potato": FoodLook((150, 104, 52), (238, 212, 150), (246, 228, 180)),
    "cheese": FoodLook((240, 170, 0), (255, 214, 10), (205, 130, 0)),
    "broccoli": FoodLook((15, 95, 30), (30, 130, 45), (150, 200, 90)),
    "shrimp": FoodLook((235, 90, 75), (255, 150, 135), (255, 225, 215)),
    "eggplant": FoodLook((48, 20, 78), (222, 224, 176), (176, 172, 120)),
    "beetroot": FoodLook((110, 0, 55), (165, 10, 85), (220, 80, 140)),
}
"""Hues and shapes are far apart: pieces fill a tenth of a frame and a tiny VAE blurs them."""
EXTRA_LOOKS: dict[str, FoodLook] = {
    "radish": FoodLook((205, 20, 110), (255, 120, 175), (255, 225, 238)),
    "blueberry": FoodLook((35, 45, 130), (75, 95, 225), (150, 175, 255)),
}
"""Foods of the extension; no shipped model was trained on them (extension.py)."""
UNKNOWN = FoodLook((128, 128, 132), (158, 158, 162), (140, 140, 146))
"""Look of unknown foods: a plain grey piece."""

FOODS = tuple(LOOKS)


def look_of(food: str, tint: RGB, fried: float, boiled: float, baked: float = 0.0) -> FoodLook:
    """Return the food's colours with the recipe's tint, cooked by shares of 0 to 1.

    Frying browns mostly the rim, so the flesh keeps the hue of the food. Boiling makes it paler.
    Baking gives a rust-coloured rim and a deeper flesh.
    """

    def shade(rgb: RGB, rim: float, roast: float) -> RGB:
        r, g, b = (max(0, min(255, c + t)) for c, t in zip(rgb, tint, strict=True))
        colour = blend((r, g, b), BROWN, rim * fried)
        return blend(blend(colour, ROAST, roast * baked), PALE, 0.35 * boiled)

    base = LOOKS.get(food) or EXTRA_LOOKS.get(food, UNKNOWN)
    return FoodLook(
        shade(base.skin, 0.75, 0.8), shade(base.flesh, 0.3, 0.2), shade(base.heart, 0.3, 0.5)
    )


def _long(b: Brush, x: float, y: float, look: FoodLook, taper: float, leaf: bool) -> None:
    b.polygon(
        [
            (x - 15, y - 5.5),
            (x + 11, y - 5.5 * taper),
            (x + 16, y),
            (x + 11, y + 5.5 * taper),
            (x - 15, y + 5.5),
        ],
        look.skin,
        OUTLINE,
        0.9,
    )
    for k in (-8, -1, 6):
        b.line([(x + k, y - 3.2), (x + k + 1.5, y + 1)], blend(look.skin, OUTLINE, 0.25), 0.8)
    if leaf:
        b.polygon(
            [(x - 15, y - 2), (x - 22, y - 6), (x - 20, y), (x - 22, y + 6), (x - 15, y + 2)],
            (60, 150, 50),
            OUTLINE,
            0.7,
        )


def _carrot(b: Brush, x: float, y: float, look: FoodLook) -> None:
    _long(b, x, y, look, 0.45, leaf=True)


def _cucumber(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x - 11, y, 6, 6, look.skin, OUTLINE, 0.9)
    b.ellipse(x + 11, y, 6, 6, look.skin, OUTLINE, 0.9)
    b.rectangle(x - 11, y - 6, x + 11, y + 6, look.skin)
    b.line([(x - 11, y - 6), (x + 11, y - 6)], OUTLINE, 0.9)
    b.line([(x - 11, y + 6), (x + 11, y + 6)], OUTLINE, 0.9)
    for k in (-9, -3, 3, 9):
        b.line([(x + k - 2, y - 2), (x + k + 2, y - 2)], look.flesh, 1.2)


def _tomato(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x, y, 12, 11, look.skin, OUTLINE, 0.9)
    b.ellipse(x - 4, y - 4, 2.5, 2, blend(look.skin, WHITE, 0.5))
    b.polygon([(x, y - 12), (x + 6, y - 7), (x, y - 8), (x - 6, y - 7)], (50, 140, 45))


def _mushroom(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.rectangle(x - 4.5, y, x + 4.5, y + 11, look.flesh, OUTLINE, 0.9)
    half = [
        (x + 13 * math.cos(a), y + 2 - 12 * math.sin(a))
        for a in (math.pi * k / 14 for k in range(15))
    ]
    b.polygon(half, look.skin, OUTLINE, 0.9)


def _egg(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x, y, 9, 12, look.skin, OUTLINE, 0.9)
    b.ellipse(x - 3, y - 5, 2, 2.6, WHITE)


def _onion(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.polygon([(x - 3, y - 9), (x, y - 16), (x + 3, y - 9)], look.flesh, OUTLINE, 0.8)
    b.ellipse(x, y, 12, 11, look.skin, OUTLINE, 0.9)
    for k in (-6, 0, 6):
        b.line([(x, y - 10), (x + k, y), (x, y + 10)], look.flesh, 0.8)


def _potato(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x, y, 15, 9.5, look.skin, OUTLINE, 0.9)
    for dx, dy in ((-7, -2), (0, 4), (6, -3), (9, 3)):
        b.ellipse(x + dx, y + dy, 1.1, 1.1, blend(look.skin, OUTLINE, 0.55))


def _cheese(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.polygon(
        [(x - 15, y + 9), (x - 15, y + 1), (x + 13, y - 9), (x + 15, y + 9)],
        look.skin,
        OUTLINE,
        0.9,
    )
    for dx, dy, r in ((-7, 4.5, 2.4), (2, 1, 2.0), (8, 5, 2.6)):
        b.ellipse(x + dx, y + dy, r, r, look.heart)


def _broccoli(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.polygon([(x - 3, y), (x + 3, y), (x + 4.5, y + 11), (x - 4.5, y + 11)], look.heart, OUTLINE)
    for dx, dy, r in ((-8, -1, 5.5), (8, -1, 5.5), (-4, -7, 5.5), (4.5, -7, 5.5), (0, -1.5, 6)):
        b.ellipse(x + dx, y + dy, r, r, look.flesh, look.skin, 1.0)


def _shrimp(b: Brush, x: float, y: float, look: FoodLook) -> None:
    for k in range(7):
        angle = 2.9 - 0.62 * k
        r = 5.2 - 0.35 * k
        b.ellipse(x + 9 * math.cos(angle), y - 8 * math.sin(angle), r, r, look.flesh, OUTLINE, 0.8)
    b.polygon([(x - 3, y + 7), (x - 11, y + 5), (x - 9, y + 11)], look.skin, OUTLINE, 0.8)


def _eggplant(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x - 8, y, 6, 5.5, look.skin, OUTLINE, 0.9)
    b.ellipse(x + 4, y, 11.5, 8.5, look.skin, OUTLINE, 0.9)
    b.rectangle(x - 8, y - 4.8, x + 2, y + 4.8, look.skin)
    b.polygon(
        [(x - 17, y - 2), (x - 11, y - 5), (x - 9, y), (x - 11, y + 5), (x - 17, y + 2)],
        (70, 140, 60),
        OUTLINE,
        0.7,
    )
    b.ellipse(x + 6, y - 4, 3.5, 1.5, blend(look.skin, WHITE, 0.45))


def _beetroot(b: Brush, x: float, y: float, look: FoodLook) -> None:
    for dx in (-4, 0, 4):
        b.line([(x + 0.4 * dx, y - 6), (x + dx, y - 16)], (70, 140, 60), 2.2)
    b.polygon([(x - 3, y + 7), (x + 3, y + 7), (x, y + 15)], look.skin, OUTLINE, 0.8)
    b.ellipse(x, y, 10.5, 9.5, look.skin, OUTLINE, 0.9)
    b.ellipse(x - 3.5, y - 3.5, 2.4, 2, blend(look.skin, WHITE, 0.4))


def _radish(b: Brush, x: float, y: float, look: FoodLook) -> None:
    for dx in (-4, 0, 4):
        b.line([(x, y - 7), (x + dx, y - 15)], (60, 150, 50), 1.8)
    b.polygon([(x - 5, y + 7), (x, y + 15), (x + 5, y + 7)], look.heart, OUTLINE, 0.8)
    b.ellipse(x, y, 11, 9.5, look.skin, OUTLINE, 0.9)


def _blueberry(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x, y, 11.5, 11.5, look.skin, OUTLINE, 0.9)
    b.ellipse(x, y - 5, 4, 3, look.flesh, OUTLINE, 0.8)
    b.ellipse(x - 5, y + 2, 2, 2.6, look.heart)


def _unknown(b: Brush, x: float, y: float, look: FoodLook) -> None:
    b.ellipse(x, y, 11, 10, look.skin, OUTLINE, 0.9)


WHOLE: dict[str, Callable[[Brush, float, float, FoodLook], None]] = {
    "carrot": _carrot,
    "tomato": _tomato,
    "cucumber": _cucumber,
    "mushroom": _mushroom,
    "egg": _egg,
    "onion": _onion,
    "potato": _potato,
    "cheese": _cheese,
    "broccoli": _broccoli,
    "shrimp": _shrimp,
    "eggplant": _eggplant,
    "beetroot": _beetroot,
    "radish": _radish,
    "blueberry": _blueberry,
}


def draw_whole(b: Brush, food: str, x: float, y: float, look: FoodLook) -> None:
    """Draw the uncut food around (x, y), about 30 units wide."""
    WHOLE.get(food, _unknown)(b, x, y, look)


def draw_peeled(b: Brush, food: str, x: float, y: float, look: FoodLook) -> None:
    """Draw the uncut food without skin: its shape in the colour of its flesh."""
    bare = FoodLook(look.flesh, look.flesh, look.heart)
    WHOLE.get(food, _unknown)(b, x, y, bare)


def draw_slice(b: Brush, food: str, x: float, y: float, look: FoodLook, r: float = 7.0) -> None:
    """Draw one slice of radius `r`."""
    if food == "mushroom":
        b.rectangle(x - r * 0.35, y, x + r * 0.35, y + r, look.flesh, OUTLINE, 0.7)
        cap = [(x - r, y + 1), (x - r * 0.6, y - r * 0.8), (x + r * 0.6, y - r * 0.8)]
        b.polygon([*cap, (x + r, y + 1)], look.flesh, look.skin, 1.3)
    elif food == "cheese":
        b.rectangle(x - r, y - r * 0.75, x + r, y + r * 0.75, look.flesh, OUTLINE, 0.7)
        b.ellipse(x - r * 0.35, y - 1, 1.5, 1.5, look.heart)
        b.ellipse(x + r * 0.4, y + 1.6, 1.3, 1.3, look.heart)
    elif food == "broccoli":
        b.rectangle(x - r * 0.25, y, x + r * 0.25, y + r * 0.95, look.heart, OUTLINE, 0.7)
        for dx, dy in ((-0.5, -0.1), (0.5, -0.1), (0.0, -0.5)):
            b.ellipse(x + dx * r, y + dy * r, r * 0.5, r * 0.5, look.flesh, look.skin, 1.0)
    elif food == "shrimp":
        b.ellipse(x, y, r * 0.95, r * 0.95, look.flesh, OUTLINE, 0.8)
        b.ellipse(x + r * 0.25, y + r * 0.25, r * 0.5, r * 0.5, look.heart, look.skin, 1.2)
    else:
        b.ellipse(x, y, r, r, look.flesh, OUTLINE, 0.8)
        b.ellipse(x, y, r * 0.9, r * 0.9, None, look.skin, 1.2)
        _middle(b, food, x, y, look, r)


def _middle(b: Brush, food: str, x: float, y: float, look: FoodLook, r: float) -> None:
    if food in ("onion", "beetroot"):
        b.ellipse(x, y, r * 0.5, r * 0.5, None, look.heart, 1.0)
    elif food in ("tomato", "eggplant"):
        for k in range(3):
            a = 2 * math.pi * k / 3
            px, py = x + r * 0.42 * math.cos(a), y + r * 0.42 * math.sin(a)
            b.ellipse(px, py, 1.5, 1.5, look.heart)
    else:
        inner = r * (0.55 if food == "egg" else 0.45)
        b.ellipse(x, y, inner, inner, look.heart)


def draw_dice(b: Brush, food: str, x: float, y: float, look: FoodLook, r: float = 4.0) -> None:
    """Draw two small cubes side by side at different heights."""
    for dx, dy in ((-r * 0.95, -r * 0.45), (r * 0.95, r * 0.5)):
        fill = look.heart if food == "egg" and dx > 0 else look.flesh
        b.rectangle(x + dx - r, y + dy - r, x + dx + r, y + dy + r, fill, OUTLINE, 0.8)
        lower = y + dy + r
        b.rectangle(x + dx - r + 0.7, lower - 2.2, x + dx + r - 0.7, lower - 0.7, look.skin)


def draw_pool(
    b: Brush, food: str, x: float, y: float, look: FoodLook, r: float, phase: float
) -> None:
    """Draw the mixed food: a pool of radius `r` with a swirl turned by `phase` radians."""
    b.ellipse(x, y, r, r * 0.95, look.flesh, blend(look.skin, OUTLINE, 0.3), 1.2)
    if food == "egg":
        b.ellipse(x, y, r * 0.6, r * 0.57, look.heart)
    swirl = [
        (
            x + r * 0.8 * k / 20 * math.cos(phase + k * 0.42),
            y + r * 0.75 * k / 20 * math.sin(phase + k * 0.42),
        )
        for k in range(3, 21)
    ]
    b.line(swirl, blend(look.skin, WHITE, 0.35) if food != "egg" else look.flesh, 1.5)


def draw_mash(b: Brush, food: str, x: float, y: float, look: FoodLook, r: float) -> None:
    """Draw the mashed food: a heap of lumps of radius `r`."""
    for k in range(8):
        angle = 2 * math.pi * k / 8
        px, py = x + 0.62 * r * math.cos(angle), y + 0.6 * r * math.sin(angle)
        b.ellipse(px, py, r * 0.4, r * 0.38, look.flesh, look.skin, 1.0)
    b.ellipse(x, y, r * 0.55, r * 0.5, look.flesh)
    for dx, dy in ((-0.25, -0.1), (0.2, 0.15), (0.05, -0.3)):
        b.ellipse(x + dx * r, y + dy * r, 1.6, 1.4, look.heart)
