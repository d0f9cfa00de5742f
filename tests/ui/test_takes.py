"""Takes on the page's server: the old clip stays in view, and takes are chosen and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from procvid.errors import InputError, ProcvidError, RunError
from procvid.events import ClipReady, Conditioned, Progress, RunFinished, RunStarted, TakeReady
from procvid.media.encode import write_clip
from procvid.run.folder import RunFolder, read_run
from procvid.run.preferences import may_train
from procvid.run.takes import chosen_over, made_as
from procvid.toykitchen.identity import random_kitchen
from procvid.toykitchen.render import render
from procvid.toykitchen.scene import FoodItem, Scene
from procvid.types import Conditioning, StepChanges, TakePolicy
from procvid.types.difference import ClipDifferences, Difference
from procvid.ui.differences import take_words
from procvid.ui.pages.create.takes_panel import CLOSED, Opened, do, panel
from procvid.ui.pressed import Press
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import make_draft, read_options, resume_run, start_run
from procvid.ui.server.queue import Draft, Job, RunOptions, Ticket
from procvid.ui.server.redo import lock, read_changes, redo
from procvid.ui.server.stream import RunView, event_json
from procvid.ui.server.takes import keep_take, let_train, list_takes, remove_take, take_json
from procvid.ui.server.visitors import Visitor
from tests.ui.running import finished

HOME = Visitor()


@pytest.fixture(scope="module")
def draft(context: AppContext, recipe: str) -> Draft:
    return make_draft(context, recipe)


@pytest.fixture(scope="module")
def redone(context: AppContext, draft: Draft) -> str:
    """A run whose step 2 was redone: two takes without the frying pan's reference."""
    made = start_run(context, draft, RunOptions(seed=3, steps=1), HOME).snapshot()
    assert [step.num_takes for step in finished(context, made.run_id).steps.values()] == [1, 1]
    changes = read_changes(left_out=["frying pan"])
    redo(context, made.run_id, 2, changes, HOME, takes=2)
    finished(context, made.run_id)
    return made.run_id


def view_of_two_clips(draft: Draft, folder: Path, **fields: Any) -> RunView:
    view = RunView("0" * 16, folder, **fields)
    view.show_plan(draft.plan)
    for number, step in view.steps.items():
        step.clip, step.num_takes = folder / f"steps/0{number}/clip.mp4", 1
    return view


def conditioned(step: int) -> Conditioned:
    return Conditioned(step, Conditioning(step, "", (), ()))


def test_a_redo_keeps_the_old_clip_in_view(draft: Draft, tmp_path: Path) -> None:
    view = view_of_two_clips(draft, tmp_path, redoing=2, takes_wanted=2)
    assert view.fraction == 0 and view.sentence.startswith("Waiting")
    view.apply(conditioned(2))
    step = view.steps[2]
    assert step.remaking and step.clip == tmp_path / "steps/02/clip.mp4"
    assert view.sentence == "Redoing step 2, take 1 of 2."
    view.apply(Progress(2, 1, 2, 3.0))
    assert view.fraction == 0.25
    assert view.sentence == "Redoing step 2, take 1 of 2."
    assert view.detail == "denoising step 1 of 2"
    event = TakeReady(2, 2, "takes/02/2/clip.mp4", 1.0, 0.5, "Good.", 1, 2)
    view.apply(event)
    assert view.fraction == 0.5 and step.num_takes == 2
    assert event_json(view, event)["clip"]["path"] == str(tmp_path / "takes/02/2/clip.mp4")
    assert "file" not in event_json(view, event)
    view.apply(conditioned(2))
    view.apply(TakeReady(2, 3, "takes/02/3/clip.mp4", 1.0, None, "", 2, 2))
    view.apply(ClipReady(2, "steps/02/clip.mp4", 2.0))
    assert (step.remaking, step.num_takes, view.fraction) == (False, 3, 1.0)
    view.apply(RunFinished("x", "x", "video.mp4", "captions.vtt", (), 4.0))
    assert view.state == "done"


def test_the_first_generation_is_shown_as_before(draft: Draft, tmp_path: Path) -> None:
    view = RunView("0" * 16, tmp_path)
    view.show_plan(draft.plan)
    view.apply(RunStarted("x", "x", "tiny", "", 2))
    view.apply(conditioned(1))
    assert view.steps[1].clip is None and not view.steps[1].remaking
    view.apply(ClipReady(1, "steps/01/clip.mp4", 1.0))
    assert (view.fraction, view.steps[1].num_takes) == (0.5, 1)


def test_progress_of_stale_steps_begins_below_one(draft: Draft, tmp_path: Path) -> None:
    view = view_of_two_clips(draft, tmp_path)
    view.steps[2].stale = 1
    view.apply(RunStarted("x", "x", "tiny", "", 2, (1,)))
    assert view.fraction == 0.5
    view.apply(conditioned(2))
    assert view.fraction == 0.5 and view.steps[2].clip is not None
    view.apply(ClipReady(2, "steps/02/clip.mp4", 1.0))
    assert (view.fraction, view.steps[2].stale, view.steps[2].num_takes) == (1.0, 0, 2)


def test_a_run_with_several_takes_per_step_shows_its_progress(draft: Draft, tmp_path: Path) -> None:
    view = RunView("0" * 16, tmp_path)
    view.show_plan(draft.plan)
    view.apply(conditioned(1))
    for done in (1, 2):
        view.apply(TakeReady(1, done, f"takes/01/{done}/clip.mp4", 1.0, 0.5, "Good.", done, 2))
    assert (view.fraction, view.steps[1].num_takes) == (0.5, 2)
    view.apply(ClipReady(1, "steps/01/clip.mp4", 2.0))
    assert (view.fraction, view.steps[1].num_takes, view.takes_made) == (0.5, 2, 0)
    view.apply(conditioned(2))
    view.apply(Progress(2, 1, 2, None))
    assert view.fraction == 0.5 + 0.25 / 2
    assert view.sentence == "Generating step 2, take 1 of 2. 1 of 2 clips done."


def test_a_run_of_the_best_takes_shows_them(context: AppContext, draft: Draft) -> None:
    options = read_options(3, "default", 1, takes=2)
    first = start_run(context, draft, options, HOME).snapshot()
    assert first.takes_wanted == 2
    run_id = first.run_id
    view = finished(context, run_id)
    assert context.job_of(run_id).options.policy == TakePolicy(2)
    assert view.state == "done" and [step.num_takes for step in view.steps.values()] == [2, 2]
    shown = panel(context, view, Opened(1))
    assert "All takes (2)" in shown and "in the video" in shown
    facts = take_json(list_takes(context, run_id, 1)[0])
    assert set(facts) >= {"score", "reason", "parts", "contradictions"}
    # Resumed on the page, it has the same takes and nothing is made.
    resume_run(context, run_id, HOME)
    assert finished(context, run_id).state == "done"
    assert [len(list_takes(context, run_id, step)) for step in (1, 2)] == [2, 2]


def test_a_ticket_keeps_the_number_of_takes(draft: Draft, tmp_path: Path) -> None:
    changes = {2: StepChanges(left_out=("frying pan",))}
    job = Job("0" * 16, draft, RunOptions(), again=2, changes=changes, takes=3)
    value = Ticket(job, "home", 1).to_json()
    read = Ticket.from_json(value, tmp_path).job
    assert (read.takes, read.changes[2].left_out) == (3, ("frying pan",))
    del value["takes"]
    assert Ticket.from_json(value, tmp_path).job.takes == 1


def test_several_takes_are_made_and_one_is_kept(context: AppContext, redone: str) -> None:
    view = context.view_of(redone)
    assert view.state == "done" and view.steps[2].num_takes == 3
    conditioning = view.steps[2].conditioning
    assert conditioning is not None
    assert "frying pan" not in [slot.object_name for slot in conditioning.slots]
    reasons = {r.object_name: r.reason for r in conditioning.retrievals}
    assert reasons["frying pan"] == "Left out by you."
    old, *new = list_takes(context, redone, 2)
    assert not old.current and old.score is None and all(take.reason for take in new)
    assert sum(take.current for take in new) == 1


def test_a_take_is_kept_and_removed(context: AppContext, redone: str) -> None:
    view = keep_take(context, redone, 2, 1)
    assert view.state == "done" and list_takes(context, redone, 2)[0].current
    path = context.existing_folder_of(redone)
    assert made_as(RunFolder(path, read_run(path)))[2][0] == view.steps[2].seed
    with pytest.raises(RunError, match="in the video"):
        remove_take(context, redone, 2, 1)
    assert remove_take(context, redone, 2, 3).steps[2].num_takes == 2
    lock(context, redone, 2, keep=True)
    for change in (keep_take, remove_take):
        with pytest.raises(RunError, match="locked"):
            change(context, redone, 2, 2)
    lock(context, redone, 2, keep=False)


@pytest.mark.parametrize(
    ("step", "take"), [(2, 99), (2, 0), (9, 1), (0, 1), ("x", 1), (2, "x"), (2, True), (2, -1)]
)
def test_a_wrong_take_is_refused(
    context: AppContext, redone: str, step: object, take: object
) -> None:
    for change in (keep_take, remove_take):
        with pytest.raises(ProcvidError):
            change(context, redone, step, take)


@pytest.mark.parametrize("run_id", ["", "../..", "0" * 16, None])
def test_takes_of_no_run_are_refused(context: AppContext, run_id: Any) -> None:
    for change in (keep_take, remove_take):
        with pytest.raises(RunError):
            change(context, run_id, 1, 1)
    with pytest.raises(RunError):
        list_takes(context, run_id, 1)


def test_a_bad_redo_is_refused_before_it_is_queued(context: AppContext, redone: str) -> None:
    for takes in (0, 9, "x", True):
        with pytest.raises(InputError):
            redo(context, redone, 2, StepChanges(), HOME, takes=takes)
    with pytest.raises(InputError, match="shows no 'wok'") as caught:
        redo(context, redone, 2, read_changes(left_out=["wok"]), HOME)
    assert "frying pan" in caught.value.hint
    for names in ("pan", [1], {"a": 1}, ["x" * 81]):
        with pytest.raises(InputError):
            read_changes(left_out=names)


def test_the_panel_redoes_a_step_as_it_shows_it(
    context: AppContext, draft: Draft, redone: str
) -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    changes = read_changes(prompt="Mine.", uploads=[image], shows=["carrot"], left_out=["knife"])
    redo(context, redone, 1, changes, HOME)
    seed = finished(context, redone).steps[1].seed
    shown = panel(context, context.view_of(redone), Opened(1))
    assert 'value="knife" checked' in shown and ">Mine.</textarea>" in shown
    again = Press("redo", {"step": "1", "prompt": "Mine.", "left_out": '["knife"]'})
    do(context, redone, CLOSED, again, HOME)
    step = finished(context, redone).steps[1]
    assert step.seed != seed and step.conditioning is not None
    assert step.conditioning.prompt == "Mine."
    uploads = [s.object_name for s in step.conditioning.slots if s.origin == "upload"]
    assert uploads == ["carrot"]
    without = Press("redo", {"step": "1", "prompt": "", "left_out": '["carrot"]'})
    do(context, redone, CLOSED, without, HOME)
    then = finished(context, redone).steps[1].conditioning
    assert then is not None and then.prompt != "Mine."
    assert "carrot" not in [slot.object_name for slot in then.slots]


def test_runs_and_an_own_clip_are_compared_in_words(
    context: AppContext, redone: str, client: Client, tmp_path: Path
) -> None:
    (again, _) = client.predict(redone, other=redone, api_name="/diff")["steps"]
    assert again["differences"] == [] and again["notes"] == ["Both clips are the same."]
    # One denoising step of a cut model makes no picture of the toy kitchen.
    takes = {take.current: take.number for take in list_takes(context, redone, 2)}
    other, current = takes[False], takes[True]
    with pytest.raises(AppError, match="something other than the toy kitchen"):
        client.predict(redone, step=2, take=other, other_take=current, api_name="/diff")
    shown = panel(context, context.view_of(redone), Opened(2, other=other))
    assert "something other than the toy kitchen" in shown
    scene = Scene("slice", FoodItem("carrot"), "cutting board", 1)
    own = render(scene, random_kitchen(np.random.default_rng(0)))
    write_clip(tmp_path / "own.mp4", own.frames, 8, scale=4)
    sent = handle_file(str(tmp_path / "own.mp4"))
    found = client.predict(redone, sent, api_name="/coach")
    assert found["step"] == "1" and found["remarks"] == [] and len(found["guesses"]) == 2


def test_words_of_a_difference_are_escaped() -> None:
    each = Difference("tools", "<b> instead of a pan", 2, b_s=1.0)
    shown = take_words(ClipDifferences((each,), notes=("<i>",)))
    assert "&lt;b&gt; instead of a pan" in shown and "<i>" not in shown and "1.0" in shown


def test_takes_are_for_training_only_with_the_word_of_their_maker(
    context: AppContext, client: Client, redone: str
) -> None:
    run = context.existing_folder_of(redone)
    view = context.view_of(redone)
    assert "May the clips, pictures and prompts" in panel(
        context, view, Opened(2)
    ) and not may_train(run)
    do(context, redone, Opened(2), Press("share", {"step": "2", "allowed": "true"}), HOME)
    assert may_train(run) and "Withdraw" in panel(context, view, Opened(2))
    answer = client.predict(redone, False, api_name="/share_takes")
    assert answer == {"run_id": redone, "allowed": False} and not may_train(run)
    with pytest.raises(InputError, match="not true or false"):
        let_train(context, redone, "false")
    do(context, redone, Opened(2), Press("settle", {"step": "2"}), HOME)
    current = next(take for take in list_takes(context, redone, 2) if take.current)
    chosen, others = chosen_over(RunFolder(run, read_run(run)), 2)
    assert chosen == current.sha256 and others


def test_the_endpoint_lists_and_keeps_takes(
    context: AppContext, client: Client, redone: str
) -> None:
    answer = client.predict(redone, 2, api_name="/takes")
    numbers = [take["number"] for take in answer["takes"]]
    assert numbers[:2] == [1, 2]
    chosen = client.predict(redone, 2, keep=2, api_name="/takes")
    assert [take["number"] for take in chosen["takes"] if take["current"]] == [2]
    assert Path(chosen["takes"][1]["clip"]).is_file() and chosen["stale"] == []
    gone = client.predict(redone, 2, delete=1, api_name="/takes")
    assert [take["number"] for take in gone["takes"]] == numbers[1:]
    take = list_takes(context, redone, 2)[0]
    assert str(context.runs_folder) not in str({**take_json(take), "clip": 0, "references": 0})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "No other run and no step is given"),
        ({"other": "0" * 16}, "no run"),
        ({"step": 2, "take": 98, "other_take": 99}, "no take 98"),
        ({"other": "x", "step": 1}, "Both a run and a step are given"),
    ],
)
def test_a_comparison_of_nothing_is_refused(
    redone: str, client: Client, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(redone, **given, api_name="/diff")
