"""Follow what each step leaves, to find out which later step takes it.

A step takes *portions*: the foods that earlier steps left, with the vessel they lie in. It takes a
portion if it shows or names one of its foods, names what it became ("the batter"), or works in its
vessel. What a step takes and adds is the portion that it leaves. A prepared vessel or a hot oven is a
portion without foods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from procvid.plan.kitchen.products import BAKED_GOODS, DOUGHS, LOOSE, LUMPS, SALADS, STEWED
from procvid.plan.language.lexicon import lexicon
from procvid.types import PlannedObject, StepPlan

MADE = (
    BAKED_GOODS
    | DOUGHS
    | LOOSE
    | LUMPS
    | SALADS
    | STEWED
    | frozenset(
        "mixture mix sauce dressing marinade glaze topping paste wash gravy syrup rub roll wrap pie "
        "sandwich stuffing crust base strudel skewer meat filling seasoning coating brine stock "
        "vegetable ingredient vinaigrette".split()
    )
)
"""Last words of names for what a step may have made."""

MIXED = frozenset({"mixture", "mix", "batter", "dough"})
"""Products that a step makes and goes on with."""

ONTO = frozenset(
    "spread sprinkle drizzle top garnish brush dust season fold pour coat dip decorate frost".split()
)
"""Actions that need something to act on, even if the step does not name it."""

WAITING = frozenset("wait chill rest cool check remove cover serve flip".split())
MAKING = frozenset("prepare make gather".split())
PREPARING = frozenset("preheat grease line oil heat".split()) | MAKING
BAKING = frozenset("bake roast broil grill toast".split())
HEATED = frozenset({"oven", "grill", "broiler"})
RAW = frozenset({"", "plain", "whole", "raw"})
POINTING = frozenset({"the", "this", "your", "prepared"})
STAPLES = frozenset({"spice", "fat", "liquid", "powder", "sweet", "sauce"})
"""Groups of foods of which a step usually takes new ones, although an earlier step had some."""

MAX_HEADING_WORDS = 5
_ENDED = re.compile(r"[.!?:)]\W*$")
_ALL = re.compile(r"\b(everything|(the|all|all the|all of the) ingredients)\b", re.I)
_BESIDE = re.compile(r"\W*(while|meanwhile|in the meantime|as)\b", re.I)
"""How a step begins that is done beside another one."""
_MEANWHILE = re.compile(r"\b(while|as|before|until|when)\b[^,.;]*[,.;]?", re.I)


@dataclass(eq=False)
class _Portion:
    """What a step left: foods with their states, the vessel they lie in or "", and hot tools."""

    states: dict[str, str]
    vessel: str
    step: int
    tools: set[str] = field(default_factory=set)

    @property
    def foods(self) -> set[str]:
        return set(self.states)


@dataclass(eq=False)
class Walk:
    """What following the portions found.

    Attributes:
        edges: By the numbers of two steps: the foods, or the vessel or tool, that the second one takes.
        notes: Sentences with `{}` for steps and `{things}`, the numbers of the steps, and the things.
    """

    edges: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    notes: list[tuple[str, tuple[int, ...], str]] = field(default_factory=list)


def walk_through(steps: Sequence[StepPlan]) -> Walk:
    """Return which steps take what earlier ones left. Headings take and leave nothing."""
    walker = _Walker(steps)
    for step in without_headings(steps):
        walker.take(step)
    walker.end()
    return walker.found


def without_headings(steps: Sequence[StepPlan]) -> Iterator[StepPlan]:
    """Yield the steps that are no headings such as "For the filling"."""
    are_ended = sum(bool(_ENDED.search(step.text)) for step in steps) * 2 >= len(steps)
    for step in steps:
        text = step.text.strip()
        is_short = len(text.split()) <= MAX_HEADING_WORDS and not _ENDED.search(text)
        if not (text.endswith(":") or (is_short and are_ended)):
            yield step


class _Walker:
    """Goes through the steps with the portions that lie in the kitchen."""

    def __init__(self, steps: Sequence[StepPlan]) -> None:
        self.found = Walk()
        self._portions: list[_Portion] = []
        self._unmade: dict[str, int] = {}
        self._steps = steps

    def take(self, step: StepPlan) -> None:
        """Let a step take its portions and leave one."""
        foods = [item for item in step.objects if item.role == "food"]
        vessel = next((item for item in step.objects if item.role == "vessel"), None)
        tools = {item.name for item in step.objects if item.role == "tool"}
        last = self._steps[-1]
        taken = list(self._named(step, foods))
        for found in (self._made(step, foods, taken), self._in_vessel(step, vessel, taken)):
            taken += [portion for portion in found if portion not in taken]
        taken += [portion for portion in self._heated(step, tools) if portion not in taken]
        if _ALL.search(step.text):
            taken += [p for p in self._portions if p.foods and p not in taken]
        if not any(portion.foods for portion in taken):
            taken += [portion for portion in self._implied(step, foods) if portion not in taken]
        ends = (step.recipe_step or step.number) == (last.recipe_step or last.number)
        if ends and (step.action == "serve" or "serve" in words_of(step.text)):
            taken = [portion for portion in self._portions if portion.foods or portion in taken]
        for portion in taken:
            things = sorted(portion.foods & {food.name for food in foods}) or sorted(portion.foods)
            things = things or [portion.vessel or min(portion.tools, default="")]
            self.found.edges.setdefault((portion.step, step.number), []).extend(things)
        self._portions = [portion for portion in self._portions if portion not in taken]
        states = {name: state for p in taken for name, state in p.states.items()}
        states |= {food.name: food.state_after for food in foods}
        hot = tools & HEATED if step.action in PREPARING else set[str]()
        self._portions.append(_Portion(states, vessel.name if vessel else "", step.number, hot))
        self._note_made_late(step)

    def end(self) -> None:
        """Note what no step took."""
        last = self._steps[-1].number if self._steps else 0
        for portion in self._portions:
            foods = sorted(name for name in portion.foods if not is_staple(name))
            if foods and portion.step != last:
                things = " and ".join(foods[:2])
                self._note("No later step takes the {things} of step {}.", things, portion.step)

    def _note(self, text: str, things: str, *numbers: int) -> None:
        self.found.notes.append((text, numbers, things))

    def _note_made_late(self, step: StepPlan) -> None:
        """Note what an earlier step used before this one makes it."""
        if words_of(step.text)[:1] and words_of(step.text)[0] in MAKING:
            for word in words_of(step.text):
                if word in self._unmade:
                    text = "Step {} takes the {things}, which step {} makes later."
                    self._note(text, word, self._unmade.pop(word), step.number)

    def _named(self, step: StepPlan, foods: Sequence[PlannedObject]) -> Iterator[_Portion]:
        """Yield the portions with a food that the step shows or names."""
        prepares = bool(set(words_of(step.text)[:1]) & PREPARING) or step.action in PREPARING
        before = {food.name: food.state_before for food in foods}
        shown = {f.name for f in foods if f.mentioned or not prepares}
        sure = {
            f.name for f in foods if f.name in shown and (not f.mentioned or not is_staple(f.name))
        }
        said = set(words_of(_MEANWHILE.sub(" ", step.text)))
        for portion in self._portions:
            # A new helping begins in another state than the one that an earlier step left.
            same = {name for name, state in portion.states.items() if before.get(name) == state}
            solid = [name.split() for name in portion.foods - set(before) if not is_staple(name)]
            heads = {words[place] for words in solid for place in (0, -1)}
            is_all = bool(portion.foods) and portion.foods <= same and not prepares
            if same & sure or (is_all and len(same) > 1) or heads & said:
                yield portion

    def _made(
        self, step: StepPlan, foods: Sequence[PlannedObject], taken: Sequence[_Portion]
    ) -> Iterator[_Portion]:
        """Yield the portions that became something that the step names, such as the batter."""
        if step.action in PREPARING:
            return
        known = {name for portion in taken for name in portion.foods}
        for food in foods:
            *own, last = food.name.split()
            if food.name in known or last not in MADE:
                continue
            found = re.search(rf"((?:[\w-]+\s+){{0,3}}){re.escape(last)}", step.text, re.I)
            before = words_of(found.group(1)) if found else []
            if food.state_before in RAW and not (POINTING & set(before) or last in MIXED):
                continue
            group = {s.number for s in self._steps if s.recipe_step == step.recipe_step} - {0}
            full = [portion for portion in self._portions if portion.foods]
            ours = [portion for portion in full if portion.step in group and last in MIXED]
            others = [portion for portion in full if portion.step not in group] or full
            alike = [portion for portion in full if _shares_word([*before, *own], portion.foods)]
            mixed = [portion for portion in others if len(portion.foods) > 1]
            best = (alike or ours or mixed or others)[-1:]
            if not best and not taken:
                self._unmade.setdefault(last, step.number)
            yield from best

    def _in_vessel(
        self, step: StepPlan, vessel: PlannedObject | None, taken: Sequence[_Portion]
    ) -> Iterator[_Portion]:
        """Yield the portions that lie in the step's vessel, unless a later step names their foods."""
        later = {
            item.name
            for other in self._steps
            if other.number > step.number
            for item in other.objects
            if item.role == "food" and item.mentioned
        }
        for portion in self._portions:
            if not portion.vessel or portion in taken:
                continue
            is_here = vessel is not None and portion.vessel == vessel.name
            last = re.escape(portion.vessel.split()[-1])
            is_said = re.search(rf"\b(the|that|same)\b[^.,;]{{0,20}}\b{last}\b", step.text, re.I)
            is_new = re.search(
                rf"\b(an?|another|separate|second|clean)\b[^.,;]{{0,25}}\b{last}\b", step.text, re.I
            )
            if not (is_here or is_said) or (is_new and portion.foods):
                continue
            is_beside = bool(_BESIDE.match(step.text)) and not is_said
            if is_beside and portion.foods:
                continue
            if not portion.foods or not portion.foods & later or not taken:
                yield portion
            elif is_here and vessel is not None and vessel.mentioned and is_said:
                foods = " and ".join(sorted(portion.foods & later)[:2])
                things = f"{vessel.name}, which still holds the {foods}"
                self._note(
                    "Step {} uses the {things} of step {}.", things, step.number, portion.step
                )

    def _heated(self, step: StepPlan, tools: set[str]) -> Iterator[_Portion]:
        """Yield the hot oven or grill that the step uses."""
        uses = tools & HEATED or (HEATED if step.action in BAKING else frozenset[str]())
        if step.action not in PREPARING:
            yield from (portion for portion in self._portions if portion.tools & uses)

    def _implied(self, step: StepPlan, foods: Sequence[PlannedObject]) -> Iterator[_Portion]:
        """Yield the latest portion for a step that acts on something it does not name."""
        brings = any(food.mentioned for food in foods) and step.action not in ONTO | WAITING
        # "Brush the salmon with oil" names what it acts on, "top with cheese" does not.
        onto = set(words_of(step.text.partition(" with ")[0])) if " with " in step.text else set()
        # Foods that the step does not name, in their first state, are what the planner supposes.
        brings = brings or (bool(foods) and all(food.state_before in RAW for food in foods))
        brings = brings or any(
            food.mentioned and not is_staple(food.name) and food.name.split()[-1] in onto
            for food in foods
        )
        if step.action not in PREPARING and not brings:
            yield from [portion for portion in self._portions if portion.foods][-1:]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without the s of plurals."""
    return [re.sub(r"(?<=\w{3})s$", "", word) for word in re.findall(r"[a-z]+", text.lower())]


def is_staple(name: str) -> bool:
    """Return True for a food of which a step usually takes new ones."""
    entry = lexicon().entries.get(name)
    return entry is not None and entry.group in STAPLES


def _shares_word(words: Sequence[str], foods: set[str]) -> bool:
    return bool({word for name in foods for word in name.split()} & set(words))
