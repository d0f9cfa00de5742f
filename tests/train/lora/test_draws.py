"""The draws of a step depend on the seed, the epoch and the example only."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from procvid.train.lora.draws import Draws, batches, draw_sigma
from procvid.train.lora.folder import Example, ReferenceCrop
from procvid.train.lora.settings import LoraSettings

SETTINGS = LoraSettings(width=64, height=64, num_frames=9, fps=6, shift=2.0, epochs=3)


def example(number: int, source: str, names: tuple[str, ...]) -> Example:
    crops = tuple(ReferenceCrop(Path(f"{number}-{name}.png"), name, "") for name in names)
    wants = tuple((name, "") for name in names)
    return Example(f"{number}.mp4", Path(f"{number}.mp4"), "text", source, wants, crops)


EXAMPLES = [example(k, f"recipe-{k // 4}", ("pan", "carrot", "counter")) for k in range(40)]


def test_references_come_from_other_clips_of_the_same_recipe():
    draws = Draws(EXAMPLES, SETTINGS, 8)
    counts: Counter[int] = Counter()
    for epoch in range(50):
        for index, of in enumerate(EXAMPLES):
            draw = draws.draw(index, epoch)
            counts[len(draw.references)] += 1
            for crop in draw.references:
                other = int(crop.name.partition("-")[0])
                assert other != index and EXAMPLES[other].source_id == of.source_id
            assert len({crop.name.partition("-")[2] for crop in draw.references}) == len(
                draw.references
            )
    total = sum(counts.values())
    assert counts[0] / total == pytest.approx(SETTINGS.no_references, abs=0.03)
    assert all(counts[k] / total > 0.2 for k in (1, 2, 3)) and set(counts) == {0, 1, 2, 3}


def test_references_of_its_own_come_before_those_of_others():
    own = tuple(ReferenceCrop(Path(f"own-{name}.png"), name, "") for name in ("pan", "egg"))
    draws = Draws([replace(EXAMPLES[0], references=own), *EXAMPLES[1:]], SETTINGS, 8)
    seen = {crop.name for epoch in range(20) for crop in draws.draw(0, epoch).references}
    assert seen == {"own-pan.png", "own-egg.png"}


def test_references_have_the_wanted_state():
    raw = Example("a", Path("a.mp4"), "t", "r", (("carrot", "sliced"),))
    states = ("whole", "sliced")
    others = [
        Example(s, Path(s), "t", "r", (), (ReferenceCrop(Path(f"{s}.png"), "carrot", s),))
        for s in states
    ]
    draws = Draws([raw, *others], SETTINGS, 1)
    seen = {crop.name for epoch in range(40) for crop in draws.draw(0, epoch).references}
    assert seen == {"sliced.png"}


def test_text_and_references_are_dropped_at_the_given_shares():
    draws = Draws(EXAMPLES, SETTINGS, 8)
    drawn = [draws.draw(k, epoch) for k in range(len(EXAMPLES)) for epoch in range(100)]
    assert np.mean([not d.sees_text for d in drawn]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([not d.sees_references for d in drawn]) == pytest.approx(0.1, abs=0.02)
    assert len({d.noise_seed for d in drawn}) == len(drawn)


def test_every_epoch_uses_every_example_once_for_any_step_size():
    by_eight, by_three = Draws(EXAMPLES, SETTINGS, 8), Draws(EXAMPLES, SETTINGS, 3)
    assert (by_eight.steps_per_epoch, by_three.steps_per_epoch) == (5, 14)
    for epoch in range(3):
        cut = [
            [
                draw
                for step in range(
                    epoch * draws.steps_per_epoch, (epoch + 1) * draws.steps_per_epoch
                )
                for draw in draws.step(step)
            ]
            for draws in (by_eight, by_three)
        ]
        assert cut[0] == cut[1]
        assert sorted(d.example.key for d in cut[0]) == sorted(e.key for e in EXAMPLES)
    assert by_eight.step(0) != by_eight.step(5), "another order in another epoch"


def test_batches_have_one_shape_and_keep_all_examples():
    drawn = Draws(EXAMPLES, SETTINGS, 40).step(0)
    cut = batches(drawn, 4, lambda draw: (len(draw.references),))
    assert all(len({len(d.references) for d in group}) == 1 for group in cut)
    assert all(1 <= len(group) <= 4 for group in cut)
    assert sorted(d.example.key for group in cut for d in group) == sorted(e.key for e in EXAMPLES)


def test_the_shift_moves_noise_levels_up():
    means = [
        np.mean([draw_sigma(np.random.default_rng(k), shift) for k in range(2000)])
        for shift in (1.0, 5.0)
    ]
    assert means[0] == pytest.approx(0.5, abs=0.02) and means[1] > 0.75
