"""The grammars of the mining proof, and what is mined from them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from lab.mined import (
    GRAMMARS,
    Agreement,
    found_in,
    random_grammar,
    random_order,
    random_plans,
    read_grammar,
    true_of,
    with_errors,
)
from procvid.plan.graph.mined import mine


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_grammar_is_a_partial_order(name: str) -> None:
    grammar = read_grammar(GRAMMARS[name])
    assert nx.is_directed_acyclic_graph(grammar.graph)
    assert 6 <= len(grammar.graph) <= 10 and set(grammar.graph) == set(grammar.vessels)
    assert grammar.optional <= set(grammar.graph)


def test_recipes_obey_their_grammar() -> None:
    rng = np.random.default_rng(0)
    for grammar in [random_grammar(rng) for _ in range(20)]:
        assert nx.is_directed_acyclic_graph(grammar.graph) and 6 <= len(grammar.graph) <= 11
        order = random_order(grammar, dict.fromkeys(grammar.graph, 1.0), rng)
        closed = nx.transitive_closure_dag(grammar.graph)
        assert not any(closed.has_edge(b, a) for at, a in enumerate(order) for b in order[at:])
        for group in grammar.groups:
            assert len(set(group) & set(order)) == 1
        assert set(grammar.graph) - grammar.optional - set(sum(grammar.groups, ())) <= set(order)
        assert with_errors(order, 0.0, ["egg"], rng) == order
        assert len(with_errors(order, 1.0, ["egg"], rng)) == len(order)


def test_a_grammar_is_found_again() -> None:
    grammar = read_grammar(GRAMMARS["bake"])
    found = found_in(mine(random_plans(grammar, 60, seed=1), "bake"))
    for what, true in zip(found, true_of(grammar), strict=True):
        assert what == true


def test_agreement_counts() -> None:
    agreement = Agreement()
    agreement.add({1, 2, 3}, {2, 3, 4, 5})
    assert agreement.words == "0.67 / 0.50"
    assert Agreement().words == "- / -"
