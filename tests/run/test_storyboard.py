"""The storyboard of a video, before it is made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from procvid.cli import main
from procvid.events import Progress
from procvid.media.image import load_image
from procvid.run.story import make_video
from procvid.run.storyboard import COLUMNS, WIDTH, keyframes, sheet
from procvid.settings import TINY, choose_sampling
from procvid.types import StepChanges
from procvid.wiring import run as wiring
from tests.run.making import RECIPE, REQUEST

pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build(TINY.name, planner="rules", previews=True)


def test_each_shot_gets_the_preview_that_its_clip_will_have(parts, tmp_path):
    request = dataclasses.replace(REQUEST, sampling=choose_sampling(TINY, num_inference_steps=4))
    plan = parts.planner.plan(RECIPE)
    drawn = list(keyframes(parts, plan, request.sampling, request.seed))
    assert [frame.step for frame in drawn] == [1, 2, 3, 4]
    for event in make_video(request, parts, tmp_path / "run"):
        if isinstance(event, Progress) and event.preview is not None:
            assert event.step == 1 and np.array_equal(event.preview, drawn[0].image)
            break
    page = sheet(plan, drawn)
    assert page.shape[1] > COLUMNS * WIDTH and page.dtype == np.uint8


def test_too_few_steps_for_a_preview_give_the_clip_itself(parts):
    request = dataclasses.replace(REQUEST, sampling=choose_sampling(TINY, num_inference_steps=1))
    plan = parts.planner.plan(RECIPE)
    changes = {1: StepChanges(seed=5)}
    first, *_ = keyframes(parts, plan, request.sampling, 0, changes)
    sampling = dataclasses.replace(request.sampling, seed=5)
    denoising = parts.generator.generate(first.conditioning, sampling)
    with pytest.raises(StopIteration) as end:
        while True:
            next(denoising)
    assert np.array_equal(first.image, end.value.value.frames[0])


def test_the_command_writes_one_picture_and_no_run(tmp_path, capsys):
    recipe, out, file = tmp_path / "r.txt", tmp_path / "run", tmp_path / "story.png"
    recipe.write_text("Carrot\n\nSlice the carrot.\nFry the carrot.\n")
    command = ["generate", str(recipe), "--out", str(out), "--profile", "tiny"]
    assert main([*command, "--storyboard", str(file)]) == 0
    assert load_image(file).ndim == 3 and not out.exists()
    before = recipe.read_bytes()
    for wrong in (str(recipe), str(tmp_path), str(tmp_path / "none" / "x.png")):
        assert main([*command, "--storyboard", wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert recipe.read_bytes() == before
    many = ["generate", "--many", str(tmp_path), "--out", str(out), "--storyboard", str(file)]
    assert main(many) == 2 and "--storyboard is for one recipe" in capsys.readouterr().err
