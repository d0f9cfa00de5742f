"""The adapters that work by rules."""

from __future__ import annotations

import numpy as np
import pytest

from procvid.errors import InputError, UnavailableError
from procvid.protocols import Planner, SceneReader
from procvid.settings import PHANTOM_1_3B
from procvid.types import Recipe
from procvid.wiring import run as wiring
from procvid.wiring.stores import build_detector, build_embedder

FRAMES = np.zeros((1, 8, 8, 3), np.uint8)


def test_the_planner_plans_every_step():
    planner = wiring.build_planner("auto")
    assert isinstance(planner, Planner) and planner.info.id == "rules"
    plan = planner.plan(Recipe("Soup", ("Slice the carrot.", "Boil the carrot in a pot.")))
    assert [step.number for step in plan.steps] == [1, 2]
    assert plan == planner.plan(Recipe("Soup", ("Slice the carrot.", "Boil the carrot in a pot.")))


def test_the_scene_reader_names_things_in_the_state_that_they_end_in():
    reader = wiring.build_scene_reader()
    assert isinstance(reader, SceneReader)
    objects = {item.name: item for item in reader.read(FRAMES, "Slice the carrot with a knife.")}
    assert objects["carrot"].state == "sliced" and objects["carrot"].likelihood == "unlikely"
    assert objects["knife"].likelihood == "likely"
    vessels = [item for item in objects.values() if item.role in ("vessel", "surface")]
    assert vessels and all(item.likelihood == "highly_likely" for item in vessels)


def test_food_that_the_step_leaves_alone_is_likely_to_stay():
    objects = wiring.build_scene_reader().read(FRAMES, "Serve the egg on the plate.")
    egg = next(item for item in objects if item.name == "egg")
    assert egg.likelihood == "likely"


def test_a_planner_that_needs_a_key_asks_for_it(monkeypatch):
    with pytest.raises(UnavailableError, match="OPENAI_API_KEY is not set"):
        wiring.build_planner("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert wiring.build_planner("openai").info.id == "openai"


def test_an_unknown_planner_is_refused():
    with pytest.raises(InputError, match="no planner 'gpt'"):
        wiring.build_planner("gpt")


@pytest.mark.parametrize("gpu", [None, "NVIDIA H100"])
def test_a_generator_that_cannot_run_here_says_what_is_missing(monkeypatch, gpu):
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: (gpu, 0.0))
    with pytest.raises(UnavailableError, match=r"phantom-1\.3b") as error:
        wiring.build_generator(PHANTOM_1_3B)
    assert ("CUDA GPU" if gpu is None else "model is missing") in error.value.message
    assert "--profile tiny" in error.value.hint
    assert ("procvid convert" in error.value.hint) == bool(gpu)


def test_the_memory_of_a_phantom_profile_uses_pinned_published_models(monkeypatch):
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: (None, 0.0))
    tiny = build_embedder()
    for build in (build_embedder, lambda profile: build_detector(profile, tiny)):
        with pytest.raises(UnavailableError, match="needs a CUDA GPU"):
            build(PHANTOM_1_3B)
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: ("NVIDIA H100", 80.0))
    embedder = build_embedder(PHANTOM_1_3B)
    detector = build_detector(PHANTOM_1_3B, embedder)
    for info in (embedder.info, detector.info):
        assert "/" in info.id and len(info.revision) == 40
