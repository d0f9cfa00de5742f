"""Draw the counter with its pattern and the side object on it. Points are in kitchen units."""

from __future__ import annotations

from procvid.toykitchen.brush import OUTLINE, UNITS, Brush, blend
from procvid.toykitchen.identity import EXTRA_COUNTERS, RGB, CounterLook, SideLook

WHITE: RGB = (255, 255, 255)
LEAF: RGB = (60, 150, 60)
PERIOD = 10.67
SIDE_AT = (7.0, 54.0)
SIDE_BOX = (0.5, 43.0, 13.5, 63.5)
"""Box of the side object, with all its parts."""


def draw_counter(b: Brush, look: CounterLook) -> None:
    """Fill the frame with the counter."""
    b.rectangle(0, 0, UNITS, UNITS, look.rgb)
    count = round(UNITS / PERIOD)
    for i in range(count + 1):
        at = i * PERIOD
        if look.colour in EXTRA_COUNTERS:
            b.rectangle(0, at, UNITS, at + PERIOD / 2, look.second)
        elif look.pattern == "tiled":
            b.rectangle(at - 0.7, 0, at + 0.7, UNITS, look.second)
            b.rectangle(0, at - 0.7, UNITS, at + 0.7, look.second)
        elif look.pattern == "striped" and i % 2:
            b.rectangle(at - PERIOD / 2, 0, at + PERIOD / 2, UNITS, look.second)
        elif look.pattern == "checked":
            for j in range(count + 1):
                if (i + j) % 2:
                    y = j * PERIOD
                    b.rectangle(at, y, at + PERIOD, y + PERIOD, look.second)


def draw_side(b: Brush, look: SideLook) -> None:
    """Draw a jar, mug, bottle or plant at the lower left."""
    x, y = SIDE_AT
    if look.kind == "jar":
        b.rectangle(x - 5.5, y - 6, x + 5.5, y + 8.5, look.rgb, OUTLINE, 0.8)
        b.rectangle(x - 4.5, y - 9.5, x + 4.5, y - 6, blend(look.rgb, WHITE, 0.65), OUTLINE, 0.8)
        b.rectangle(x - 3, y - 2, x + 3, y + 4, blend(look.rgb, WHITE, 0.75))
    elif look.kind == "mug":
        b.ellipse(x + 3.5, y + 2, 3, 4, None, OUTLINE, 2.6)
        b.ellipse(x + 3.5, y + 2, 2.6, 3.6, None, look.rgb, 1.3)
        b.rectangle(x - 6, y - 4, x + 3, y + 8.5, look.rgb, OUTLINE, 0.8)
        b.ellipse(x - 1.5, y - 4, 4.5, 2, blend(look.rgb, OUTLINE, 0.6), OUTLINE, 0.7)
    elif look.kind == "bottle":
        b.rectangle(x - 1.6, y - 10.5, x + 1.6, y - 3, blend(look.rgb, OUTLINE, 0.3), OUTLINE, 0.8)
        b.ellipse(x, y + 2.5, 4.6, 6.2, look.rgb, OUTLINE, 0.8)
        b.rectangle(x - 4.6, y + 3, x + 4.6, y + 8.5, look.rgb, OUTLINE, 0.8)
        b.rectangle(x - 3.8, y + 1, x + 3.8, y + 5, WHITE)
    else:
        for dx, dy in ((-3, -6), (3, -6), (0, -8.5), (-4, -2), (4, -2)):
            b.ellipse(x + dx, y + dy, 2.6, 3, LEAF, OUTLINE, 0.6)
        b.polygon(
            [(x - 5, y), (x + 5, y), (x + 3.6, y + 8.5), (x - 3.6, y + 8.5)],
            look.rgb,
            OUTLINE,
            0.8,
        )
