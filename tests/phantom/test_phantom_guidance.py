"""The guidance formula, and the model calls that it does not need."""

from __future__ import annotations

import pytest
import torch

from procvid.phantom.guidance import Guidance

# scale_text, scale_image, references -> names of the branches that are needed
NEEDED = {
    (7.5, 5.0, 2): ["unguided", "references", "references_and_text"],
    (7.5, 1.0, 2): ["references", "references_and_text"],
    (5.0, 5.0, 2): ["unguided", "references_and_text"],
    (1.0, 1.0, 2): ["references_and_text"],
    (1.0, 5.0, 2): ["unguided", "references", "references_and_text"],
    (0.0, 5.0, 2): ["unguided", "references"],
    (0.0, 1.0, 2): ["references"],
    (0.0, 0.0, 2): ["unguided"],
    (7.5, 0.0, 2): ["unguided", "references", "references_and_text"],
    (7.5, 5.0, 0): ["unguided", "references_and_text"],
    (7.5, 1.0, 0): ["unguided", "references_and_text"],
    (5.0, 5.0, 0): ["unguided", "references_and_text"],
    (1.0, 5.0, 0): ["references_and_text"],
    (1.0, 1.0, 0): ["references_and_text"],
    (0.0, 5.0, 0): ["unguided"],
}


def predictions(num_references: int) -> dict[str, torch.Tensor]:
    names = ("unguided", "references", "references_and_text")
    generator = torch.Generator().manual_seed(0)
    made = {name: torch.randn(1, 2, 3, 4, 4, generator=generator) for name in names}
    if num_references == 0:
        # Without references, zeroing them changes nothing.
        made["references"] = made["unguided"]
    return made


@pytest.mark.parametrize(("scales", "names"), NEEDED.items())
def test_only_the_calls_that_do_not_cancel_are_needed(scales, names):
    guidance = Guidance(*scales)
    assert [branch.name for branch in guidance.branches] == names
    assert guidance.needs_negative_text == (names != ["references_and_text"])


@pytest.mark.parametrize("scales", NEEDED)
def test_the_needed_calls_give_the_full_formula(scales):
    scale_text, scale_image, num_references = scales
    guidance, v = Guidance(*scales), predictions(num_references)
    v_n, v_i, v_it = v["unguided"], v["references"], v["references_and_text"]
    full = v_n + scale_image * (v_i - v_n) + scale_text * (v_it - v_i)
    needed = {branch.name: v[branch.name] for branch in guidance.branches}
    torch.testing.assert_close(guidance.combine(needed), full, atol=1e-5, rtol=1e-5)


def test_the_default_weights_are_upstreams():
    ones = {name: torch.ones(1) for name in predictions(1)}
    guidance = Guidance(7.5, 5.0, 1)
    weights = []
    for name in ("references_and_text", "references", "unguided"):
        only = {n: torch.full((1,), float(n == name)) for n in ones}
        weights.append(guidance.combine(only).item())
    assert weights == [7.5, -2.5, -4.0]


def test_branches_differ_in_what_they_see():
    seen = [(b.sees_references, b.sees_text) for b in Guidance(7.5, 5.0, 1).branches]
    assert seen == [(False, False), (True, False), (True, True)]
