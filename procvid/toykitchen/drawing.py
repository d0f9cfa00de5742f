"""Draw the foods of one frame and record their boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from procvid.toykitchen.brush import UNITS, Brush
from procvid.toykitchen.foods import (
    draw_dice,
    draw_mash,
    draw_peeled,
    draw_pool,
    draw_slice,
    draw_whole,
    look_of,
)
from procvid.toykitchen.identity import RGB
from procvid.toykitchen.scene import FoodItem

Box = tuple[float, float, float, float]

SLOTS = ((0.0, 0.0), (-9.5, -8.5), (9.5, -8.5), (-9.5, 9.0), (9.5, 9.0))
OTHER_SLOTS = (
    ((0.0, -12.0), (0.0, 12.0), (-5.0, 4.0)),
    ((-12.5, 0.0), (12.5, 0.0), (5.0, -4.0)),
)


@dataclass(frozen=True)
class Body:
    """How a food is drawn: its form and how far it is fried, boiled and baked, 0 to 1."""

    name: str
    form: str
    fried: float = 0.0
    boiled: float = 0.0
    baked: float = 0.0

    @staticmethod
    def of(item: FoodItem) -> Body:
        """Return the body of a food in its present state."""
        cooked = {item.cooked: 1.0} if item.cooked else {}
        return Body(item.name, item.form, **cooked)


@dataclass(eq=False)
class FrameDrawing:
    """A frame being drawn on its background; (x, y) is the vessel's centre in units."""

    background: Image.Image
    scale: float
    x: float
    y: float
    tint: RGB
    boxes: dict[str, list[Box]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.canvas = self.background.copy()
        self.brush = Brush(ImageDraw.Draw(self.canvas), self.scale)

    def _remember(self, name: str, x: float, y: float, rx: float, ry: float) -> None:
        self.boxes.setdefault(name, []).append((x - rx, y - ry, x + rx, y + ry))

    def piece(self, body: Body, dx: float, dy: float, size: float = 1.0) -> None:
        """Draw one piece in the body's form, (dx, dy) units from the vessel's centre."""
        if not body.name:
            return
        look = look_of(body.name, self.tint, body.fried, body.boiled, body.baked)
        x, y = self.x + dx, self.y + dy
        if body.form in ("whole", "peeled"):
            draw = draw_whole if body.form == "whole" else draw_peeled
            draw(self.brush, body.name, x, y, look)
            self._remember(body.name, x, y, 16, 11)
        elif body.form == "diced":
            draw_dice(self.brush, body.name, x, y, look, 4.0 * size)
            self._remember(body.name, x, y, 8 * size, 6 * size)
        else:
            draw_slice(self.brush, body.name, x, y, look, 7.0 * size)
            self._remember(body.name, x, y, 7 * size, 7 * size)

    def pool(self, body: Body, radius: float, phase: float = 0.0, dx: float = 0.0) -> None:
        """Draw mixed food as a pool or mashed food as a heap."""
        if radius < 1 or not body.name:
            return
        look = look_of(body.name, self.tint, body.fried, body.boiled, body.baked)
        if body.form == "mashed":
            draw_mash(self.brush, body.name, self.x + dx, self.y, look, radius)
        else:
            draw_pool(self.brush, body.name, self.x + dx, self.y, look, radius, phase)
        self._remember(body.name, self.x + dx, self.y, radius, radius)

    def portion(
        self,
        body: Body,
        turn: float = 0.0,
        jiggle: float = 0.0,
        phase: float = 0.0,
        spread: float = 1.0,
        lift: float = 0.0,
    ) -> None:
        """Draw the whole portion: one whole food, five pieces, a pool or a heap."""
        if body.form in ("whole", "peeled"):
            self.piece(body, jiggle, 0.5 * jiggle - lift)
            return
        if body.form in ("mixed", "mashed"):
            self.pool(body, 14.0 if body.form == "mixed" else 13.0, phase + turn)
            return
        c, s = math.cos(turn), math.sin(turn)
        for k, (sx, sy) in enumerate(SLOTS):
            wobble = jiggle * (1 if k % 2 else -1)
            dx, dy = (sx * c - sy * s) * spread, (sx * s + sy * c) * spread
            self.piece(body, dx + wobble, dy - wobble - lift)

    def others(self, bodies: tuple[Body, ...], turn: float = 0.0, jiggle: float = 0.0) -> None:
        """Draw the other foods: pools first, then smaller pieces between the five slots."""
        for body in sorted(bodies, key=lambda b: b.form not in ("mixed", "mashed")):
            if body.form in ("mixed", "mashed"):
                self.pool(body, 16.5 if body.form == "mixed" else 14.0, turn)
        loose = [b for b in bodies if b.form not in ("mixed", "mashed")]
        c, s = math.cos(turn), math.sin(turn)
        for body, slots in zip(loose, OTHER_SLOTS, strict=False):
            form = "sliced" if body.form in ("whole", "peeled") else body.form
            small = Body(body.name, form, body.fried, body.boiled, body.baked)
            for k, (sx, sy) in enumerate(slots):
                wobble = jiggle * (1 if k % 2 else -1)
                self.piece(small, sx * c - sy * s + wobble, sx * s + sy * c - wobble, 0.72)

    def keep_right_of(self, dx: float) -> None:
        """Erase everything left of `dx` units from the vessel's centre."""
        left = max(0, round((self.x + dx) * self.scale))
        if left:
            area = (0, 0, left, round(UNITS * self.scale))
            self.canvas.paste(self.background.crop(area), area)

    def paste_left_of(self, dx: float, other: FrameDrawing) -> None:
        """Paste another drawing left of `dx` units from the vessel's centre."""
        left = max(0, round((self.x + dx) * self.scale))
        if left:
            area = (0, 0, left, round(UNITS * self.scale))
            self.canvas.paste(other.canvas.crop(area), area)

    def again(self) -> FrameDrawing:
        """Return a second drawing on the same background."""
        return FrameDrawing(self.background, self.scale, self.x, self.y, self.tint)
