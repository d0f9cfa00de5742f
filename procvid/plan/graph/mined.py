"""Mine the graph of a task from many recipes of it: key steps, orders, alternatives, transitions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, pairwise

import networkx as nx
import numpy as np

from procvid.errors import InputError
from procvid.plan.graph.keysteps import KeyStep, key_steps
from procvid.plan.graph.precedence import counts_of, precedence
from procvid.types import Plan

MIN_RECIPES = 3
MAX_RECIPES = 2_000
COMMON = 0.75
"""Share of recipes from which a step, with its alternatives, is not optional. The rules planner reads
one of six wordings of a toy step as another action, so a step that everybody does may have 0.83."""
MAX_LIFT = 0.25
"""Alternatives occur together at most this often, of what chance would give."""
CHANCE = 0.05
"""Probability by chance of occurring together so rarely, above which steps are no alternatives."""
SAME_PLACE = 0.25
"""Largest mean difference of the shares of recipes in which other steps come before."""
MIN_TRANSITION = 0.05


@dataclass(frozen=True)
class UsualOrder:
    """A key step comes before another one.

    Attributes:
        before, after: Names of the key steps.
        in_order: Number of recipes that do them in this order.
        together: Number of recipes with both.
    """

    before: str
    after: str
    in_order: int
    together: int


@dataclass(frozen=True)
class NextStep:
    """The probability that a key step directly follows another one; other steps are passed over."""

    before: str
    after: str
    probability: float


@dataclass(frozen=True)
class MinedGraph:
    """What recipes of a task have in common.

    Attributes:
        title: Name of the task.
        recipes: Number of recipes.
        steps: The key steps, by their mean place.
        orders: All precedences, also those that follow from others; without circles.
        transitions: Which key step follows which, from a probability of 0.05.
    """

    title: str
    recipes: int
    steps: tuple[KeyStep, ...]
    orders: tuple[UsualOrder, ...]
    transitions: tuple[NextStep, ...] = ()

    @property
    def edges(self) -> tuple[UsualOrder, ...]:
        """The precedences that do not follow from others."""
        graph = nx.DiGraph([(order.before, order.after) for order in self.orders])
        kept = set(nx.transitive_reduction(graph).edges)
        return tuple(order for order in self.orders if (order.before, order.after) in kept)

    def step(self, name: str) -> KeyStep:
        """Return a key step by its name.

        Raises:
            KeyError: There is no such key step.
        """
        return {step.name: step for step in self.steps}[name]


def mine(plans: Iterable[Plan], title: str) -> MinedGraph:
    """Return the graph of a task. A recipe that is there twice counts once.

    Args:
        plans: Plans of recipes of the task, best by the rules planner.
        title: Name of the task.

    Raises:
        InputError: There are too few or too many recipes, or they have no two steps in common.
    """
    different = {tuple(step.text for step in p.steps): p for p in islice(plans, MAX_RECIPES + 1)}
    plans = list(different.values())
    if len(plans) > MAX_RECIPES:
        raise InputError(
            f"There are more than {MAX_RECIPES:,} recipes.", "Use fewer recipes, of one dish."
        )
    if len(plans) < MIN_RECIPES:
        raise InputError(
            f"A graph is mined from at least {MIN_RECIPES} different recipes, not {len(plans)}.",
            "Add recipes of the same dish.",
        )
    steps, sequences = key_steps(plans)
    if len(steps) < 2:
        raise InputError(
            f"The {len(plans)} recipes have fewer than two steps in common.",
            "Use recipes of the same dish.",
        )
    names = [step.name for step in steps]
    counts = counts_of(sequences, len(steps))
    orders = tuple(
        UsualOrder(names[a], names[b], int(counts[a, b]), int(counts[a, b] + counts[b, a]))
        for a, b in sorted(precedence(sequences, len(steps)).edges)
    )
    pairs = list(_alternatives(steps, counts, len(plans)))
    found = []
    for at, step in enumerate(steps):
        others = sorted({b if a == at else a for a, b in pairs if at in (a, b)})
        covering = {at, *others}
        covered = sum(bool(covering & set(sequence)) for sequence in sequences) / len(plans)
        found.append(
            replace(
                step,
                alternatives=tuple(names[other] for other in others),
                optional=covered < COMMON,
            )
        )
    return MinedGraph(title, len(plans), tuple(found), orders, _transitions(sequences, names))


def _transitions(sequences: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[NextStep, ...]:
    """Return the transition probabilities of Video-Mined Task Graphs: counts, normalised by step."""
    follows = Counter(pair for sequence in sequences for pair in pairwise(sequence))
    leaves = Counter[int]()
    for (before, _), count in follows.items():
        leaves[before] += count
    return tuple(
        NextStep(names[before], names[after], round(count / leaves[before], 3))
        for (before, after), count in sorted(follows.items())
        if count >= MIN_TRANSITION * leaves[before]
    )


def _alternatives(
    steps: Sequence[KeyStep], counts: np.ndarray, num_recipes: int
) -> Iterable[tuple[int, int]]:
    """Yield pairs with one action or a common food that take one place and rarely occur together."""
    together = counts + counts.T
    share_before = np.divide(counts, together, out=np.full(counts.shape, 0.5), where=together > 0)
    for a, b in combinations(range(len(steps)), 2):
        one, other = steps[a], steps[b]
        if one.turn != other.turn:
            continue
        if one.action != other.action and not set(one.things) & set(other.things):
            continue
        expected = one.recipes * other.recipes / num_recipes
        seen = int(together[a, b])
        if seen > MAX_LIFT * expected or _poisson_up_to(seen, expected) > CHANCE:
            continue
        beside = (together[a] > 0) & (together[b] > 0)
        if beside.any() and np.abs(share_before[a] - share_before[b])[beside].mean() <= SAME_PLACE:
            yield a, b


def _poisson_up_to(seen: int, expected: float) -> float:
    """Return the probability of at most so many recipes with both, if they were independent."""
    log = math.log(expected)
    return sum(math.exp(k * log - expected - math.lgamma(k + 1)) for k in range(seen + 1))
