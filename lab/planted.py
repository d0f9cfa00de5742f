"""Pairs of toy clips with planted differences, and what a reader without errors would read in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from procvid.toykitchen.dataset import (
    NATURAL_STATES,
    NATURAL_VESSELS,
    PEELABLE,
    WITH_OTHERS,
    random_scene,
)
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import (
    COLOURS,
    COUNTERS,
    ToyKitchen,
    counter_look,
    random_kitchen,
)
from procvid.toykitchen.reading import ABSENT, Answered, FoodRead, SceneReading
from procvid.toykitchen.render import FPS, NUM_FRAMES, render
from procvid.toykitchen.scene import ACTIONS, TOOL_OF, FoodItem, Scene
from procvid.types.difference import ClipView

FRAMES = tuple(range(0, NUM_FRAMES, 2))
"""Frames that a reader sees of a clip, including the first and the last."""

MOST_PLANTED = 4
SEED = 26


@dataclass(frozen=True)
class PlantedClip:
    """A scene in a kitchen."""

    scene: Scene
    kitchen: ToyKitchen

    def view(self) -> ClipView:
        """Return the frames that a reader sees."""
        frames = render(self.scene, self.kitchen, only=FRAMES).frames
        return ClipView(frames, tuple(k / FPS for k in FRAMES))


@dataclass(frozen=True)
class Planted:
    """A planted difference.

    Attributes:
        kind: A name of `KINDS`.
        a: What the first clip shows, such as "diced".
        b: What the second clip shows.
    """

    kind: str
    a: str
    b: str


@dataclass(frozen=True)
class PlantedPair:
    """Two clips of one step, and what was changed from the first to the second.

    Attributes:
        number: Number of the first clip, which several pairs share.
        a: The first clip.
        b: The second clip. Its positions differ, too.
        planted: What differs; empty for nothing.
    """

    number: int
    a: PlantedClip
    b: PlantedClip
    planted: tuple[Planted, ...]


Change = Callable[[np.random.Generator, PlantedClip], "tuple[PlantedClip, str, str] | None"]
"""Returns the changed clip with the words for before and after, or None if it cannot be changed."""


def _action(rng: np.random.Generator, clip: PlantedClip) -> tuple[PlantedClip, str, str] | None:
    scene = clip.scene
    others = [
        action
        for action in ACTIONS
        if action != scene.action
        and scene.vessel in NATURAL_VESSELS[action]
        and scene.state_before in NATURAL_STATES[action]
        and (action != "peel" or scene.food_name in PEELABLE)
        and (action in WITH_OTHERS or not scene.others)
    ]
    if not others:
        return None
    action = str(rng.choice(others))
    return replace(clip, scene=replace(scene, action=action)), scene.action, action


def _food(rng: np.random.Generator, clip: PlantedClip) -> tuple[PlantedClip, str, str] | None:
    scene = clip.scene
    if scene.food is None:
        return None
    taken = {scene.food_name, *(item.name for item in scene.others)}
    peeled = scene.action == "peel" or "peeled" in (scene.food.form, scene.food.state)
    name = str(rng.choice([f for f in (PEELABLE if peeled else FOODS) if f not in taken]))
    changed = replace(scene, food=replace(scene.food, name=name))
    return replace(clip, scene=changed), scene.food_name, name


def _state(rng: np.random.Generator, clip: PlantedClip) -> tuple[PlantedClip, str, str] | None:
    scene = clip.scene
    states = [
        state
        for state in NATURAL_STATES[scene.action]
        if state not in (scene.state_before, "fried", "boiled", "baked")
        and (state != "peeled" or scene.food_name in PEELABLE)
    ]
    if scene.food is None or not states:
        return None
    state = str(rng.choice(states))
    changed = replace(scene, food=FoodItem(scene.food_name, state, "", state))
    return replace(clip, scene=changed), scene.state_before, state


def _vessel(rng: np.random.Generator, clip: PlantedClip) -> tuple[PlantedClip, str, str] | None:
    scene = clip.scene
    others = [vessel for vessel in NATURAL_VESSELS[scene.action] if vessel != scene.vessel]
    if others and rng.random() < 0.5:
        vessel = str(rng.choice(others))
        return replace(clip, scene=replace(scene, vessel=vessel)), scene.vessel, vessel
    look = clip.kitchen.vessels[scene.vessel]
    colour = _another(rng, look.colour, COLOURS)
    vessels = {
        **clip.kitchen.vessels,
        scene.vessel: replace(look, colour=colour, rgb=COLOURS[colour]),
    }
    return replace(clip, kitchen=replace(clip.kitchen, vessels=vessels)), look.colour, colour


def _tool(rng: np.random.Generator, clip: PlantedClip) -> tuple[PlantedClip, str, str] | None:
    tool = TOOL_OF.get(clip.scene.action)
    if tool is None:
        return None
    look = clip.kitchen.tools[tool]
    colour = _another(rng, look.colour, COLOURS)
    tools = {**clip.kitchen.tools, tool: replace(look, colour=colour, rgb=COLOURS[colour])}
    return replace(clip, kitchen=replace(clip.kitchen, tools=tools)), look.colour, colour


def _counter(rng: np.random.Generator, clip: PlantedClip) -> tuple[PlantedClip, str, str]:
    look = clip.kitchen.counter
    colour = _another(rng, look.colour, COUNTERS)
    counter = counter_look(rng, colour, COUNTERS[colour], look.pattern)
    return replace(clip, kitchen=replace(clip.kitchen, counter=counter)), look.colour, colour


def _another(rng: np.random.Generator, name: str, names: Sequence[str] | dict) -> str:
    return str(rng.choice([other for other in names if other != name]))


KINDS: dict[str, Change] = {
    "action": _action,
    "food": _food,
    "state": _state,
    "vessel": _vessel,
    "tool's colour": _tool,
    "counter": _counter,
}
"""What can be planted, in the order in which it is changed."""

CATEGORIES_OF = {
    "action": ("techniques", "actions"),
    "food": ("ingredients",),
    "state": ("ingredients",),
    "vessel": ("tools",),
    "tool's colour": ("tools",),
    "counter": ("looks",),
}


def planted_pairs(references: int, seed: int = SEED) -> list[PlantedPair]:
    """Return five pairs for each first clip, with 0 to 4 planted differences."""
    pairs = []
    for number in range(references):
        rng = np.random.default_rng([seed, number])
        clip = _first(rng)
        for count in range(MOST_PLANTED + 1):
            changed, planted = _changed(rng, clip, count)
            scene = replace(changed.scene, seed=int(rng.integers(2**31)))
            pairs.append(PlantedPair(number, clip, replace(changed, scene=scene), planted))
    return pairs


def _first(rng: np.random.Generator) -> PlantedClip:
    """Return a natural clip of a known food that can be changed in four ways."""
    while True:
        clip = PlantedClip(random_scene(rng), random_kitchen(rng, "test"))
        scene = clip.scene
        if scene.food_name not in FOODS or scene.vessel not in NATURAL_VESSELS[scene.action]:
            continue
        if sum(change(rng, clip) is not None for change in KINDS.values()) > MOST_PLANTED:
            return clip


def _changed(
    rng: np.random.Generator, clip: PlantedClip, count: int
) -> tuple[PlantedClip, tuple[Planted, ...]]:
    """Return a clip with `count` differences. Another food has no state to compare."""
    while True:
        chosen = set(rng.choice(list(KINDS), count, replace=False).tolist())
        if {"food", "state"} <= chosen:
            continue
        changed: PlantedClip = clip
        planted: list[Planted] = []
        for kind, change in KINDS.items():
            if kind not in chosen:
                continue
            made = change(rng, changed)
            if made is None:
                break
            changed = made[0]
            planted.append(Planted(kind, made[1], made[2]))
        tools = {TOOL_OF.get(each.scene.action) for each in (clip, changed)}
        if len(planted) == count and not ("tool's colour" in chosen and len(tools) > 1):
            return changed, tuple(planted)


def true_reading(clip: PlantedClip) -> SceneReading:
    """Return what a reader without errors reads."""
    scene, kitchen = clip.scene, clip.kitchen
    vessel, tool = kitchen.vessels[scene.vessel], TOOL_OF.get(scene.action, "")
    end_s = (NUM_FRAMES - 1) / FPS
    foods = []
    if scene.food is not None:
        came = scene.action in ("add", "serve")
        foods.append(
            FoodRead(
                scene.food_name,
                Answered(scene.state_before, 1.0),
                Answered(scene.state_after, 1.0),
                1.0,
                came,
                end_s / 2,
                end_s,
            )
        )
    for other in scene.others:
        state = Answered(other.state, 1.0)
        foods.append(FoodRead(other.name, state, state, 1.0, False, end_s / 2, 0.0))
    looks = {
        "vessel_shape": f"{vessel.shape} {scene.vessel}",
        "vessel_colour": vessel.colour,
        "vessel_pattern": vessel.pattern,
        "counter_colour": kitchen.counter.colour,
        "counter_pattern": kitchen.counter.pattern,
        "side": kitchen.side.kind if kitchen.side else ABSENT,
        "tool": tool or ABSENT,
    }
    if kitchen.side:
        looks["side_colour"] = kitchen.side.colour
    if tool:
        looks |= {
            "tool_colour": kitchen.tools[tool].colour,
            "tool_pattern": kitchen.tools[tool].pattern,
        }
    names = {food.name for food in foods}
    return SceneReading(
        action=scene.action,
        foods=tuple(foods),
        vessel=scene.vessel,
        tool=tool,
        tool_s=end_s / 2 if tool else None,
        shown={food: float(food in names) for food in FOODS},
        looks={question: Answered(value, 1.0) for question, value in looks.items()},
    )
