"""How far a clip takes over the look of a reference: what is made and recorded (`quick_models`)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from procvid.errors import InputError
from procvid.media.video import read_clip, read_metadata
from procvid.run.changes import changes_from_json, changes_to_json
from procvid.run.story import make_video, regenerate_step
from procvid.types import StepChanges
from procvid.wiring import run as wiring
from tests.run.making import REQUEST, conditioning, copy_of, hashes

pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strengths") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


def made_with(folder, parts, **strengths) -> np.ndarray:
    seed = conditioning(folder, 2)["sampling"]["seed"]
    named = {name.replace("_", " "): value for name, value in strengths.items()}
    list(regenerate_step(folder, 2, parts, StepChanges(seed=seed, strengths=named)))
    return read_clip(folder / "steps/02/clip.mp4").frames


def test_a_weaker_look_makes_another_clip_and_is_recorded(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    whole = read_clip(folder / "steps/02/clip.mp4").frames
    weak = made_with(folder, parts, frying_pan=0.5)
    beside = conditioning(folder, 2)
    shares = {one["object_name"]: one.get("strength") for one in beside["references"]}
    assert shares["frying pan"] == 0.5 and set(shares.values()) == {0.5, None}
    assert beside["overrides"]["strengths"] == {"frying pan": 0.5}
    inside = json.loads(read_metadata(folder / "steps/02/clip.mp4")["procvid"])
    assert inside["references"] == beside["references"]
    assert np.array_equal(weak, made_with(folder, parts, frying_pan=0.5))
    none = made_with(folder, parts, frying_pan=0.0)
    assert not np.array_equal(weak, whole) and not np.array_equal(none, weak)
    assert np.array_equal(made_with(folder, parts, frying_pan=1.0), whole)


def test_the_strengths_survive_json():
    changes = StepChanges(strengths={"pan": 0.25})
    assert changes_from_json(changes_to_json(changes)).strengths == {"pan": 0.25}
    assert not changes.empty and "strengths" not in changes_to_json(StepChanges())


@pytest.mark.parametrize(
    ("strengths", "message"),
    [({"wok": 0.5}, "shows no 'wok'"), ({"frying_pan": -0.1}, "-0.1 of the frying pan"),
     ({"frying_pan": float("nan")}, "nan of the frying pan")],
)  # fmt: skip
def test_wrong_strengths_are_refused_and_lose_nothing(
    finished, parts, tmp_path, strengths, message
):
    folder = copy_of(finished, tmp_path)
    before = hashes(folder)
    with pytest.raises(InputError, match=message):
        made_with(folder, parts, **strengths)
    assert hashes(folder) == before
