"""Calibrated thresholds on a labelled store, and the defaults without calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from procvid.errors import InputError, StoreError
from procvid.memory.calibrate import calibrate
from procvid.memory.memory import Memory
from procvid.memory.retrieval_rules import DEFAULT_RULES
from procvid.memory.store import CropStore
from procvid.protocols import Embedder
from procvid.types import Crop, Image, PlannedObject

NAMES = ("frying pan", "pot", "carrot", "tomato", "knife", "counter")


@pytest.fixture
def labelled(
    crop: Callable[..., Crop], patch: Callable[..., Image], store_of: Callable[..., CropStore]
) -> CropStore:
    """Six things from each of forty sources, each seen more or less well."""
    rng = np.random.default_rng(0)
    crops = [
        crop(name, "whole", f"video-{source}", image=patch(name, float(rng.uniform(0.3, 1))))
        for source in range(40)
        for name in NAMES
    ]
    return store_of(*crops)


def test_any_embedder_is_calibrated_on_a_labelled_store(
    labelled: CropStore, embedder: Embedder
) -> None:
    found = calibrate(labelled, embedder)
    assert found.fits(embedder.info) and set(found.thresholds) == {
        "min_shown",
        "max_rival",
        "min_own",
    }
    for name in ("min_shown", "max_rival"):
        measured = found.measured[name]
        assert measured["right_pairs"] >= 50 and measured["right_kept"] >= 0.97
        assert measured["wrong_refused"] == 1.0
    rules = found.rules()
    assert rules.calibrated and rules.min_shown == found.thresholds["min_shown"] > 0
    assert rules.min_own >= rules.min_shown
    # Thresholds that were not found keep their uncalibrated values.
    assert rules.max_past == DEFAULT_RULES.max_past


def test_what_says_too_little_is_refused(
    labelled: CropStore,
    store: CropStore,
    embedder: Embedder,
    new_embedder: Callable[..., Embedder],
) -> None:
    with pytest.raises(InputError, match="too few crops for a calibration"):
        calibrate(store, embedder)
    with pytest.raises(StoreError, match="was made with the embedder"):
        calibrate(labelled, new_embedder("2"))


@pytest.mark.parametrize("shown", ["pot", "tomato"])
def test_uncalibrated_a_crop_that_shows_its_rival_is_refused(
    shown: str,
    crop: Callable[..., Crop],
    patch: Callable[..., Image],
    planned: Callable[..., PlannedObject],
    store_of: Callable[..., CropStore],
    embedder: Embedder,
) -> None:
    assert not DEFAULT_RULES.calibrated
    wrong = crop("carrot", "whole", image=patch(shown))
    memory = Memory([store_of(wrong)], embedder, seed=0)
    objects: Sequence[PlannedObject] = [planned("carrot"), planned("tomato")]
    answer = memory.retrieve(objects[0], 1, objects)
    if shown == "tomato":
        assert answer.hit is None and "more like the tomato" in answer.reason
    else:
        # It resembles no object. Without a scale the memory cannot detect that.
        assert answer.hit is not None
