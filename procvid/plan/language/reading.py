"""Read one step: its verbs, and the foods, vessels and tools that belong to each verb.

Everything up to the next verb belongs to a verb. Words before the first verb ("In a large bowl,
whisk ...") belong to the first verb.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from procvid.plan.codec import MAX_NAME_CHARS
from procvid.plan.language.english import (
    COMMON,
    DETERMINERS,
    NO_FOODS,
    OPENERS,
    is_adverb,
    is_known,
    is_number,
)
from procvid.plan.language.goals import COUNTERS, find_goal
from procvid.plan.language.lexicon import Entry, Phrase, Verb, Word, lexicon, words
from procvid.plan.language.mention import Mention
from procvid.plan.language.mentions import TARGETS, find_mentions
from procvid.plan.language.nouns import LOOKS
from procvid.plan.language.side_clauses import (
    CLAUSE_MARK,
    OPTION_STARTS,
    Kind,
    gap,
    kinds_of,
    starts_sentence,
)
from procvid.plan.language.verbs import MAX_TOOL_WORDS, FoundVerb, any_verb, find_verbs


@dataclass(frozen=True)
class Segment:
    """A verb with everything that belongs to it.

    `refers` are pronouns and words such as "mixture" that refer to the object, `targets` those
    that name its destination ("on top of the vegetables"), `hints` foods of side clauses ("until
    the onions are soft"), `guessed` an unknown object, `goal` an unknown destination ("over the
    rolls"); `on_surface` says that the counter is its place.
    """

    verb: Verb
    weak: bool = False
    foods: tuple[Mention, ...] = ()
    vessels: tuple[Mention, ...] = ()
    tools: tuple[Mention, ...] = ()
    refers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    hints: tuple[Mention, ...] = ()
    hinted_vessels: tuple[Mention, ...] = ()
    conditions: tuple[Mention, ...] = ()
    shares_next: bool = False
    guessed: str = ""
    on_surface: bool = False
    goal: str = ""


@dataclass(frozen=True)
class Reading:
    """A step as read.

    `verb_known` is False when no verb of the lexicon was found; `forbidden` are the actions that
    the step forbids, which are not segments.
    """

    segments: tuple[Segment, ...]
    verb_known: bool = True
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnFoods:
    """The recipe's own foods: those that the lexicon lacks, and all words of list and title."""

    entries: Mapping[Phrase, Entry]
    words: frozenset[str] = frozenset()


NO_OWN = OwnFoods({})


def read_step(text: str, own: OwnFoods = NO_OWN) -> Reading:
    """Read a step."""
    tokens = words(text)
    kinds = kinds_of(text)
    found = find_verbs(text, tokens, kinds)
    if tokens and not found and tokens[0].text in OPTION_STARTS:
        return Reading((Segment(lexicon().verbs["check"]),))
    title = is_title(text) or _is_label(text, tokens)
    if not found and not title:
        other = any_verb(tokens)
        found = [other] if other else []
    weak = bool(found) and all(verb.weak for verb in found)
    if found and (title or (weak and len(tokens) <= MAX_REMARK)):
        found = [replace(found[0], verb=lexicon().verbs["prepare"], weak=False)]
    elif weak and tokens[found[0].start].text.endswith("ing"):
        later = any_verb(tokens[found[0].end :])
        if later is not None and not tokens[found[0].end + later.start].text.endswith("ing"):
            at = found[0].end
            found = [replace(later, start=later.start + at, end=later.end + at)]
    known = bool(found)
    forbidden = tuple(verb.verb.name for verb in found if verb.forbidden)
    if forbidden and all(verb.forbidden or verb.weak for verb in found):
        # The step only forbids actions.
        found = [FoundVerb(lexicon().verbs["rest"], 0, 0)]
    if not found:
        found = [FoundVerb(lexicon().verbs["stir"], 0, 0)]
    if is_remark(tokens, kinds):
        return Reading((Segment(lexicon().verbs["check"]),), known)
    if kinds and all(kinds):
        kinds = tuple(CARRIED_OUT for _ in kinds)
    elif found and all(kinds[verb.start] == "option" for verb in found if verb.end):
        kinds = tuple(CARRIED_OUT if kind == "option" else kind for kind in kinds)
    spans = [(v.start, v.end, v.verb.action.name in PARTICLE_ACTIONS) for v in found]
    mentions = find_mentions(text, tokens, spans, kinds, own.entries)
    strong = any(not verb.weak for verb in found)
    segments: list[Segment] = []
    spared: tuple[Mention, ...] = ()
    for number, verb in enumerate(found):
        if verb.forbidden:
            until = found[number + 1].start if number + 1 < len(found) else len(tokens)
            spared = tuple(m for m in mentions.named if verb.start <= m.index < until)
        if verb.forbidden or (strong and verb.weak):
            if segments and tokens[verb.start - 1].text == "to":
                segments[-1] = _with_melted(segments[-1], verb, mentions.named)
            continue
        following = [n for n in range(number + 1, len(found)) if not (strong and found[n].beside)]
        end = len(tokens)
        if following:
            after = found[following[0]]
            end = _clause_start(text, tokens, found[following[0] - 1].end, after.start)
        before = found[number - 1] if number else None
        first = before.end if before else 0
        start = _clause_start(text, tokens, first, verb.start)
        if before and strong and before.weak:
            commas = (i for i in range(first, verb.start + 1) if not tokens[i].joined)
            start = max(next(commas, start), start if start < verb.start else 0)
        inside = [m for m in mentions.named if start <= m.index < end]
        refers = [(w, tie) for i, w, tie in mentions.refers if start <= i < end]
        inside = [_as_bought(_seasoning(verb, _jug(m)), own) for m in inside] + _thing_of_verb(verb)
        inside += [t for side in found if start <= side.start < end for t in _side_tool(side)]
        goal = find_goal(text, tokens, kinds, (start, end), [m.index for m in inside])
        segment = Segment(
            verb=verb.verb,
            weak=verb.weak,
            foods=tuple(m for m in inside if m.entry.role == "food"),
            vessels=tuple(m for m in inside if m.entry.role == "vessel"),
            tools=tuple(m for m in inside if m.entry.role == "tool"),
            refers=tuple(w for w, tie in refers if tie not in TARGETS),
            targets=tuple(w for w, tie in refers if tie in TARGETS),
            hints=tuple(
                m for m in mentions.hinted if start <= m.index < end and m.entry.role == "food"
            ),
            hinted_vessels=tuple(
                m
                for m in mentions.hinted
                if start <= m.index < verb.start and m.entry.role == "vessel"
            ),
            conditions=tuple(
                m
                for m in mentions.hinted
                if start <= m.index < verb.start and m.entry.role == "food"
            ),
            shares_next=end < len(tokens) and _only_joined(text, tokens, verb.end, end),
            on_surface=goal in COUNTERS or any(_is_sheet(m) for m in inside),
            goal="" if goal in COUNTERS else goal,
            guessed=_guess_food(text, tokens, verb.end, end, kinds, own) if known else "",
        )
        if forbidden and verb.start == verb.end:
            segment = replace(segment, foods=(), vessels=(), tools=(), refers=())
        if spared and segment.refers and not segment.foods:
            foods = tuple(m for m in spared if m.entry.role == "food")
            segment = replace(segment, foods=foods, refers=() if foods else segment.refers)
        segment = _of_repeat(_of_the_food(segment), tokens[verb.end : end], verb.end)
        segments.append(_with_subject(segment, mentions.hinted, start, verb.start))
    return Reading(_of_prepared(segments), known, forbidden)


def _with_subject(segment: Segment, hinted: Sequence[Mention], start: int, verb: int) -> Segment:
    """Read "it" as the food of the clause before: "once the cake is baked, move it to a rack"."""
    before = {m.entry.name: m for m in hinted if start <= m.index < verb and m.entry.role == "food"}
    direct = any(not m.preposition for m in segment.foods)
    if len(before) != 1 or direct or not {"it", "them"} & set(segment.refers):
        return segment
    subject = replace(*before.values(), preposition="", definite=True, state=None)
    return replace(segment, foods=(subject, *segment.foods), refers=())


def _of_the_food(segment: Segment) -> Segment:
    """Read "drain all the water" and "rinse under cold water" as done to the food before."""
    names = {mention.entry.name for mention in segment.foods}
    watery = segment.verb.action.name in ("drain", "wash") and names == {"water"}
    if not watery or segment.refers or segment.guessed:
        return segment
    foods = tuple(replace(mention, preposition="under") for mention in segment.foods)
    return replace(segment, foods=foods, refers=("it",))


def _of_prepared(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Read "prepare the salmon: peel and slice" as peeling the salmon."""
    out: list[Segment] = []
    for number, segment in enumerate(segments):
        last = out[-1] if out else None
        rest = segments[number + 1 : number + 2] if segment.shares_next else ()
        acts = segment.verb.action.name in ("peel", "slice", "dice", "wash", "dry")
        named = any(_has_object(one) for one in (segment, *rest))
        if last is not None and last.verb.name in ("prepare", "prep") and acts and not named:
            raw = (m for m in last.foods if m.entry.group != "made")
            segment = replace(segment, foods=tuple(replace(m, definite=True) for m in raw))
        out.append(segment)
    return tuple(out)


def _has_object(segment: Segment) -> bool:
    return bool(segment.foods or segment.refers or segment.guessed or segment.vessels)


def _with_melted(segment: Segment, purpose: FoundVerb, named: Sequence[Mention]) -> Segment:
    """Read "swirl to melt the butter" as swirling the butter."""
    if _has_object(segment) or purpose.verb.name not in ("melt", "dissolve"):
        return segment
    near = range(purpose.end, purpose.end + MAX_MELTED_WORDS)
    foods = [m for m in named if m.index in near and m.entry.role == "food" and not m.preposition]
    return replace(segment, foods=tuple(foods[:1]))


def _of_repeat(segment: Segment, after: Sequence[Word], start: int) -> Segment:
    """Read "remove. Repeat with the rest of the rolls": what is removed was there before."""
    at = next((i for i, t in enumerate(after, start) if t.text == "repeat"), None)
    if segment.refers or segment.guessed or at is None:
        return segment
    later = bool(segment.foods) and all(mention.index > at for mention in segment.foods)
    return replace(segment, refers=("it",)) if later else segment


def _is_sheet(mention: Mention) -> bool:
    """Return True for the counter, a board or a sheet of paper as the place of an action."""
    if mention.entry.role == "surface":
        return True
    return mention.entry.name in SHEETS and mention.preposition in ("to", "on", "onto")


def is_remark(tokens: Sequence[Word], kinds: Sequence[Kind]) -> bool:
    """Return True for a step that only tells something: "The soup will thicken as it cools"."""
    seen = [k for t, k in zip(tokens, kinds, strict=True) if t.text not in OPENERS]
    passive = any(kinds[i] == "aside" and _is_done(tokens, i) for i in range(len(tokens)))
    return "aside" in seen and not {"", "option"} & set(seen) and not passive


def _is_done(tokens: Sequence[Word], index: int) -> bool:
    """Return True at "are" in "the onions are finely sliced", which asks for slicing."""
    if tokens[index].text not in ("is", "are"):
        return False
    at = index + 1
    while at < len(tokens) and is_adverb(tokens[at].text):
        at += 1
    word = tokens[at].text if at < len(tokens) else ""
    state = lexicon().state_at(tokens, at)
    stems = (word[:-2], word[:-1], word[:-3]) if word.endswith("ed") else ()
    verb = any(stem in lexicon().verbs for stem in stems)
    return verb or (state is not None and state[0].state is not None)


def _clause_start(text: str, tokens: Sequence[Word], first: int, verb: int) -> int:
    """Return the first word that belongs to a verb: its sentence's, after the verb before it."""
    starts = [i for i in range(first, verb) if i and starts_sentence(text, tokens, i)]
    if starts:
        return starts[-1]
    near = range(max(first, verb - MAX_TOOL_WORDS), verb)
    uses = [i for i in near if tokens[i].text in ("use", "using")]
    return 0 if first == 0 else [*uses, verb][0]


def is_title(text: str) -> bool:
    """Return True for "Lemon Glaze" or "TO SERVE": few words, all with a capital, no full stop."""
    spelled = [word for word in text.split() if len(word) > 3]
    capital = all(word[:1].isupper() for word in spelled)
    return (
        len(spelled) > 1 and len(text) < 40 and capital and not text.rstrip().endswith((".", "!"))
    )


def _is_label(text: str, tokens: Sequence[Word]) -> bool:
    """Return True for "Assembling the bars:" and "For the crushed cracker crust:"."""
    if len(text) >= MAX_LABEL_CHARS or not tokens or not text.rstrip().endswith(":"):
        return False
    return tokens[0].text == "for" or tokens[0].text.endswith("ing")


CARRIED_OUT: Kind = ""
MAX_LABEL_CHARS = 60
SHEETS = frozenset({"parchment paper", "plastic wrap", "foil", "kitchen towel"})
MAX_MELTED_WORDS = 4
"""Most words from "to melt" to its food."""
MAX_REMARK = 4
"""Most words of a remark such as "Working in batches"."""
PARTICLE_ACTIONS = frozenset("add mix stir grate squeeze melt sift crumble tear fold".split())
BOUGHT = {
    "soda": (("baking", "baking soda"),),
    "pastry": (("puff", "puff pastry"), ("shortcrust", "shortcrust pastry")),
}
"""Words of the recipe that say which food a plain word means."""
VERB_TOOLS = ("ladle", "spoon")
VERB_FOODS = frozenset({"butter", "oil", "salt", "pepper", "flour", "salt and pepper"})


def _thing_of_verb(found: FoundVerb) -> list[Mention]:
    """Return the food or tool that a verb itself names: "butter the bread", "ladle the soup"."""
    name = found.verb.name.split()[0] if found.verb.name.startswith(VERB_TOOLS) else ""
    name = found.verb.name if found.verb.name in VERB_FOODS else name
    entry = lexicon().look_up(name) if name else None
    return [Mention(entry, found.start, "", entry.name, None, "with")] if entry else []


def _jug(mention: Mention) -> Mention:
    """Read "whisk in a measuring cup" as a jug, in which things are mixed."""
    if mention.entry.name != "measuring cup" or mention.preposition not in ("in", "into", "to"):
        return mention
    return replace(mention, entry=lexicon().entries["liquid measuring cup"])


def _seasoning(found: FoundVerb, mention: Mention) -> Mention:
    """Read "adjust the seasonings" as salt and pepper, not as the spices of the recipe."""
    if mention.entry.name != "mixed spice" or found.verb.name not in ("adjust", "check", "taste"):
        return mention
    return replace(mention, entry=lexicon().entries["salt and pepper"])


def _as_bought(mention: Mention, own: OwnFoods) -> Mention:
    """Read "soda" as baking soda and "pastry" as puff pastry if the recipe has these."""
    for mark, name in BOUGHT.get(mention.wording, ()):
        if mark in own.words:
            return replace(mention, entry=lexicon().entries[name])
    return mention


def _side_tool(found: FoundVerb) -> list[Mention]:
    """Return the whisk of "pour in the milk, whisking all the time"."""
    if not found.beside or not found.verb.name.startswith("whisk"):
        return []
    entry = lexicon().entries["whisk"]
    return [Mention(entry, found.start, "", entry.name, None, "with")]


def _only_joined(text: str, tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True if only "and" and adverbs lie between two verbs ("peel and dice")."""
    if any(starts_sentence(text, tokens, i) for i in range(start, end + 1)):
        return False
    return all(t.text in OPENERS or is_adverb(t.text) for t in tokens[start:end])


def _guess_food(
    text: str,
    tokens: Sequence[Word],
    start: int,
    end: int,
    kinds: Sequence[Kind],
    own: OwnFoods,
) -> str:
    """Return the unknown object of a verb ("Add the tempura") if it can be a food."""
    name: list[str] = []
    definite = False
    for index in range(start, min(end, len(tokens))):
        word = tokens[index].text
        if kinds[index] or (name and CLAUSE_MARK.search(gap(text, tokens, index))):
            break
        if not name:
            definite = definite or word in ("the", "your") or is_number(word)
        if word in DETERMINERS or is_adverb(word) or is_number(word) or word in LOOKS:
            continue
        if lexicon().state_at(tokens, index) is not None and not name:
            continue
        if is_known(word) and (name or not _is_part_of_name(tokens, index, own)):
            break
        name.append(word)
    return _own_name(name) if _can_be_food(name, definite, own.words) else ""


def _is_part_of_name(tokens: Sequence[Word], index: int, own: OwnFoods) -> bool:
    """Return True for a listed word that the lexicon knows only inside a name: "granules"."""
    word = tokens[index].text
    if word not in own.words or word in COMMON:
        return False
    known = (lexicon().noun_at, lexicon().verb_at, lexicon().state_at)
    return not any(look(tokens, index) for look in known)


NO_NOUN_ENDINGS = tuple(
    "ed ing ly est able ible ness ward wards wise ways tion sion ment ance ence ity 's".split()
)


def _can_be_food(name: Sequence[str], definite: bool, known: Collection[str]) -> bool:
    """Return True if the recipe lists the words, or if they pass for a noun with an article."""
    if not name or any(word in NO_FOODS or word.removesuffix("s") in NO_FOODS for word in name):
        return False
    if any(word in known or word.removesuffix("s") in known for word in name[-1:]):
        return True
    return definite and not any(word.endswith(NO_NOUN_ENDINGS) for word in name)


def own_foods(ingredients: Sequence[str]) -> Iterator[str]:
    """Yield the foods of an ingredient list that the lexicon does not know."""
    for line in ingredients:
        head = re.split(r"[,(;]", line)[0]
        tokens = words(head)
        if any(lexicon().noun_at(tokens, i) for i in range(len(tokens))):
            continue
        name = [t.text for t in tokens if not is_number(t.text) and not is_known(t.text)]
        if _own_name(name) and not any(word in NO_FOODS for word in name):
            yield _own_name(name)


def _own_name(parts: Sequence[str]) -> str:
    """Return the name of a food that the lexicon does not know, "" for too long ones."""
    name = " ".join(parts)
    return name if len(parts) <= 3 and len(name) <= MAX_NAME_CHARS else ""
