"""Draw vessels. Points are in kitchen units."""

from __future__ import annotations

import math

from procvid.toykitchen.brush import OUTLINE, Brush, blend
from procvid.toykitchen.identity import RGB, VesselLook

Points = list[tuple[float, float]]

WHITE: RGB = (255, 255, 255)
BLACK: RGB = (30, 30, 34)

RADIUS = 21.0
RIM: dict[str, float] = {
    "frying pan": 4.6,
    "pot": 4.6,
    "bowl": 5.5,
    "cutting board": 4.0,
    "plate": 6.5,
    "baking tray": 3.2,
}


def _superellipse(x: float, y: float, rx: float, ry: float, power: float) -> Points:
    points = []
    for k in range(40):
        c, s = math.cos(2 * math.pi * k / 40), math.sin(2 * math.pi * k / 40)
        points.append(
            (
                x + rx * math.copysign(abs(c) ** (2 / power), c),
                y + ry * math.copysign(abs(s) ** (2 / power), s),
            )
        )
    return points


def outline(shape: str, x: float, y: float, inset: float = 0.0) -> Points:
    """Return the vessel's contour around (x, y), `inset` units inwards."""
    r = RADIUS - inset
    if shape == "hexagonal":
        return [
            (x + r * 1.06 * math.cos(math.pi * k / 3), y + r * 1.06 * math.sin(math.pi * k / 3))
            for k in range(6)
        ]
    if shape == "oval":
        return _superellipse(x, y, r + 3, r - 4, 2.0)
    if shape == "square":
        return _superellipse(x, y, r, r, 7.0)
    if shape in ("rectangular", "paddle"):
        return _superellipse(x, y, r + 4, r - 4, 9.0)
    return _superellipse(x, y, r, r, 2.0)


def _inside(name: str, rgb: RGB) -> RGB:
    if name in ("frying pan", "pot"):
        return blend((34, 34, 38), rgb, 0.22)
    if name == "baking tray":
        return blend((96, 96, 104), rgb, 0.25)
    if name == "cutting board":
        return blend(rgb, WHITE, 0.3)
    return blend(WHITE, rgb, 0.2)


def _handles(b: Brush, name: str, look: VesselLook, x: float, y: float) -> None:
    dark = blend(look.rgb, BLACK, 0.35)
    if name == "frying pan":
        b.line([(x + 12, y - 12), (x + 30, y - 30)], OUTLINE, 7.0)
        b.line([(x + 12, y - 12), (x + 30, y - 30)], dark, 5.4)
    elif name == "pot":
        for side in (-1, 1):
            b.ellipse(
                x + side * (RADIUS + (4 if look.shape == "oval" else 1)),
                y,
                5,
                6.5,
                dark,
                OUTLINE,
                0.9,
            )
    elif look.shape == "paddle":
        b.rectangle(x - 4.5, y - 30, x + 4.5, y - 14, look.rgb, OUTLINE, 0.9)
        b.ellipse(x, y - 26, 1.8, 1.8, OUTLINE)


def draw_vessel(b: Brush, name: str, look: VesselLook, x: float, y: float) -> None:
    """Draw a vessel around (x, y): handles, body, pattern on the rim, inside."""
    rim = RIM[name]
    _handles(b, name, look, x, y)
    b.polygon(outline(look.shape, x, y), look.rgb, OUTLINE, 0.9)
    inner = outline(look.shape, x, y, rim)
    b.polygon(inner, _inside(name, look.rgb), blend(look.rgb, BLACK, 0.4), 0.9)
    middle = outline(look.shape, x, y, rim / 2)
    light = blend(look.rgb, WHITE, 0.85)
    if look.pattern == "ring":
        b.line([*middle, middle[0]], light, 1.5)
    elif look.pattern == "dots":
        for px, py in _spread(middle, 12):
            b.ellipse(px, py, 1.5, 1.5, light)


def _spread(points: Points, count: int) -> Points:
    """Return `count` points at equal distances along a closed contour."""
    closed = [*points, points[0]]
    lengths = [math.dist(closed[k], closed[k + 1]) for k in range(len(points))]
    step, out, walked, k = sum(lengths) / count, [], 0.0, 0
    for n in range(count):
        target = n * step
        while k < len(lengths) - 1 and walked + lengths[k] < target:
            walked += lengths[k]
            k += 1
        share = (target - walked) / lengths[k] if lengths[k] else 0.0
        (ax, ay), (bx, by) = closed[k], closed[k + 1]
        out.append((ax + (bx - ax) * share, ay + (by - ay) * share))
    return out


def vessel_box(
    name: str, look: VesselLook, x: float, y: float
) -> tuple[float, float, float, float]:
    """Return the vessel's box with handles, xyxy in units, not clipped to the frame."""
    points = outline(look.shape, x, y)
    x0, x1 = min(p[0] for p in points), max(p[0] for p in points)
    y0, y1 = min(p[1] for p in points), max(p[1] for p in points)
    if name == "frying pan":
        x1, y0 = max(x1, x + 33), min(y0, y - 33)
    elif name == "pot":
        reach = RADIUS + (4 if look.shape == "oval" else 1) + 5
        x0, x1 = x - reach, x + reach
    elif look.shape == "paddle":
        y0 = min(y0, y - 30)
    return x0 - 0.5, y0 - 0.5, x1 + 0.5, y1 + 0.5
