"""Retrieval by (object, state): the right crop, the right refusal, the same answer each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from procvid.errors import StoreError
from procvid.memory.anchors import Anchor
from procvid.memory.memory import Memory, RetrievalRules, step_of, wanted_state
from procvid.memory.store import CropStore, without_pixels
from procvid.protocols import Embedder
from procvid.types import Crop, Image, PlannedObject

Make = Callable[..., Crop]
Plan = Callable[..., PlannedObject]
StoreOf = Callable[..., CropStore]


@pytest.fixture
def memory(store: CropStore, embedder: Embedder) -> Memory:
    return Memory([store], embedder, seed=0)


def test_the_object_in_its_state_is_found(memory: Memory, planned: Plan) -> None:
    for state in ("whole", "sliced"):
        answer = memory.retrieve(planned("carrot", state), 1)
        assert answer.hit is not None and answer.wanted_state == state
        assert (answer.hit.crop.name, answer.hit.crop.state) == ("carrot", state)
        assert answer.hit.crop.image is not None and answer.hit.store == "kitchen"
        assert answer.reason == answer.hit.reason and answer.reason.endswith(".")
        assert set(answer.hit.parts) >= {
            "clip",
            "name",
            "state",
            "source",
            "recency",
            "quality",
        }
        assert 0 <= answer.hit.score <= 1


def test_a_whole_carrot_never_stands_for_a_sliced_one(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    memory = Memory([store_of(crop("carrot", "whole"))], embedder, 0)
    answer = memory.retrieve(planned("carrot", "sliced"), 3)
    assert answer.hit is None
    assert answer.reason == (
        "No image of sliced carrot yet; the model will invent one. Its images are only whole."
    )


def test_states_that_look_alike_serve_but_less_well(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    memory = Memory([store_of(crop("carrot", "diced"))], embedder, 0)
    hit = memory.retrieve(planned("carrot", "chopped"), 1).hit
    assert hit is not None and 0 < hit.parts["state"] < 1
    assert memory.retrieve(planned("carrot", "fried"), 1).hit is None


def test_a_vessel_serves_in_any_state(memory: Memory, planned: Plan) -> None:
    answer = memory.retrieve(planned("frying pan", "in use"), 1)
    assert answer.hit is not None and answer.hit.crop.state == "clean"


def test_a_step_that_changes_food_asks_for_the_state_before(memory: Memory, planned: Plan) -> None:
    item = planned("carrot", "whole", "sliced", likelihood="unlikely")
    assert wanted_state(item) == "whole"
    hit = memory.retrieve(item, 1).hit
    assert hit is not None and hit.crop.state == "whole"
    assert wanted_state(planned("carrot", "", "mixed")) == "mixed"


def test_abstentions_say_why(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder, memory: Memory
) -> None:
    def why(item: PlannedObject, *stores: CropStore) -> str:
        answer = Memory(stores, embedder, 0).retrieve(item, 1)
        assert answer.hit is None
        return answer.reason

    assert why(planned("wok")) == (
        "No image of wok yet; the model will invent one. The memory is empty."
    )
    assert why(planned("pot", "clean"), memory.stores[0]) == (
        "No image of pot yet; the model will invent one."
    )
    as_tool = PlannedObject("carrot", "tool", "", "whole", "whole", "likely", 0.5)
    assert "as food, not as tool" in why(as_tool, memory.stores[0])
    bare = without_pixels(store_of(crop()))
    assert "without images" in why(planned(), bare)
    grey = store_of(crop("carrot", image=np.full((8, 8, 3), 128, np.uint8)))
    strict = Memory([grey], embedder, 0, RetrievalRules(min_similarity=0.9))
    assert "similar enough" in strict.retrieve(planned(), 1).reason


def test_another_name_serves_only_when_it_is_all_but_the_same(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    store = store_of(crop("frying pan", "clean"))
    same = PlannedObject("big frying pan", "vessel", "", "clean", "clean", "likely", 0.5)
    hit = Memory([store], embedder, 0).retrieve(same, 1).hit
    assert hit is not None and hit.parts["name"] == 0 and "used as big frying pan" in hit.reason
    assert Memory([store], embedder, 0).retrieve(planned("pot", "clean"), 1).hit is None


def test_the_seed_chooses_among_equals_and_sticks_to_it(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    names = ("frying pan", "knife", "pot")
    store = store_of(*(crop(n, "clean", f"video-{v}") for v in range(8) for n in names))

    def source(seed: int, name: str, step: int) -> str:
        hit = Memory([store], embedder, seed).retrieve(planned(name, "clean"), step).hit
        assert hit is not None
        return hit.crop.source_id

    chosen = {
        seed: {source(seed, name, step) for name in names for step in (1, 4)} for seed in range(8)
    }
    assert all(len(sources) == 1 for sources in chosen.values()), "one kitchen a run"
    assert len({min(sources) for sources in chosen.values()}) > 3, "another kitchen for most seeds"


def test_the_better_crop_wins_when_it_is_no_draw(
    store_of: StoreOf, crop: Make, planned: Plan, patch: Callable[..., Image], embedder: Embedder
) -> None:
    store = store_of(
        crop("pot", "clean", "good", quality=0.9),
        crop("pot", "clean", "poor", quality=0.3),
        crop("pot", "clean", "wrong", image=patch("tomato"), quality=0.9),
    )
    for seed in range(6):
        hit = Memory([store], embedder, seed).retrieve(planned("pot", "clean"), 1).hit
        assert hit is not None and hit.crop.source_id == "good"


def anchor(item: PlannedObject, chosen: Crop, step: int, *, by_person: bool = False) -> Anchor:
    return Anchor(
        item.name, item.role, chosen.state, chosen.id, f"sha {chosen.id}", step, by_person
    )


def test_the_first_reference_of_a_thing_stays(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    pots = [crop("pot", "clean", f"video-{v}") for v in range(6)]
    store, pot = store_of(*pots), planned("pot", "clean")
    for first in pots:
        memory = Memory([store], embedder, seed=0)
        memory.keep([anchor(pot, first, 2), anchor(pot, pots[0], 3)])
        hit = memory.retrieve(pot, 4).hit
        assert hit is not None and (hit.crop.id, hit.anchor_step) == (first.id, 2)
        assert hit.reason == "The pot of step 2, kept for the whole video."
        early = memory.retrieve(pot, 2).hit
        assert early is not None and early.anchor_step == 0, "a step never sees itself"


def test_a_food_has_an_anchor_for_each_state(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    whole = [crop("carrot", "whole", f"video-{v}") for v in range(4)]
    sliced = [crop("carrot", "sliced", f"video-{v}") for v in range(4)]
    memory = Memory([store_of(*whole, *sliced)], embedder, seed=0)
    memory.keep([anchor(planned("carrot", "whole"), whole[3], 1)])
    memory.keep([anchor(planned("carrot", "sliced"), sliced[2], 2)])
    for state, kept, step in (("whole", whole[3], 1), ("sliced", sliced[2], 2)):
        hit = memory.retrieve(planned("carrot", state), 5).hit
        assert hit is not None and (hit.crop.id, hit.anchor_step) == (kept.id, step)


def test_an_image_of_the_person_replaces_the_anchor_from_its_step_on(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    pots = [crop("pot", "clean", f"video-{v}") for v in range(4)]
    memory, pot = Memory([store_of(*pots)], embedder, seed=0), planned("pot", "clean")
    memory.keep([anchor(pot, pots[0], 1), anchor(pot, pots[3], 3, by_person=True)])
    before, after = memory.retrieve(pot, 3).hit, memory.retrieve(pot, 4).hit
    assert before is not None and before.crop.id == pots[0].id
    assert after is not None and after.crop.id == pots[3].id
    assert after.reason.startswith("Your image of the pot from step 3")


def test_a_banned_anchor_is_passed_over_for_its_step(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    pots = [crop("pot", "clean", f"video-{v}") for v in range(2)]
    memory, pot = Memory([store_of(*pots)], embedder, seed=0), planned("pot", "clean")
    memory.keep([anchor(pot, pots[0], 1)])
    hit = memory.retrieve(pot, 3, banned=[pots[0].id]).hit
    assert hit is not None and (hit.crop.id, hit.anchor_step) == (pots[1].id, 0)
    alone = Memory([store_of(pots[0])], embedder, seed=0)
    alone.keep([anchor(pot, pots[0], 1)])
    answer = alone.retrieve(pot, 3, banned=[pots[0].id])
    assert answer.hit is None and "banned" in answer.reason


def test_own_crops_serve_only_what_no_store_has(memory: Memory, crop: Make, planned: Plan) -> None:
    memory.keep((), [crop("frying pan", "in use", "run-7/02", quality=0.4)])
    hit = memory.retrieve(planned("frying pan", "clean"), 3).hit
    assert hit is not None and hit.store == "kitchen"
    memory.keep((), [crop("pot", "in use", "run-7/02"), crop("carrot", "fried", "run-7/02")])
    pot, fried = planned("pot", "in use"), planned("carrot", "fried")
    for item in (pot, fried):
        own = memory.retrieve(item, 3).hit
        assert own is not None and own.store == "run" and "step 2" in own.reason
        assert memory.retrieve(item, 2).hit is None, "a step never sees itself"


def test_a_run_crop_in_the_wrong_state_is_passed_over(
    memory: Memory, crop: Make, planned: Plan
) -> None:
    memory.keep((), [crop("carrot", "diced", "run-7/01")])
    assert memory.retrieve(planned("carrot", "fried"), 3).hit is None


def test_lasting_things_keep_their_first_look_and_food_its_latest(
    memory: Memory, crop: Make, planned: Plan
) -> None:
    for step in (1, 2, 3):
        memory.keep((), [crop("pot", "clean", f"run/{step:02d}", quality=0.3 * step)])
        memory.keep((), [crop("carrot", "diced", f"run/{step:02d}")])
    pot = memory.retrieve(planned("pot", "clean"), 9).hit
    carrot = memory.retrieve(planned("carrot", "diced"), 9).hit
    assert pot is not None and pot.crop.source_id == "run/01"
    assert carrot is not None and carrot.crop.source_id == "run/03"


def test_a_store_of_soft_crops_serves_nothing(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    soft = store_of(*(crop("pot", "clean", f"video-{v}", quality=0.1) for v in range(3)))
    answer = Memory([soft], embedder, 0).retrieve(planned("pot", "clean"), 1)
    assert answer.hit is None and "3 crops were refused (the image is too poor)" in answer.reason


def test_a_changed_food_may_be_shown_as_after_the_step(
    store_of: StoreOf, crop: Make, planned: Plan, embedder: Embedder
) -> None:
    memory = Memory([store_of(crop("carrot", "sliced"))], embedder, 0)
    answer = memory.retrieve(planned("carrot", "whole", "sliced", likelihood="unlikely"), 1)
    assert answer.hit is not None and answer.wanted_state == "sliced"
    assert "because no image shows it whole" in answer.reason


def test_a_store_of_another_embedder(
    store: CropStore, new_embedder: Callable[..., Embedder]
) -> None:
    with pytest.raises(StoreError, match="was made with"):
        Memory([store], new_embedder(revision="2"), 0)


def test_step_of() -> None:
    assert step_of("run-7/02") == 2 and step_of("run/12") == 12
    assert step_of("video-2") is None and step_of("a/b") is None
