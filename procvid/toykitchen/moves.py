"""Draw the twelve actions at progress p in 0..1: first the food, then the tool."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from procvid.toykitchen.brush import blend
from procvid.toykitchen.drawing import SLOTS, Body, Box, FrameDrawing
from procvid.toykitchen.foods import look_of
from procvid.toykitchen.identity import RGB, ToolLook
from procvid.toykitchen.tools import draw_knife, draw_spatula, draw_spoon, draw_whisk

Tool = tuple[str, Box]
Move = Callable[[FrameDrawing, float, Body, tuple[Body, ...], dict[str, ToolLook]], "Tool | None"]

ROW = (-15.0, -7.5, 0.0, 7.5, 15.0)
STEAM: RGB = (238, 238, 240)
WATER: RGB = (120, 176, 222)
BUBBLE: RGB = (232, 244, 252)
BUBBLE_RIM: RGB = (150, 195, 230)
GLOW: RGB = (255, 96, 24)


def _is_loose(body: Body) -> bool:
    return body.form in ("sliced", "diced")


def _cut(
    drawing: FrameDrawing, p: float, body: Body, form: str, knife: ToolLook, dips: float
) -> Tool | None:
    knife_x = -19 + 40 * p
    if p < 0.97:
        drawing.portion(body if not _is_loose(body) else replace(body, form="whole"))
        drawing.keep_right_of(knife_x)
    made = replace(body, form=form)
    for k, dx in enumerate(ROW):
        if dx < knife_x - 2:
            dy = 0.0 if form == "sliced" else (-5.5 if k % 2 else 5.5)
            drawing.piece(made, dx, dy, 0.95)
    if p >= 0.97:
        return None
    up = 5 * abs(math.cos(math.pi * dips * p))
    return "knife", draw_knife(drawing.brush, knife, drawing.x + knife_x, drawing.y - up)


def _slice(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    return _cut(drawing, p, body, "sliced", tools["knife"], 2.0)


def _dice(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    return _cut(drawing, p, body, "diced", tools["knife"], 3.0)


def _peel(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    knife_x = -19 + 40 * p
    whole = replace(body, form="whole")
    drawing.portion(whole)
    bare = drawing.again()
    bare.portion(replace(body, form="peeled"))
    drawing.paste_left_of(knife_x, bare)
    look = look_of(body.name, drawing.tint, body.fried, body.boiled, body.baked)
    for k in range(4):
        if p > 0.2 + 0.2 * k:
            x, y = drawing.x - 13 + 9 * k, drawing.y + 14 + 1.5 * (k % 2)
            drawing.brush.line([(x - 3, y - 1), (x, y + 1), (x + 3, y - 1)], look.skin, 2.2)
    if p >= 0.97:
        return None
    swing = 3 * math.sin(2 * math.pi * 3 * p)
    return "knife", draw_knife(
        drawing.brush, tools["knife"], drawing.x + knife_x, drawing.y - 6 + swing
    )


def _add(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    drawing.others(others)
    if body.form in ("whole", "peeled"):
        drawing.piece(body, 0, -48 * max(0.0, 1 - 1.3 * p) ** 1.3)
        return None
    if not _is_loose(body):
        if p < 0.8:
            look = look_of(body.name, drawing.tint, body.fried, body.boiled, body.baked)
            stream = blend(look.heart if body.name == "egg" else look.flesh, (40, 30, 30), 0.12)
            drawing.brush.line([(drawing.x, 0), (drawing.x, drawing.y)], stream, 5.0)
        drawing.pool(body, 3 + 11 * min(1.0, p * 1.2))
        return None
    for k, (sx, sy) in enumerate(SLOTS):
        fall = min(1.0, max(0.0, (p - 0.13 * k) / 0.38))
        drawing.piece(body, sx, sy - 52 * (1 - fall * fall))
    return None


def _stir(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    turn = 2 * math.pi * 0.28 * p
    drawing.others(others, turn)
    drawing.portion(body, turn)
    tip = 2 * math.pi * 0.7 * p + 0.9
    x, y = drawing.x + 9 * math.cos(tip), drawing.y + 9 * math.sin(tip)
    return "spoon", draw_spoon(drawing.brush, tools["spoon"], x, y)


def _mix(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    swing = 9 * math.sin(2 * math.pi * 1.2 * p)
    drawing.others(others)
    pool = replace(body, form="mixed")
    if body.form == "mixed":
        drawing.pool(pool, 14.5, 2 * p)
    else:
        drawing.pool(pool, 15 * min(1.0, 1.25 * p), 2 * p)
        if p < 0.6:
            whole = not _is_loose(body)
            for sx, sy in SLOTS[:1] if whole else SLOTS:
                drawing.piece(body, sx + 0.25 * swing * p, sy, 1 - 0.5 * p)
    return "whisk", draw_whisk(drawing.brush, tools["whisk"], drawing.x + swing, drawing.y - 1)


def _mash(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    drawing.others(others)
    heap = replace(body, form="mashed")
    if body.form == "mashed":
        drawing.pool(heap, 13.0)
    else:
        drawing.pool(heap, 13 * min(1.0, 1.25 * p))
        if p < 0.6:
            whole = not _is_loose(body)
            for sx, sy in SLOTS[:1] if whole else SLOTS:
                drawing.piece(body, sx, sy, 1 - 0.5 * p)
    up = 9 * abs(math.sin(2 * math.pi * 1.5 * p))
    side = 6 * math.cos(2 * math.pi * 0.75 * p)
    x, y = drawing.x + side, drawing.y - up
    return "spoon", draw_spoon(drawing.brush, tools["spoon"], x, y)


def _fry(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    shake = 1.1 * math.sin(2 * math.pi * 2.2 * p)
    drawing.others(others, jiggle=0.7 * shake)
    drawing.portion(replace(body, fried=max(body.fried, p)), jiggle=shake)
    for k in range(3):
        rise = (p * 1.2 + k / 3) % 1.0
        x = drawing.x - 12 + 12 * k + 2 * math.sin(6 * rise + k)
        drawing.brush.ellipse(x, drawing.y - 6 - 26 * rise, 2.6, 3.4, STEAM)
    return None


def _flip(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    jump = math.sin(math.pi * min(1.0, max(0.0, (p - 0.25) / 0.5)))
    drawing.others(others)
    if _is_loose(body) or body.form in ("whole", "peeled"):
        drawing.portion(body, turn=0.9 * min(1.0, max(0.0, (p - 0.25) / 0.5)), lift=13 * jump)
    else:
        drawing.pool(body, 14.0 - 5.0 * jump, 3.1 * p)
    in_from = 16 * (1 - min(1.0, 4 * p)) + 16 * max(0.0, 4 * p - 3)
    x, y = drawing.x - in_from, drawing.y + 6 - 7 * jump - in_from
    return "spatula", draw_spatula(drawing.brush, tools["spatula"], x, y)


def _boil(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    drawing.brush.ellipse(drawing.x, drawing.y, 15.5, 13.5, WATER)
    shake = 1.6 * math.sin(2 * math.pi * 1.5 * p)
    drawing.others(others, jiggle=0.7 * shake)
    drawing.portion(replace(body, boiled=max(body.boiled, p)), jiggle=shake, spread=0.9)
    for k in range(6):
        life = (p * 1.2 + k * 0.37) % 1.0
        angle = 2.4 * k + 1.0
        r = 12.5 * ((k * 0.618) % 1.0) ** 0.5 + 1.5
        x, y = drawing.x + r * math.cos(angle), drawing.y + r * math.sin(angle)
        size = 0.8 + 2.2 * life
        drawing.brush.ellipse(x, y, size, size, BUBBLE, BUBBLE_RIM, 0.6)
    return None


def _bake(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    drawing.others(others)
    drawing.portion(replace(body, baked=max(body.baked, p)))
    heat = 0.5 + 0.5 * math.sin(2 * math.pi * 1.5 * p)
    for k in range(3):
        y = drawing.y - 28 + 2.6 * k
        wave = [
            (drawing.x - 20 + 4 * n, y + 0.9 * math.sin(1.6 * n + 7 * p + k)) for n in range(11)
        ]
        drawing.brush.line(wave, blend(GLOW, (255, 220, 120), heat * (0.3 + 0.3 * k)), 1.3)
    return None


def _serve(
    drawing: FrameDrawing,
    p: float,
    body: Body,
    others: tuple[Body, ...],
    tools: dict[str, ToolLook],
) -> Tool | None:
    drawing.others(others)
    if body.form in ("whole", "peeled"):
        drawing.piece(body, 50 * max(0.0, 1 - 1.3 * p) ** 1.3, 0)
    elif not _is_loose(body):
        drawing.pool(body, 13.0, dx=50 * max(0.0, 1 - 1.4 * p) ** 1.3)
    else:
        for k, (sx, sy) in enumerate(SLOTS):
            slide = min(1.0, max(0.0, (p - 0.12 * k) / 0.4))
            drawing.piece(body, sx + 54 * (1 - slide) ** 1.5, sy)
    return None


MOVES: dict[str, Move] = {
    "peel": _peel,
    "slice": _slice,
    "dice": _dice,
    "add": _add,
    "stir": _stir,
    "mix": _mix,
    "mash": _mash,
    "fry": _fry,
    "flip": _flip,
    "boil": _boil,
    "bake": _bake,
    "serve": _serve,
}
