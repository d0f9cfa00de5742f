"""The budget of the run's own crops: which stay, which go, and that a long run stays small."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from procvid.memory.anchors import Anchor
from procvid.memory.memory import Memory
from procvid.memory.own_crops import BUDGET, OVER_BUDGET, over_budget
from procvid.memory.store import CropStore, add_crops, empty_store
from procvid.protocols import Embedder
from procvid.types import Crop, Image, PlannedObject

Make = Callable[..., Crop]
SHARES = (1.0, 0.95, 0.4, 0.9, 0.6, 0.2)
"""How much of a crop its object fills; the colour world tells the shares apart."""


@pytest.fixture
def pots(crop: Make, mixed: Callable[[float], Image]) -> list[Crop]:
    """Crops of a pot from six steps that look more and more like a carrot."""
    return [
        dataclasses.replace(crop("pot", "in use", f"run/{step:02d}"), image=mixed(share))
        for step, share in enumerate(SHARES, start=1)
    ]


@pytest.fixture
def mixed(patch: Callable[..., Image]) -> Callable[[float], Image]:
    """Draw a pot on a share of an image, and a carrot on the rest."""

    def draw(share: float) -> Image:
        pot, carrot = patch("pot"), patch("carrot")
        return np.where(np.arange(16)[None, :, None] < round(16 * share), pot, carrot)

    return draw


def ids(crops: CropStore) -> list[str]:
    return [fact.id for fact in crops.crops.facts]


def stored(crops: list[Crop], embedder: Embedder) -> CropStore:
    return add_crops(empty_store("run", embedder), crops, embedder)


def test_the_first_and_the_most_different_stay(pots: list[Crop], embedder: Embedder) -> None:
    dropped = over_budget(stored(pots, embedder), ())
    assert {one.reason for one in dropped} == {OVER_BUDGET}
    gone = {one.crop_id for one in dropped}
    # Farthest from the first is 0.2; farthest from these two is 0.6 or 0.4, by their angles.
    looks = stored(pots, embedder).image_vectors
    near = {
        row: max(float(looks[row] @ looks[0]), float(looks[row] @ looks[5])) for row in range(1, 5)
    }
    third = min(near, key=lambda row: near[row])
    assert [row for row, pot in enumerate(pots) if pot.id not in gone] == sorted([0, third, 5])
    assert over_budget(stored(pots[:BUDGET], embedder), ()) == []


def test_anchors_stay(pots: list[Crop], embedder: Embedder) -> None:
    everything = [pot.id for pot in pots]
    assert over_budget(stored(pots, embedder), everything) == []
    gone = {one.crop_id for one in over_budget(stored(pots, embedder), everything[1:2])}
    assert not gone & {everything[0], everything[1], everything[5]} and len(gone) == 3


def test_states_of_food_count_apart_and_uploads_do_not_count(
    crop: Make, embedder: Embedder
) -> None:
    foods = [
        crop("carrot", state, f"run/{step:02d}")
        for state in ("whole", "sliced")
        for step in range(1, BUDGET + 1)
    ]
    photos = [crop("knife", "clean", f"upload/{n}") for n in range(BUDGET + 2)]
    assert over_budget(stored([*foods, *photos], embedder), ()) == []
    more = crop("carrot", "sliced", "run/09")
    (dropped,) = over_budget(stored([*foods, more], embedder), ())
    assert dropped.name == "carrot" and dropped.crop_id != foods[BUDGET].id


def test_a_run_of_forty_steps_stays_small(
    crop: Make, mixed: Callable[[float], Image], embedder: Embedder
) -> None:
    rng, memory = np.random.default_rng(0), Memory([], embedder, 0)
    sizes = []
    for step in range(1, 41):
        new = [
            dataclasses.replace(crop(name, state, f"run/{step:02d}"), image=mixed(rng.random()))
            for name, state in (("pot", "in use"), ("carrot", "sliced"), ("counter", "clean"))
        ]
        expected = {one.crop_id for one in memory.surplus_with(stored(new, embedder), ())}
        before = {*ids(memory.run), *(one.id for one in new)}
        memory.keep((), new)
        assert before - set(ids(memory.run)) == expected
        sizes.append(len(memory.run))
    assert sizes[:3] == [3, 6, 9] and set(sizes[2:]) == {3 * BUDGET}
    firsts = [fact for fact in memory.run.crops.facts if fact.source_id == "run/01"]
    assert [fact.name for fact in firsts] == ["pot", "carrot", "counter"]


def test_a_dropped_crop_is_not_retrieved_but_a_person_may_have_chosen_it(
    pots: list[Crop], planned: Callable[..., PlannedObject], embedder: Embedder
) -> None:
    memory, item = Memory([], embedder, 0), planned("pot", "in use")
    for pot in pots:
        memory.keep((), [pot])
    (gone, *_) = [pot for pot in pots if pot.id not in ids(memory.run)]
    offered = {hit.crop.id for hit in memory.choices(item, 9)}
    assert offered and gone.id not in offered
    assert memory.slot_of(gone.id, item, 1).crop_id == gone.id


def test_the_anchor_of_an_object_is_still_retrieved_over_the_budget(
    pots: list[Crop], planned: Callable[..., PlannedObject], embedder: Embedder
) -> None:
    memory, item = Memory([], embedder, 0), planned("pot", "in use")
    # Step 2 is nearly as the first and would be the first to go.
    memory.keep((), pots[:2])
    memory.keep([Anchor("pot", "vessel", "in use", pots[1].id, "", 3, False)], pots[2:])
    hit = memory.retrieve(item, 9).hit
    assert hit is not None and hit.crop.id == pots[1].id and hit.anchor_step == 3
