"""From one step to a moving clip with its truth: frames, and the box of every object per frame.

A frame is 64x64 px, drawn four times larger with Pillow and averaged down. Actions are functions of
progress p in 0..1; each places pieces, then a tool.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from procvid.toykitchen.foods import (
    Brush,
    blend,
    draw_dice,
    draw_pool,
    draw_slice,
    draw_whole,
    look_of,
)
from procvid.toykitchen.identity import EXTRA_COUNTERS, Kitchen
from procvid.toykitchen.vessels import draw_knife, draw_spoon, draw_vessel, draw_whisk, vessel_box

Box = tuple[float, float, float, float]

SIZE = 64
OVERSAMPLING = 4
NUM_FRAMES = 9
FPS = 6
ACTIONS = ("slice", "dice", "add", "stir", "fry", "boil", "mix", "serve")
STATES = ("whole", "sliced", "diced", "fried", "boiled", "mixed")
PRODUCES = {"slice": "sliced", "dice": "diced", "fry": "fried", "boil": "boiled", "mix": "mixed"}
TOOL_OF = {"slice": "knife", "dice": "knife", "stir": "spoon", "mix": "whisk"}
TOOLS = ("knife", "spoon", "whisk")
SLOTS = ((0.0, 0.0), (-9.5, -8.5), (9.5, -8.5), (-9.5, 9.0), (9.5, 9.0))
ROW = (-15.0, -7.5, 0.0, 7.5, 15.0)
COUNTER_BOX: Box = (0.0, 54.0, 10.0, 64.0)
BOARD_PX = 8
DARKER = 14


@dataclass(frozen=True)
class Scene:
    """What one clip shows. `food` may be None; states are from `STATES`; `seed` moves small things."""

    action: str
    food: str | None
    state_before: str
    vessel: str
    seed: int

    @property
    def state_after(self) -> str:
        """The state that the action leaves the food in."""
        return PRODUCES.get(self.action, self.state_before)


@dataclass(frozen=True, eq=False)
class Rendered:
    """uint8 (T, 64, 64, 3) RGB frames, and per frame the visible objects' boxes (xyxy, clipped)."""

    frames: NDArray[np.uint8]
    boxes: tuple[dict[str, Box], ...]


@dataclass(frozen=True)
class _Look:
    form: str
    brown: float
    pale: float


def _look(state: str) -> _Look:
    forms = {"whole": "whole", "sliced": "sliced", "diced": "diced", "mixed": "mixed"}
    return _Look(forms.get(state, "sliced"), float(state == "fried"), float(state == "boiled"))


class _Stage:
    """One frame being drawn: places food and remembers the boxes of what it placed."""

    def __init__(
        self, background: Image.Image, scene: Scene, kitchen: Kitchen, x: float, y: float
    ) -> None:
        self.background = background
        self.canvas = background.copy()
        self.brush = Brush(ImageDraw.Draw(self.canvas), OVERSAMPLING)
        self.scene, self.kitchen, self.x, self.y = scene, kitchen, x, y
        self.food_boxes: list[Box] = []
        self.tool_box: Box | None = None

    def piece(
        self, form: str, dx: float, dy: float, brown: float, pale: float, size: float = 1.0
    ) -> None:
        """One piece of the food in a form, (dx, dy) px from the vessel's centre."""
        food = self.scene.food
        if food is None:
            return
        look = look_of(food, self.kitchen.food_tint, brown, pale)
        x, y = self.x + dx, self.y + dy
        if form == "whole":
            draw_whole(self.brush, food, x, y, look)
            self.food_boxes.append((x - 16, y - 11, x + 16, y + 11))
        elif form == "diced":
            draw_dice(self.brush, food, x, y, look, 4.0 * size)
            self.food_boxes.append((x - 8 * size, y - 6 * size, x + 8 * size, y + 6 * size))
        else:
            draw_slice(self.brush, food, x, y, look, 7.0 * size)
            self.food_boxes.append((x - 7 * size, y - 7 * size, x + 7 * size, y + 7 * size))

    def pool(
        self,
        radius: float,
        phase: float,
        brown: float,
        pale: float,
        dx: float = 0.0,
        dy: float = 0.0,
    ) -> None:
        """The mixed food as a pool."""
        food = self.scene.food
        if food is None or radius < 1:
            return
        look = look_of(food, self.kitchen.food_tint, brown, pale)
        x, y = self.x + dx, self.y + dy
        draw_pool(self.brush, food, x, y, look, radius, phase)
        self.food_boxes.append((x - radius, y - radius, x + radius, y + radius))

    def clean_left_of(self, dx: float) -> None:
        """Take away what lies left of `dx` px from the vessel's centre: it has been cut."""
        left = max(0, round((self.x + dx) * OVERSAMPLING))
        if left:
            area = (0, 0, left, SIZE * OVERSAMPLING)
            self.canvas.paste(self.background.crop(area), area)

    def all(
        self,
        look: _Look,
        turn: float = 0.0,
        jiggle: float = 0.0,
        phase: float = 0.0,
        spread: float = 1.0,
    ) -> None:
        """The whole portion in its form: one whole food, five pieces, or a pool."""
        if look.form == "whole":
            self.piece("whole", jiggle, 0.5 * jiggle, look.brown, look.pale)
            return
        if look.form == "mixed":
            self.pool(14.0, phase + turn, look.brown, look.pale)
            return
        for k, (sx, sy) in enumerate(SLOTS):
            c, s = math.cos(turn), math.sin(turn)
            wobble = jiggle * (1 if k % 2 else -1)
            self.piece(
                look.form,
                (sx * c - sy * s) * spread + wobble,
                (sx * s + sy * c) * spread - wobble,
                look.brown,
                look.pale,
            )


def _cut(stage: _Stage, p: float, look: _Look, form: str) -> None:
    knife_x = -19 + 40 * p
    dips = 2.0 if form == "sliced" else 3.0
    if p < 0.97:
        stage.piece("whole", 0, 0, look.brown, look.pale)
        stage.clean_left_of(knife_x)
    for k, dx in enumerate(ROW):
        if dx < knife_x - 2:
            dy = 0.0 if form == "sliced" else (-5.5 if k % 2 else 5.5)
            stage.piece(form, dx, dy, look.brown, look.pale, 0.95)
    if p < 0.97:
        up = 5 * abs(math.cos(math.pi * dips * p))
        stage.tool_box = draw_knife(stage.brush, stage.x + knife_x, stage.y - up)


def _slice(stage: _Stage, p: float, look: _Look) -> None:
    _cut(stage, p, look, "sliced")


def _dice(stage: _Stage, p: float, look: _Look) -> None:
    _cut(stage, p, look, "diced")


def _add(stage: _Stage, p: float, look: _Look) -> None:
    if look.form == "whole":
        stage.piece("whole", 0, -48 * max(0.0, 1 - 1.3 * p) ** 1.3, look.brown, look.pale)
        return
    if look.form == "mixed":
        if p < 0.8:
            body = look_of(stage.scene.food or "", stage.kitchen.food_tint, look.brown, look.pale)
            fill = body.heart if stage.scene.food == "egg" else body.flesh
            stage.brush.line(
                [(stage.x, 0), (stage.x, stage.y)], blend(fill, (40, 30, 30), 0.12), 5.0
            )
        stage.pool(3 + 11 * min(1.0, p * 1.2), 0.0, look.brown, look.pale)
        return
    for k, (sx, sy) in enumerate(SLOTS):
        start = 0.13 * k
        fall = min(1.0, max(0.0, (p - start) / 0.38))
        stage.piece(look.form, sx, sy - 52 * (1 - fall * fall), look.brown, look.pale)


def _stir(stage: _Stage, p: float, look: _Look) -> None:
    stage.all(look, turn=2 * math.pi * 0.28 * p)
    tip = 2 * math.pi * 0.7 * p + 0.9
    stage.tool_box = draw_spoon(
        stage.brush, stage.x + 9 * math.cos(tip), stage.y + 9 * math.sin(tip)
    )


def _fry(stage: _Stage, p: float, look: _Look) -> None:
    stage.all(
        _Look(look.form, max(look.brown, p), look.pale),
        jiggle=1.1 * math.sin(2 * math.pi * 2.2 * p),
    )
    for k in range(3):
        rise = (p * 1.2 + k / 3) % 1.0
        x = stage.x - 12 + 12 * k + 2 * math.sin(6 * rise + k)
        stage.brush.ellipse(x, stage.y - 6 - 26 * rise, 2.6, 3.4, (238, 238, 240))


def _water(stage: _Stage) -> None:
    stage.brush.ellipse(stage.x, stage.y, 15.5, 13.5, (120, 176, 222))


def _boil(stage: _Stage, p: float, look: _Look) -> None:
    stage.all(
        _Look(look.form, look.brown, max(look.pale, p)),
        jiggle=1.6 * math.sin(2 * math.pi * 1.5 * p),
        spread=0.9,
    )
    for k in range(6):
        life = (p * 1.2 + k * 0.37) % 1.0
        angle = 2.4 * k + 1.0
        r = 12.5 * ((k * 0.618) % 1.0) ** 0.5 + 1.5
        stage.brush.ellipse(
            stage.x + r * math.cos(angle),
            stage.y + r * math.sin(angle),
            0.8 + 2.2 * life,
            0.8 + 2.2 * life,
            (232, 244, 252),
            (150, 195, 230),
            0.6,
        )


def _mix(stage: _Stage, p: float, look: _Look) -> None:
    swing = 9 * math.sin(2 * math.pi * 1.2 * p)
    if look.form == "mixed":
        stage.pool(14.5, 2 * p, look.brown, look.pale)
    else:
        stage.pool(15 * min(1.0, 1.25 * p), 2 * p, look.brown, look.pale)
        if p < 0.6:
            for sx, sy in SLOTS if look.form != "whole" else SLOTS[:1]:
                stage.piece(
                    look.form, sx + 0.25 * swing * p, sy, look.brown, look.pale, 1 - 0.5 * p
                )
    stage.tool_box = draw_whisk(stage.brush, stage.x + swing, stage.y - 1)


def _serve(stage: _Stage, p: float, look: _Look) -> None:
    if look.form == "whole":
        stage.piece("whole", 50 * max(0.0, 1 - 1.3 * p) ** 1.3, 0, look.brown, look.pale)
        return
    if look.form == "mixed":
        stage.pool(13.0, 0.0, look.brown, look.pale, dx=50 * max(0.0, 1 - 1.4 * p) ** 1.3)
        return
    for k, (sx, sy) in enumerate(SLOTS):
        slide = min(1.0, max(0.0, (p - 0.12 * k) / 0.4))
        stage.piece(look.form, sx + 54 * (1 - slide) ** 1.5, sy, look.brown, look.pale)


MOVES = {
    "slice": _slice,
    "dice": _dice,
    "add": _add,
    "stir": _stir,
    "fry": _fry,
    "boil": _boil,
    "mix": _mix,
    "serve": _serve,
}


def _clip_box(box: Box) -> Box | None:
    x0, y0, x1, y1 = (min(float(SIZE), max(0.0, v)) for v in box)
    return (x0, y0, x1, y1) if x1 - x0 >= 3 and y1 - y0 >= 3 else None


def _union(boxes: list[Box]) -> Box | None:
    clipped = [c for c in map(_clip_box, boxes) if c is not None]
    if not clipped:
        return None
    return (
        min(b[0] for b in clipped),
        min(b[1] for b in clipped),
        max(b[2] for b in clipped),
        max(b[3] for b in clipped),
    )


def _counter(kitchen: Kitchen) -> Image.Image:
    """The bare counter; boards are near enough in colour to be keyed away together."""
    side = SIZE * OVERSAMPLING
    background = Image.new("RGB", (side, side), kitchen.counter_rgb)
    if kitchen.counter in EXTRA_COUNTERS:
        r, g, b = (max(0, c - DARKER) for c in kitchen.counter_rgb)
        board = BOARD_PX * OVERSAMPLING
        for top in range(0, side, 2 * board):
            background.paste((r, g, b), (0, top, side, top + board))
    return background


def render(
    scene: Scene, kitchen: Kitchen, num_frames: int = NUM_FRAMES, only: int | None = None
) -> Rendered:
    """Render a scene in a kitchen; the same arguments give the same pixels.

    Args:
        scene: What happens.
        kitchen: What the vessel and the counter look like.
        num_frames: Frames of the whole action, at least 2.
        only: Render this frame alone (the others are skipped, not blank).
    """
    rng = np.random.default_rng(scene.seed)
    shift_x, shift_y = rng.uniform(-1.2, 1.2, 2)
    x, y = 31.0 + shift_x, 35.0 + shift_y
    look = kitchen.vessels[scene.vessel]
    background = _counter(kitchen)
    draw_vessel(Brush(ImageDraw.Draw(background), OVERSAMPLING), scene.vessel, look, x, y)
    frames, truths = [], []
    for k in range(num_frames) if only is None else [only]:
        p = k / (num_frames - 1)
        stage = _Stage(background, scene, kitchen, x, y)
        if scene.action == "boil":
            _water(stage)
        MOVES[scene.action](stage, p, _look(scene.state_before))
        frames.append(np.asarray(stage.canvas.reduce(OVERSAMPLING)))
        boxes = {
            "counter": COUNTER_BOX,
            scene.vessel: _clip_box(vessel_box(scene.vessel, look, x, y)),
            scene.food or "": _union(stage.food_boxes),
        }
        if stage.tool_box is not None:
            boxes[TOOL_OF[scene.action]] = _clip_box(stage.tool_box)
        truths.append({name: box for name, box in boxes.items() if name and box is not None})
    return Rendered(np.stack(frames), tuple(truths))
