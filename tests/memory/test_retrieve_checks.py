"""Checks against wrong crops: rivals, bans, thresholds, one crop per object, contents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from procvid.errors import InputError
from procvid.memory.anchors import Anchor
from procvid.memory.calibrate import calibrate
from procvid.memory.find import find, named_in, search_text
from procvid.memory.memory import Memory, RetrievalRules
from procvid.memory.retrieval_rules import Calibration, read_calibration
from procvid.memory.states import StateTable
from procvid.memory.store import CropStore
from procvid.protocols import Embedder
from procvid.types import Crop, Image, Plan, PlannedObject, StepPlan

Make = Callable[..., Crop]
Planned = Callable[..., PlannedObject]
StoreOf = Callable[..., CropStore]


def test_a_crop_that_fits_another_object_better_is_refused(
    store_of: StoreOf, crop: Make, planned: Planned, patch: Callable[..., Image], embedder: Embedder
) -> None:
    store = store_of(crop("pot", "clean", image=patch("tomato")))
    pot, tomato = planned("pot", "clean"), planned("tomato", "whole")
    strict = Memory([store], embedder, 0, RetrievalRules(max_rival=0.0))
    answer = strict.retrieve(pot, 1, [pot, tomato])
    assert answer.hit is None and "more like the tomato" in answer.reason
    assert strict.retrieve(pot, 1, [pot]).hit is not None, "there is no rival in the step"


def test_a_picture_that_does_not_show_its_name_is_refused(
    store_of: StoreOf, crop: Make, planned: Planned, patch: Callable[..., Image], embedder: Embedder
) -> None:
    store = store_of(
        crop("pot", "clean", "wrong", image=patch("tomato")), crop("pot", "clean", "right")
    )
    rules = RetrievalRules(min_shown=0.5)
    hit = Memory([store], embedder, 3, rules).retrieve(planned("pot", "clean"), 1).hit
    assert hit is not None and hit.crop.source_id == "right" and hit.parts["shown"] > 0.9
    alone = store_of(crop("pot", "clean", image=patch("tomato")))
    answer = Memory([alone], embedder, 0, rules).retrieve(planned("pot", "clean"), 1)
    assert answer.hit is None and "does not look like a pot" in answer.reason


def test_banned_crops_are_passed_over(
    store_of: StoreOf, crop: Make, planned: Planned, embedder: Embedder
) -> None:
    one, two = crop("pot", "clean", "one"), crop("pot", "clean", "two")
    store = store_of(dataclasses.replace(one, banned=True), two)
    pot = planned("pot", "clean")
    for seed in range(4):
        hit = Memory([store], embedder, seed).retrieve(pot, 1).hit
        assert hit is not None and hit.crop.id == two.id
    answer = Memory([store], embedder, 0).retrieve(pot, 1, banned=[two.id])
    assert answer.hit is None and "2 crops were refused (banned)" in answer.reason


def test_one_crop_does_not_stand_for_two_objects(
    store_of: StoreOf, crop: Make, embedder: Embedder
) -> None:
    store = store_of(crop("frying pan", "clean"))
    names = ("frying pan", "big frying pan")
    pans = [PlannedObject(n, "vessel", "", "clean", "clean", "likely", 0.5) for n in names]
    memory = Memory([store], embedder, 0)
    assert all(memory.retrieve(pan, 1).hit for pan in pans)
    both = memory.retrieve_all(pans, 1)
    assert [answer.hit is not None for answer in both] == [True, False]


def test_a_pan_with_what_is_over_in_it_goes_last(
    store_of: StoreOf, crop: Make, planned: Planned, embedder: Embedder
) -> None:
    full = dataclasses.replace(crop("pot", "clean", "full"), shows=("carrot: whole",))
    store = store_of(full, crop("pot", "clean", "empty", quality=0.3))
    steps = [
        StepPlan(n, "", "", (planned("pot", "clean"), planned("carrot", before)), "")
        for n, before in ((1, "whole"), (2, "sliced"))
    ]
    table = StateTable(Plan("", tuple(steps), ""))
    for seed in range(6):
        memory = Memory([store], embedder, seed, states=table)
        second = memory.retrieve(steps[1].objects[0], 2, steps[1].objects).hit
        assert second is not None and second.crop.source_id == "empty"


def test_a_pan_never_shows_food_that_the_step_changes_in_another_state(
    store_of: StoreOf, crop: Make, planned: Planned, embedder: Embedder
) -> None:
    full = dataclasses.replace(crop("pot", "clean", "full"), shows=("carrot: whole",))
    unknown = dataclasses.replace(full, id="unknown", shows=("carrot",))
    pot, carrot = planned("pot", "clean"), planned("carrot", "sliced", "fried")
    for shown in (full, unknown):
        memory = Memory([store_of(shown)], embedder, 0)
        memory.keep([Anchor("pot", "vessel", "clean", shown.id, "", 1, by_person=True)])
        answer = memory.retrieve(pot, 2, [pot, carrot])
        assert answer.hit is None and "shows a carrot, which this step changes" in answer.reason
        same = memory.retrieve(pot, 2, [pot, planned("carrot", "fried")]).hit
        assert same is not None and same.anchor_step == 1
    fitting = dataclasses.replace(full, shows=("carrot: sliced",))
    assert Memory([store_of(fitting)], embedder, 0).retrieve(pot, 2, [pot, carrot]).hit is not None


def test_a_search_abstains_as_a_run_does(store: CropStore, embedder: Embedder) -> None:
    assert search_text(store, embedder, "frying pan", 3).matches[0].crop.name == "frying pan"
    assert search_text(store, embedder, "two red frying pans", 3).matches
    names = ["knife", "berry", "half-and-half", "frying pan"]
    for text, name in (("sharp knives", 0), ("Berries", 1), ("half-and-half", 2), ("my pan", 3)):
        assert named_in(text, names) == {names[name]}
    of_carrots = search_text(store, embedder, "sliced carrots", 5).matches
    assert {match.crop.name for match in of_carrots} == {"carrot"}
    nothing = search_text(store, embedder, "zebra spaceship", 3)
    assert nothing.matches == () and "Nothing found for 'zebra spaceship'" in nothing.reason
    assert "The nearest image is" in nothing.reason
    strict = RetrievalRules(min_shown=2.0)
    assert search_text(store, embedder, "carrot", 3, None, strict).matches == ()


def test_what_could_be_swapped_in_are_different_things(
    store_of: StoreOf, crop: Make, planned: Planned, patch: Callable[..., Image], embedder: Embedder
) -> None:
    store = store_of(
        *(crop("pot", "clean", f"same-{n}") for n in range(5)),
        crop("pot", "clean", "other", image=patch("pot", 0.4)),
        crop("pot", "clean", "tinted", image=patch("knife")),
    )
    hits = Memory([store], embedder, 0, RetrievalRules(min_similarity=0.0)).choices(
        planned("pot", "clean"), 1
    )
    looks = [
        embedder.embed_images([hit.crop.image])[0] for hit in hits if hit.crop.image is not None
    ]
    assert len(hits) >= 2
    assert max(float(a @ b) for i, a in enumerate(looks) for b in looks[:i]) < 0.985


def test_the_ablations_leave_out_what_they_say(
    store_of: StoreOf, crop: Make, planned: Planned, embedder: Embedder
) -> None:
    store = store_of(crop("carrot", "whole"))
    sliced = planned("carrot", "sliced")
    assert Memory([store], embedder, 0).retrieve(sliced, 1).hit is None
    blind = Memory([store], embedder, 0, RetrievalRules(state_aware=False))
    assert blind.retrieve(sliced, 1).hit is not None
    forgetful = Memory([store], embedder, 0, RetrievalRules(write_back=False))
    forgetful.keep((), [crop("pot", "clean", "run/01")])
    assert forgetful.retrieve(planned("pot", "clean"), 2).hit is None


def test_finding_by_words_and_by_picture(
    store: CropStore, patch: Callable[..., Image], embedder: Embedder
) -> None:
    assert find(store, embedder, "frying pan", 3)[0].crop.name == "frying pan"
    by_picture = find(store, embedder, patch("knife"), 2)
    assert by_picture[0].crop.name == "knife" and by_picture[0].score > 0.9
    assert [m.crop.state for m in find(store, embedder, "carrot", 5, "sliced")] == ["sliced"]
    with pytest.raises(InputError, match="Its states are"):
        find(store, embedder, "carrot", 5, "burnt")
    names = [match.crop.name for match in find(store, embedder, "carrot", 10)]
    assert names.count("carrot") == 1, "both carrots look the same"


def test_calibration_separates_right_from_wrong(
    store_of: StoreOf, crop: Make, embedder: Embedder, tmp_path: object
) -> None:
    names = ("frying pan", "pot", "knife", "carrot", "tomato")
    store = store_of(*(crop(n, "whole", f"video-{v}") for v in range(40) for n in names))
    found = calibrate(store, embedder)
    assert found.fits(embedder.info)
    assert found.measured["min_shown"]["right_kept"] >= 0.95
    assert found.measured["min_shown"]["wrong_refused"] >= 0.95
    assert found.rules().min_shown == found.thresholds["min_shown"] > 0.5
    file = tmp_path / "thresholds.json"  # type: ignore[operator]
    file.write_bytes(found.to_bytes())
    assert read_calibration(file) == found
    with pytest.raises(InputError, match="too few crops"):
        calibrate(store_of(crop("pot", "clean")), embedder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"thresholds": 3}', "x" * 50])
def test_a_damaged_calibration_is_reported(tmp_path: object, text: str) -> None:
    file = tmp_path / "thresholds.json"  # type: ignore[operator]
    file.write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        read_calibration(file)


def test_a_calibration_of_other_weights_does_not_fit(embedder: Embedder) -> None:
    other = Calibration(embedder.info.id, "0", {"min_shown": 0.5}, {}, "x")
    assert not other.fits(embedder.info)
