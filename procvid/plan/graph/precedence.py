"""Learn which key step must come before which, from the orders in which recipes do them.

Differentiable Task Graph Learning (Seminara et al. 2024) chooses the graph under which the observed
orders are most likely: each next step competes with all others that are still to come, and what was
done before must allow it. Their graph is a matrix of weights, found by gradient descent. Here steps
are discrete and an edge is there or not, so the likelihood is counted directly: the next step is one
of those whose predecessors in this recipe are done, each equally likely, or with a small probability
any (a misread step, a cook of another mind). Without such errors, the most likely graph has an edge
wherever one step never comes after the other; with them, an edge stays if it explains more of the
orders than it contradicts, and more than a new parameter is worth (BIC).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import networkx as nx
import numpy as np

MIN_TOGETHER = 3
"""Fewest recipes with both steps before their order means something."""
SURE = 0.8
"""Share of recipes in one order below which there is no edge."""
ERRORS = (0.003, 0.01, 0.03, 0.1)
"""Probabilities of a next step out of order that are tried."""
LEAST_GAIN = 1e-9
"""Smaller gains are rounding."""


def counts_of(sequences: Sequence[Sequence[int]], num_steps: int) -> np.ndarray:
    """Return how many recipes do step a before step b, as [a, b]."""
    counts = np.zeros((num_steps, num_steps), int)
    for sequence in sequences:
        for at, step in enumerate(sequence):
            counts[step, list(sequence[at + 1 :])] += 1
    return counts


def precedence(sequences: Sequence[Sequence[int]], num_steps: int) -> nx.DiGraph:
    """Return the most likely graph of precedences, transitively closed and without cycles.

    Args:
        sequences: The key steps of each recipe, each at most once, in order.
        num_steps: Number of key steps.
    """
    counts = counts_of(sequences, num_steps)
    best = max(
        (_Search(sequences, counts, error).climb() for error in ERRORS), key=lambda found: found[0]
    )
    graph = nx.DiGraph(best[1])
    graph.add_nodes_from(range(num_steps))
    while True:
        try:
            cycle = nx.find_cycle(graph)
        except nx.NetworkXNoCycle:
            break
        # Majorities may go in a circle; the least certain one gives way.
        graph.remove_edge(*min(cycle, key=lambda edge: _certainty(counts, *edge)))
    return nx.transitive_closure_dag(graph)


def _certainty(counts: np.ndarray, before: int, after: int) -> tuple[float, int]:
    together = int(counts[before, after] + counts[after, before])
    return counts[before, after] / together, together


class _Search:
    """Climbs to the most likely graph by adding and removing one precedence at a time.

    Shapes: E events (a step that was chosen while others remained), K key steps.
    """

    def __init__(
        self, sequences: Sequence[Sequence[int]], counts: np.ndarray, error: float
    ) -> None:
        events = [
            (sequence[at:], sequence[at])
            for sequence in sequences
            for at in range(len(sequence) - 1)
        ]
        self._remaining_EK = np.zeros((len(events), len(counts)), bool)
        for row, (steps, _) in enumerate(events):
            self._remaining_EK[row, list(steps)] = True
        self._chosen_E = np.array([step for _, step in events], int)
        self._num_remaining_E = self._remaining_EK.sum(1)
        self._error = error
        together = counts + counts.T
        usual = (counts >= SURE * together) & (together >= MIN_TOGETHER)
        self._candidates = [(int(a), int(b)) for a, b in np.argwhere(usual)]
        self._edges = set(self._candidates)
        self._price = 0.5 * math.log(max(2, len(sequences)))

    def climb(self) -> tuple[float, list[tuple[int, int]]]:
        """Return the penalised log-likelihood and the precedences."""
        blockers_EK = np.zeros(self._remaining_EK.shape, int)
        for before, after in self._edges:
            blockers_EK[:, after] += self._remaining_EK[:, before]
        free_EK = self._remaining_EK & (blockers_EK == 0)
        score = self._likelihood(free_EK) - self._price * len(self._edges)
        while True:
            gains = [self._gain(edge, blockers_EK, free_EK) for edge in self._candidates]
            best = max(range(len(gains)), key=gains.__getitem__, default=-1)
            if best < 0 or gains[best] < LEAST_GAIN:
                return score, sorted(self._edges)
            edge = before, after = self._candidates[best]
            blockers_EK[:, after] += self._remaining_EK[:, before] * (
                -1 if edge in self._edges else 1
            )
            free_EK[:, after] = self._remaining_EK[:, after] & (blockers_EK[:, after] == 0)
            self._edges ^= {edge}
            score += gains[best]

    def _gain(self, edge: tuple[int, int], blockers_EK: np.ndarray, free_EK: np.ndarray) -> float:
        """Return what adding an edge, or removing it, gains."""
        before, after = edge
        is_in = edge in self._edges
        rows = np.flatnonzero(self._remaining_EK[:, before] & self._remaining_EK[:, after])
        changed = blockers_EK[rows, after] == (1 if is_in else 0)
        rows = rows[changed]
        free_NK = free_EK[rows].copy()
        was = self._likelihood(free_NK, rows)
        free_NK[:, after] = is_in
        price = self._price if is_in else -self._price
        return self._likelihood(free_NK, rows) - was + price

    def _likelihood(self, free_NK: np.ndarray, rows: np.ndarray | None = None) -> float:
        chosen_N = self._chosen_E if rows is None else self._chosen_E[rows]
        remaining_N = self._num_remaining_E if rows is None else self._num_remaining_E[rows]
        num_free_N = np.maximum(1, free_NK.sum(1))
        is_free_N = free_NK[np.arange(len(free_NK)), chosen_N]
        in_order_N = (1 - self._error) * is_free_N / num_free_N
        return float(np.log(in_order_N + self._error / remaining_N).sum())
