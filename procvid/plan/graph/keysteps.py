"""Find the key steps of a task: what many recipes of it do, by action and foods.

Each step of a recipe is an instance. Instances of one action are joined by average linkage while
their foods overlap enough, so "slice the carrot" and "cut the carrots into rounds" are one key step,
as in Video-Mined Task Graphs (Ashutosh et al. 2023), which joins narrations by their embeddings.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procvid.plan.graph.portions import PREPARING, is_staple, without_headings
from procvid.plan.language.lexicon import lexicon
from procvid.types import Plan, StepPlan

MIN_ALIKE = 0.35
"""Average overlap of foods from which instances are one key step; two of three foods have 0.67."""
STAPLE_WEIGHT = 1 / 3
"""What salt, oil or water counts beside other foods."""
MIN_FIT = 0.35
"""What a step that names nothing fits any key step of its action, as "stir well" does."""
LARGE = 0.25
"""Part of the largest key step of an action that another must have for such a step to join it."""
MIN_SHARE = 0.15
"""Share of recipes below which a step is no key step: what is misread at random is rarer."""
MIN_THING = 0.1
"""Share of instances below which a food is not part of a key step."""
MAX_KEY_STEPS = 60
AGAIN_SHARE = 0.5
"""Share of its recipes that must repeat a step before the second time is a key step of its own."""
NAMED_SHARE = 0.5
"""Share of instances from which a food is in the name of a key step; the most frequent one always is."""
SUPPOSED_WEIGHT = 0.5
"""What a step that names nothing counts in the foods of its key step."""
MAX_NAMED = 3
REST = "wait"


@dataclass(frozen=True)
class StepSignature:
    """By what steps are compared.

    Attributes:
        action: The canonical action.
        things: Foods that the text names; else those the planner supposes. A step that prepares a
            vessel or the oven has this instead.
        named: False if the things are supposed.
    """

    action: str
    things: frozenset[str]
    named: bool


@dataclass(frozen=True)
class KeyStep:
    """What many recipes of a task do.

    Attributes:
        name: Unique name, such as "fry the onion".
        action: The canonical action.
        things: By food (or vessel or tool): the share of its instances that have it.
        recipes: Number of recipes that have the step.
        turn: 1, or 2 for a step that is done again.
        position: Mean place in the recipes, from 0 (first) to 1 (last).
        optional: True if many recipes neither have it nor an alternative.
        alternatives: Names of key steps that take its place in other recipes.
    """

    name: str
    action: str
    things: Mapping[str, float]
    recipes: int
    turn: int = 1
    position: float = 0.0
    optional: bool = False
    alternatives: tuple[str, ...] = ()


def signature_of(step: StepPlan) -> StepSignature:
    """Return by what a step is compared."""
    foods = [item for item in step.objects if item.role == "food"]
    named = frozenset(_plain(food.name) for food in foods if food.mentioned)
    things = named or frozenset(_plain(food.name) for food in foods)
    if not things and step.action in PREPARING:
        others = [item for item in step.objects if item.role == "vessel"]
        others = others or [item for item in step.objects if item.role == "tool"]
        named = frozenset(item.name for item in others if item.mentioned)
        things = named or frozenset(item.name for item in others)
    return StepSignature(step.action, things, bool(named))


def likeness(one: StepSignature, other: StepSignature) -> float:
    """Return how much the things of two steps overlap, 0 to 1; supposed things need only be among."""
    if not one.things and not other.things:
        return 1.0
    shared, both = _weight(one.things & other.things), _weight(one.things | other.things)
    if not (one.named and other.named):
        both = min(_weight(one.things), _weight(other.things)) or both
    return shared / both


def fit(signature: StepSignature, step: KeyStep) -> float:
    """Return how well a step fits a key step, 0 to 1: `MIN_FIT` or more if it may be it."""
    if signature.action != step.action:
        return 0.0
    if not signature.things and not step.things:
        return 1.0
    weights = {name: share * _weight({name}) for name, share in step.things.items()}
    shared = sum(weights.get(name, 0.0) for name in signature.things)
    usual = sum(weights.values())
    if not signature.named:
        return max(MIN_FIT, shared / usual if usual else 0.0)
    extra = _weight(name for name in signature.things if name not in weights)
    return shared / (usual + extra)


def key_steps(plans: Sequence[Plan]) -> tuple[list[KeyStep], list[list[int]]]:
    """Return the key steps of plans, and each plan as their indices, each at most once, in order."""
    signatures = [[signature_of(step) for step in without_headings(plan.steps)] for plan in plans]
    counts = Counter(signature for recipe in signatures for signature in recipe)
    cluster_of = _clustered(counts)
    runs = [[cluster_of[signature] for signature in recipe] for recipe in signatures]
    labels = _with_turns(runs)
    holders = Counter(label for recipe in labels for label in set(recipe) if label is not None)
    fewest = max(2, math.ceil(MIN_SHARE * len(plans)))
    kept = [label for label, count in holders.most_common(MAX_KEY_STEPS) if count >= fewest]
    places = _places(labels)
    kept.sort(key=lambda label: (places[label], label))
    index = {label: at for at, label in enumerate(kept)}
    sequences = [
        list(dict.fromkeys(index[label] for label in recipe if label in index)) for recipe in labels
    ]
    members = defaultdict[int, Counter[StepSignature]](Counter)
    for signature, count in counts.items():
        members[cluster_of[signature]][signature] += count
    taken: set[str] = set()
    steps = []
    for label in kept:
        cluster, turn = label
        things = _shares(members[cluster])
        action = next(iter(members[cluster])).action
        name = _unique_name(action, things, turn, taken)
        steps.append(KeyStep(name, action, things, holders[label], turn, round(places[label], 3)))
    return steps, sequences


def _clustered(counts: Mapping[StepSignature, int]) -> dict[StepSignature, int]:
    """Return the number of the cluster of each signature.

    What its text names decides: a step that names nothing ("stir well") joins the cluster of its
    action that is most like what the planner supposes, but no small one.
    """
    cluster_of: dict[StepSignature, int] = {}
    by_action = defaultdict[str, list[StepSignature]](list)
    for signature in sorted(counts, key=lambda s: (s.action, sorted(s.things), s.named)):
        by_action[signature.action].append(signature)
    for signatures in by_action.values():
        named = [signature for signature in signatures if signature.named]
        groups = list(_linked(named or signatures, counts))
        sizes = [sum(counts[member] for member in group) for group in groups]
        for signature in signatures if named else ():
            if not signature.named:
                large = [at for at, size in enumerate(sizes) if size >= LARGE * max(sizes)]
                alike = {at: _mean_likeness(signature, groups[at], counts) for at in large}
                best = max(large, key=lambda at: (alike[at], sizes[at]))
                groups[best].append(signature)
        first = len(set(cluster_of.values()))
        cluster_of |= {member: first + at for at, group in enumerate(groups) for member in group}
    return cluster_of


def _mean_likeness(
    signature: StepSignature, group: Sequence[StepSignature], counts: Mapping[StepSignature, int]
) -> float:
    members = [member for member in group if member.named]
    total = sum(counts[member] for member in members)
    return sum(counts[member] * likeness(signature, member) for member in members) / total


def _linked(
    signatures: Sequence[StepSignature], counts: Mapping[StepSignature, int]
) -> list[list[StepSignature]]:
    """Return signatures in groups, joined by average linkage while they are alike enough."""
    sizes = np.array([counts[s] for s in signatures], float)
    alike = np.array([[likeness(a, b) for b in signatures] for a in signatures])
    np.fill_diagonal(alike, -1.0)
    group = list(range(len(signatures)))
    while len(signatures) > 1:
        one, other = sorted(map(int, np.unravel_index(np.argmax(alike), alike.shape)))
        if alike[one, other] < MIN_ALIKE:
            break
        mean = (sizes[one] * alike[one] + sizes[other] * alike[other]) / (sizes[one] + sizes[other])
        mean[[one, other]] = -1.0
        alike[one] = alike[:, one] = mean
        alike[other] = alike[:, other] = -1.0
        sizes[one] += sizes[other]
        group = [one if at == other else at for at in group]
    return [
        [signature for signature, at in zip(signatures, group, strict=True) if at == number]
        for number in dict.fromkeys(group)
    ]


def _with_turns(runs: Sequence[Sequence[int]]) -> list[list[tuple[int, int] | None]]:
    """Return each step as its cluster and its turn; None for a repetition that is not usual."""
    holders = Counter(cluster for recipe in runs for cluster in set(recipe))
    repeats = Counter(c for recipe in runs for c, count in Counter(recipe).items() if count > 1)
    usual = {c for c, count in repeats.items() if count >= AGAIN_SHARE * holders[c]}
    labels = []
    for recipe in runs:
        seen = Counter[int]()
        turns: list[tuple[int, int] | None] = []
        for cluster in recipe:
            seen[cluster] += 1
            is_key = seen[cluster] <= (2 if cluster in usual else 1)
            turns.append((cluster, seen[cluster]) if is_key else None)
        labels.append(turns)
    return labels


def _places(labels: Sequence[Sequence[tuple[int, int] | None]]) -> dict[tuple[int, int], float]:
    places = defaultdict[tuple[int, int], list[float]](list)
    for recipe in labels:
        for at, label in enumerate(recipe):
            if label is not None:
                places[label].append(at / max(1, len(recipe) - 1))
    return {label: sum(found) / len(found) for label, found in places.items()}


def _shares(members: Mapping[StepSignature, int]) -> dict[str, float]:
    """Return the share of instances with each thing, the most frequent first; rare ones left out."""
    total, found = 0.0, Counter[str]()
    for signature, count in members.items():
        weight = count * (1.0 if signature.named else SUPPOSED_WEIGHT)
        total += weight
        for name in signature.things:
            found[name] += weight  # type: ignore[assignment]
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shares = {name: round(weight / total, 3) for name, weight in ordered}
    return {name: share for name, share in shares.items() if share >= MIN_THING}


def _unique_name(action: str, things: Mapping[str, float], turn: int, taken: set[str]) -> str:
    usual = [name for name, share in things.items() if share >= NAMED_SHARE][:MAX_NAMED]
    named = max(1, len(usual))
    words = _words(action, list(things)[:named])
    while words in taken and named < len(things):
        named += 1
        words = _words(action, list(things)[:named])
    words += " again" * (turn > 1)
    number, name = 2, words
    while name in taken:
        number, name = number + 1, f"{words} ({number})"
    taken.add(name)
    return name


def _words(action: str, things: Sequence[str]) -> str:
    *others, last = things or ("",)
    listed = f"{', '.join(others)} and {last}" if others else last
    what = f" the {listed}" if listed else ""
    return f"let{what or ' it'} rest" if action == REST else f"{action}{what}"


def _plain(name: str) -> str:
    """Return the name of a food without its state: a mashed potato is the potato of before."""
    first, _, rest = name.partition(" ")
    return rest if rest in lexicon().entries and (first,) in lexicon().states else name


def _weight(names: Iterable[str]) -> float:
    return sum(STAPLE_WEIGHT if is_staple(name) else 1.0 for name in names)
