"""Draw shapes in kitchen units: a frame is 64 units wide and high at any resolution."""

from __future__ import annotations

from PIL import ImageDraw

from procvid.toykitchen.identity import RGB

UNITS = 64.0
OUTLINE: RGB = (48, 32, 28)


def blend(a: RGB, b: RGB, share: float) -> RGB:
    """Return `a` moved towards `b` by a share of 0 to 1."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


class Brush:
    """Draws in kitchen units on a canvas with `scale` pixels per unit."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: float) -> None:
        self.draw = draw
        self.scale = scale

    def polygon(
        self,
        points: list[tuple[float, float]],
        fill: RGB,
        outline: RGB | None = None,
        width: float = 1.0,
    ) -> None:
        """Draw a filled polygon; points and width are in units."""
        scaled = [(x * self.scale, y * self.scale) for x, y in points]
        self.draw.polygon(scaled, fill=fill)
        if outline is not None:
            self.draw.line(
                [*scaled, scaled[0], scaled[1]],
                fill=outline,
                width=max(1, round(width * self.scale)),
                joint="curve",
            )

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: RGB | None,
        outline: RGB | None = None,
        width: float = 1.0,
    ) -> None:
        """Draw an ellipse around (x, y)."""
        s = self.scale
        self.draw.ellipse(
            ((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s),
            fill=fill,
            outline=outline,
            width=max(1, round(width * s)) if outline else 0,
        )

    def line(self, points: list[tuple[float, float]], fill: RGB, width: float) -> None:
        """Draw a polyline with round joints."""
        self.draw.line(
            [(x * self.scale, y * self.scale) for x, y in points],
            fill=fill,
            width=max(1, round(width * self.scale)),
            joint="curve",
        )

    def rectangle(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: RGB,
        outline: RGB | None = None,
        width: float = 1.0,
    ) -> None:
        """Draw an axis-aligned rectangle."""
        s = self.scale
        self.draw.rectangle(
            (x0 * s, y0 * s, x1 * s, y1 * s),
            fill=fill,
            outline=outline,
            width=max(1, round(width * s)) if outline else 0,
        )
