"""Cancelled work stops between two yields and leaves nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from procvid.plan.recipe.parse import parse_recipe
from procvid.run.story import make_video
from procvid.settings import TINY, choose_sampling
from procvid.stopping import Stopped, stop_if_asked, stoppable
from procvid.types import GenerateRequest
from procvid.wiring.run import build

pytestmark = pytest.mark.usefixtures("quick_models")

REQUEST = GenerateRequest(
    recipe=parse_recipe("Carrots\n\n1. Slice the carrot on the cutting board with the knife."),
    sampling=choose_sampling(TINY, num_inference_steps=1),
    profile="tiny",
    seed=0,
)


def test_nobody_is_stopped_unasked() -> None:
    stop_if_asked()
    with stoppable(lambda: False):
        stop_if_asked()
    with pytest.raises(Stopped), stoppable(lambda: True):
        stop_if_asked()
    stop_if_asked()


def test_a_stop_in_any_stage_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    parts = build(profile="tiny")
    asked = 0

    def last(question: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > question

    with stoppable(lambda: last(10**9)):
        list(make_video(REQUEST, parts, tmp_path / "whole"))
    total, whole = asked, (tmp_path / "whole" / "video.mp4").read_bytes()
    # They include references, model calls, decoded frames, packets of the mp4 and the joining.
    assert total > 20
    for question in range(1, total, 7):
        asked, folder = 0, tmp_path / "cut"
        with pytest.raises(Stopped), stoppable(lambda most=question: last(most)):
            list(make_video(REQUEST, parts, folder))
        assert not list(folder.rglob("*.tmp*"))
    list(make_video(REQUEST, parts, tmp_path / "cut"))
    assert (tmp_path / "cut" / "video.mp4").read_bytes() == whole
