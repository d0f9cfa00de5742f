"""Describe one food and one vessel of the kitchen, and how a recipe's words name them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from procvid.plan.language.lexicon import lexicon, phrase, plurals, shown_plural
from procvid.plan.language.mention import Mention

RAW_GROUPS = frozenset({"meat", "poultry", "fish", "seafood"})
PLAIN_GROUPS = frozenset({"spice", "fat", "liquid", "sauce", "powder", "grain", "sweet", "made"})
MINOR_GROUPS = frozenset({"spice", "fat"})
SIZES = {"large": "large", "big": "large", "small": "small", "little": "small", "medium": "medium"}
NO_LOOKS = (
    frozenset(
        "of a the fresh clove cloves slice slices stick knob pinch boiling hot cold warm lukewarm "
        "iced tap salted".split()
    )
    | SIZES.keys()
)
"""Words in the name of a food that do not describe its looks."""


@dataclass
class Food:
    """A food in use; `listed` while its state comes from the ingredient list only.

    `called` is the recipe's own word for it ("polenta" for cornmeal), "" for its name; `base` is the
    group of what a mixture is mostly made of; `many` says that the recipe names several.
    """

    name: str
    group: str
    looks: str
    state: str
    since_step: int
    vessel: str | None = None
    listed: bool = False
    called: str = ""
    base: str = ""
    many: bool = False
    history: list[tuple[str, int]] = field(default_factory=list)

    @property
    def minor(self) -> bool:
        """Return True for oil, salt and similar foods, which are never the main food of a step."""
        return self.group in MINOR_GROUPS

    @property
    def shows(self) -> bool:
        """Return True if it can be seen among other food: butter in a batter, not salt or oil."""
        return not self.minor or (self.name == "butter" and self.state == "mixed")

    def is_of(self, groups: Collection[str]) -> bool:
        """Return True for a food, or a mixture of mostly such food."""
        return self.group in groups or self.base in groups

    def description(self) -> str:
        """Return the name with its looks and what earlier steps did to it."""
        by_step: dict[int, list[str]] = {}
        for state, step in self.history:
            by_step.setdefault(step, []).append(state)
        made = [f"{' and '.join(states)} in step {step}" for step, states in by_step.items()]
        name = self.called or self.name
        looks = [word for word in self.looks.split() if word not in phrase(name)]
        if self.many:
            *before, last = name.split()
            name = " ".join([*before, shown_plural(last)])
        return ", ".join([" ".join([*looks, name]), *made])


@dataclass
class Vessel:
    """A vessel or tool in use; `use` is the lexicon's group of a vessel.

    `prepared` says that a step greased or lined it, so that "the prepared pan" means it.
    """

    name: str
    kind: str
    use: str
    looks: str
    since_step: int
    used: bool = False
    wording: str = ""
    prepared: bool = False

    def description(self) -> str:
        """Return the name with the looks that the text gives."""
        own = set(self.name.split())
        looks = " ".join(word for word in self.looks.split() if word not in own)
        return f"{looks} {self.name}".strip()


def first_state(group: str) -> str:
    """Return the initial state of a food: "whole", "raw" or "plain"."""
    if group in RAW_GROUPS:
        return "raw"
    return "plain" if group in PLAIN_GROUPS else "whole"


def is_plural(mention: Mention, name: str) -> bool:
    """Return True if a text names several of a food: "onions"."""
    last = name.split()[-1]
    return not last.endswith("s") and mention.wording.split()[-1:] in [[p] for p in plurals(last)]


def called(mention: Mention, name: str) -> str:
    """Return the word of the recipe for a food that has another name here, else ""."""
    spoken = lexicon().singular(mention.wording)
    same = mention.entry.name != name or {*phrase(name)} <= {*phrase(spoken)}
    return "" if same or not spoken else spoken


def food_looks(mention: Mention) -> str:
    """Return what the wording adds to the name: "red onion" -> "red"."""
    name = mention.entry.name.split()
    wording = mention.wording.split()
    extra = wording[:-1] if len(wording) > 1 and wording[-1].startswith(name[-1][:4]) else []
    words = [*mention.looks.split(), *extra]
    known = phrase(mention.entry.name)
    kept = [w for w in dict.fromkeys(words) if w not in known and w not in NO_LOOKS]
    return " ".join(kept)


def size_of(looks: str) -> str:
    """Return the size among words of looks, or ""."""
    return next((SIZES[word] for word in looks.split() if word in SIZES), "")


def fits(known: str, given: str) -> bool:
    """Return True if two descriptions can mean one thing: their sizes agree."""
    first, second = size_of(known), size_of(given)
    return not (first and second and first != second)
