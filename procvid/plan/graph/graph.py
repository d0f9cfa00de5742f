"""The graph of the steps of a recipe, with its critical path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from procvid.plan.graph.portions import walk_through
from procvid.plan.graph.times import UNSAID_MIN, minutes_of
from procvid.types import Plan

MAX_THINGS = 4


@dataclass(frozen=True)
class Edge:
    """A step needs what another one made.

    Attributes:
        before, after: Names of the steps.
        things: Foods that lie between them; a vessel or tool if there is no food.
    """

    before: str
    after: str
    things: tuple[str, ...]


@dataclass(frozen=True)
class TaskGraph:
    """The graph of a recipe.

    Attributes:
        steps: Text of each step by its name, in order.
        minutes: Minutes of each step; those without a time in their text are assumed.
        edges: Without those that follow from others.
        critical_path: Names of the steps that decide how long it takes, in order.
        notes: What looks wrong, each a sentence; never an error.
    """

    steps: Mapping[str, str]
    minutes: Mapping[str, float]
    edges: tuple[Edge, ...]
    critical_path: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def total_min(self) -> float:
        """Minutes of the critical path."""
        return sum(self.minutes[name] for name in self.critical_path)

    @property
    def beside(self) -> tuple[str, ...]:
        """Names of the steps beside the critical path, which can be done ahead or meanwhile."""
        return tuple(name for name in self.steps if name not in self.critical_path)

    @property
    def rows(self) -> list[list[str]]:
        """The steps in rows: each step as far down as those that need it allow."""
        graph = nx.DiGraph([(edge.after, edge.before) for edge in self.edges])
        graph.add_nodes_from(self.steps)
        order = {name: at for at, name in enumerate(self.steps)}
        rows = [sorted(row, key=order.__getitem__) for row in nx.topological_generations(graph)]
        return rows[::-1]

    def needs(self, name: str) -> list[Edge]:
        """Return the edges that lead to a step."""
        return [edge for edge in self.edges if edge.after == name]

    def as_json(self) -> dict[str, Any]:
        """Return the graph as JSON."""
        return {
            "edges": [
                {"before": e.before, "after": e.after, "things": list(e.things)} for e in self.edges
            ],
            "minutes": {name: round(value, 2) for name, value in self.minutes.items()},
            "critical_path": list(self.critical_path),
            "notes": list(self.notes),
        }


def task_graph(plan: Plan, *, shots: bool = False) -> TaskGraph:
    """Return the graph of a plan.

    Args:
        plan: The plan.
        shots: Make each shot a node; by default the shots of a step are one.
    """
    walk = walk_through(plan.steps)
    names = plan.names
    label = {
        s.number: names[s.number] if shots else str(s.recipe_step or s.number) for s in plan.steps
    }
    texts = dict.fromkeys(label.values(), "")
    for step in plan.steps:
        name = label[step.number]
        texts[name] = f"{texts[name]} {step.text}".strip()
    graph = nx.DiGraph()
    graph.add_nodes_from(texts)
    for (before, after), things in walk.edges.items():
        one, other = label[before], label[after]
        if one != other:
            known = graph.get_edge_data(one, other, {"things": []})["things"]
            graph.add_edge(one, other, things=[*known, *things])
    reduced = nx.transitive_reduction(graph)
    order = {name: at for at, name in enumerate(texts)}
    edges = tuple(
        Edge(one, other, tuple(dict.fromkeys(graph.edges[one, other]["things"]))[:MAX_THINGS])
        for one, other in sorted(reduced.edges, key=lambda e: (order[e[0]], order[e[1]]))
    )
    read = {name: minutes_of(text) for name, text in texts.items()}
    minutes = {name: UNSAID_MIN if value is None else value for name, value in read.items()}
    return TaskGraph(
        steps=texts,
        minutes=minutes,
        edges=edges,
        critical_path=_longest(reduced, minutes, order),
        notes=tuple(
            note.format(*(names[n] for n in numbers), things=things)
            for note, numbers, things in walk.notes
        ),
    )


def _longest(
    graph: nx.DiGraph, minutes: Mapping[str, float], order: Mapping[str, int]
) -> tuple[str, ...]:
    """Return the way through the graph with the most minutes; of equal ones the earliest."""
    best: dict[str, tuple[float, list[str]]] = {}
    for name in sorted(graph.nodes, key=order.__getitem__):
        ways: Sequence[tuple[float, list[str]]] = [best[one] for one in graph.predecessors(name)]
        spent, way = max(ways, key=lambda found: found[0], default=(0.0, []))
        best[name] = (spent + minutes[name], [*way, name])
    return tuple(max(best.values(), key=lambda found: found[0], default=(0.0, []))[1])
