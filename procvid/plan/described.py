"""What a step does, by rules: its action, and its foods, vessels and tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from procvid.plan.language.lexicon import lexicon
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.wording import gerund, place
from procvid.types import PlannedObject, Recipe


@dataclass(frozen=True)
class DescribedStep:
    """What a step does.

    Attributes:
        action: The canonical action, or "" if none is known.
        foods: State before and after of each food, by name; the main food first.
        vessels: Names of vessels.
        tools: Names of tools.
    """

    action: str
    foods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    vessels: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The action and the main food, such as "slice carrot"; "" unless both are known.

        Clips with one key show the same step.
        """
        food = next(iter(self.foods), "")
        return f"{self.action} {food}" if self.action and food else ""

    def sentence(self) -> str:
        """Return one sentence, such as "Slicing the carrot (whole, then sliced) on the board."."""
        words = [gerund(self.action) if self.action else "handling"]
        if self.foods:
            words.append(_list(f"the {name} ({_states(*s)})" for name, s in self.foods.items()))
        words += [place(vessel) for vessel in self.vessels[:1]]
        if self.tools:
            words.append(f"with {_list(f'the {tool}' for tool in self.tools)}")
        sentence = " ".join(words)
        return f"{sentence[:1].upper()}{sentence[1:]}."


@lru_cache(4096)
def described(text: str) -> DescribedStep:
    """Return what the rules read in a text; objects that it does not name are left out."""
    objects: dict[str, PlannedObject] = {}
    action = ""
    for step in plan_recipe(Recipe("", (text,))).steps if text.strip() else ():
        action = action or step.action
        for item in sorted(step.objects, key=lambda o: -o.importance):
            if item.mentioned:
                objects.setdefault(item.name, item)
    return DescribedStep(
        action=action,
        foods={o.name: (o.state_before, o.state_after) for o in _role(objects, "food")},
        vessels=tuple(o.name for o in _role(objects, "vessel")),
        tools=tuple(o.name for o in _role(objects, "tool")),
    )


def consolidated(narration: str, caption: str, objects: Sequence[str]) -> DescribedStep:
    """Return what narration, caption and found objects say together; the narration counts first."""
    said, seen = described(narration), described(caption)
    names: dict[str, list[str]] = {"food": [], "vessel": [], "tool": []}
    for name in objects:
        names.get(_role_of(name), []).append(name)
    foods = dict(said.foods)
    for more in (seen.foods, dict.fromkeys(names["food"], ("whole", "whole"))):
        for name, states in more.items():
            foods.setdefault(name, states)
    return DescribedStep(
        action=said.action or seen.action,
        foods=foods,
        vessels=tuple(dict.fromkeys([*said.vessels, *seen.vessels, *names["vessel"]])),
        tools=tuple(dict.fromkeys([*said.tools, *seen.tools, *names["tool"]])),
    )


def _role(objects: Mapping[str, PlannedObject], role: str) -> list[PlannedObject]:
    return [item for item in objects.values() if item.role == role]


def _role_of(name: str) -> str:
    entry = lexicon().look_up(name)
    return entry.role if entry else "food"


def _states(before: str, after: str) -> str:
    return before if before == after else f"{before}, then {after}"


def _list(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
