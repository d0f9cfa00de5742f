"""Add to a clause what it leaves out: the place, the tool, and the other objects of the plan."""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.plan.language.english import is_adverb
from procvid.plan.language.lexicon import lexicon, words
from procvid.plan.writing.phrases import SHAPES, TOP_PLACES, SpokenPhrase, entries_in
from procvid.plan.writing.scene import MAX_CARRIED, ShotScene, ends_of, foods_text, is_named
from procvid.plan.writing.slot_sentence import result_of, until_of
from procvid.plan.writing.wording import (
    DEVICES,
    VESSEL_ACTIONS,
    device_of,
    is_or_are,
    joined,
    one,
    place,
    seen_foods,
    spoken_name,
)
from procvid.types import PlannedObject

ADDING = frozenset("add store squeeze grate crumble tear".split())
STAYING = frozenset(
    "seasoning topping garnishing decorating moving arranging breaking layering stacking finishing "
    "glazing setting dividing scraping keeping leaving swirling turning pushing sprinkling".split()
)
"""Gerunds of adding that move nothing into the vessel, or that "in" suits better."""
TOOL_ACTIONS = frozenset(
    "slice dice grate peel mash roll mix stir flatten spread sift whisk grind press flip".split()
)
BY_HAND = frozenset({"hand", "hands", "fingers"})
SEEN_RESULTS = frozenset("sliced diced grated peeled mashed melted".split())
GROUPS = frozenset(
    "vegetables veggies spices herbs seasonings toppings fruit fruits nuts greens meats cheeses".split()
)
"""Words that stand for several foods."""
KINDS = {
    "spices": ("spice", "herb", "powder"), "seasonings": ("spice", "herb"),
    "herbs": ("herb", "spice"), "vegetables": ("vegetable", "mushroom"),
    "veggies": ("vegetable", "mushroom"), "cheeses": ("cheese",), "nuts": ("nut",),
}  # fmt: skip
"""Groups of foods that such a word stands for."""
BAKED = frozenset({"bake", "broil", "toast"})
MACHINES = frozenset({"blender", "food processor"})
DEEP = frozenset({"bowl", "pot", "jug", "cup", "glass", "jar"})
BAKERY = frozenset(
    "crust cake cakes cupcake cupcakes pie tart rolls bread toast buns cookies biscuits muffins "
    "pizza tortilla tortillas sandwich sandwiches loaf pancakes brownies cheesecake".split()
)
"""Foods that no bowl holds."""
DRY_ACTIONS = frozenset({"roll", "roll up", "shape", "flatten", "spread", "serve"})
"""Actions that no pot holds."""
MIXER = re.compile(
    r"\b(?:in|into|to) ((?:a|an|the) (?:[\w-]+ )?(?:stand |electric )?mixer)\b(?! bowl)"
)
"""A machine whose bowl is meant: "in a stand mixer"."""
ANY_PAN = re.compile(
    r"\b(the(?: same| hot)?|(?:the|a) (?:prepared|greased|lined)) pan\b(?! (?:of|and)\b)"
    r"|\b(a) pan\b(?= of [\w ]{0,20}water\b)"
)
"""What recipes call any pot: "add the rice to the pan"."""
NO_PLACES = TOP_PLACES | frozenset(
    "layer layers rack shelf mixture direction directions motion motions mode setting additions "
    "way ways fashion thickness temperature consistency well ingredients tops surface pressure "
    "bottoms batch order".split()
)
"""Nouns that leave open where: "in a single layer", "on the middle rack", "to the mixture"."""
MIXTURE = re.compile(r"\bthe (?:(\w+) )?mixture\b(?! of)")
"""A mixture that is not named by its foods: "the mixture", "the tempered mixture"."""
IN_VESSEL = frozenset("mix stir blend boil fry steam bake heat melt fold grill".split())
"""Actions that happen to all that was put into a vessel."""
MOVED_AWAY = re.compile(
    r"\b(?:remov|set aside|transfer|drain|take|lift|once|when|while|if|after)", re.I
)
OFF_HEAT = re.compile(r"\b(?:remove|take) ([\w ]{1,40} )?(?:from|off) (?:the )?heat\b", re.I)
AIM = re.compile(r"\b(?:to (?:prevent|keep|avoid|help|make|ensure)|until|so (?:that )?the)\b", re.I)
OVEN_RACK = re.compile(
    r"\b(?:middle|center|centre|top|upper|lower|bottom|oven) (?:rack|shelf)\b|\brack of the oven\b"
)
CRUMBS = frozenset("crumbs crumb cubes cubed diced".split())
DIPPING = frozenset({"coat", "soak", "mix", "stir", "crumble", "tear"})
"""Actions that bread goes into a bowl for."""
SOURCES = frozenset("pouring transferring ladling scraping tipping spooning scooping".split())
"""Gerunds that empty a vessel into another."""
PARTING = frozenset("cutting slicing breaking tearing chopping shredding pulling".split())
"""Gerunds whose "into" leads to pieces: "cutting the beef into strands"."""
PLACE_TIES = frozenset("in on onto into to over inside between around under through among".split())
BEFORE_VESSEL = "the|a|an|prepared|same|hot|greased|lined|buttered|oiled"
SHAPERS = {"cookie cutter": ("slice", "press"), "cookie scoop": (), "toothpick": ()}
"""Tools with the actions that they suit among those that need a tool."""
WRAPS = frozenset({"lid", "foil", "plastic wrap", "parchment paper", "kitchen towel"})


def additions(
    scene: ShotScene, spoken: str, others: Sequence[SpokenPhrase], *, happens: bool
) -> list[str]:
    """Return the place, the tool and the short "until ..." that the clause lacks."""
    found = [e for e, _, _ in entries_in(spoken)]
    device = device_of(scene.tools)
    inside = device and not any(e.name in DEVICES for e in found) and scene.action != "remove"
    needed = _needs_place(scene, spoken, others)
    where = _where(scene, spoken, others, happens=happens) if needed else ""
    return [
        where or _source(scene, spoken, others),
        device if inside and (happens or scene.action in ("add", "heat")) else "",
        "" if happens else _with_fat(scene, spoken) or _with_tool(scene, spoken),
        until_of(scene.text, scene.action, scene.verb_end),
    ]


def _needs_place(scene: ShotScene, spoken: str, others: Sequence[SpokenPhrase]) -> bool:
    """Return True if a clause names no place, or none beside a vessel that the step names."""
    if not scene.vessels or is_named(scene.vessels[0], spoken):
        return False
    if scene.action == "remove" and " from " in spoken:
        return False
    found = [e for e, _, _ in entries_in(OVEN_RACK.sub("oven", spoken))]
    if any(e.role in ("vessel", "surface") or e.name == "measuring cup" for e in found):
        return False
    parted = bool(PARTING & {*spoken.split()})
    placed = any(
        p.tie in PLACE_TIES - ({"into"} if parted else set()) and _is_place(p) for p in others
    )
    flat = place(scene.vessels[0].name).startswith("on")
    placed = placed or (flat and any(p.items and p.items[-1][-1] == "water" for p in others))
    return scene.vessels[0].mentioned or not placed


def _source(scene: ShotScene, spoken: str, others: Sequence[SpokenPhrase]) -> str:
    """Return "from the pot" where a clause pours the contents of a vessel into another place."""
    if not scene.vessels or scene.vessels[0].mentioned or is_named(scene.vessels[0], spoken):
        return ""
    name = spoken_name(scene.vessels[0], "")
    emptied = SOURCES & {*spoken.split()} and not place(name).startswith("on")
    moved = any(p.tie in ("into", "onto", "to") and _is_place(p) for p in others)
    return f"from the {name}" if emptied and moved else ""


def _with_fat(scene: ShotScene, spoken: str) -> str:
    """Return "with the butter" for what a pan is greased with."""
    fats = [f for f in scene.foods if not is_named(f, spoken)]
    lacking = scene.action == "grease" and " with " not in spoken and bool(fats)
    return f"with {seen_foods(fats[:2], 2)}" if lacking else ""


def _with_tool(scene: ShotScene, spoken: str) -> str:
    """Return "with a knife" if the action needs a tool and the clause names none."""
    tool = next((t for t in scene.tools if t.name not in DEVICES and t.name not in WRAPS), None)
    found = [e for e, _, _ in entries_in(spoken)]
    named = any(e.role == "tool" and e.name not in DEVICES for e in found)
    by_hand = bool(BY_HAND & {w.text for w in words(spoken.removeprefix("Close-up of hands"))})
    wrap = next((t for t in scene.tools if t.name in WRAPS), None)
    sealed = {"sealing", "closing"} & {*spoken.split()}
    if scene.action == "cover" and not sealed and wrap is not None and not named:
        return f"with the {spoken_name(wrap, '')}"
    if tool is not None and tool.name in SHAPERS and scene.action not in SHAPERS[tool.name]:
        tool = None
    moved = (
        tool is not None and tool.name == "spoon" and {"shaking", "swirling"} & {*spoken.split()}
    )
    if tool is None or moved or scene.action not in TOOL_ACTIONS or named or by_hand:
        return ""
    name = one(spoken_name(tool, ""))
    if " with " not in spoken:
        return f"with {name}"
    return f"using {name}"


def _is_place(phrase: SpokenPhrase) -> bool:
    """Return True for "in the center", not for "in oil", "into strips" or "over the cake"."""
    if not phrase.items:
        return False
    item = [w for w in phrase.items[-1] if not is_adverb(w) and not w.endswith("wise")]
    last = (item or [""])[-1]
    found = [e for e, _, _ in entries_in(" ".join(item))]
    elsewhere = any(e.role == "food" or e.name in DEVICES for e in found)
    vague = last in SHAPES | NO_PLACES | GROUPS or last in ("boil", "simmer", "")
    return not vague and not elsewhere and not NO_PLACES & {*item[:-1]}


def _where(scene: ShotScene, spoken: str, others: Sequence[SpokenPhrase], *, happens: bool) -> str:
    """Return where the main vessel stands in the sentence: "to the pot", "in the bowl"."""
    name = spoken_name(scene.vessels[0], scene.text)
    inside = place(name)
    if not scene.vessels[0].mentioned and _is_unlikely(scene, spoken):
        return ""
    if scene.action in VESSEL_ACTIONS:
        held = scene.action == "cover" and any(is_named(f, spoken) for f in scene.foods)
        return inside if held else ""
    entry = lexicon().entries.get(_kind(scene.vessels[0].name))
    cut = entry is not None and entry.group == "cut"
    if scene.action == "remove" and (cut or "running" in spoken):
        return inside
    if "scooping" in spoken and not others and not happens:
        return f"from the {name}"
    if scene.action == "remove" and " out of the oven" in spoken:
        return inside
    if scene.action == "remove":
        return "" if any(p.tie in ("from", "out of", "off") for p in others) else f"from the {name}"
    targeted = (
        " into " in spoken
        or " over " in spoken
        or any(
            p.tie in ("to", "into", "over", "onto", "on", "with")
            or (p.tie == "in" and p.items[-1][-1] not in NO_PLACES)
            for p in others
        )
    )
    staying = any(f" {doing} " in f"{spoken} " for doing in STAYING)
    if scene.action in ADDING and not targeted and not happens and not staying:
        tie = "to" if " adding " in spoken else "into"
        return f"{tie if inside.startswith('in') else 'onto'} the {name}"
    return inside


def _is_unlikely(scene: ShotScene, spoken: str) -> bool:
    """Return True for a guessed vessel that does not suit: dough rolled in a pot, a cake in a bowl."""
    entry = lexicon().entries.get(_kind(scene.vessels[0].name))
    if entry is None:
        return False
    small = scene.vessels[0].name.startswith("small")
    if entry.name in MACHINES and scene.action in DRY_ACTIONS | {"fill", "coat", "marinate"}:
        return True
    deep = entry.name in DEEP or scene.vessels[0].name.endswith("bowl")
    rubbed = bool({"rubbing", "massaging", "brushing", "basting"} & {*spoken.split()})
    if deep and not rubbed and scene.action in ("roll", "roll up", "flatten", "spread"):
        return True
    if scene.action in BAKED and (small or entry.group not in ("oven", "stove")):
        return True
    if entry.group == "stove" and scene.action in DRY_ACTIONS and not rubbed:
        return True
    said = {w.text for w in words(spoken)}
    loose = scene.action in DIPPING or bool(CRUMBS & said)
    return entry.name in DEEP and bool(BAKERY & said) and not loose


def _kind(name: str) -> str:
    """Return the lexicon's name of a vessel: "large frying pan" -> "frying pan"."""
    ends = [n for n in ends_of(name) if n in lexicon().entries]
    return max(ends, key=len) if ends else name


def in_slot_words(spoken: str, vessels: Sequence[PlannedObject]) -> str:
    """Return the words with the planned name of a vessel: "the pan" -> "the cake pan"."""
    for vessel in vessels:
        name = vessel.name
        if name.endswith("bowl") and "bowl" not in spoken:
            machine = "" if "mixer" in name else r" of \1"
            spoken = MIXER.sub(rf"in the {spoken_name(vessel, '')}{machine}", spoken, count=1)
        if name in spoken or " " not in name or name.startswith(("second", "third")):
            continue
        first, last = name.split()[0], name.split()[-1]
        if re.search(rf"\b{first}(?:,? [\w-]+){{1,4}} {last}\b", spoken):
            continue
        for entry, start, end in entries_in(spoken):
            tokens = words(spoken)
            if entry.name == name and tokens[start - 1].text not in DEVICES:
                a, b = tokens[start].start, tokens[end].end
                many = spoken[a:b].endswith("s") and not name.endswith("s")
                spoken = spoken[:a] + name + ("s" if many else "") + spoken[b:]
                break
        pattern = rf"\b({BEFORE_VESSEL})\s+{last}(s?)\b(?!\s+(?:of|\w*pan)\b)"
        if name not in spoken and re.search(pattern, spoken):
            spoken = re.sub(pattern, rf"\1 {name}\2", spoken, count=1)
    if vessels and _is_pan(vessels[0].name) and not is_named(vessels[0], spoken):
        return ANY_PAN.sub(
            lambda m: f"{m[1] or m[2]} {spoken_name(vessels[0], '')}", spoken, count=1
        )
    return spoken


def _is_pan(name: str) -> bool:
    entry = lexicon().entries.get(_kind(name))
    return entry is not None and entry.group in ("stove", "oven")


def result(scene: ShotScene, first: str) -> str:
    """Return how the only food looks at the end."""
    if len(scene.foods) != 1 or "until" in first or not is_named(scene.foods[0], first):
        return ""
    state = scene.foods[0].state_after
    if state not in SEEN_RESULTS or state not in (scene.done, "melted"):
        return ""
    return result_of(scene.foods, scene.text, scene.action, first)


def _names(foods: Sequence[PlannedObject]) -> list[str]:
    return [spoken_name(food, "") for food in foods]


def left_out(scene: ShotScene, first: str) -> list[str]:
    """Return a sentence or two about the objects that the first sentence does not name."""
    foods = [f for f in scene.foods if not is_named(f, first)]
    if "other ingredients" in first or "everything" in first:
        foods = []
    if "ingredients" in first and "other ingredients" not in first and len(foods) > 1:
        return [f"The ingredients are {seen_foods(foods, 6, scene.done)}."]
    before = f"{_said_before(scene)} {_said_for(scene)}".strip()
    added = [f for f in foods if f.mentioned and before and is_named(f, before)]
    carried = [f for f in foods if not f.mentioned or f in added]
    if scene.action in ("cover", "uncover") and scene.vessels:
        carried = foods
    later = [
        f
        for f in foods
        if f not in carried and f.mentioned and f not in added and is_named(f, scene.text)
    ]
    things = [t for t in (*scene.vessels, *scene.tools) if not is_named(t, first)]
    sentences = []
    if carried:
        where = _lie(scene, carried, first)
        sentences.append(where)
        things = [t for t in things if t.role == "tool" or not is_named(t, where)]
    later, group = _grouped(later, first)
    sentences += group
    names = [f"the {spoken_name(t, scene.text)}" for t in (*later[:2], *things[:2])]
    if names:
        named = joined(names)
        sentences.append(f"{named[:1].upper()}{named[1:]} {is_or_are(names)} at hand.")
    return sentences


def _grouped(foods: Sequence[PlannedObject], first: str) -> tuple[list[PlannedObject], list[str]]:
    """Return the other foods, and "The spices are the cumin and the mace." after "the spices"."""
    said = [w.text for w in words(first) if w.text in KINDS]
    entries = lexicon().entries
    own = [
        f for f in foods if said and f.name in entries and entries[f.name].group in KINDS[said[0]]
    ]
    if len(own) < 2:
        return list(foods), []
    return [f for f in foods if f not in own], [f"The {said[0]} are {seen_foods(own, 4)}."]


def _said_before(scene: ShotScene) -> str:
    """Return the words before a verb, whose foods are in the vessel by then: "add X. Mix"."""
    tokens = words(scene.text)
    off = scene.action == "add" and OFF_HEAT.search(scene.text)
    if (scene.action not in IN_VESSEL and not off) or not 1 < scene.verb_end <= len(tokens):
        return ""
    before = scene.text[: tokens[scene.verb_end - 1].start]
    return "" if MOVED_AWAY.search(OFF_HEAT.sub("", before)) else OFF_HEAT.sub(r"\1", before)


def _said_for(scene: ShotScene) -> str:
    """Return the purpose of an action, whose foods it has: "stir to keep the peas whole"."""
    tokens = words(scene.text)
    if scene.action not in IN_VESSEL or not 0 < scene.verb_end <= len(tokens):
        return ""
    sentence = scene.text[tokens[scene.verb_end - 1].end :].split(". ")[0]
    found = AIM.search(sentence)
    return sentence[found.start() :] if found else ""


def _lie(scene: ShotScene, carried: Sequence[PlannedObject], first: str) -> str:
    """Return the sentence that says where the foods of former steps lie."""
    named = foods_text(scene, carried, MAX_CARRIED, whole=True)
    verb = "is" if named.startswith("the mixture of") else is_or_are(_names(carried))
    where = _spot(scene, first)
    mixture = MIXTURE.search(first.split(" until ")[0])
    if mixture and (not mixture[1] or lexicon().look_up(mixture[1]) is None):
        where = "in the mixture"
        named, verb = seen_foods(carried, MAX_CARRIED), is_or_are(_names(carried))
    elif scene.action == "serve" and "mixture into" in first:
        where = "in the mixture"
    elif GROUPS & {w.text for w in words(first)}:
        where = "in view"
    return f"{named[:1].upper()}{named[1:]} {verb} {where}."


def _spot(scene: ShotScene, first: str) -> str:
    """Return where foods of former steps lie: "in there already", "in the pot", "nearby"."""
    if not scene.vessels:
        return "nearby"
    vessel = scene.vessels[0]
    name = spoken_name(vessel, "")
    inside = place(name)
    entry = lexicon().entries.get(_kind(vessel.name))
    if entry is not None and entry.group == "cut":
        return "nearby"
    if is_named(vessel, first):
        return "in there already" if inside.startswith("in") else "there already"
    elsewhere = any(e.role == "vessel" for e, _, _ in entries_in(first))
    unlikely = not vessel.mentioned and _is_unlikely(scene, first)
    return "nearby" if elsewhere or unlikely else inside
