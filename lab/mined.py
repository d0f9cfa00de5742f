"""Mine task graphs from toy recipes whose true graph is known: `python -m lab.mined`.

Each grammar is a partial order of key steps, some optional, some alternatives of each other. A recipe
draws the alternatives, drops optional steps, takes the steps in a random order that the graph allows, and
writes each in one of the toy kitchen's wordings. The rules planner reads the texts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import networkx as nx
import numpy as np

from lab.command import count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.plan.graph.habits import habits
from procvid.plan.graph.mined import MinedGraph, mine
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import ToyKitchen, random_kitchen
from procvid.toykitchen.scene import ACTIONS, FoodItem, Scene
from procvid.toykitchen.words import step_text
from procvid.types import Plan, Recipe

SIZES = (20, 50, 100, 500)
KINDS = ("edges", "key steps", "optional", "alternatives")
DROPPED = 0.45
"""Probability that an optional step is left out."""
ERRORS = 0.05
"""Share of steps that are swapped with the next one, or replaced by another action or food."""
MINED_FROM, COMPARED = 100, 30
"""Recipes that the notes are mined from, and that are compared, a grammar and fault."""
HABIT = 0.5
"""Spread of the cooks' common preferences among the steps that are possible next, as log-normal sigma."""

GRAMMARS: dict[str, str] = {
    "pan": """
        slice carrot @ cutting board
        dice onion @ cutting board
        add onion @ frying pan < dice onion
        fry onion @ frying pan < add onion
        add carrot @ frying pan < slice carrot, fry onion
        stir carrot @ frying pan < add carrot ?
        add cheese @ frying pan < add carrot ?
        serve carrot @ plate < stir carrot, add cheese, add carrot
    """,
    "soup": """
        peel potato @ cutting board ?
        dice potato @ cutting board < peel potato
        slice carrot @ cutting board | soup carrot
        dice carrot @ cutting board | soup carrot
        add potato @ pot < dice potato
        add carrot @ pot < slice carrot, dice carrot
        boil potato @ pot < add potato, add carrot
        mash potato @ pot < boil potato ?
        serve potato @ plate < mash potato, boil potato
    """,
    "batter": """
        add egg @ bowl
        mix egg @ bowl < add egg
        slice mushroom @ cutting board
        fry egg @ frying pan < mix egg
        flip egg @ frying pan < fry egg ?
        add mushroom @ frying pan < slice mushroom, fry egg
        add cheese @ frying pan < fry egg ?
        serve egg @ plate < flip egg, add mushroom, add cheese
    """,
    "salad": """
        slice cucumber @ cutting board
        slice tomato @ cutting board | cut
        dice tomato @ cutting board | cut
        boil egg @ pot ?
        dice egg @ cutting board < boil egg
        add cucumber @ bowl < slice cucumber
        add tomato @ bowl < slice tomato, dice tomato
        add egg @ bowl < dice egg
        stir cucumber @ bowl < add cucumber, add tomato, add egg
        serve cucumber @ plate < stir cucumber
    """,
    "bake": """
        peel beetroot @ cutting board
        slice beetroot @ cutting board < peel beetroot
        dice onion @ cutting board
        add beetroot @ baking tray < slice beetroot
        add onion @ baking tray < dice onion
        bake beetroot @ baking tray < add beetroot, add onion | heat
        fry beetroot @ baking tray < add beetroot, add onion | heat
        add cheese @ baking tray < bake beetroot, fry beetroot ?
        serve beetroot @ plate < add cheese, bake beetroot, fry beetroot
    """,
    "mash": """
        peel potato @ cutting board
        dice potato @ cutting board < peel potato
        boil potato @ pot < dice potato
        mash potato @ bowl < boil potato
        slice mushroom @ cutting board
        fry mushroom @ frying pan < slice mushroom
        add broccoli @ bowl < mash potato | top
        add shrimp @ bowl < mash potato | top
        serve potato @ plate < add broccoli, add shrimp, fry mushroom
    """,
    "one way": """
        slice eggplant @ cutting board
        add eggplant @ frying pan < slice eggplant
        fry eggplant @ frying pan < add eggplant
        flip eggplant @ frying pan < fry eggplant ?
        add tomato @ frying pan < flip eggplant, fry eggplant
        stir tomato @ frying pan < add tomato
        serve eggplant @ plate < stir tomato
    """,
}  # fmt: skip
"""Lines "ACTION FOOD @ VESSEL < what it needs", with `?` for optional and `| NAME` for alternatives."""

STAGES = (
    ("peel",),
    ("slice", "dice"),
    ("add",),
    ("stir", "mix"),
    ("fry", "boil", "bake"),
    ("mash", "flip"),
)
"""Actions of random grammars in the order in which a food goes through them."""
VESSELS = {
    "peel": "cutting board",
    "slice": "cutting board",
    "dice": "cutting board",
    "fry": "frying pan",
    "flip": "frying pan",
    "boil": "pot",
    "bake": "baking tray",
    "serve": "plate",
}
RANDOM_GRAMMARS = 20
CROSSING, OPTIONAL = 0.12, 0.2
"""Probabilities of a need between two foods, and of an optional step."""

Key = tuple[str, str]
"""Action and food of a key step."""


@dataclass(frozen=True)
class Grammar:
    """A task with its true graph.

    Attributes:
        vessels: Vessel of each key step.
        optional: Key steps that a recipe may lack.
        groups: Alternatives; a recipe has one of each group.
        graph: What each key step needs.
    """

    vessels: Mapping[Key, str]
    optional: frozenset[Key]
    groups: tuple[tuple[Key, ...], ...]
    graph: nx.DiGraph

    @property
    def edges(self) -> set[tuple[Key, Key]]:
        """The edges that do not follow from others."""
        return set(nx.transitive_reduction(self.graph).edges)

    @property
    def pairs(self) -> set[frozenset[Key]]:
        """Pairs of alternatives."""
        return {frozenset(pair) for group in self.groups for pair in combinations(group, 2)}


def read_grammar(text: str) -> Grammar:
    """Return the grammar that lines describe."""
    vessels, optional = dict[Key, str](), set[Key]()
    groups: dict[str, list[Key]] = {}
    graph = nx.DiGraph()
    for line in filter(None, map(str.strip, text.splitlines())):
        line, _, group = line.partition(" | ")
        step, _, needs = line.removesuffix(" ?").partition(" < ")
        name, vessel = step.split(" @ ")
        key = _key(name)
        vessels[key] = vessel
        graph.add_node(key)
        graph.add_edges_from((_key(need), key) for need in needs.split(", ") if need)
        if line.endswith(" ?"):
            optional.add(key)
        if group:
            groups.setdefault(group, []).append(key)
    return Grammar(vessels, frozenset(optional), tuple(map(tuple, groups.values())), graph)


def random_grammar(rng: np.random.Generator) -> Grammar:
    """Return a random task of 6 to 10 key steps: chains of two or three foods with needs between them."""
    size, num_foods = int(rng.integers(6, 11)), int(rng.integers(2, 4))
    foods = [str(food) for food in rng.choice(FOODS, num_foods, replace=False)]
    chains: list[list[Key]] = [[] for _ in foods]
    for _ in range(size - 1):
        at = int(rng.choice([at for at in range(num_foods) if len(chains[at]) < len(STAGES)]))
        free = [number for number in range(len(STAGES)) if number not in map(_stage, chains[at])]
        action = str(rng.choice(STAGES[int(rng.choice(free))]))
        chains[at] = sorted([*chains[at], (action, foods[at])], key=_stage)
    graph = nx.DiGraph([pair for chain in chains for pair in pairwise(chain)])
    keys = [key for chain in chains for key in chain]
    graph.add_nodes_from(keys)
    rank = {key: _stage(key) + 0.1 * rng.random() for key in keys}
    graph.add_edges_from(
        (a, b) for a in keys for b in keys if rank[a] < rank[b] and rng.random() < CROSSING
    )
    groups = []
    if rng.random() < 0.7:
        key = keys[int(rng.integers(len(keys)))]
        others = [action for stage in STAGES for action in stage if (action, key[1]) not in keys]
        alike = [action for action in STAGES[_stage(key)] if action in others]
        if other := ((alike or others)[0], key[1]):
            graph.add_edges_from([(before, other) for before in graph.predecessors(key)])
            graph.add_edges_from([(other, after) for after in graph.successors(key)])
            graph.add_node(other)
            groups.append((key, other))
    optional = {
        key for key in keys if rng.random() < OPTIONAL and not any(key in group for group in groups)
    }
    last = ("serve", foods[0])
    graph.add_edges_from([(key, last) for key in list(graph) if key != last])
    vessels = {key: VESSELS.get(key[0], "bowl") for key in graph}
    return Grammar(vessels, frozenset(optional), tuple(groups), graph)


def _stage(key: Key) -> int:
    return next(at for at, actions in enumerate(STAGES) if key[0] in actions)


def _key(name: str) -> Key:
    action, _, food = name.partition(" ")
    return action, food


def random_order(
    grammar: Grammar, likes: Mapping[Key, float], rng: np.random.Generator
) -> list[Key]:
    """Return the key steps of a recipe, in an order that the graph allows."""
    chosen = {group[int(rng.integers(len(group)))] for group in grammar.groups}
    left = {
        key
        for key in grammar.graph
        if (key in chosen or not any(key in group for group in grammar.groups))
        and not (key in grammar.optional and rng.random() < DROPPED)
    }
    closed = nx.transitive_closure_dag(grammar.graph)
    order: list[Key] = []
    while left:
        free = sorted(key for key in left if not left & set(closed.predecessors(key)))
        weights = np.array([likes[key] for key in free])
        key = free[int(rng.choice(len(free), p=weights / weights.sum()))]
        order.append(key)
        left.remove(key)
    return order


def with_errors(
    order: Sequence[Key], share: float, foods: Sequence[str], rng: np.random.Generator
) -> list[Key]:
    """Return the steps with a share of errors: swapped with the next one, or another action or food."""
    order = list(order)
    for at in range(len(order)):
        if rng.random() >= share:
            continue
        if rng.random() < 0.5 and at + 1 < len(order):
            order[at], order[at + 1] = order[at + 1], order[at]
        else:
            order[at] = (str(rng.choice(ACTIONS)), str(rng.choice(foods)))
    return order


def written(
    order: Sequence[Key], grammar: Grammar, kitchen: ToyKitchen, rng: np.random.Generator
) -> tuple[str, ...]:
    """Return the texts of a recipe in the toy kitchen's wordings."""
    foods: dict[str, FoodItem] = {}
    texts = []
    for action, food in order:
        item = foods.get(food, FoodItem(food))
        scene = Scene(action, item, grammar.vessels.get((action, food), "bowl"), 0)
        texts.append(step_text(rng, scene, kitchen, food))
        foods[food] = item.after(action)
    return tuple(texts)


def planted(
    order: Sequence[Key], grammar: Grammar, fault: str, rng: np.random.Generator
) -> list[Key]:
    """Return the steps with a fault: "dropped" (a required step), "swapped" (an edge), or "none"."""
    order, alternatives = list(order), set(sum(grammar.groups, ()))
    if fault == "dropped":
        required = [key for key in order if key not in grammar.optional | alternatives]
        order.remove(required[int(rng.integers(len(required)))])
    if fault == "swapped":
        edges = sorted(edge for edge in grammar.edges if set(edge) <= set(order))
        before, after = edges[int(rng.integers(len(edges)))]
        order.remove(after)
        order.insert(order.index(before), after)
    return order


def random_plans(
    grammar: Grammar,
    number: int,
    seed: int,
    *,
    errors: float = 0.0,
    fault: str = "none",
    skip: int = 0,
) -> Iterator[Plan]:
    """Yield the plans of random recipes, read by the rules planner.

    Args:
        grammar: The task.
        number: Number of recipes.
        seed: Decides the cooks' preferences and the recipes.
        errors: Share of steps with errors.
        fault: A fault that each recipe gets, as in `planted`.
        skip: Another number gives other recipes of the same cooks.
    """
    rng = np.random.default_rng([seed, 25])
    kitchen = random_kitchen(rng, "train")
    likes = {key: float(np.exp(HABIT * rng.standard_normal())) for key in grammar.graph}
    rng = np.random.default_rng([seed, 26, skip]) if skip else rng
    foods = sorted({food for _, food in grammar.graph})
    for _ in range(number):
        order = planted(random_order(grammar, likes, rng), grammar, fault, rng)
        order = with_errors(order, errors, foods, rng)
        recipe = cut_into_shots(Recipe("Dinner", written(order, grammar, kitchen, rng)))
        yield with_recipe_steps(plan_recipe(recipe), recipe)


@dataclass
class Agreement:
    """Counts of what was found rightly, wrongly, and not."""

    right: int = 0
    wrong: int = 0
    missing: int = 0

    def add(self, found: set, true: set) -> None:
        """Count what was found against the truth."""
        self.right += len(found & true)
        self.wrong += len(found - true)
        self.missing += len(true - found)

    @property
    def words(self) -> str:
        """Precision and recall."""
        found, true = self.right + self.wrong, self.right + self.missing
        precision = f"{self.right / found:.2f}" if found else "-"
        return f"{precision} / {self.right / true:.2f}" if true else f"{precision} / -"


def keys_of(graph: MinedGraph) -> dict[str, Key]:
    """Return action and main food of each key step by its name."""
    return {
        step.name: (step.action, next(iter(step.things), "") + " again" * (step.turn > 1))
        for step in graph.steps
    }


def found_in(graph: MinedGraph) -> tuple[set, set, set, set]:
    """Return the edges, key steps, optional steps and pairs of alternatives of a mined graph."""
    key = keys_of(graph)
    return (
        {(key[edge.before], key[edge.after]) for edge in graph.edges},
        set(key.values()),
        {key[step.name] for step in graph.steps if step.optional},
        {
            frozenset({key[step.name], key[other]})
            for step in graph.steps
            for other in step.alternatives
        },
    )


def true_of(grammar: Grammar) -> tuple[set, set, set, set]:
    """Return the same for the truth."""
    return grammar.edges, set(grammar.graph), set(grammar.optional), grammar.pairs


def parser() -> Parser:
    """Return the parser of `python -m lab.mined`."""
    made = new_parser("mined", "Mine task graphs from toy recipes and compare them with the truth.")
    made.add_argument("--recipes", metavar="N", type=count, default=500, help="largest number")
    made.add_argument(
        "--random", metavar="N", type=count, default=RANDOM_GRAMMARS, help="random grammars"
    )
    made.add_argument("--repeats", metavar="N", type=count, default=3, help="draws of smaller sets")
    made.add_argument(
        "--notes",
        action="store_true",
        help="measure the notes on recipes with planted faults instead",
    )
    made.add_argument("--verbose", action="store_true", help="name the edges that differ")
    made.set_defaults(run=measure)
    return made


def measure(arguments: argparse.Namespace) -> None:
    """Print precision and recall of edges, key steps, optional steps and alternatives.

    Raises:
        InputError: A set of recipes cannot be mined.
    """
    if arguments.notes:
        measure_notes(arguments)
        return
    print("Each cell: precision / recall.")
    print(f"| grammars | recipes | errors | {' | '.join(KINDS)} |")
    print("| --- " * (len(KINDS) + 3) + "|")
    for kind, grammars in _grammars(arguments.random).items():
        for errors in (0.0, ERRORS):
            for size, agreements in compare(grammars, errors, arguments).items():
                cells = " | ".join(one.words for one in agreements)
                print(f"| {len(grammars)} {kind} | {size} | {errors:.0%} | {cells} |", flush=True)


def compare(
    grammars: Mapping[str, Grammar], errors: float, arguments: argparse.Namespace
) -> dict[int, list[Agreement]]:
    """Return the agreement in edges, key steps, optional steps and alternatives, by recipes."""
    sizes = [size for size in SIZES if size < arguments.recipes] + [arguments.recipes]
    total = {size: [Agreement() for _ in KINDS] for size in sizes}
    for seed, (name, grammar) in enumerate(grammars.items()):
        plans = list(random_plans(grammar, arguments.recipes, seed, errors=errors))
        for size in sizes:
            repeats = arguments.repeats if size < len(plans) else 1
            for found in _mined_from(plans, size, repeats, name):
                for one, what, true in zip(total[size], found, true_of(grammar), strict=True):
                    one.add(what, true)
                if arguments.verbose and size == arguments.recipes:
                    _print_differences(name, found, true_of(grammar))
    return total


def measure_notes(arguments: argparse.Namespace) -> None:
    """Print how many recipes with and without a planted fault get a note."""
    print("| grammars | fault | recipes | with a note |")
    print("| --- | --- | --- | --- |")
    for kind, grammars in _grammars(arguments.random).items():
        mined = [
            mine(random_plans(grammar, MINED_FROM, seed), name)
            for seed, (name, grammar) in enumerate(grammars.items())
        ]
        for fault in ("none", "swapped", "dropped"):
            noted = [
                bool(habits(plan, graph))
                for seed, (grammar, graph) in enumerate(zip(grammars.values(), mined, strict=True))
                for plan in random_plans(grammar, COMPARED, seed, fault=fault, skip=1)
            ]
            share = sum(noted) / len(noted)
            print(f"| {len(grammars)} {kind} | {fault} | {len(noted)} | {share:.2f} |", flush=True)


def _grammars(num_random: int) -> dict[str, dict[str, Grammar]]:
    rng = np.random.default_rng(2**20)
    return {
        "written": {name: read_grammar(text) for name, text in GRAMMARS.items()},
        "random": {f"random {at}": random_grammar(rng) for at in range(num_random)},
    }


def _mined_from(
    plans: Sequence[Plan], size: int, repeats: int, name: str
) -> Iterator[tuple[set, set, set, set]]:
    rng = np.random.default_rng(size)
    for _ in range(repeats):
        drawn = rng.choice(len(plans), size, replace=False)
        yield found_in(mine([plans[int(at)] for at in drawn], name))


def _print_differences(name: str, found: Sequence[set], true: Sequence[set]) -> None:
    for kind, one, other in zip(KINDS, found, true, strict=True):
        for what, differing in (("wrong", one - other), ("missing", other - one)):
            for item in sorted(map(str, differing)):
                print(f"{name}: {what} {kind}: {item}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
