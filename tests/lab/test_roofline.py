"""The counted cost of a denoising step, beside the formulas and by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lab.roofline.__main__ import breaks_even_after, table
from lab.roofline.cards import CARDS, H100, RTX_4090
from lab.roofline.count import CallCost, Counter, _cost, _Fused, _fused_cost, _Record
from procvid.phantom.flops import forward_flops, num_tokens
from procvid.phantom.layout import CONFIGS
from procvid.phantom.vram import ClipShape, Denoising
from procvid.types import Shortcuts

CONFIG = CONFIGS["phantom-1.3b"]
CLIP = ClipShape(832, 480, 81, 4)


@pytest.fixture(scope="module")
def step() -> CallCost:
    return Counter(CONFIG, CLIP).step()


def test_the_counted_operations_are_those_of_the_formulas(step):
    formula = forward_flops(CONFIG, num_tokens(CONFIG, CLIP))
    assert step.products == pytest.approx(3 * formula["linear"], rel=0.01)
    attention = formula["self_attention"] + formula["cross_attention"]
    assert step.attention == pytest.approx(3 * attention, rel=1e-6)
    # The figures of docs/gpu.md.
    assert step.kernels == 5518
    assert step.moved == pytest.approx(1.446e12, rel=0.001)


@pytest.mark.slow
def test_each_change_costs_what_it_should(step):
    compiled = Counter(CONFIG, CLIP, compiled=True).step()
    assert (compiled.products, compiled.attention) == (step.products, step.attention)
    assert compiled.kernels < 0.4 * step.kernels and compiled.moved < 0.3 * step.moved
    precise = Counter(CONFIG, CLIP, Denoising(precise=True)).step()
    assert precise.kernels > step.kernels and precise.moved > step.moved
    dropped = Shortcuts(drop_zero_references=True)
    saved = step + Counter(CONFIG, CLIP, Denoising(shortcuts=dropped)).step() * -1
    # Of one call: 21 of its 25 latent frames stay.
    one = step * (1 / 3)
    assert saved.products == pytest.approx((1 - 21 / 25) * one.products, rel=0.02)
    share = (saved.products + saved.attention) / (one.products + one.attention)
    assert share == pytest.approx(0.26, abs=0.01)


def test_fused_kernels_read_and_write_only_what_others_need():
    weight = torch.ones(8, 8)
    given = torch.ones(4, 8)
    record = _Record()
    with torch.no_grad(), _Fused(record), record:
        # One light kernel, a product, and two light kernels of which one needs the first result.
        shifted = given + 1
        product = shifted @ weight
        (product * 2) + shifted
    plain, fused = _cost(record.operations), _fused_cost(record.operations)
    row = given.nbytes
    assert plain.kernels == 4 and plain.products == 2 * 4 * 8 * 8
    assert plain.moved == (2 + 2 + 3) * row
    # The multiplication and the addition become one: two inputs and one result.
    assert fused.kernels == 3 and fused.products == plain.products
    assert fused.moved == (2 + 3) * row


def test_a_card_waits_for_kernels_only_if_they_are_all_there_is():
    work = CallCost(1000, 650e12, 620e12, 2.8e12)
    assert H100.seconds(work) == pytest.approx(3.0)
    assert H100.seconds(CallCost(1_000_000)) == pytest.approx(4.0)
    assert RTX_4090.seconds(replace(work, products=0, attention=0)) == pytest.approx(2.8 / 0.9)
    assert H100.seconds(work, "flash") > H100.seconds(work) > H100.seconds(work, "8 bits")


def test_the_table_and_the_clips_that_pay_for_compiling():
    seconds = dict.fromkeys((card.name for card in CARDS), 120.0)
    rows = [
        {"name": name, "kernels": 1, "products": 0, "attention": 0, "moved": 0, "seconds": value}
        for name, value in (("a", seconds), ("b", {**seconds, "H100": 90.0}))
    ]
    assert breaks_even_after(rows, H100, 60) == 2
    assert "| b | 1 | 0 | 0 | 0.00 | 1.50 | 2.00 | 2.00 |" in table(rows, in_minutes=True)
