"""At most four references: the important ones, each object once, pinned ones kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from procvid.errors import InputError
from procvid.memory.slots import CONTENTS, choose_slots
from procvid.types import Crop, Hit, PlannedObject, Retrieval, Slot

Make = Callable[..., Crop]
Plan = Callable[..., PlannedObject]


def found(crop: Crop, store: str = "kitchen") -> Retrieval:
    return Retrieval(crop.name, crop.state, Hit(crop, 0.8, {}, "It is there.", store), "")


@pytest.fixture
def objects(planned: Plan) -> list[PlannedObject]:
    return [
        planned("knife", "clean", importance=0.4),
        planned("tomato", "whole", importance=0.3),
        planned("carrot", "sliced", importance=0.7),
        planned("counter", "clean", importance=0.8),
        planned("frying pan", "in use", importance=0.8),
    ]


@pytest.fixture
def answers(objects: list[PlannedObject], crop: Make) -> list[Retrieval]:
    return [found(crop(item.name, item.state_before)) for item in objects]


def test_the_four_most_important(objects: list[PlannedObject], answers: list[Retrieval]) -> None:
    slots = choose_slots(objects, answers)
    assert [(s.number, s.words) for s in slots] == [
        (1, "frying pan"),
        (2, "counter"),
        (3, "sliced carrot"),
        (4, "knife"),
    ]
    assert all(slot.origin == "memory" and slot.score == 0.8 for slot in slots)
    assert len(choose_slots(objects, answers, limit=2)) == 2
    assert choose_slots(objects, answers, limit=0) == ()


def test_an_abstention_leaves_room_for_the_next(
    objects: list[PlannedObject], answers: list[Retrieval]
) -> None:
    answers[3] = Retrieval(
        "counter", "clean", None, "No image of counter yet; the model will invent one."
    )
    names = [slot.object_name for slot in choose_slots(objects, answers)]
    assert names == ["frying pan", "carrot", "knife", "tomato"]
    assert choose_slots(objects, []) == ()


def test_an_object_named_twice_gets_one_slot(planned: Plan, crop: Make) -> None:
    twice = [planned("pot", "clean", importance=0.9), planned("pot", "in use", importance=0.2)]
    assert len(choose_slots(twice, [found(crop("pot", "clean"))])) == 1


def test_the_runs_own_crop_is_reported(planned: Plan, crop: Make) -> None:
    slot = choose_slots([planned("pot", "clean")], [found(crop("pot", "clean"), "run")])[0]
    assert slot.origin == "run"


def pin(name: str, number: int) -> Slot:
    image = np.zeros((4, 4, 3), np.uint8)
    box = (0.0, 0.0, 4.0, 4.0)
    return Slot(number, name, name, image, f"upload-{number}", "upload", "", box, 1.0, "upload")


def test_pinned_slots_stay_where_they_are(
    objects: list[PlannedObject], answers: list[Retrieval]
) -> None:
    slots = choose_slots(objects, answers, pinned=[pin("tomato", 3), pin("frying pan", 2)])
    assert [(s.number, s.object_name, s.origin) for s in slots] == [
        (1, "counter", "memory"),
        (2, "frying pan", "upload"),
        (3, "tomato", "upload"),
        (4, "carrot", "memory"),
    ]


def test_a_pin_without_room_moves_up() -> None:
    assert [slot.number for slot in choose_slots([], [], pinned=[pin("pot", 4)])] == [1]
    both = choose_slots([], [], pinned=[pin("pot", 1), pin("knife", 1)])
    assert [slot.number for slot in both] == [1, 2]


def test_pins_that_cannot_be() -> None:
    with pytest.raises(InputError, match="5 are pinned"):
        choose_slots([], [], pinned=[pin(f"thing {n}", n) for n in range(1, 6)])
    with pytest.raises(InputError, match="show the pot"):
        choose_slots([], [], pinned=[pin("pot", 1), pin("Pot", 2)])


def test_one_crop_may_serve_two_objects(planned: Plan, crop: Make) -> None:
    """Five objects, four slots: the carrot in the pan leaves its slot to the counter."""
    objects = [
        planned("frying pan", "in use", importance=0.9),
        planned("tomato", "whole", importance=0.8),
        planned("knife", "clean", importance=0.7),
        planned("carrot", "sliced", importance=0.65),
        planned("counter", "clean", importance=0.5),
    ]
    alone = [found(crop(item.name, item.state_before)) for item in objects]
    assert {s.object_name for s in choose_slots(objects, alone)} == {
        "frying pan", "tomato", "knife", "carrot",
    }  # fmt: skip
    full = dataclasses.replace(crop("frying pan", "in use"), shows=("carrot: sliced",))
    covered = choose_slots(objects, [found(full), *alone[1:]])
    assert {s.object_name for s in covered} == {"frying pan", "tomato", "knife", "counter"}
    over = dataclasses.replace(full, shows=("carrot: whole",))
    kept = choose_slots(objects, [found(over), *alone[1:]])
    assert "carrot" in {s.object_name for s in kept}, "a whole carrot is not a sliced one"


def test_the_chosen_set_is_the_best_there_is(planned: Plan, crop: Make) -> None:
    names = ["frying pan", "pot", "carrot", "tomato", "knife", "counter"]
    rng = np.random.default_rng(0)
    for _ in range(30):
        weights, scores = rng.random(6), rng.random(6)
        objects = [
            planned(n, "clean", importance=float(w)) for n, w in zip(names, weights, strict=True)
        ]
        answers = []
        for name, score in zip(names, scores, strict=True):
            inside = [f"{n}: clean" for n in names if n != name and rng.random() < 0.3]
            shown = dataclasses.replace(crop(name, "clean"), shows=tuple(inside))
            answers.append(Retrieval(name, "clean", Hit(shown, float(score), {}, "", "k"), ""))

        def worth(chosen: tuple[str, ...], answers=answers, objects=objects) -> float:  # type: ignore[no-untyped-def]
            total = 0.0
            for item in objects:
                best = 0.0
                for answer in answers:
                    if answer.object_name in chosen:
                        inside = f"{item.name}: clean" in answer.hit.crop.shows
                        share = 1.0 if item.name == answer.object_name else CONTENTS * inside
                        best = max(best, share * answer.hit.score)
                total += item.importance * best
            return total

        got = worth(tuple(slot.object_name for slot in choose_slots(objects, answers)))
        assert got == pytest.approx(max(worth(each) for each in combinations(names, 4)))


def test_words_tell_the_slots_apart(planned: Plan, crop: Make) -> None:
    objects = [
        planned("pot", "clean", description="small red pot"),
        PlannedObject("stock pot", "vessel", "stock pot", "clean", "clean", "likely", 0.5),
    ]
    answers = [
        found(crop("pot", "clean")),
        Retrieval("stock pot", "clean", Hit(crop("pot", "clean", "b"), 0.8, {}, "", "k"), ""),
    ]
    words = {slot.object_name: slot.words for slot in choose_slots(objects, answers)}
    assert words == {"pot": "small red pot", "stock pot": "stock pot"}


def test_a_pinned_crop_is_not_given_a_second_slot(planned: Plan, crop: Make) -> None:
    pot = crop("pot", "clean")
    pinned = dataclasses.replace(pin("knife", 1), crop_id=pot.id)
    assert len(choose_slots([planned("pot", "clean")], [found(pot)], pinned=[pinned])) == 1
