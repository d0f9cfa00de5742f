"""What differs between two clips of the toy kitchen, by what was read in each.

Severities follow the scoring matrix of `procvid.types.difference`: the colour of a tool or a vessel is nearly
the same (1), another thing for the same purpose, another cut, another size or a small detail is 2, an
added food 3, another food of another kind, another method or another phase of cooking 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from procvid.toykitchen.reading import ABSENT, Answered, FoodRead, SceneReading
from procvid.toykitchen.scene import PRODUCES, TOOL_OF
from procvid.toykitchen.words import place_of
from procvid.types.difference import Category, ClipDifferences, Difference, by_category

SURE = 0.6
"""Probability from which an answer counts. Measured by `python -m lab.differences`."""

SURE_FOOD = 0.5
"""How much likelier a food must be in one clip than in the other."""

PAST = {
    "peel": "peeled", "slice": "sliced", "dice": "diced", "add": "added", "stir": "stirred",
    "mix": "mixed", "mash": "mashed", "fry": "fried", "flip": "flipped", "boil": "boiled",
    "bake": "baked", "serve": "served",
}  # fmt: skip
METHODS = (("peel", "slice", "dice", "mash"), ("fry", "boil", "bake"), ("stir", "mix"))
"""Actions for one purpose: they differ in technique."""

PLACING = ("add", "serve")
METHOD_SEVERITIES = (2, 4, 2)
PHASES = (
    ("peel", "slice", "dice", "mix", "mash"),
    ("add", "stir", "fry", "flip", "boil", "bake"),
    ("serve",),
)
FAMILIES = (
    ("carrot", "potato", "beetroot", "onion", "radish"),
    ("tomato", "cucumber", "eggplant", "broccoli", "mushroom"),
    ("egg", "cheese"),
)
"""Foods that can stand in for each other, so another one is nearly the same ingredient."""

PATTERN_WORDS = {"ring": "ringed", "dots": "dotted"}
CANNOT_SEE = "amounts, heat, speed and sound: the embedded reader looks at single pictures"


def compared(a: SceneReading, b: SceneReading) -> ClipDifferences:
    """Return what clip B shows instead of what clip A shows."""
    unsure: list[str] = []
    found = [*_action(a, b), *_foods(a, b), *_states(a, b, unsure), *_things(a, b, unsure)]
    return ClipDifferences(
        found=by_category(found), alike=tuple(_alike(a, b)), unseen=(*unsure, CANNOT_SEE)
    )


def _action(a: SceneReading, b: SceneReading) -> Iterator[Difference]:
    if a.action == b.action:
        return
    done_a, done_b = PAST[a.action], PAST[b.action]
    if a.tool != b.tool:
        done_a += f" with a {a.tool}" if a.tool else ""
        done_b += f" with a {b.tool}" if b.tool else ""
    category, severity = _kind(a.action, b.action)
    text = f"{done_b} instead of {done_a}"
    yield Difference(category, text, severity, "action", a.action, b.action, _when(a), _when(b))


def _kind(a: str, b: str) -> tuple[Category, int]:
    """Return the category and the severity of two different actions."""
    for actions, severity in zip(METHODS, METHOD_SEVERITIES, strict=True):
        if a in actions and b in actions:
            return "techniques", severity
    same_phase = any(a in phase and b in phase for phase in PHASES)
    return "actions", 3 if same_phase else 4


def _when(reading: SceneReading) -> float | None:
    """Return when the action shows: when its result is first seen, or else its tool."""
    if reading.foods and (reading.action in PRODUCES or reading.tool_s is None):
        return reading.foods[0].after_s
    return reading.tool_s


def _foods(a: SceneReading, b: SceneReading) -> Iterator[Difference]:
    """Yield foods that only one of the clips shows; the one worked on first."""
    gone = [f for f in a.foods if f.odds - b.shown[f.name] >= SURE_FOOD]
    new = [f for f in b.foods if f.odds - a.shown[f.name] >= SURE_FOOD]
    many = abs(len(gone) - len(new)) >= 3
    while gone and new:
        old, other = gone.pop(0), new.pop(0)
        alike = any(old.name in kinds and other.name in kinds for kinds in FAMILIES)
        yield Difference(
            "ingredients",
            f"{other.name} instead of {old.name}",
            2 if alike else 4,
            other.name,
            old.name,
            other.name,
            old.seen_s,
            other.seen_s,
        )
    for food in gone:
        severity = 4 if many or food == a.foods[0] else 3
        yield Difference(
            "ingredients", f"no {food.name}", severity, food.name, food.name, "", food.seen_s
        )
    for food in new:
        severity = 4 if many or food == b.foods[0] else 3
        text = f"{food.name} added"
        yield Difference("ingredients", text, severity, food.name, "", food.name, None, food.seen_s)


def _states(a: SceneReading, b: SceneReading, unsure: list[str]) -> Iterator[Difference]:
    """Yield foods of both clips that begin, or stay, in another state."""
    others = {food.name: food for food in b.foods}
    for food in a.foods:
        other = others.get(food.name)
        if other is None:
            continue
        # What the action makes of a food is a difference of the action.
        starts = _makes(a, food) or _makes(b, other)
        one, two = (food.before, other.before) if starts else (food.after, other.after)
        if one.value == two.value:
            continue
        if min(one.odds, two.odds) < SURE:
            unsure.append(f"the state of the {food.name}: not clear in both clips")
            continue
        text = f"the {food.name} {'starts' if starts else 'is'} {two.value} instead of {one.value}"
        yield Difference(
            "ingredients",
            text,
            2,
            food.name,
            one.value,
            two.value,
            None if starts else food.after_s,
            None if starts else other.after_s,
        )


def _makes(reading: SceneReading, food: FoodRead) -> bool:
    return PRODUCES.get(reading.action) == food.after.value and food is reading.foods[0]


def _things(a: SceneReading, b: SceneReading, unsure: list[str]) -> Iterator[Difference]:
    """Yield differences of vessel, tool, counter and the object beside the vessel."""
    same_vessel = a.vessel == b.vessel
    if not same_vessel:
        one, two = place_of(a.vessel, a.vessel), place_of(b.vessel, b.vessel)
        yield _thing("tools", b.vessel, f"{two} instead of {one}", 2, a.vessel, b.vessel)
    shape = _pair("vessel_shape", a, b, unsure)
    if shape and same_vessel:
        one, two = (answer.split(" ", 1)[0] for answer in shape)
        yield _thing("tools", b.vessel, f"the {b.vessel} is {two} instead of {one}", 2, one, two)
    if same_vessel:
        yield from _worded("vessel", "tools", (1, 1), b.vessel, a, b, unsure)
    usual = TOOL_OF.get(a.action, "") == a.tool and TOOL_OF.get(b.action, "") == b.tool
    if a.tool != b.tool and not (usual and a.action != b.action):
        text = f"with {_named(b.tool)} instead of {_named(a.tool)}"
        yield _thing("tools", b.tool or a.tool, text, 2, a.tool, b.tool)
    if a.tool and a.tool == b.tool:
        name = f"handle of the {a.tool}"
        yield from _worded("tool", "tools", (1, 1), name, a, b, unsure)
    yield from _worded("counter", "looks", (4, 2), "counter", a, b, unsure)
    if sides := _pair("side", a, b, unsure):
        old, new = ("" if side == ABSENT else side for side in sides)
        one, two = (f"a {side}" if side else "nothing" for side in (old, new))
        yield _thing("looks", new or old, f"{two} beside it instead of {one}", 2, old, new)
    else:
        yield from _worded("side", "looks", (2, 2), _value(a, "side"), a, b, unsure)


def _worded(
    thing: str,
    category: Category,
    severities: tuple[int, int],
    name: str,
    a: SceneReading,
    b: SceneReading,
    unsure: list[str],
) -> Iterator[Difference]:
    """Yield differences in the colour and the pattern of a thing."""
    for part, severity in zip(("colour", "pattern"), severities, strict=True):
        if pair := _pair(f"{thing}_{part}", a, b, unsure):
            one, two = (PATTERN_WORDS.get(answer, answer) for answer in pair)
            yield _thing(category, name, f"the {name} is {two} instead of {one}", severity, *pair)


def _pair(
    question: str, a: SceneReading, b: SceneReading, unsure: list[str]
) -> tuple[str, str] | None:
    """Return two different answers to a question; None if they agree, or one is not sure."""
    one, two = a.looks.get(question), b.looks.get(question)
    if one is None or two is None or one.value == two.value:
        return None
    if not (_sure(one) and _sure(two)):
        thing, _, what = question.partition("_")
        unsure.append(f"the {what or 'kind'} of the {thing}: not clear in both clips")
        return None
    return one.value, two.value


def _sure(answer: Answered) -> bool:
    return answer.odds >= SURE


def _thing(
    category: Category, subject: str, text: str, severity: int, a: str, b: str
) -> Difference:
    return Difference(category, text, severity, subject, a, b)


def _named(tool: str) -> str:
    return f"a {tool}" if tool else "no tool"


def _alike(a: SceneReading, b: SceneReading) -> Iterator[str]:
    """Yield what both clips show, in words."""
    if a.action == b.action:
        yield PAST[a.action]
    others = {food.name for food in b.foods}
    yield from (food.name for food in a.foods if food.name in others)
    if a.vessel == b.vessel:
        yield a.vessel
    if a.tool and a.tool == b.tool:
        yield a.tool
    for thing in ("counter", "side"):
        colour = f"{thing}_colour"
        if thing == "side" and _value(a, "side") != _value(b, "side"):
            continue
        if _value(a, colour) and _value(a, colour) == _value(b, colour):
            kind = "counter" if thing == "counter" else _value(a, "side")
            yield f"{_value(a, colour)} {kind}"


def _value(reading: SceneReading, question: str) -> str:
    answer = reading.looks.get(question)
    return answer.value if answer else ""
