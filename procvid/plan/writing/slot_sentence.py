"""Write the first sentence of a prompt from the planned objects alone.

It serves steps whose own words make no sentence, and plans that a person edited.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from procvid.plan.language.english import is_number
from procvid.plan.language.lexicon import lexicon, words
from procvid.plan.language.reading import read_step
from procvid.plan.language.side_clauses import gap, kinds_of
from procvid.plan.writing.wording import (
    DEVICES,
    as_sentence,
    device_of,
    gerund,
    heaviest,
    is_fluid,
    is_many,
    is_or_are,
    joined,
    listed,
    one,
    place,
    spoken_name,
    verbs_of,
)
from procvid.types import PlannedObject

NO_ENDS = frozenset("the it they just of to a and or".split())
PURPOSES = frozenset(
    "ready needed required desired use using serve serving eat enjoy you your later hungry "
    "low medium high valve".split()
)
"""Words of an "until ..." that no clip shows: "until ready to serve"."""
THINGS = frozenset(
    "mixture vegetables veggies liquid edges surface center centre top tops bottom sides skin skins "
    "meat texture fruit juices spices herbs ingredients".split()
)
"""Nouns that recipes write without an article."""
STEMS = {
    "sliced": "slic|cut|halv|quarter|split|carv|trim", "diced": "dic|chop|minc|cub|cut",
    "grated": "grat|shred|zest", "mashed": "mash|crush|smash", "mixed": r"\w+",
    "fried": "fry|cook|saut|brown|sear|soften|frying", "boiled": "boil|simmer|cook|coming|poach|brais",
    "baked": "bak|roast|cook|brown", "torn": "tear|shred", "ground": "grind",
    "shaped": "shap|roll|form|press|crimp", "grilled": "grill|brown|char|cook",
    "blended": "blend|process|puls|blitz|whizz|pur|mix",
}  # fmt: skip
"""Starts of the gerunds that lead to a state."""
SEASONED = re.compile(r"\bseason(?:ed|ing)?\b(?: \w+)? with\b", re.I)
SPRINKLED = re.compile(r"\b(?:sprinkle|drizzle|dust)s? (?!with)[\w ]{3,30} with\b", re.I)
ON_STOVE = ("pan", "pot", "wok", "griddle", "kettle", "skillet", "saucepan")
CUTTING = frozenset("slice dice grate peel".split())
SPARING = frozenset("grease line cover uncover".split())
"""Actions that leave the foods as they are."""
MAX_PRESENT = 3
MAX_RESULT_WORDS = 6
ONTO = ("add", "spread", "squeeze", "grate", "crumble", "tear", "press")
"""Actions that may leave the food alone that they lead to."""
HAPPENING = frozenset(
    "fry boil steam bake grill toast broil melt heat chill freeze thaw wait soak marinate "
    "brew blend".split()
)
"""Actions that the food does: "the onion frying in the pan"."""

SPOKEN = frozenset(
    "chop mince whisk beat whip toss combine simmer roast poach season pour sprinkle drizzle brush "
    "shred halve quarter trim crush press refrigerate rinse".split()
)
"""Verbs that a prompt uses in place of their action."""
GERUNDS = {
    "chop": "chopping", "whip": "whipping", "trim": "trimming", "season": "seasoning",
    "refrigerate": "cooling", "shred": "shredding", "simmer": "simmering",
    "chill": "cooling", "wait": "resting", "air fry": "air-frying", "remove": "lifting",
    "store": "putting", "check": "checking on", "gather": "laying out", "heat": "heating up",
    "broil": "browning", "grease": "greasing", "line": "lining", "roll up": "rolling up",
}  # fmt: skip


OVEN_DIAL = re.compile(
    r"\b(?:reduce|lower|raise|turn|decrease|increase)\b(?: (?:the|down|up|your))*"
    r" (?:oven|heat of the oven|temperature of the oven)\b"
)


def slot_sentences(
    text: str,
    action: str,
    foods: Sequence[PlannedObject],
    vessels: Sequence[PlannedObject],
    tools: Sequence[PlannedObject],
) -> list[str]:
    """Return what the shot shows, in one to four sentences, from its objects.

    Args:
        text: The step's own words; only a short "until ..." is taken from them.
        action: The canonical action.
        foods: The foods, the most important one first; the same holds for vessels and tools.
        vessels: The vessels.
        tools: The tools.
    """
    shown, present = _acted_on(text, action, foods)
    cut = [f for f in shown if not is_fluid(f)]
    if action in CUTTING and cut:
        shown, present = cut, [*present, *(f for f in shown if f not in cut)]
    if action in ("cover", "uncover") and vessels:
        shown, present = [], list(foods)
    if present and SEASONED.search(text) and not _has_object(text):
        shown, present = [present[0], *shown], present[1:]
    first = _action_sentence(text, action, shown, vessels, tools)
    return [
        first,
        result_of(foods, text, action, first),
        _present(present, vessels),
        at_hand(vessels, tools, first),
    ]


def _acted_on(
    text: str, action: str, foods: Sequence[PlannedObject]
) -> tuple[list[PlannedObject], list[PlannedObject]]:
    """Return the foods that a hand moves, and those that lie there: "peas to the rice"."""
    named = [o for o in foods if o.mentioned]
    if action == "serve" or not named:
        return list(foods), []
    onto = _targets(text) if action in ONTO else frozenset()
    if foods[0].mentioned and any(foods[0].name.endswith(name) for name in onto):
        onto = frozenset(name for name in onto if not foods[0].name.endswith(name))
    shown = [o for o in named if not any(o.name.endswith(name) for name in onto)]
    shown = shown or [o for o in foods if not o.mentioned][:2] or named
    if foods[0] not in shown and action not in ("add", *ONTO):
        shown = [foods[0], *shown]
    return shown, [o for o in foods if o not in shown]


@lru_cache(maxsize=256)
def _targets(text: str) -> frozenset[str]:
    """Return the foods that a step puts something onto or into."""
    found = [m for s in read_step(text).segments for m in s.foods]
    onto = {m.entry.name for m in found if m.preposition in ("over", "on", "onto", "to", "into")}
    return frozenset(onto - {m.entry.name for m in found if not m.preposition})


def _has_object(text: str) -> bool:
    """Return True if "season" has an object: "season the fish with salt"."""
    found = [s for s in read_step(text).segments if s.verb.name == "season"]
    return any(not m.preposition for s in found for m in s.foods)


def _action_sentence(
    text: str,
    action: str,
    foods: Sequence[PlannedObject],
    vessels: Sequence[PlannedObject],
    tools: Sequence[PlannedObject],
) -> str:
    doing = _doing(text, action)
    vessel = spoken_name(vessels[0], text) if vessels else ""
    made = lexicon().actions[action].state if action in lexicon().actions else None
    things = listed(foods, text, made or "")
    if doing == "seasoning" and all(is_fluid(food) for food in foods):
        doing = "sprinkling"
    if action == "preheat":
        if vessel and device_of(tools):
            return f"Close-up of the {vessel} heating up {device_of(tools)}, still empty."
        what = f"the {vessel}" if vessel else "the oven"
        return f"Close-up of {what} heating up, glowing and still empty."
    if not foods and action == "heat" and vessel:
        spot = device_of(tools) or ("on the stove" if vessel.endswith(ON_STOVE) else "")
        return as_sentence(f"Close-up of the {vessel} heating up", spot)
    if not foods and action == "wait" and OVEN_DIAL.search(text.lower()):
        return "Close-up of hands turning the dial of the oven."
    if not foods and action in ("wait", "chill", "heat", "check", "prepare", "gather"):
        what = f"the {vessel}" if vessel else "the ingredients"
        return f"Close-up of {what} waiting to be used while a cook prepares the next step."
    if not foods and not vessel and action not in ("remove", "fold", "line", "grease"):
        what = f"the {spoken_name(tools[0], '')}" if tools else "the ingredients"
        return f"Close-up of {what} ready to be used while a cook prepares the next step."
    where = _where(text, action, doing, vessel, tools, foods)
    means = _means(text, action, vessel, tools)
    until = until_of(text, action)
    if action in {*HAPPENING, "air fry"}:
        subject = things or (f"the {vessel}" if vessel else "the food")
        spot = where if things or not vessel else device_of(tools)
        return as_sentence(f"Close-up of {subject} {doing}", spot, means, until)
    moved = _object_of(text, action, doing, foods, vessel, things, tools)
    if moved == "the food":
        what = vessel or (spoken_name(tools[0], "") if tools else "plate")
        return f"Close-up of the {what} ready to be used while a cook prepares the next step."
    return as_sentence(
        f"Close-up of hands {doing}",
        moved,
        where,
        means,
        until,
    )


def _doing(text: str, action: str) -> str:
    """Return the gerund of the step's own verb where it fits the sentence, else of the action."""
    own = [v.verb.name for v in verbs_of(text) if v.verb.action.name == action]
    spoken = own[0] if own and own[0] in SPOKEN else action
    return GERUNDS.get(spoken) or gerund(spoken)


def _object_of(
    text: str,
    action: str,
    doing: str,
    foods: Sequence[PlannedObject],
    vessel: str,
    things: str,
    tools: Sequence[PlannedObject],
) -> str:
    """Return the object of an action with the words that join it to a second food."""
    if (
        action in ("line", "grease", "cover", "uncover", "open", "wash", "wrap")
        and vessel
        and not foods
    ):
        return f"the {vessel}"
    if action in ("line", "grease") and things:
        return f"the {vessel or 'pan'} with {things}"
    if len(foods) > 1 and action in ("spread", "coat", "fill", "wrap", "marinate"):
        first, rest = listed(foods[:1], text), listed(foods[1:], text)
        if action == "spread":
            onto = _targets(text)
            to_first = foods[0].name in onto or re.search(r"\bwith\b", text.lower())
            if not to_first and not any(food.name in onto for food in foods):
                return things
            return f"{rest} over {first}" if to_first else f"{first} over {rest}"
        return f"{first} {'in' if action in ('coat', 'wrap') else 'with'} {rest}"
    if action == "remove" and not vessel and not foods and device_of(tools):
        return "the food"
    if action == "remove" and vessel and any(tool.name == "oven" for tool in tools):
        return f"the {vessel} with {things}" if things else f"the {vessel}"
    if action in ("remove", "fold") and not foods and tools:
        return f"the {spoken_name(tools[0], '')}"
    if doing == "seasoning" and (len(foods) > 1 or (foods and not things.startswith("the salt"))):
        first, rest = listed(foods[:1], text), listed(foods[1:], text)
        return f"{first} with {rest}" if rest else first
    sprinkled = doing in ("sprinkling", "drizzling") and SPRINKLED.search(text)
    if sprinkled and len(foods) > 1:
        return f"{listed(foods[1:], text)} over {listed(foods[:1], text)}"
    if action == "fill" and vessel and _comes_first(text, vessel, foods):
        return f"the {vessel} with {things}"
    return things or ("the food" if action not in ("line", "grease") else "the pan")


def _comes_first(text: str, vessel: str, foods: Sequence[PlannedObject]) -> bool:
    """Return True if the step names the vessel before its first food."""
    spoken = [word.text for word in words(text)]
    places = [spoken.index(name.split()[-1]) for name in (vessel, *(f.name for f in foods[:1]))
              if name.split()[-1] in spoken]  # fmt: skip
    return len(places) == 2 and places[0] < places[1]


def _where(
    text: str,
    action: str,
    doing: str,
    vessel: str,
    tools: Sequence[PlannedObject],
    foods: Sequence[PlannedObject],
) -> str:
    device = device_of(tools)
    if action in ("line", "grease", "fill"):
        return ""
    source = next((t.name for t in tools if DEVICES.get(t.name, "").startswith("in ")), "")
    if action == "remove" and source:
        return f"out of the {source}"
    if not vessel:
        return device
    if action == "remove":
        return f"out of the {vessel}" if place(vessel).startswith("in") else f"off the {vessel}"
    if action in ("cover", "uncover", "open") or (action == "wrap" and not foods):
        return ""
    if action in ("add", "store"):
        spot = f"{'into' if action == 'store' else 'to'} the {vessel}"
        if doing in ("sprinkling", "drizzling") and SPRINKLED.search(text):
            spot = place(vessel)
        elif doing in ("pouring", "sprinkling", "drizzling"):
            spot = f"{'onto' if place(vessel).startswith('on') else 'into'} the {vessel}"
        if doing == "seasoning":
            spot = place(vessel)
    else:
        spot = place(vessel)
    return f"{spot} {device}".strip()


@lru_cache(maxsize=256)
def _tools_elsewhere(text: str, action: str) -> frozenset[str]:
    """Return the tools that a step names for another action only."""
    segments = read_step(text).segments
    own = {m.entry.name for s in segments if s.verb.action.name == action for m in s.tools}
    return (
        frozenset({m.entry.name for s in segments for m in s.tools} - own)
        if own or len(segments) > 1
        else frozenset()
    )


def _means(text: str, action: str, vessel: str, tools: Sequence[PlannedObject]) -> str:
    elsewhere = _tools_elsewhere(text, action)
    used = [
        tool
        for tool in tools
        if tool.name not in DEVICES
        and tool.name not in elsewhere
        and spoken_name(tool, "") != vessel
    ]
    if action == "remove":
        return ""
    return f"with {one(spoken_name(used[0], ''))}" if used else ""


def until_of(text: str, action: str, verb_end: int = -1) -> str:
    """Return the short "until golden brown" of the action, without things and numbers.

    Args:
        text: The step's own words.
        action: The canonical action.
        verb_end: The first word after the verb, if the action has several; -1 for the last one.
    """
    tokens = words(text)
    kinds = kinds_of(text)
    verbs = verbs_of(text)
    own = [n for n, verb in enumerate(verbs) if verb.verb.action.name == action]
    own = [n for n in own if verbs[n].end == verb_end] or own
    first = verbs[own[-1]].end if own else 0
    end = verbs[own[-1] + 1].start if own and own[-1] + 1 < len(verbs) else len(tokens)
    span = [i for i in range(first, end) if kinds[i] == "result"]
    if not span:
        return ""
    stop = next(
        (
            i
            for i in range(span[0] + 1, len(tokens))
            if kinds[i] != "result" or " - " in gap(text, tokens, i)
        ),
        len(tokens),
    )
    inside = tokens[span[0] : stop]
    plain = not any(
        is_number(t.text) or lexicon().noun_at(inside, n) is not None for n, t in enumerate(inside)
    )
    short = 1 < len(inside) <= MAX_RESULT_WORDS
    said = [t.text for t in inside[1:]]
    said = said[: said.index("until")] if "until" in said else said
    if said[:1] and said[0] in THINGS:
        said.insert(0, "the")
    spoken = " ".join(["until", *said])
    if PURPOSES & set(said) or said[:1] in (["a"], ["an"]):
        return ""
    return spoken if plain and short and inside[-1].text not in NO_ENDS else ""


def result_of(foods: Sequence[PlannedObject], text: str, action: str, first: str) -> str:
    """Return what has changed at the end, without naming the foods again.

    Args:
        foods: The foods of the shot.
        text: The step's own words.
        action: The canonical action.
        first: The sentence of the action, which may say it already.
    """
    changed = [food for food in foods if food.state_after != food.state_before]
    if action in SPARING or (action == "add" and any(f.state_after == "coated" for f in changed)):
        return ""
    states = list(dict.fromkeys(food.state_after for food in changed))
    if not changed or any(_says(first, state) for state in states):
        return ""
    if len(changed) == 1 and len(foods) == 1:
        many = is_many(foods[0], text)
        return f"By the end {'they are' if many else 'it is'} {states[0]}."
    if len(states) == 1 and len(changed) == len(foods):
        return f"By the end everything is {states[0]}."
    return ""


def _says(first: str, state: str) -> bool:
    """Return True if a sentence has the gerund that leads to a state: "chopping" to "diced"."""
    stems = STEMS.get(state, state.removesuffix("d").removesuffix("e").removesuffix("i"))
    return re.search(rf"\b(?:{stems})\w*ing\b(?! board)", first) is not None


def _present(foods: Sequence[PlannedObject], vessels: Sequence[PlannedObject]) -> str:
    if not foods:
        return ""
    named = listed(heaviest(foods, MAX_PRESENT), "")
    if len(foods) > MAX_PRESENT:
        named = named.replace(" and ", ", ") + " and other ingredients"
    verb = is_or_are([spoken_name(food, "") for food in foods])
    inside = bool(vessels) and place(vessels[0].name).startswith("in")
    where = "in there already" if inside else "there already"
    where = "nearby" if vessels and vessels[0].name == "cutting board" else where
    return f"{named[:1].upper()}{named[1:]} {verb} {where}."


def at_hand(vessels: Sequence[PlannedObject], tools: Sequence[PlannedObject], first: str) -> str:
    """Name the vessels and tools that the first sentence leaves out."""
    names = [spoken_name(item, "") for item in (*vessels, *tools)]
    left = [name for name in names if name not in first]
    if not left:
        return ""
    shown = joined([f"the {name}" for name in left])
    return f"{shown[:1].upper()}{shown[1:]} {is_or_are(left)} at hand."
