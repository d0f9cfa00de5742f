"""One scatter plot as a PNG, with what is installed anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN = 1100, 720, 90
PAPER, INK, GRID, DOT, CHOSEN = "white", "#222222", "#dddddd", "#2266aa", "#cc3311"
TICKS = 5
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """A named point; a chosen one stands out."""

    x: float
    y: float
    name: str
    chosen: bool = False


def draw_scatter(
    marks: Sequence[Mark], file: Path, *, title: str, x_label: str, y_label: str
) -> None:
    """Draw the marks with their names, axes from zero; names give way to each other."""
    page = Pillow.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(page)
    font, large = ImageFont.load_default(14), ImageFont.load_default(18)
    x_top = 1.1 * max(mark.x for mark in marks)
    y_top = 1.15 * max(mark.y for mark in marks) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = MARGIN + x / x_top * (WIDTH - 2 * MARGIN)
        return across, HEIGHT - MARGIN - y / y_top * (HEIGHT - 2 * MARGIN)

    for tick in range(TICKS + 1):
        x, y = tick / TICKS * x_top, tick / TICKS * y_top
        draw.line([place(x, 0), place(x, y_top)], GRID)
        draw.line([place(0, y), place(x_top, y)], GRID)
        draw.text((place(x, 0)[0], HEIGHT - MARGIN + 8), f"{x:.2f}", INK, font, "ma")
        draw.text((MARGIN - 8, place(0, y)[1]), f"{y:.3f}", INK, font, "rm")
    draw.text((WIDTH / 2, 24), title, INK, large, "ma")
    draw.text((WIDTH / 2, HEIGHT - 44), x_label, INK, large, "ma")
    draw.text((16, 56), y_label, INK, large)

    dots = [place(mark.x, mark.y) for mark in marks]
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in dots]
    for mark, (x, y) in zip(marks, dots, strict=True):
        colour, size = (CHOSEN, 7) if mark.chosen else (DOT, 5)
        draw.ellipse((x - size, y - size, x + size, y + size), colour)
    for mark, (x, y) in sorted(zip(marks, dots, strict=True), key=lambda m: not m[0].chosen):
        box = _free_place(draw, font, mark.name, x, y, taken)
        taken.append(box)
        draw.text(box[:2], mark.name, CHOSEN if mark.chosen else INK, font)
    page.save(file)


def _free_place(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    name: str,
    x: float,
    y: float,
    taken: Sequence[Box],
) -> Box:
    """The nearest place for a name that hides nothing, right or left of its dot."""
    width, height = draw.textlength(name, font), 16.0
    for shift in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 8, -8, 10, -10):
        for left in (x + 9, x - 9 - width):
            top = y - height / 2 + shift * height
            box = (left, top, left + width, top + height)
            inside = left > 0 and left + width < WIDTH and 0 < top < HEIGHT - MARGIN
            if inside and not any(_touch(box, other) for other in taken):
                return box
    return (x + 9, y - height / 2, x + 9 + width, y + height / 2)


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
