"""Cut the steps of a recipe into shots: one clip for each action that can be seen.

A shot is a run of whole clauses in the step's own words. A clause begins at an imperative; what
leads to it ("In a large bowl, ...") and what follows it ("until ...", "for 5 minutes") belongs to
it. Clauses without a picture of their own (waiting, tasting, a change of the heat, a remark) join
their neighbour. So do options and conditions, and a repeated action at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from procvid.plan.english import (
    COMMON,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    SUBORDINATORS,
    is_adverb,
    is_number,
)
from procvid.plan.lexicon import Verb, Word, lexicon, words
from procvid.plan.reading import find_verbs, gap
from procvid.errors import InputError
from procvid.types import Plan, Recipe, ShotMode

MAX_SHOTS_A_STEP = 5
MAX_SHOTS = 60
"""Most shots of a video. A recipe with more steps keeps one shot a step."""

MAX_HEADING_WORDS = 8
MAX_TITLE_WORDS = 4
HEADING = re.compile(r"[^.:!?\u2013\u2014-]+(?::|\s[\u2013\u2014-])\s+(?=[A-Z]|$)")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
STEP_NUMBER = re.compile(r"\b([Ss]teps? )(\d+)\b")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[^a-z\s])|(?<=[a-z)][.!])(?=[A-Z])|\n+")
ABBREVIATION = re.compile(r"\b(?:approx|min|mins|hr|hrs|tbsp|tsp|oz|lb|no|vs|e\.g|i\.e)\.$", re.I)
ENDED = re.compile(r"[.!?][\"'”’)\]]*$")
JOINERS = frozenset({"and", "then", "n", "next", "finally", "also", "but"})
LEADERS = frozenset("when once after as while in on using with meanwhile into to from".split())
"""First words of a phrase that leads to the verb after its comma."""
OPTIONS = frozenset("if unless optionally optional alternatively or otherwise".split())
"""First words of a condition, an option or an alternative."""
OPTION_START = re.compile(
    r"\W*(?:if|unless|optional(?:ly)?|alternatively|or|otherwise|you (?:can|could|may|might)|"
    r"note|tips?|for (?:a|an) [\w -]+ (?:version|option)|feel free|want|prefer|need)\b",
    re.I,
)
SILENT_VERBS = frozenset(
    {"enjoy", "eat", "drink", "cool", "remove from heat", "take off the heat"}
)
"""Verbs whose action has a picture, but they do not."""
FORWARD = frozenset({"preheat", "prepare", "gather", "measure", "open"})
"""Actions without a picture that lead to the next action; the others end the one before."""
HELPS = frozenset({("to", "help"), ("to", "allow"), ("to", "let"), ("to", "make")})
STATIVE = frozenset("want need like prefer love know see note remember watch repeat".split())
SUBJECTS = frozenset({"it", "they", "he", "she", "you"})
MODALS = frozenset("will would may might can could should must shall".split())
HELPERS = frozenset("use take continue begin start".split())
"""Verbs whose action is named after "to": "use a knife to slice"."""
LOOK_VERBS = frozenset("brown dry clean cool warm set crisp open clear thicken soften".split())
STOVES = frozenset("stove oven burner hob broiler".split())
SETTINGS = STOVES | frozenset("heat temperature flame speed grill".split())
SETTING_VERBS = frozenset("turn reduce lower increase raise bring set adjust return".split())
BLENDING = frozenset({"stir", "mix"})
BAKING = frozenset({"bake", "broil"})
COOKING = BAKING | {"fry", "grill", "toast", "boil"}
PLAIN_ADDING = frozenset("add put pour throw drop pop tip stir in mix in dump".split())
TO_TASTE = re.compile(r"\bto taste\b", re.I)


@dataclass(frozen=True)
class _Clause:
    """A clause of a step.

    Attributes:
        start: First character in the step.
        end: Character after the last.
        verb: Its imperative; None for a remark.
        visible: True if it has a picture of its own.
        forward: True if it joins the next clause when it has no picture.
        places: Vessels that it names.
        bare: True if it names no food and no thing.
        sentence: Number of its sentence in the step.
    """

    start: int
    end: int
    verb: Verb | None
    visible: bool
    forward: bool = False
    places: frozenset[str] = frozenset()
    bare: bool = False
    sentence: int = 0


@dataclass(frozen=True)
class _Shot:
    """Clauses that share a clip.

    Attributes:
        start: First character in the step.
        end: Character after the last.
        num_actions: Number of its actions with a picture.
        sentence: Number of the sentence in which it begins.
        last: Its last clause with a picture.
    """

    start: int
    end: int
    num_actions: int
    sentence: int
    last: _Clause


def cut_into_shots(
    recipe: Recipe,
    mode: ShotMode = "auto",
    *,
    most_a_step: int = MAX_SHOTS_A_STEP,
    most: int = MAX_SHOTS,
) -> Recipe:
    """Return the recipe with shots in place of its steps; one that was cut before is unchanged.

    A step with one visible action stays as it is, to the last byte. `parents` gives the step of
    each shot and `written` the steps as they were. A note says which steps have more actions than
    shots.

    Args:
        recipe: The recipe.
        mode: "auto" for a shot per visible action, "one" for a shot per step.
        most_a_step: Most shots of one step.
        most: Most shots of the video; steps then get fewer, at least one each.
    """
    if recipe.parents:
        return recipe
    texts, notes = [(text,) for text in recipe.steps], list[str]()
    if mode == "auto":
        texts, notes = _cut_all(recipe.steps, most_a_step, most)
    return replace(
        recipe,
        steps=tuple(text for shots in texts for text in shots),
        parents=tuple(n for n, shots in enumerate(texts, start=1) for _ in shots),
        written=recipe.steps,
        notes=(*recipe.notes, *notes),
    )


def _cut_all(
    steps: Sequence[str], most_a_step: int, most: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the shots of each step, and the notes about limits."""
    actions = [_actions(text) for text in steps]
    limit = most_a_step
    while limit > 1 and sum(min(len(a), limit) for a in actions) > most:
        limit -= 1
    shots = [_within(a, limit) for a in actions]
    notes = [
        f"Step {n} has {len(a)} actions; some share one of its {limit} shots."
        if limit > 1
        else f"Step {n} has {len(a)} actions in one shot."
        for n, a in enumerate(actions, start=1)
        if len(a) > limit
    ]
    if limit < most_a_step and notes:
        notes.insert(0, f"The video has at most {most} shots, so a step has at most {limit}.")
    return [_texts(text, cut) for text, cut in zip(steps, shots, strict=True)], notes


def mode_of(recipe: Recipe) -> ShotMode:
    """Return the mode that cuts the steps as they are cut, "auto" if both do."""
    fresh = replace(recipe, steps=recipe.whole_steps, parents=(), written=())
    return "auto" if recipe.has_shots or not cut_into_shots(fresh).has_shots else "one"


def same_source(one: Recipe, other: Recipe) -> bool:
    """Return True for the same recipe, however it is cut."""
    return (one.title, one.ingredients, one.whole_steps) == (
        other.title,
        other.ingredients,
        other.whole_steps,
    )


def with_recipe_steps(plan: Plan, recipe: Recipe) -> Plan:
    """Return the plan of a cut recipe with the step of each shot, and its names in the notes."""
    if not recipe.has_shots:
        return plan
    pairs = zip(plan.steps, recipe.parents, strict=True)
    shots = replace(plan, steps=tuple(replace(s, recipe_step=parent) for s, parent in pairs))
    names = shots.names
    notes = (n if n in recipe.notes else _renamed(n, names) for n in plan.notes)
    return replace(shots, notes=tuple(notes))


def _renamed(note: str, names: Mapping[int, str]) -> str:
    """Return a planner's note with "step 4" as the name of that shot, "step 3b"."""
    return STEP_NUMBER.sub(lambda m: f"{m[1]}{names.get(int(m[2]), m[2])}", note)


def number_of(plan: Plan, name: str) -> int:
    """Return the number of the clip that a person calls "3" or "3b".

    Raises:
        InputError: There is no such step, or the step has several shots.
    """
    asked = name.strip().lower()
    numbers = {one: number for number, one in plan.names.items()}
    if asked in numbers:
        return numbers[asked]
    shots = [n for n in numbers if n.rstrip(LETTERS) == asked]
    if shots:
        raise InputError(f"Step {asked} has the shots {', '.join(shots)}.", "Choose one of them.")
    raise InputError(f"Step {asked[:20]!r} does not exist.", f"Choose one of {', '.join(numbers)}.")


def num_actions(text: str) -> int:
    """Return the number of actions of a step that have a picture of their own, at least 1."""
    return len(_actions(text))


def _texts(text: str, shots: Sequence[_Shot]) -> tuple[str, ...]:
    if len(shots) < 2:
        return (text,)
    *cut, last = (_tidy(text[shot.start : shot.end]) for shot in shots)
    return (*(_ended(one) for one in cut), last)


def _ended(text: str) -> str:
    return text if ENDED.search(text) else f"{text}."


def _tidy(text: str) -> str:
    """Return clauses as a sentence: without the words that joined them to their neighbours."""
    text = re.sub(r"^(?:[\s,;:&\u2013\u2014-]|(?:and|then|but)\b)+", "", text.strip(), flags=re.I)
    text = re.sub(r"(?:[\s,;:&\u2013\u2014-]|\b(?:and|then|but))+$", "", text, flags=re.I)
    return text[:1].upper() + text[1:]


def _actions(text: str) -> list[_Shot]:
    """Return the shots of a step without a limit: one per visible action."""
    shots: list[_Shot] = []
    waiting: _Clause | None = None
    for clause in _with_heading(text, list(_clauses(text))):
        if waiting is not None:
            clause = replace(clause, start=waiting.start)
            waiting = None
        if not clause.visible and (clause.forward or not shots):
            waiting = clause
        elif shots and (not clause.visible or _continues(shots[-1].last, clause)):
            shots[-1] = _joined(shots[-1], clause)
        else:
            shots.append(_Shot(clause.start, clause.end, 1, clause.sentence, clause))
    if waiting is not None:
        end = replace(waiting, visible=False)
        shots = [*shots[:-1], _joined(shots[-1], end)] if shots else [_whole(text, end)]
    return shots


def _with_heading(text: str, clauses: list[_Clause]) -> list[_Clause]:
    """Return the clauses; a short first sentence whose action is told below is a heading."""
    first, *later = clauses
    if first.verb is None or not later or later[0].sentence == 0:
        return clauses
    again = any(c.verb is not None and c.verb.action == first.verb.action for c in later[1:])
    short = len(words(text[: first.end])) <= MAX_TITLE_WORDS
    return [replace(first, visible=False, forward=True), *later] if again and short else clauses


def _whole(text: str, clause: _Clause) -> _Shot:
    return _Shot(0, len(text), 1, 0, clause)


def _joined(shot: _Shot, clause: _Clause) -> _Shot:
    if not clause.visible:
        return replace(shot, end=clause.end)
    last = shot.last if _is_bare_blend(clause) else clause
    places = clause.places or shot.last.places
    last = replace(last, end=clause.end, places=places, sentence=clause.sentence)
    return replace(shot, end=clause.end, last=last)


def _continues(before: _Clause, clause: _Clause) -> bool:
    """Return True for the same action at the same place, and for a bare stir after an addition."""
    if before.verb is None or clause.verb is None:
        return False
    elsewhere = bool(clause.places - before.places)
    first, second = before.verb, clause.verb
    if _is_bare_blend(clause) and before.end < clause.start:
        return False
    if first.action.name == "flip" and clause.bare and second.action.name in COOKING:
        return True
    if "oven" in before.places and second.action.name in BAKING:
        return True
    if _is_bare_blend(clause) and not elsewhere:
        return first.action.name in BLENDING | {"add", "coat", "melt"}
    if first.action.name != second.action.name or elsewhere:
        return False
    alike = {first.name, second.name} <= PLAIN_ADDING or first.name == second.name
    return alike or first.action.name not in ("add", "remove", "serve")


def _is_bare_blend(clause: _Clause) -> bool:
    """Return True for "stir well", which is seen together with what it stirs."""
    return clause.bare and clause.verb is not None and clause.verb.action.name in BLENDING


def _within(shots: list[_Shot], limit: int) -> list[_Shot]:
    """Join neighbours, those with the fewest actions and of one sentence first, to the limit."""
    shots = list(shots)
    while len(shots) > limit:
        pairs = list(zip(shots, shots[1:], strict=False))
        cost = [(a.num_actions + b.num_actions, a.last.sentence != b.sentence) for a, b in pairs]
        at = cost.index(min(cost))
        before, after = pairs[at]
        shots[at : at + 2] = [replace(after, start=before.start, num_actions=cost[at][0])]
    return shots


def _clauses(text: str) -> Iterator[_Clause]:
    """Yield the clauses of a step, in order; together they cover it."""
    for number, (start, end) in enumerate(_sentences(text)):
        sentence = text[start:end]
        for clause in _sentence_clauses(sentence):
            yield replace(
                clause, start=start + clause.start, end=start + clause.end, sentence=number
            )


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each heading ("For the sauce:") and sentence."""
    start = 0
    heading = HEADING.match(text)
    if heading and len(words(heading.group())) <= MAX_HEADING_WORDS:
        start = heading.end()
        yield 0, start
    for mark in SENTENCE_END.finditer(text):
        if not ABBREVIATION.search(text[start : mark.start()]):
            yield start, mark.end()
            start = mark.end()
    yield start, len(text)


def _sentence_clauses(sentence: str) -> Iterator[_Clause]:
    tokens = words(sentence)
    verbs = _imperatives(sentence, tokens)
    heading = HEADING.fullmatch(sentence) is not None
    if not verbs or heading or OPTION_START.match(sentence):
        yield _Clause(0, len(sentence), None, visible=False, forward=heading)
        return
    cuts = [verbs[0]]
    places = [0]
    for verb in verbs[1:]:
        at = _cut_before(sentence, tokens, cuts[-1], verb)
        if at is not None:
            cuts.append(verb)
            places.append(at)
    ends = [*places[1:], len(sentence)]
    for start, end, verb in zip(places, ends, cuts, strict=True):
        yield _clause(sentence, tokens, start, end, verb)


@dataclass(frozen=True)
class _Found:
    """An imperative: its verb and its tokens."""

    verb: Verb
    start: int
    end: int


UNKNOWN = "unknown"


def _imperatives(sentence: str, tokens: Sequence[Word]) -> list[_Found]:
    """Return the imperatives outside brackets, also those that the lexicon does not know."""
    by_hand = bool(tokens) and tokens[0].text in HELPERS
    found = {
        verb.start: _Found(verb.verb, verb.start, verb.end)
        for verb in find_verbs(sentence, tokens)
        if not verb.forbidden
        and (not verb.weak or (by_hand and tokens[verb.start - 1].text == "to"))
        and _is_base(tokens[verb.start].text)
        and not _has_subject(tokens, verb.start)
    }
    for index in range(len(tokens)):
        if index not in found and _is_missed(sentence, tokens, index):
            known = lexicon().verb_at(tokens, index)
            verb, length = known if known else (_unknown(), 1)
            found[index] = _Found(verb, index, index + length)
    return [found[i] for i in sorted(found) if not _in_brackets(sentence, tokens[i].start)]


def _unknown() -> Verb:
    return Verb(UNKNOWN, replace(lexicon().actions["add"], name=UNKNOWN))


def _has_subject(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a statement: "the oats will boil up", "it may brown"."""
    at = index - 1
    while at >= 0 and is_adverb(tokens[at].text):
        at -= 1
    word = tokens[at].text if at >= 0 else ""
    before = tokens[at - 1].text if at > 0 else ""
    return word in SUBJECTS or (word in MODALS and before not in ("we", "i"))


def _is_base(word: str) -> bool:
    """Return True unless a form in -ing or -s tells what something does: "it forms a ball"."""
    if word.endswith("ing"):
        return word in ("bring", "string")
    return not word.endswith("s") or word.endswith("ss")


def _is_missed(sentence: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True for an unknown word where an imperative stands: "Smear them ..."."""
    word = tokens[index].text
    if index and tokens[index - 1].text == "then" and lexicon().verb_at(tokens, index):
        return _is_base(word)
    follower = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if index == 0 and lexicon().verb_at(tokens, 0) is not None:
        return follower in DETERMINERS | PRONOUNS | PREPOSITIONS - {"of"}
    if word in COMMON | STATIVE or is_number(word) or word.endswith(("ed", "ing", "s")):
        return False
    if lexicon().noun_at(tokens, index) or lexicon().state_at(tokens, index):
        return False
    if follower not in DETERMINERS | PRONOUNS or follower == "one":
        return False
    before = [t.text for t in tokens[:index]]
    while before and is_adverb(before[-1]):
        before.pop()
    return not before or before[-1] in ("and", "then") or "," in gap(sentence, tokens, len(before))


def _in_brackets(sentence: str, at: int) -> bool:
    before = sentence[:at]
    return before.count("(") > before.count(")") or before.count("[") > before.count("]")


def _cut_before(
    sentence: str, tokens: Sequence[Word], last: _Found, verb: _Found
) -> int | None:
    """Return where the clause of a verb begins, as a character; None if it begins no shot."""
    first = verb.start
    while first > last.end and _leads_to_verb(sentence, tokens, first):
        first -= 1
    between = [t.text for t in tokens[first : verb.start]]
    signs = "".join(gap(sentence, tokens, i) for i in range(first, verb.start + 1))
    if not (set(between) & {"and", "then", "n"} or re.search(r"[,;:&\u2013\u2014]| - ", signs)):
        return None
    if set(between) & {"or"} or (first > last.end and tokens[first - 1].text == "or"):
        return None
    if first <= last.end and "then" not in between and ";" not in signs:
        # No object between the two verbs: "peel and dice the potatoes".
        return None
    if _describes(sentence, tokens, last.end, verb) or _is_purpose(tokens, last.end, verb.start):
        return None
    lead = _lead(sentence, tokens, last.end, first)
    if lead is None:
        return _after(sentence, tokens[first - 1].end)
    return None if tokens[lead].text in OPTIONS else _after(sentence, tokens[lead - 1].end)


def _after(sentence: str, at: int) -> int:
    """Return the place after the brackets and quotation marks that close at a place."""
    while at < len(sentence) and sentence[at] in ")]\"'”’":
        at += 1
    return at


def _describes(sentence: str, tokens: Sequence[Word], start: int, verb: _Found) -> bool:
    """Return True for a verb's word that is a noun or a look: "milk and dry ingredients"."""
    word, follower = tokens[verb.start].text, ""
    if verb.end < len(tokens) and gap(sentence, tokens, verb.end).isspace():
        follower = tokens[verb.end].text
    if verb.end > verb.start + 1 or follower in DETERMINERS | PRONOUNS | {"with"}:
        return False
    if word == "extract" or lexicon().noun_at(tokens, verb.start) is not None:
        return True
    subordinate = SUBORDINATORS & {t.text for t in tokens[start : verb.start]}
    return word in LOOK_VERBS and bool(subordinate or follower in ("ingredient", "ingredients"))


def _is_purpose(tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True inside a purpose: "to help soften the shallot and infuse the vinegar"."""
    said = [t.text for t in tokens[start:end]]
    helps = any(pair in HELPS for pair in zip(said, said[1:], strict=False))
    return helps and "then" not in said


def _leads_to_verb(sentence: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True if the word before belongs to "and then gently" before a verb."""
    if re.search(r"[,;]", gap(sentence, tokens, index)):
        return False
    word, after = tokens[index - 1].text, tokens[index].text
    return word in JOINERS or (after not in JOINERS and is_adverb(word))


def _lead(sentence: str, tokens: Sequence[Word], start: int, end: int) -> int | None:
    """Return the first token of a phrase that leads to a verb: ", once melted, add ..."."""
    if end >= len(tokens) or "," not in gap(sentence, tokens, end):
        return None
    for index in range(end - 1, start, -1):
        opened = "," in gap(sentence, tokens, index) or tokens[index - 1].text in ("and", "then")
        if opened and tokens[index].text in LEADERS | OPTIONS:
            return index
        if "," in gap(sentence, tokens, index):
            return None
    return None


def _clause(
    sentence: str, tokens: Sequence[Word], start: int, end: int, verb: _Found
) -> _Clause:
    inside = [i for i, t in enumerate(tokens) if start <= t.start < end]
    nouns = [noun[0] for i in inside if (noun := lexicon().noun_at(tokens, i)) is not None]
    things = [n for i, n in enumerate(nouns) if n.role in ("food", "vessel")]
    alone = start > 0 and all(is_adverb(tokens[i].text) for i in inside if i >= verb.end)
    setting = _is_setting(tokens, verb)
    return _Clause(
        start,
        end,
        verb.verb,
        visible=not (setting or alone or (not things and verb.verb.action.name == "serve"))
        and _is_visible(sentence[start:end], verb.verb),
        forward=setting or verb.verb.action.name in FORWARD,
        places=frozenset(n.name for n in nouns if n.role == "vessel" or n.name == "oven"),
        bare=not things,
    )


def _is_setting(tokens: Sequence[Word], verb: _Found) -> bool:
    """Return True for a change of the heat: "lower the heat", "turn the broiler to high"."""
    word, after = tokens[verb.start].text, {t.text for t in tokens[verb.start + 1 :][:4]}
    return bool(word in SETTING_VERBS and after & SETTINGS) or bool(word == "heat" and after & STOVES)


def _is_visible(clause: str, verb: Verb) -> bool:
    if verb.name in SILENT_VERBS:
        return False
    if verb.name == "season" and TO_TASTE.search(clause):
        return False
    return verb.action.weight > 1
