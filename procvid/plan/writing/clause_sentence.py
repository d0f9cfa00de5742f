"""Tell the clause of a shot's main action as a picture, in the recipe's own words.

"Add onion and garlic" becomes "Close-up of hands adding the onion and the garlic to the frying
pan." The planned objects stand in for "it" and for what the clause leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from procvid.plan.language.english import is_adverb
from procvid.plan.language.lexicon import Entry, lexicon
from procvid.plan.writing.clause_verbs import DIALS, SWITCHING, TO_SETTING, doing_of, turns_dial
from procvid.plan.writing.own_clause import OwnClause, own_clauses
from procvid.plan.writing.phrases import (
    BLANK,
    SpokenPhrase,
    entries_in,
    read_phrases,
    write_phrase,
)
from procvid.plan.writing.remarks import still_sentence
from procvid.plan.writing.scene import (
    MAX_CARRIED,
    ShotScene,
    foods_text,
    is_named,
    phrase_text,
    referents,
)
from procvid.plan.writing.surroundings import ADDING, additions, in_slot_words, left_out, result
from procvid.plan.writing.wording import (
    DEVICES,
    VESSEL_ACTIONS,
    as_sentence,
    by_weight,
    place,
    seen_foods,
    spoken_name,
)
from procvid.types import PlannedObject

MAX_FIRST_WORDS, MOST_FIRST_WORDS = 34, 42
"""Words of the first sentence: where its places stop, and where it is given up."""
SLOT_ACTIONS = frozenset({"preheat", "prepare", "gather", "check"})
"""Actions whose picture is made of the objects."""
ONTO_VERBS = frozenset("pour drizzle spoon brush spread ladle dollop".split())
BLENDING = frozenset(
    "mashing kneading stirring mixing whisking beating folding working blending swirling".split()
)
POURING = BLENDING | frozenset(
    "pouring adding sprinkling dropping drizzling tossing crumbling ladling throwing putting "
    "cracking breaking squeezing grating spooning scattering sifting tipping whizzing rubbing "
    "scraping dumping shaking tearing pressing".split()
)
"""Gerunds that "in" follows without a place of its own: "pouring in the milk"."""
SCATTERING = frozenset(
    "pouring sprinkling drizzling spooning scattering ladling spreading brushing grating crumbling "
    "dusting squeezing shaking piling dolloping layering sifting tossing adding".split()
)
"""Gerunds that "on" and "over" follow so: "scattering over the nuts"."""
SPRINKLING = frozenset("sprinkling drizzling scattering dusting".split())
"""Gerunds whose object comes over the food that is there already."""
SCATTERED = frozenset("herb spice nut cheese sauce liquid sweet fat powder".split())
"""Groups of foods that come onto others."""
RUNNING = frozenset(
    "sauce gravy dressing glaze icing frosting marinade topping pesto salsa".split()
)
"""Made foods that do so, too."""
WAYS = frozenset({"together", "through", "down", "up", "well", "uncovered", "covered"})
PARTS = frozenset("top tops bottom bottoms sides side base inside insides edges".split())
"""Parts of a vessel that a clause names without it."""
PLACED = frozenset("return place put set move transfer".split())
HEATERS = frozenset("stove stovetop hob burner cooktop".split())
PLACING = frozenset({"putting", "placing", "setting", "returning"})
ON_HEAT = re.compile(r"\b(?:on|over|to) (?:an? |the )?(?:[\w-]+ ){0,2}(?:heat|flame|hob)\b")
MANNERS = frozenset("motion motions direction pattern layer layers circles batches way".split())
NOUNISH = frozenset("extract juice salt pepper oil top core skin shell stone pit ice".split())
"""Verbs that are a noun as often."""
SILENT = frozenset({"enjoy", "eat", "drink", "taste", "adjust", "turn on", "turn off"})
"""Verbs without a picture."""
TURNING_OUT = frozenset("invert turn flip tip slide unmold unmould drain".split())
"""Verbs of removing whose missing object is the food."""
MANNER_WORDS = frozenset("thin thick wide fine smooth high low tight loose flat even again".split())
"""Adjectives that say how: "spread thin"."""
DRESSING = frozenset(
    "sprinkle top garnish brush drizzle dust season decorate cover spray baste finish".split()
)
"""Verbs whose missing object is the dish: "sprinkle with salt"."""
REPEATED = re.compile(r"\b(\w{3,}?)(\w?ing(?: up| out)? the )\1\w{0,2}ed ")
"""A state that repeats the verb: "rolling the rolled dough"."""
PINCH = re.compile(r"(\ba (?:\w+ )?(?:pinch|dash|sprinkle|drizzle)(?: each)? of \w+ and) the ")
IN_DEVICE = re.compile(
    r"(?: (?:in|on|over) (?:the|a|an) (?:[\w-]+ ){0,2}?(?:rack|shelf|layer|layers|mode|pressure)"
    r"(?: (?:of|in) the oven)?| in (?:the|a) (?:[\w-]+ )?(?:oven|fridge|refrigerator|freezer|microwave))$"
)
"""What comes after the vessel: "in the pot on the middle rack", "to the pan in a single layer"."""
MAKING = frozenset({"make", "prepare"})
"""Verbs of a heading: "Make the puree. Rinse the potatoes."."""
PEELED = frozenset(
    "skin skins seeds peel shell shells bones stems stones pits stalks core membranes ribs".split()
)
"""Parts that are removed from a food, whatever holds it."""
SEEDS = frozenset({"seed", "bread", "flatbread", "shortbread", "gingerbread"})


def clause_sentences(
    text: str,
    action: str,
    foods: Sequence[PlannedObject],
    vessels: Sequence[PlannedObject],
    tools: Sequence[PlannedObject],
) -> list[str]:
    """Return one to three sentences from the step's own clause; none if that is not safe.

    Args:
        text: The step's own words.
        action: The canonical action.
        foods: The foods, the most important one first; the same holds for vessels and tools.
        vessels: The vessels.
        tools: The tools.
    """
    if action == "preheat":
        return []
    scene = ShotScene(text, action, foods, vessels, tools)
    found = own_clauses(text, action)
    clauses = [c for c in found if not DIALS & {*c.rest[:3]}]
    if foods and found and all(turns_dial(c) for c in found):
        return [still_sentence(foods, vessels)]
    clauses.sort(key=lambda c: not read_phrases(c.rest)[0].items)
    if clauses and clauses[0].known.action.name in SLOT_ACTIONS:
        return []
    first = _first_sentence(scene, clauses[0]) if clauses else ""
    if clauses:
        scene = replace(scene, verb_end=clauses[0].end)
    if not first:
        return []
    return [first, result(scene, first), *left_out(scene, first)]


def _first_sentence(scene: ShotScene, clause: OwnClause) -> str:
    doing, rest, happens = doing_of(clause)
    scene = replace(scene, verb_end=clause.end)
    idle = clause.verbs[-1] == "give" and rest[:1] not in (("it",), ("them",), ("everything",))
    if not doing or idle or clause.verbs[-1] in SILENT or (scene.action == "wait" and not happens):
        return ""
    phrases, beside = _side_work(read_phrases(rest))
    phrases += [p for lead in clause.leads for p in read_phrases(lead) if p.items]
    subject, others = phrases[0], _merged([p for p in phrases[1:] if p.items])
    said = " ".join(" ".join(i) for p in phrases for i in p.items)
    if happens:
        subject, way = _without_way(replace(subject, suffix=""))
        doing, beside = f"{doing}{way}", ""
    opened = _opening(scene, clause, subject) if not happens else ""
    doing, subject, others, into = _inward(scene, doing, subject, others)
    if opened:
        things = " ".join(" ".join(i) for i in subject.items)
    else:
        things = _object(scene, clause, subject, others, said, happens=happens)
        if not things:
            return ""
    if doing == "adding":
        others = _into_vessels(others)
    if scene.action == "remove":
        doing, others = _lifting(scene, doing, others)
    if clause.verbs[-1].startswith("remove ") and not subject.items and not opened:
        things = "" if any(p.tie in ("from", "off") for p in others) else f"from {things}"
    places = [_place_text(scene, p, said) for p in others]
    if None in places or any(things in p for p in places if p and things):
        return ""
    body = [things, doing] if happens else ["hands", opened, clause.manner, doing, things]
    spoken = [p for p in places if p]
    if not spoken and doing in PLACING and ON_HEAT.search(scene.text):
        spoken = ["on the stove"]
    return _fitted(scene, ["Close-up of", *body, into], spoken, others, beside, happens=happens)


def _place_text(scene: ShotScene, phrase: SpokenPhrase, said: str) -> str | None:
    """Return a place with articles; "" for an "over it" that nobody can resolve."""
    text = phrase_text(scene, phrase, said)
    vague = phrase.tie in ("over", "on", "onto") and phrase.items in ([["it"]], [["them"]])
    return "" if text is None and vague else text


def _side_work(phrases: list[SpokenPhrase]) -> tuple[list[SpokenPhrase], str]:
    """Return the phrases without ", stirring gently", and those words, which end the sentence."""
    for number, phrase in enumerate(phrases):
        if phrase.suffix.split()[1:2] and phrase.suffix.split()[1].endswith("ing"):
            later = "".join(f" {write_phrase(p)}" for p in phrases[number + 1 :] if p.items)
            phrases[number] = replace(phrase, suffix="")
            return phrases[: number + 1], phrase.suffix + later
    return phrases, ""


def _without_way(subject: SpokenPhrase) -> tuple[SpokenPhrase, str]:
    """Return an object without the adverbs after it, and these: "it through", "them slowly"."""
    if not subject.items:
        return subject, ""
    *items, last = subject.items
    end = len(last)
    while end > 1 and (last[end - 1] in WAYS or last[end - 1].endswith("ly")):
        end -= 1
    way = " ".join(last[end:])
    if end > 2 and last[end - 1].endswith("-side"):
        end -= 1
    if last[-2:] in (["other", "side"], ["second", "side"]):
        return replace(subject, items=[["it"]]), f" on the {last[-2]} side"
    if last == ["each", "side"]:
        end, way = 1, "on each side"
    return replace(subject, items=[*items, last[:end]]), f" {way}" if way else ""


def _fitted(
    scene: ShotScene,
    body: Sequence[str],
    places: list[str],
    others: Sequence[SpokenPhrase],
    beside: str,
    *,
    happens: bool,
) -> str:
    """Return the sentence with as many of its places as it can hold; "" if it stays too long."""
    sentence = ""
    for kept in range(len(places), -1, -1):
        spoken = " ".join(x for x in (*body, *places[:kept]) if x)
        spoken = in_slot_words(spoken, scene.vessels)
        if spoken.endswith(" on") and scene.action == "cover" and scene.vessels:
            spoken = f"{spoken} the {spoken_name(scene.vessels[0], '')}"
        where, *more = additions(scene, spoken, others, happens=happens)
        inside = IN_DEVICE.search(spoken) if where else None
        if inside:
            spoken, where = spoken[: inside.start()], where + inside[0]
        if spoken.endswith(" on") and where.startswith("on the"):
            spoken = spoken.removesuffix(" on")
        if spoken.endswith(" in") and where.startswith(("in the", "into the")):
            spoken, where = spoken.removesuffix(" in"), f"into the {where.split('the ', 1)[1]}"
        added = " ".join(a for a in (where, *more) if a)
        sentence = as_sentence(spoken, added + beside)
        if len(sentence.split()) <= MAX_FIRST_WORDS:
            break
    sentence = re.sub(r"\s+", " ", sentence).replace(" ,", ",").replace(" out out of", " out of")
    sentence = REPEATED.sub(r"\1\2", sentence)
    sentence = sentence.replace("frosting the frosting", "spreading the frosting")
    sentence = re.sub(r"\ban? (same|other)\b", r"the \1", sentence)
    if scene.action == "grease" and " with " in sentence:
        sentence = sentence.replace("buttering ", "greasing ").replace("oiling ", "greasing ")
    sentence = PINCH.sub(r"\1 ", sentence)
    sentence = re.sub(r"\ba (?=[aeio])", "an ", sentence)
    sentence = re.sub(r"\ban (?=[b-df-gj-np-tv-z])", "a ", sentence)
    return sentence if len(sentence.split()) <= MOST_FIRST_WORDS else ""


def _opening(scene: ShotScene, clause: OwnClause, subject: SpokenPhrase) -> str:
    """Return "adding the egg to the bowl and" before "whisking", which has no object of its own."""
    before = clause.before
    items = [w for i in subject.items if not is_adverbial(i) for w in i]
    if (
        before is None
        or before.verbs[-1] in NOUNISH
        or (items and set(items) - {"it", "them", "together", "well"})
    ):
        return ""
    if before.verbs[-1] in MAKING:
        return ""
    doing, rest, happens = doing_of(before)
    phrases = _object_first(read_phrases(rest), doing)
    phrases += [p for lead in before.leads for p in read_phrases(lead) if p.items]
    if happens or not doing or not phrases[0].items or is_adverbial(phrases[0].items[0]):
        return ""
    if before.known.name in SWITCHING and holds(phrases[0]):
        return ""
    moved = before.known.action.name == "remove" and phrases[0].items[0] in (["it"], ["them"])
    if moved or any(DIALS & set(item) for item in phrases[0].items):
        return ""
    said = " ".join(" ".join(i) for p in phrases for i in p.items)
    written = [phrase_text(scene, p, said) for p in phrases if p.items]
    if None in written or "" in written[:1]:
        return ""
    doing = doing.removesuffix(" in")
    return " ".join([before.manner, doing, *(t for t in written if t), "and"]).strip()


def _object_first(phrases: list[SpokenPhrase], doing: str) -> list[SpokenPhrase]:
    """Return the phrases of "add in the milk" as those of "add the milk"."""
    first, *others = phrases
    if first.items or not others or others[0].tie != "in" or holds(others[0]):
        return phrases
    return [replace(others[0], tie=""), *others[1:]] if doing in POURING else phrases


def _inward(
    scene: ShotScene, doing: str, subject: SpokenPhrase, others: list[SpokenPhrase]
) -> tuple[str, SpokenPhrase, list[SpokenPhrase], str]:
    """Return "stirring the rice into the mixture" for "stir in the rice"."""
    if not subject.items and others and _is_scattered(scene, doing, others[0]):
        onto = _base(scene, others)
        return doing, SpokenPhrase("", others[0].items, others[0].suffix), others[1:], onto
    into = doing.endswith(" in")
    if not subject.items and others and others[0].tie == "in" and doing.split()[-1] in POURING:
        held = [e for e, _, _ in entries_in(" ".join(others[0].items[-1]))]
        into = not any(e.role in ("vessel", "surface") or e.name in DEVICES for e in held)
        into = into and others[0].items[-1][-1] not in MANNERS
        if into:
            subject, others = SpokenPhrase("", others[0].items, others[0].suffix), others[1:]
    if not into:
        loose = subject.items and not others and doing.split()[-1] in SPRINKLING
        return doing, subject, others, _base(scene, [subject]) if loose else ""
    doing = doing.removesuffix(" in")
    if not subject.items:
        return doing, subject, others, ""
    if any(p.tie in ("to", "into") for p in others):
        return doing, subject, others, ""
    said = " ".join(" ".join(i) for p in (subject, *others) for i in p.items)
    carried = [f for f in scene.foods if not f.mentioned and not is_named(f, said)]
    if doing.split()[-1] in POURING - BLENDING:
        return doing, subject, others, ""
    target = seen_foods(carried, 2) if 0 < len(carried) < 3 else "the mixture"
    return doing, subject, others, f"into {target}"


def _is_scattered(scene: ShotScene, doing: str, phrase: SpokenPhrase) -> bool:
    """Return True for "over the nuts" after "scattering", where it is the object."""
    if phrase.tie not in ("on", "over") or doing.split()[-1] not in SCATTERING:
        return False
    found = [e for e, _, _ in entries_in(" ".join(phrase.items[-1]))]
    loose = bool(found) and found[-1].role == "food" and is_scattered(found[-1])
    return loose and (phrase.tie == "on" or any(not f.mentioned for f in scene.foods))


def is_scattered(entry: Entry) -> bool:
    """Return True for what comes onto other foods: herbs, cheese, sauces."""
    return entry.group in SCATTERED or entry.name.split()[-1] in RUNNING


def _base(scene: ShotScene, others: Sequence[SpokenPhrase]) -> str:
    """Return "over the chicken" for the carried food that something is scattered over."""
    said = " ".join(" ".join(i) for p in others for i in p.items)
    carried = [f for f in scene.foods if not f.mentioned and not is_named(f, said)]
    placed = any(p.tie in ("over", "onto", "on", "to") for p in others[1:])
    onto = _solid_first(carried)[:1]
    return f"over {seen_foods(onto, 1)}" if onto and not placed else ""


def _solid_first(foods: Sequence[PlannedObject]) -> list[PlannedObject]:
    """Return foods in order, those that others are scattered over first."""
    known = [lexicon().entries.get(f.name) for f in foods]
    solid = [f for f, e in zip(foods, known, strict=True) if e is None or not is_scattered(e)]
    solid = by_weight(solid)
    return [*solid, *by_weight([f for f in foods if f not in solid])]


def _merged(phrases: Sequence[SpokenPhrase]) -> list[SpokenPhrase]:
    """Return the phrases with "with rice" and "with parsley" as one."""
    merged: list[SpokenPhrase] = []
    for phrase in phrases:
        if merged and merged[-1].tie == phrase.tie == "with" and not merged[-1].suffix:
            merged[-1] = replace(phrase, items=[*merged[-1].items, *phrase.items])
        else:
            merged.append(phrase)
    return merged


def _into_vessels(others: list[SpokenPhrase]) -> list[SpokenPhrase]:
    """Return "to a bowl" for "in a bowl", for things that are added."""
    if any(p.tie == "to" for p in others):
        return others
    return [replace(p, tie="to") if p.tie == "in" and holds(p) else p for p in others]


def holds(phrase: SpokenPhrase) -> bool:
    found = entries_in(" ".join(phrase.items[-1])) if phrase.items else []
    return any(e.role == "vessel" for e, _, _ in found)


def _lifting(
    scene: ShotScene, doing: str, others: list[SpokenPhrase]
) -> tuple[str, list[SpokenPhrase]]:
    """Return "lifting" and "out of the pan" for "removing" and "from the pan"."""
    changed = []
    for phrase in others:
        found = entries_in(" ".join(w for i in phrase.items for w in i))
        held = [e for e, _, _ in found if e.role == "vessel" or e.name in DEVICES]
        if phrase.tie == "from" and held:
            meant = [v.name for v in scene.vessels if v.name.endswith(phrase.items[-1][-1])]
            flat = place((meant or [held[0].name])[0]).startswith("on")
            tie = "off" if flat else "out of"
            changed.append(replace(phrase, tie=tie))
            doing = doing.replace("removing", "lifting").replace("taking", "lifting")
        else:
            changed.append(phrase)
    return doing, changed


def _object(
    scene: ShotScene,
    clause: OwnClause,
    subject: SpokenPhrase,
    others: Sequence[SpokenPhrase],
    said: str,
    *,
    happens: bool,
) -> str:
    """Return what the action is done to, with articles; "" if nobody can say."""
    adverbs = [i for i in subject.items if is_adverbial(i)]
    it = happens and subject.items in ([["it"]], [["them"]]) and clause.before is not None
    if it and clause.before is not None and (earlier := _earlier(scene, clause.before)):
        return earlier
    if heated_vessel := _heated_vessel(scene, clause, subject, others):
        return heated_vessel
    if len(adverbs) < len(subject.items):
        spoken = phrase_text(scene, subject, said) or ""
        if clause.verbs[-1] in SWITCHING and holds(subject) and TO_SETTING.search(scene.text):
            return f"the dial of {spoken}"
        part = (
            scene.action in VESSEL_ACTIONS and spoken.split()[-1:] and spoken.split()[-1] in PARTS
        )
        if part and scene.vessels and not is_named(scene.vessels[0], said):
            return f"{spoken} of the {spoken_name(scene.vessels[0], '')}"
        peeled = scene.action in ("remove", "peel") and subject.items[-1][-1] in PEELED
        whole = referents(scene, said)[:1] if peeled and not others else []
        return f"{spoken} from {foods_text(scene, whole, 1)}" if whole else spoken
    if happens and clause.before is not None and (earlier := _earlier(scene, clause.before)):
        return earlier
    end = "" if happens else "".join(f" {' '.join(i)}" for i in adverbs if i != ["in"])
    over = others and others[0].tie in ("over", "on", "onto") and not end
    if over and clause.verbs[-1] not in ONTO_VERBS and scene.action in (*ADDING, "add", "spread"):
        return ""
    if scene.action in VESSEL_ACTIONS and scene.vessels:
        return f"the {spoken_name(scene.vessels[0], '')}{end}"
    if scene.action == "remove" and clause.verbs[-1].split()[0] not in TURNING_OUT:
        return ""
    found = referents(scene, said)
    if found and adverbs == [["half"]]:
        return f"half of {foods_text(scene, found, MAX_CARRIED)}"
    if clause.verbs[-1] in DRESSING:
        found = _solid_first(found)[:1]
    if not found and happens and scene.vessels:
        return f"the {spoken_name(scene.vessels[0], '')}"
    return f"{foods_text(scene, found, MAX_CARRIED)}{end}" if found else ""


def _heated_vessel(
    scene: ShotScene, clause: OwnClause, subject: SpokenPhrase, others: Sequence[SpokenPhrase]
) -> str:
    """Return "the pot with the milk" for what "return to the stovetop" moves; else ""."""
    named = [i for i in subject.items if i and not is_adverbial(i)]
    if named not in ([], [["it"]], [["them"]]) or clause.verbs[-1] not in PLACED:
        return ""
    over = not others and ON_HEAT.search(scene.text)
    if not scene.vessels or not (over or _is_on_heat(others)):
        return ""
    inside = f" with {foods_text(scene, scene.foods, MAX_CARRIED)}" if scene.foods else ""
    return f"the {spoken_name(scene.vessels[0], '')}{inside}"


def _is_on_heat(others: Sequence[SpokenPhrase]) -> bool:
    """Return True for "to the stovetop", where the pot goes with its foods."""
    return any(p.tie in ("to", "on", "onto") and HEATERS & {*p.items[-1]} for p in others)


def _earlier(scene: ShotScene, before: OwnClause) -> str:
    """Return the object of the clause before, which the action goes on with."""
    doing, rest, happens = doing_of(before)
    subject = _object_first(read_phrases(rest), doing)[0]
    if happens or not doing or scene.action == "remove" or before.known.action.name == "remove":
        return ""
    if any(DIALS & set(item) for item in subject.items):
        return ""
    named = [i for i in subject.items if not is_adverbial(i)]
    said = " ".join(w for i in named for w in i)
    held = any(e.role in ("vessel", "tool") for e, _, _ in entries_in(said))
    subject = _without_way(subject)[0]
    return "" if held or not named else phrase_text(scene, subject, said) or ""


def is_adverbial(item: Sequence[str]) -> bool:
    """Return True for words that name nothing: "well", "topped" before "with berries"."""
    if list(item[-2:]) == ["long", "enough"]:
        return True
    plain = [w for w in item if not is_adverb(w) and w not in BLANK]
    return not plain or (
        len(plain) == 1
        and (plain[0] in MANNER_WORDS or (plain[0].endswith("ed") and plain[0] not in SEEDS))
    )
