"""The gate before the run's own crops: what enters the memory, and why the rest does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from procvid.memory.gate import Evidence, measure, pass_gate, views_of
from procvid.memory.retrieval_rules import RetrievalRules
from procvid.protocols import Embedder
from procvid.types import Crop, Image

Make = Callable[..., Crop]
OPEN = RetrievalRules(min_same=-1.0, min_sharp=0.0, max_apart_slack=2.0)


def seen(before: str = "", **known: object) -> Evidence:
    return dataclasses.replace(Evidence(before, None, 0, ()), **known)  # type: ignore[arg-type]


def why(crop: Crop, known: Evidence, embedder: Embedder, **rules: float) -> str:
    """Return why a crop is refused, "" if it passes."""
    wanted = dataclasses.replace(OPEN, **rules)  # type: ignore[arg-type]
    kept, refused = pass_gate([crop], {crop.name: known}, embedder, wanted)
    assert len(kept) + len(refused) == 1
    return refused[0].reason if refused else ""


def test_a_good_crop_passes(crop: Make, embedder: Embedder) -> None:
    assert why(crop("knife", "clean", "run/01"), seen(), embedder) == ""


def test_poor_crops_are_refused(crop: Make, embedder: Embedder) -> None:
    poor = crop("pot", "clean", "run/01", quality=0.1)
    assert "quality is too low (0.10)" in why(poor, seen(), embedder)
    unsure = crop("pot", "clean", "run/01", detector_score=0.1)
    assert "detector score is too low (0.10)" in why(unsure, seen(), embedder)
    bare = dataclasses.replace(crop("pot", "clean", "run/01"), image=None)
    assert why(bare, seen(), embedder) == "it has no image"


def test_a_copy_of_a_copy_is_refused(crop: Make, embedder: Embedder) -> None:
    pot = crop("pot", "clean", "run/03")
    assert why(pot, seen(reference=pot.image, generation=0), embedder) == ""
    assert "copy of a copy" in why(pot, seen(reference=pot.image, generation=1), embedder)


def test_the_reference_decides_what_is_the_same_thing(
    crop: Make, patch: Callable[..., Image], embedder: Embedder
) -> None:
    pot = crop("pot", "clean", "run/02")
    assert why(pot, seen(reference=patch("pot")), embedder, min_same=0.9) == ""
    other = why(pot, seen(reference=patch("knife")), embedder, min_same=0.9)
    assert other.startswith("it differs from its reference")


def test_other_frames_decide_without_a_reference(
    crop: Make, patch: Callable[..., Image], embedder: Embedder
) -> None:
    pot = crop("pot", "clean", "run/02")
    steady, flicker = [patch("pot")] * 3, [patch("knife"), patch("tomato"), patch("pot")]
    assert why(pot, seen(views=steady), embedder, min_same=0.9) == ""
    assert "other frames of the clip" in why(pot, seen(views=flicker), embedder, min_same=0.9)
    # A food that the step changes differs from its reference by right.
    sliced = crop("carrot", "sliced", "run/02")
    known = seen("whole", reference=patch("knife"), views=[patch("carrot")] * 3)
    assert why(sliced, known, embedder, min_same=0.9) == ""


def test_a_surface_unlike_the_other_frames_is_refused_even_if_it_resembles_its_reference(
    crop: Make, patch: Callable[..., Image], embedder: Embedder
) -> None:
    top = crop("counter", "clean", "run/02")
    rules = {"max_apart_slack": 0.02}
    for reference in (patch("counter"), None):
        steady = seen(reference=reference, views=[patch("counter")] * 3)
        assert why(top, steady, embedder, **rules) == ""
        other = [patch("pot")] * 3
        reason = why(top, seen(reference=reference, views=other), embedder, **rules)
        assert reason == "it looks unlike the other frames of the clip"
        # In a clip whose frames differ as much from each other, it is no outlier.
        loose = [patch("pot"), patch("tomato"), patch("carrot")]
        assert why(top, seen(reference=reference, views=loose), embedder, **rules) == ""
    # One other frame does not show how much the frames differ.
    assert why(top, seen(views=[patch("pot")]), embedder, **rules) == ""
    # A vessel fills and a tool moves during a clip.
    for name in ("pot", "knife"):
        known = seen(views=[patch("counter")] * 3)
        assert why(crop(name, "clean", "run/02"), known, embedder, **rules) == ""


def test_a_soft_crop_is_refused(crop: Make, embedder: Embedder) -> None:
    sharp = np.zeros((32, 32, 3), np.uint8)
    sharp[::2] = 255
    soft = np.full((32, 32, 3), 128, np.uint8)
    pot = dataclasses.replace(crop("pot", "clean", "run/02"), image=soft)
    assert "less sharp" in why(pot, seen(reference=sharp), embedder, min_sharp=0.5)
    pot = dataclasses.replace(pot, image=sharp)
    assert why(pot, seen(reference=sharp), embedder, min_sharp=0.5) == ""


@pytest.mark.parametrize("looks", ["whole", "fried"])
def test_a_food_must_look_clearly_like_its_state(
    crop: Make, embedder: Embedder, looks: str
) -> None:
    class Seeing:
        """Test fixture. Every image looks like a carrot in one state."""

        info, dim = embedder.info, embedder.dim

        def embed_images(self, images: list[Image]) -> np.ndarray:
            words = "carrot" if looks == "whole" else f"{looks} carrot"
            return embedder.embed_texts([words] * len(images))

        def embed_texts(self, texts: list[str]) -> np.ndarray:
            return embedder.embed_texts(texts)

    sliced, eyes = crop("carrot", "sliced", "run/01"), Seeing()
    known = seen("whole", states=("whole", "sliced", "fried"))
    assert why(sliced, known, eyes) == ""  # type: ignore[arg-type]
    reason = why(sliced, known, eyes, min_clear=0.0)  # type: ignore[arg-type]
    assert reason == "it does not look clearly sliced"
    if looks == "whole":
        past = why(sliced, known, eyes, max_past=0.01)  # type: ignore[arg-type]
        assert past == "it still looks whole, not sliced"
    assert "does not look like its name" in why(sliced, known, eyes, min_own=0.99)  # type: ignore[arg-type]


def test_another_food_of_the_step_is_refused(
    crop: Make, patch: Callable[..., Image], embedder: Embedder
) -> None:
    wrong = dataclasses.replace(crop("carrot", "sliced", "run/01"), image=patch("tomato"))
    known = seen("sliced", rivals=("tomato",))
    assert "another food" in why(wrong, known, embedder, max_rival=0.0)


def test_a_vessel_with_a_wrong_food_in_it_is_refused(
    crop: Make, patch: Callable[..., Image], embedder: Embedder
) -> None:
    pot = dataclasses.replace(crop("pot", "in use", "run/01"), shows=("carrot: sliced",))
    carrot = crop("carrot", "sliced", "run/01")
    evidence = {"pot": seen(), "carrot": seen("sliced")}
    rules = dataclasses.replace(OPEN, min_shown=0.5)
    assert pass_gate([pot, carrot], evidence, embedder, rules) == ([pot, carrot], [])
    wrong = dataclasses.replace(carrot, image=patch("tomato"))
    kept, refused = pass_gate([pot, wrong], evidence, embedder, rules)
    assert kept == [] and [one.name for one in refused] == ["pot", "carrot"]
    assert refused[0].reason == "it shows a carrot that does not look as planned"


def test_what_is_measured(crop: Make, embedder: Embedder) -> None:
    carrot = crop("carrot", "whole", "run/01")
    found = measure(carrot, seen("whole"), embedder)
    assert found.shown > 0.9 and (found.past, found.rival, found.clear) == (-1.0, -1.0, 1.0)
    assert (found.same, found.sharp) == (1.0, 1.0)


def test_views_are_spread_over_the_settled_part() -> None:
    assert views_of(17, 4, 2 / 3) == [11, 13, 14, 16]
    assert views_of(1, 4, 2 / 3) == [0]
