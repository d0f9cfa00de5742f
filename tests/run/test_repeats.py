"""Steps whose clips will look the same are named before they are made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.command import ASSETS
from procvid.cli import main
from procvid.errors import UnavailableError
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.state_predictors.causal import WEIGHTS, ClipStatePredictor
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.toy_prompt import toy_caption
from procvid.protocols import StatePredictor
from procvid.run.repeats import LOOKS_THE_SAME, alike, repeat_notes
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.train.director.stories import toy_story
from procvid.wiring.run import Parts, build, build_predictor

RECIPE = "Soup\n\n1. Dice the potato on the cutting board.\n2. {}\n3. Boil the potato in the pot."


@pytest.fixture(scope="module")
def parts() -> Parts:
    return build(TINY.name, planner="rules")


@pytest.fixture(scope="module")
def predictor(parts: Parts) -> StatePredictor:
    assert parts.predictor is not None
    return parts.predictor


def notes(parts: Parts, second: str) -> list[str]:
    return list(repeat_notes(parts, plan_recipe(parse_recipe(RECIPE.format(second)))))


def test_a_repeated_step_is_named(parts: Parts) -> None:
    repeated = "Cut the potato into cubes on the board."
    (note,) = notes(parts, repeated)
    assert note.startswith("Steps 1 and 2 may look nearly the same.")
    assert notes(parts, "Add the potato to the pot.") == []
    assert notes(parts, "Dice the onion on the cutting board.") == []
    assert notes(parts, "Dice the potato in the bowl.") == []
    assert notes(replace(parts, predictor=None), repeated) == []
    plan = plan_recipe(parse_recipe(RECIPE.format(repeated)))
    assert list(repeat_notes(parts, replace(plan, steps=plan.steps[:1]))) == []
    other = OpenClipEmbedder(ASSETS / "tiny_clip")
    wrong = ClipStatePredictor(ASSETS / "tiny_director", other, toy_caption)
    (note,) = repeat_notes(replace(parts, predictor=wrong), plan)
    assert note.startswith("Steps were not compared: tiny_director was trained with")


def test_nothing_is_said_of_foods_that_the_models_do_not_know(parts: Parts) -> None:
    unknown = "Salad\n\n1. Dice the papaya on the board.\n2. Dice the papaya on the cutting board."
    assert list(repeat_notes(parts, plan_recipe(parse_recipe(unknown)))) == []


def test_neighbours_of_one_action_are_compared() -> None:
    plan = plan_recipe(parse_recipe(RECIPE.format("Chop the potato finely on the board.")))
    assert [step.action for step in plan.steps] == ["dice", "dice", "boil"]
    for cosine, found in ((LOOKS_THE_SAME + 0.01, [1]), (LOOKS_THE_SAME - 0.01, [])):
        other = np.array([cosine, np.sqrt(1 - cosine**2)])
        assert list(alike(plan, np.stack([[1.0, 0.0], other, other]))) == found


def test_the_shipped_model_knows_the_next_clip_better_than_its_text(
    predictor: StatePredictor,
) -> None:
    embedder = OpenClipEmbedder(ASSETS / "tiny_step_clip")
    predicted, text_alone = [], []
    for seed in range(HELD_OUT + 70_000, HELD_OUT + 70_008):
        recipe = random_recipe(seed)
        story = toy_story(embedder, recipe)
        plan = plan_recipe(parse_recipe("\n".join(step.text for step in recipe.steps)))
        states = predictor.predict(replace(plan, title=recipe.title))
        predicted += (states * story.clips).sum(1).tolist()
        text_alone += (story.caption * story.clips).sum(1).tolist()
        shown = predictor.predict(replace(plan, title=recipe.title), {1: recipe.render(1).frames})
        assert np.array_equal(shown[0], states[0]) and not np.array_equal(shown[1], states[1])
        assert np.allclose(predictor.state(recipe.render(1).frames), story.clips[0], atol=1e-5)
    assert np.mean(predicted) > 0.9 > np.mean(text_alone) + 0.1
    assert sum(file.stat().st_size for file in (ASSETS / "tiny_director").iterdir()) < 2_000_000


def test_another_clip_model_and_missing_files_are_one_sentence(tmp_path: Path) -> None:
    other = OpenClipEmbedder(ASSETS / "tiny_clip")
    made = ClipStatePredictor(ASSETS / "tiny_director", other, toy_caption)
    plan = plan_recipe(parse_recipe(RECIPE.format("Add the potato to the pot.")))
    with pytest.raises(UnavailableError, match="was trained with procvid/tiny_step_clip"):
        made.predict(plan)
    with pytest.raises(UnavailableError, match="There is no model of visual states"):
        ClipStatePredictor(tmp_path, other, toy_caption)
    (tmp_path / WEIGHTS).write_bytes(b"")
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        ClipStatePredictor(tmp_path, other, toy_caption).predict(plan)
    assert build_predictor(PHANTOM_1_3B) is None


def test_a_trained_model_is_used_by_its_folder(tmp_path: Path, capsys) -> None:
    shutil.copytree(ASSETS / "tiny_director", tmp_path / "mine")
    made = build_predictor(TINY, trained=str(tmp_path / "mine"))
    assert made is not None and made.info.id == "procvid/mine"
    recipe, out = tmp_path / "r.txt", tmp_path / "run"
    recipe.write_text(RECIPE.format("Add the potato to the pot."))
    command = ["generate", str(recipe), "--out", str(out), "--profile", "tiny"]
    assert main([*command, "--director", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "There is no model of visual states" in error and error.count("\n") == 1
    other = OpenClipEmbedder(ASSETS / "tiny_clip")
    with pytest.raises(UnavailableError, match="not procvid/tiny_clip"):
        build_predictor(PHANTOM_1_3B, other, str(tmp_path / "mine"))
    assert not out.exists()
