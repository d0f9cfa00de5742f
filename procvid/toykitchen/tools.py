"""Draw hand tools; only the handle carries the identity."""

from __future__ import annotations

import math

from procvid.toykitchen.brush import OUTLINE, Brush, blend
from procvid.toykitchen.identity import RGB, ToolLook

STEEL: RGB = (196, 202, 210)
WOOD: RGB = (196, 150, 96)
WHITE: RGB = (255, 255, 255)

Box = tuple[float, float, float, float]


def _handle(b: Brush, look: ToolLook, x0: float, y0: float, x1: float, y1: float) -> None:
    b.line([(x0, y0), (x1, y1)], OUTLINE, 6.6)
    b.line([(x0, y0), (x1, y1)], look.rgb, 5.0)
    if look.pattern == "banded":
        length = math.hypot(x1 - x0, y1 - y0)
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        for share in (0.35, 0.7):
            x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
            b.line([(x - ux, y - uy), (x + ux, y + uy)], blend(look.rgb, WHITE, 0.85), 5.0)


def draw_knife(b: Brush, look: ToolLook, x: float, y: float) -> Box:
    """Draw a knife with its edge at (x, y), handle up; return its box."""
    b.polygon(
        [(x - 1, y - 15), (x + 4, y - 15), (x + 4, y + 5), (x - 1, y + 9)], STEEL, OUTLINE, 0.8
    )
    _handle(b, look, x + 1.5, y - 15, x + 1.5, y - 28)
    return x - 2, y - 30, x + 5, y + 9.5


def draw_spoon(b: Brush, look: ToolLook, x: float, y: float) -> Box:
    """Draw a spoon with its bowl at (x, y), handle to the upper left; return its box."""
    b.line([(x, y), (x - 7, y - 10)], OUTLINE, 4.4)
    b.line([(x, y), (x - 7, y - 10)], WOOD, 3.0)
    _handle(b, look, x - 7, y - 10, x - 17, y - 25)
    b.ellipse(x, y, 5, 6, WOOD, OUTLINE, 0.9)
    return x - 20, y - 28, x + 5.5, y + 6.5


def draw_whisk(b: Brush, look: ToolLook, x: float, y: float) -> Box:
    """Draw a whisk with its wires around (x, y), handle up; return its box."""
    _handle(b, look, x, y - 10, x + 3, y - 28)
    for rx in (6.0, 3.2):
        b.ellipse(x, y, rx, 9, None, STEEL, 1.6)
    b.line([(x, y - 9), (x, y + 9)], STEEL, 1.4)
    return x - 6.5, y - 31, x + 6.5, y + 9.5


def draw_spatula(b: Brush, look: ToolLook, x: float, y: float) -> Box:
    """Draw a spatula with its blade around (x, y), handle to the upper left; return its box."""
    _handle(b, look, x - 5, y - 8, x - 16, y - 25)
    blade = [(x - 8, y - 1), (x - 2, y - 8), (x + 8, y + 1), (x + 2, y + 8)]
    b.polygon(blade, STEEL, OUTLINE, 0.9)
    for k in (-2.5, 0.5, 3.5):
        b.line(
            [(x + k - 2, y + k - 1), (x + k - 4.5, y + k + 1.5)], blend(STEEL, OUTLINE, 0.5), 0.9
        )
    return x - 19, y - 28, x + 8.5, y + 8.5
