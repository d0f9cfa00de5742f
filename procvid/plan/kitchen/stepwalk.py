"""Hold what is known of a step while it is walked through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.things import Vessel
from procvid.plan.language.lexicon import Action
from procvid.plan.language.mention import Mention

PASSING = frozenset({"cut", "passing"})


@dataclass
class Done:
    """Result of one action of a step."""

    action: Action
    foods: list[str]
    changed: list[str]
    vessel: Vessel | None
    mentioned_vessels: list[str]
    tools: tuple[Mention, ...]
    verb: str = ""


@dataclass
class StepWalk:
    """A step while it is walked through.

    `pending` are foods that become a product at the end of the step, each with its mention;
    `goal` are those that the present action leads to ("over the rolls").
    """

    number: int
    text: str
    before: dict[str, str] = field(default_factory=dict)
    past: dict[str, str] = field(default_factory=dict)
    mentioned: set[str] = field(default_factory=set)
    mentioned_vessels: list[str] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    pending: list[tuple[list[str], Mention]] = field(default_factory=list)
    goal: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def see(kitchen: KitchenState, walk: StepWalk, name: str) -> None:
    """Store a food's state and past at the start of the step, once."""
    if name not in walk.before:
        walk.before[name] = kitchen.foods[name].state
        walk.past[name] = kitchen.foods[name].description()


def see_named(kitchen: KitchenState, walk: StepWalk, names: Sequence[str]) -> None:
    """Store foods as `see` does, and that the step names them."""
    for name in names:
        see(kitchen, walk, name)
    walk.mentioned.update(names)


def holds(kitchen: KitchenState, vessel: str | None) -> bool:
    """Return True if a vessel keeps its foods together; on a board they lie loose."""
    return vessel is not None and kitchen.vessels[vessel].use not in PASSING


def here(kitchen: KitchenState, walk: StepWalk) -> Vessel | None:
    """Return the vessel of an earlier action of the same step."""
    places = [done.vessel for done in walk.done if done.vessel is not None]
    return places[-1] if places else None
