"""What a clip of the toy kitchen shows, as read frame by frame: action, foods, tool and looks.

The action is inferred, not recognised: from the tool, from the change of the food's state, and from
whether the food is there from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import (
    COLOURS,
    COUNTER_PATTERNS,
    COUNTERS,
    HANDLES,
    PATTERNS,
    SHAPES,
    SIDE_OBJECTS,
    TOOLS,
)
from procvid.toykitchen.scene import PRODUCES, STATES

ABSENT = "absent"
FOOD_STATES = (*STATES, ABSENT)
LOOKS: dict[str, tuple[str, ...]] = {
    "vessel_shape": tuple(f"{shape} {name}" for name, shapes in SHAPES.items() for shape in shapes),
    "vessel_colour": tuple(COLOURS),
    "vessel_pattern": PATTERNS,
    "counter_colour": tuple(COUNTERS),
    "counter_pattern": COUNTER_PATTERNS,
    "side": (*SIDE_OBJECTS, ABSENT),
    "side_colour": tuple(COLOURS),
    "tool": (*TOOLS, ABSENT),
    "tool_colour": tuple(COLOURS),
    "tool_pattern": HANDLES,
}
"""Questions about looks, with their answers."""

LOOKS_OF: dict[str, tuple[str, ...]] = {
    "vessel": ("vessel_shape", "vessel_colour", "vessel_pattern"),
    "counter": ("counter_colour", "counter_pattern"),
    "side": ("side", "side_colour"),
    "tool": ("tool", "tool_colour", "tool_pattern"),
}
"""The questions that make up the identity of a thing."""

TOOL_QUESTIONS = LOOKS_OF["tool"][1:]
SIDE_QUESTIONS = LOOKS_OF["side"][1:]
PRESENT = 0.5
"""Mean probability over the clip from which a food is there."""

CUTS = {"peeled": "peel", "sliced": "slice", "diced": "dice"}
HEATS = {"fried": "fry", "boiled": "boil", "baked": "bake"}


@dataclass(frozen=True)
class Answered:
    """An answer with its probability, 0 to 1."""

    value: str
    odds: float


@dataclass(frozen=True)
class FoodRead:
    """A food of a clip.

    Attributes:
        name: Its name.
        before: Its state at the beginning.
        after: Its state at the end.
        odds: Probability that it is there, the mean over the clip.
        came: True if it was not there at the beginning.
        seen_s: The middle of the moments that show it.
        after_s: When its last state is first seen.
    """

    name: str
    before: Answered
    after: Answered
    odds: float
    came: bool
    seen_s: float
    after_s: float


@dataclass(frozen=True)
class SceneReading:
    """What a clip shows.

    Attributes:
        action: The canonical action.
        foods: All foods, the one that is worked on first.
        vessel: Name of the vessel.
        tool: Name of the tool; "" for none.
        tool_s: The middle of the moments that show the tool; None without a tool.
        shown: Probability that each food is there, the mean over the clip, by name.
        looks: Answer to each question of `LOOKS`, except those about a tool or a side object that is not
            there.
    """

    action: str
    foods: tuple[FoodRead, ...]
    vessel: str
    tool: str
    tool_s: float | None
    shown: Mapping[str, float]
    looks: Mapping[str, Answered]


def reading_of(
    states: NDArray[np.float32], looks: Mapping[str, NDArray[np.float32]], times_s: Sequence[float]
) -> SceneReading:
    """Return what a clip shows.

    Args:
        states: Probabilities of `FOOD_STATES` for each frame and food, (T, foods, states).
        looks: Probabilities of the answers to each question, (T, answers).
        times_s: When each frame is shown.
    """
    tool = _best("tool", looks["tool"].mean(0))
    side = _best("side", looks["side"].mean(0))
    there = 1 - looks["tool"][:, -1]
    answers = {}
    for question, rows in looks.items():
        if question in TOOL_QUESTIONS:
            # The colour of a handle is read in the frames that show it.
            weights = there + 1e-6
            answers[question] = _best(question, (weights / weights.sum()) @ rows)
        else:
            answers[question] = _best(question, rows.mean(0))
    hidden = (TOOL_QUESTIONS if tool.value == ABSENT else ()) + (
        SIDE_QUESTIONS if side.value == ABSENT else ()
    )
    vessel = answers["vessel_shape"].value.split(" ", 1)[1]
    shown = 1 - states[:, :, -1].mean(0)
    # The food whose state or presence changes is worked on; without one, the clearest.
    work = [_change(states[:, k]) + 1e-3 * float(shown[k]) for k in range(len(FOODS))]
    order = [k for k in np.argsort(work)[::-1] if shown[k] >= PRESENT or _arrives(states[:, k])]
    name = "" if tool.value == ABSENT else tool.value
    main = _food(order[0], states[:, order[0]], times_s, changes=True) if order else None
    action = _action(name, vessel, main)
    if main is not None and PRODUCES.get(action) != main.after.value:
        main = _food(order[0], states[:, order[0]], times_s)
    others = (_food(k, states[:, k], times_s) for k in order[1:])
    return SceneReading(
        action=action,
        foods=(() if main is None else (main,)) + tuple(others),
        vessel=vessel,
        tool=name,
        tool_s=_middle(there, times_s) if name else None,
        shown=dict(zip(FOODS, map(float, shown), strict=True)),
        looks={q: answer for q, answer in answers.items() if q not in hidden},
    )


def _best(question: str, odds: NDArray[np.float32]) -> Answered:
    place = int(odds.argmax())
    return Answered(LOOKS[question][place], float(odds[place]))


def _arrives(states: NDArray[np.float32]) -> bool:
    """Return True if a food is there at the end but not at the beginning."""
    here = 1 - states[:, -1]
    return bool(here[0] < PRESENT <= here[-2:].min())


def _change(states: NDArray[np.float32]) -> float:
    """Return how far the first and the last frame of a food differ, 0 to 1."""
    return float(np.abs(states[0] - states[-1]).sum() / 2)


def _food(
    place: int, states: NDArray[np.float32], times_s: Sequence[float], *, changes: bool = False
) -> FoodRead:
    """Return a food; its states are those of the frames that show it."""
    here = 1 - states[:, -1]
    came = bool(here[0] < PRESENT)
    ends = changes and not came
    first, last = (_state(states[:2]), _state(states[-2:])) if ends else (_state(states),) * 2
    wanted = FOOD_STATES.index(last.value)
    return FoodRead(
        name=FOODS[place],
        before=first,
        after=last,
        odds=float(here.mean()),
        came=came,
        seen_s=_middle(here, times_s),
        after_s=_first(states[:, wanted], times_s),
    )


def _middle(odds: NDArray[np.float32], times_s: Sequence[float]) -> float:
    """Return the middle of the moments that show something."""
    rows = np.flatnonzero(odds >= min(PRESENT, float(odds.max())))
    return float(times_s[int(rows[len(rows) // 2])])


def _first(odds: NDArray[np.float32], times_s: Sequence[float]) -> float:
    """Return the first moment that shows something."""
    return float(times_s[int((odds >= min(PRESENT, float(odds.max()))).argmax())])


def _state(states: NDArray[np.float32]) -> Answered:
    odds = states[:, :-1].sum(0) / max(float(states[:, :-1].sum()), 1e-6)
    place = int(odds.argmax())
    return Answered(STATES[place], float(odds[place]))


def _action(tool: str, vessel: str, food: FoodRead | None) -> str:
    after = food.after.value if food else ""
    match tool:
        case "knife":
            return CUTS.get(after, "slice")
        case "whisk":
            return "mix"
        case "spatula":
            return "flip"
        case "spoon":
            changed = food is not None and food.before.value != after
            return "mash" if after == "mashed" and changed else "stir"
        case _:
            if food is None or food.came:
                return "serve" if vessel == "plate" else "add"
            return HEATS.get(after, "serve" if vessel == "plate" else "add")
