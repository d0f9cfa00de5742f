"""The events of the Create page, called as the page calls them; answers are keyed by component."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder

from procvid.errors import OutputError, RecipeError
from procvid.media.image import save_png
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.examples import example_recipes
from procvid.settings import PHANTOM_1_3B, PHANTOM_14B
from procvid.types import StepChanges
from procvid.ui.pages.create import run_markup, run_options
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.estimate import estimate, rounded
from procvid.ui.server.library import twin_of
from procvid.ui.server.queue import Draft, Job, RunOptions
from procvid.ui.server.stream import RunView
from procvid.ui.server.twins import LOST, AskedRuns, asked_runs
from procvid.ui.server.uploads import read_recipe_file
from tests.ui.running import Events, create_page, events_of, finished


@pytest.fixture(scope="module")
def created(context: AppContext) -> tuple[CreatePage, Events, gr.BrowserState]:
    return create_page(context)


@pytest.fixture(scope="module")
def page(created: tuple[CreatePage, Events, gr.BrowserState]) -> CreatePage:
    return created[0]


@pytest.fixture(scope="module")
def on(created: tuple[CreatePage, Events, gr.BrowserState]) -> Events:
    return created[1]


@pytest.fixture(scope="module")
def planned(on: Events, recipe: str) -> dict[Any, Any]:
    return dict(on["plan_recipe"](recipe))


@pytest.fixture(scope="module")
def draft(page: CreatePage, planned: dict[Any, Any]) -> Draft:
    draft: Draft = planned[page.state.draft]
    return draft


@pytest.fixture(scope="module")
def rows(page: CreatePage, planned: dict[Any, Any]) -> list[list[Any]]:
    return list(planned[page.plan.table])


EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_recipe_opens_the_plan(
    page: CreatePage, planned: dict[Any, Any], draft: Draft, rows: list[list[Any]]
) -> None:
    assert [step.number for step in draft.plan.steps] == [1, 2]
    shown = planned[page.plan.shown]
    assert "whole → sliced" in shown and "Carrot omelette" in shown
    assert len(rows) == sum(len(step.objects) for step in draft.plan.steps)
    assert [number for _, number in planned[page.plan.which].choices] == [1, 2]
    assert planned[page.state.walk].selected == 2


def test_what_cannot_be_drawn_is_said_before_anything_is_made_and_after_an_edit(
    page: CreatePage, on: Events
) -> None:
    planned = on["plan_recipe"](
        "Soup\n\n1. Boil the pasta in the pot.\n2. Serve the pasta on the plate."
    )
    assert "cannot draw pasta" in planned[page.plan.notes]
    rows = planned[page.plan.table]
    edited = [["carrot" if cell == "pasta" else cell for cell in row] for row in rows]
    answer = on["edit_plan"](planned[page.state.draft], edited)
    assert "cannot draw" not in answer[page.plan.notes]


TWO_ACTIONS = "Leeks\n\n1. Slice the leek, then fry it in the frying pan.\n2. Serve it."


def test_a_step_becomes_a_clip_per_action_or_one(page: CreatePage, on: Events) -> None:
    planned = on["plan_recipe"](TWO_ACTIONS)
    labels = [label for label, _ in planned[page.plan.which].choices]
    assert labels[1] == "Step 1b: Fry it in the frying pan."
    assert page.recipe.shots.label == "Shots"
    assert [value for _, value in page.recipe.shots.choices] == ["auto", "one"]
    one = on["plan_recipe"](TWO_ACTIONS, "", None, "one")
    assert len(one[page.state.draft].plan.steps) == 2
    draft = planned[page.state.draft]
    assert draft.recipe.whole_steps == one[page.state.draft].recipe.steps
    with pytest.raises(gr.Error, match="Shots is 'three'"):
        on["plan_recipe"](TWO_ACTIONS, "", None, "three")


def test_an_edited_table_changes_plan_and_list(
    page: CreatePage, on: Events, draft: Draft, rows: list[list[Any]]
) -> None:
    edited_rows = [["diced" if cell == "sliced" else cell for cell in row] for row in rows]
    answer = on["edit_plan"](draft, edited_rows)
    assert "whole → diced" in answer[page.plan.shown]
    assert answer[page.state.draft].recipe == draft.recipe
    refused = on["edit_plan"](draft, [["x"] * 6])
    assert list(refused) == [page.plan.notes] and "Row 1" in refused[page.plan.notes]
    with pytest.raises(gr.Error, match="Row"):
        on["find_references"](draft, [["x"] * 6], {}, "default", 0)


def test_the_prompt_can_be_edited(
    page: CreatePage, on: Events, draft: Draft, rows: list[list[Any]]
) -> None:
    assert on["choose_step"](draft, 2) == draft.plan.steps[1].prompt
    answer = on["edit_prompt"](draft, 2, "A pan\nfrom above.")
    edited = answer[page.state.draft]
    assert edited.plan.steps[1].prompt == "A pan from above."
    assert "A pan from above." in answer[page.plan.shown]
    with pytest.raises(gr.Error, match="characters"):
        on["edit_prompt"](draft, 2, " ")
    # A fast visitor continues before the event of the prompt field arrives.
    found = on["find_references"](draft, rows, {}, "none", 0, "", 2, "A pan from above.")
    assert found[page.state.draft] == edited


def test_references_are_shown_with_reasons_for_those_missing(
    page: CreatePage, on: Events, draft: Draft, rows: list[list[Any]]
) -> None:
    answer = on["find_references"](draft, rows, {}, "default", 0)
    assert 'alt="Reference 1:' in answer[page.references.shown]
    assert ("Step 1: carrot", "1 carrot") in answer[page.references.which].choices
    assert answer[page.state.walk].selected == 3
    bare = on["find_references"](draft, rows, {}, "none", 0)
    assert "<img" not in bare[page.references.shown]


def test_a_reference_can_be_swapped_pinned_hidden_and_uploaded(
    page: CreatePage, on: Events, draft: Draft
) -> None:
    changes, tiles = page.state.changes, page.references.shown
    values = (draft, {}, "1 cutting board", "default", 0)
    offered = on["list_alternatives"](None, *values)
    ids = offered[page.references.choice_ids]
    assert len(offered[page.references.choices].value) == len(ids) > 1
    pressed = SimpleNamespace(index=len(ids) - 1)
    swapped = on["swap_reference"](None, pressed, ids, *values)
    assert swapped[changes][1].chosen == {"cutting board": ids[-1]}
    assert "chosen by you" in swapped[tiles] and "score 1.00" not in swapped[tiles]
    pinned = on["pin_reference"](None, draft, swapped[changes], *values[2:])
    assert pinned[changes][1].chosen == swapped[changes][1].chosen
    hidden = on["hide_reference"](None, draft, swapped[changes], *values[2:])
    assert (hidden[changes][1].chosen, hidden[changes][1].banned) == ({}, (ids[-1],))
    assert hidden[tiles] != swapped[tiles]
    reset = on["reset_reference"](None, draft, hidden[changes], *values[2:])
    assert reset[changes][1].banned == ()
    picture = Path(get_upload_folder()) / "board.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    save_png(picture, np.full((40, 50, 3), 200, np.uint8))
    given = on["upload_reference"](None, str(picture), *values)
    assert given[changes][1].shows == ("cutting board",)
    assert "yours: upload" in given[tiles]
    for which in (None, "9 pan", "1 nothing"):
        with pytest.raises(gr.Error, match="No object is chosen"):
            on["pin_reference"](None, draft, {}, which, "default", 0)


@pytest.mark.parametrize("event", ["find_references", "make"])
def test_without_a_plan_the_page_says_what_to_do(on: Events, event: str) -> None:
    arguments = {
        "find_references": (None, [], {}, "default", 0),
        "make": (None, {}, "default", 0, 0, False),
    }
    with pytest.raises(gr.Error, match="Paste a recipe"):
        on[event](*arguments[event])


@pytest.fixture(scope="module")
def made(page: CreatePage, on: Events, draft: Draft, context: AppContext) -> str:
    """A run that was started by the page, with one reference changed, and is done."""
    values = (draft, {}, "1 cutting board", "default", 0)
    crop = on["list_alternatives"](None, *values)[page.references.choice_ids][-1]
    changed = {1: StepChanges(chosen={"cutting board": crop})}
    answer = on["make"](draft, changed, "default", 0, 2, False)
    run_id = answer[page.state.run_id]
    assert answer[page.state.walk].selected == 4
    assert answer[page.state.last_run] == run_id
    assert "Waiting" in answer[page.video.status]
    view = finished(context, run_id)
    assert view.state == "done"
    slots = view.steps[1].conditioning.slots  # type: ignore[union-attr]
    assert crop in [slot.crop_id for slot in slots]
    return str(run_id)


def test_the_page_follows_its_run_until_it_ends(page: CreatePage, on: Events, made: str) -> None:
    answer = on["poll"](made, None)
    video = page.video
    assert "2 of 2 clips done" in answer[video.status]
    assert answer[video.board].count("<video") == 2 and "seed" in answer[video.board]
    shown = [answer[button].visible for button in (video.stop, video.resume, video.review)]
    assert shown == [False, False, True]
    assert not answer[page.state.timer].active
    # Nothing has changed, so the players continue.
    again = on["poll"](made, answer[page.state.seen])
    assert set(again) == {video.status, page.state.timer}


def test_stop_then_come_back_then_resume(
    page: CreatePage, on: Events, draft: Draft, context: AppContext
) -> None:
    run_id = on["make"](draft, {}, "none", 3, 60, False)[page.state.run_id]
    previews = []
    for view, _ in context.worker.feed(run_id).follow():  # type: ignore[union-attr]
        if view.preview is not None:
            previews.append(run_markup.status(view))
        if len(view.clips) == 1:
            on["stop"](run_id)
    assert previews and "Preview of step 1" in previews[0]
    answer = on["arrive"]("", at_address(run_id))
    assert (answer[page.state.draft], answer[page.state.run_id]) == (draft, run_id)
    assert answer[page.state.walk].selected == 4
    assert cut_into_shots(parse_recipe(answer[page.recipe.recipe])) == draft.recipe
    assert "Stopped: 1 of 2" in answer[page.video.status]
    assert answer[page.video.resume].visible and answer[page.video.review].visible
    assert not answer[page.state.timer].active
    assert answer[page.video.board].count("<video") == 1
    assert on["resume"](run_id)[page.state.timer].active
    assert finished(context, run_id).state == "done"


def test_an_address_that_names_a_run_opens_it(page: CreatePage, on: Events, made: str) -> None:
    answer = on["arrive"]("", at_address(made))
    assert (answer[page.state.run_id], answer[page.state.walk].selected) == (made, 5)
    options = [answer[field] for field in (page.recipe.seed, page.recipe.steps, page.recipe.fast)]
    assert options == [0, 2, False] and answer[page.recipe.memory].value == "default"
    assert answer[page.plan.table] and "<track" in answer[page.review.video]
    with pytest.warns(UserWarning, match="There is no video at this address"):
        assert on["arrive"]("", at_address("../../etc")) == {page.state.run_id: ""}


def at_address(run_id: str) -> SimpleNamespace:
    """Return the request of a page whose address names a run."""
    return SimpleNamespace(query_params={"run": run_id}, headers={}, client=None)


@pytest.mark.parametrize("run_id", ["", "0" * 16, "../..", None])
def test_a_run_that_is_gone_is_not_followed(
    page: CreatePage, on: Events, run_id: str | None
) -> None:
    assert not on["poll"](run_id, None)[page.state.timer].active


def test_a_step_is_redone_and_another_one_locked(
    page: CreatePage, on: Events, made: str, context: AppContext
) -> None:
    review = page.review
    opened = on["open_review"](made)
    assert (opened[page.state.walk].selected, opened[review.download].visible) == (5, True)
    assert "<track" in opened[review.video]
    assert [number for _, number in opened[review.which].choices] == [1, 2]
    # Fields filled for another run are cleared.
    assert [opened[f] for f in (review.pictures, review.seed, review.prompt)] == [None, "", ""]
    assert opened[review.which].value is None
    for event, values in (("redo_step", ("", "", [], None)), ("toggle_lock", ())):
        with pytest.raises(gr.Error, match="No step is chosen"):
            on[event](made, None, *values)
    fields = on["choose_to_redo"](made, 2)
    prompt = fields[review.prompt]
    assert "frying pan" in dict(fields[review.shows].choices)
    with pytest.raises(gr.Error, match="1 names for 0 images"):
        on["redo_step"](made, 1, "7", prompt, [], None, ["plate"])
    assert prompt and fields[review.lock].value == "Lock step"
    locked = on["toggle_lock"](made, 2)
    assert locked[review.lock].value == "Unlock step" and "locked" in locked[review.board]
    with pytest.raises(gr.Error, match="locked"):
        on["redo_step"](made, 2, "7", prompt, [], None)

    offered = on["choose_to_redo"](made, 1)[review.replaced].choices
    # Both steps show the counter, so another counter in step 1 makes step 2 stale.
    shown = next(crop for label, crop in offered if "counter" in label)
    answer = on["redo_step"](made, 1, "7", prompt + " Wide.", [shown], None)
    assert answer[page.state.walk].selected == 4 and answer[page.state.timer].active
    view = finished(context, made)
    assert view.steps[1].seed == 7
    conditioning = view.steps[1].conditioning
    assert conditioning is not None and conditioning.prompt.endswith("Wide.")
    assert shown not in [slot.crop_id for slot in conditioning.slots]
    # A locked step stays as it is, so nothing has to be redone.
    assert view.steps[2].stale and view.steps[2].locked
    assert view.state == "done"
    on["toggle_lock"](made, 2)
    assert context.view_of(made).state == "stale"
    assert on["poll"](made, None)[page.video.resume].value == "Redo stale steps"
    on["redo_stale"](made)
    view = finished(context, made)
    assert (view.state, view.stale) == ("done", [])


def test_everything_comes_in_one_zip_with_a_manifest(on: Events, made: str) -> None:
    button = on["pack_all"](made)
    with zipfile.ZipFile(button.value["path"]) as packed:
        names = set(packed.namelist())
        manifest = json.loads(packed.read("manifest.json"))
        clip = packed.read("steps/01/clip.mp4")
    assert {"video.mp4", "captions.vtt", "plan.json", "run.json"} < names
    assert {"takes/01/1/clip.mp4", "takes/01/2/conditioning.json"} < names
    assert not [name for name in names if "crops" in name]
    assert set(manifest["files"]) == names - {"manifest.json"}
    entry = manifest["files"]["steps/01/clip.mp4"]
    assert entry == {"bytes": len(clip), "sha256": hashlib.sha256(clip).hexdigest()}


def test_the_same_is_made_once_without_memory_to_compare(
    created: tuple[CreatePage, Events, gr.BrowserState],
    app: gr.Blocks,
    made: str,
    context: AppContext,
) -> None:
    page, on, compared = created
    answer = on["compare"](made)
    pair = answer[page.compare.pair]
    assert answer[compared] == list(pair) and pair[0] == made
    assert on["compare"](made)[page.compare.pair] == pair, "a second press makes no second twin"
    assert answer[page.compare.timer].active and "without memory" in answer[page.compare.note]
    view = finished(context, pair[1])
    assert view.state == "done"
    assert not any(step.conditioning.slots for step in view.steps.values() if step.conditioning)
    # This includes the step that was redone with its own seed.
    assert [step.seed for step in view.steps.values()] == [
        step.seed for step in context.view_of(made).steps.values()
    ]
    one, two = (context.job_of(run).options for run in pair)
    assert (one.memory, two.memory, one.seed, one.steps) == ("default", "none", two.seed, two.steps)
    back = on["compare"](pair[1])
    assert back[page.compare.pair] == (pair[1], made), "the twin of the twin is the run"
    assert '"Edge between without memory and with memory"' in back[page.compare.both]
    chosen = events_of(app)["choose_both"](list(pair), 0, [], 8)
    assert list(pair) in chosen.values()
    skipped = events_of(app)["choose_both"]([made, "x"], 0, [], 8)
    assert list(skipped.values()) == [gr.skip()]


def test_an_address_names_both_runs(
    page: CreatePage, on: Events, made: str, context: AppContext
) -> None:
    twin, gone = twin_of(context, made), "0" * 16
    request: Any = SimpleNamespace(query_params={"run": made, "with": twin})
    opened = on["follow_run"](made, ("", ""), request)
    assert opened[page.compare.pair] == (made, twin)
    assert opened[page.compare.start].value == "Compare without memory"
    assert on["follow_run"](twin, (made, twin), None)[page.compare.pair] == ("", "")
    for one, other in ((made, gone), (gone, made), (made, "../x")):
        asked = asked_runs(context, {"run": one, "with": other})
        assert (asked.run_id, asked.twin, asked.lost) == (made, "", LOST)
    assert asked_runs(context, {"run": gone, "with": "x"}) == AskedRuns(gone)


@pytest.mark.slow
def test_the_jumps_are_measured_in_the_background_and_stored(
    page: CreatePage, on: Events, made: str, context: AppContext
) -> None:
    pair = made, twin_of(context, made)
    while (shown := on["poll_twin"](pair, None))[page.compare.timer].active:
        time.sleep(0.05)
    assert "jumps between clips" in shown[page.compare.note]
    assert len(list(context.runs_folder.glob("evaluations/pairs/*.json"))) == 1
    assert page.compare.both not in on["poll_twin"](pair, shown[page.compare.seen])


@pytest.mark.parametrize("seed", ["-1", "soup", "²", str(2**64)])
def test_a_bad_seed_for_a_step_is_refused(on: Events, made: str, seed: str) -> None:
    with pytest.raises(gr.Error, match="seed"):
        on["redo_step"](made, 1, seed, "", [], None)


def test_a_video_restores_its_settings(
    page: CreatePage, on: Events, made: str, context: AppContext
) -> None:
    folder = context.existing_folder_of(made)
    answer, step = on["restore"](str(folder / "video.mp4")), page.recipe
    assert parse_recipe(answer[step.recipe]).steps == context.job_of(made).draft.recipe.steps
    assert [answer[c] for c in (step.seed, step.steps, step.fast)] == [0, 2, False]
    assert (answer[step.memory], answer[step.shots]) == ("default", "auto")
    with pytest.raises(gr.Error, match="has no record"):
        on["restore"](str(folder / "steps/01/clip.mp4"))


def test_a_run_that_fails_says_why_and_can_be_resumed(
    page: CreatePage, on: Events, draft: Draft, context: AppContext
) -> None:
    run_id = new_run_id()
    draft = one_step(draft)
    context.folder_of(run_id).write_text("a file in the way")
    feed = context.worker.submit(Job(run_id, draft, RunOptions(steps=2)))
    with pytest.raises(OutputError):
        list(feed.follow())
    answer = on["poll"](run_id, None)
    assert "failed" in answer[page.video.status] and "is a file" in answer[page.video.status]
    assert not answer[page.video.stop].visible and answer[page.video.resume].visible
    context.folder_of(run_id).unlink()
    on["resume"](run_id)
    assert finished(context, run_id).state == "done"
    assert context.worker.tickets.read(run_id) is None


def one_step(draft: Draft) -> Draft:
    """The first step alone, where one clip is enough."""
    return Draft(
        replace(draft.recipe, steps=draft.recipe.steps[:1]),
        replace(draft.plan, steps=draft.plan.steps[:1]),
    )


@pytest.mark.parametrize(
    ("content", "reason"), [(b"Slice the jalape\xf1o.", "UTF-8"), (b"x" * 4_000_001, "bytes")]
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "r.txt").write_bytes(content)
    with pytest.raises(RecipeError, match=reason):
        read_recipe_file(str(tmp_path / "r.txt"))


def test_every_example_fills_the_recipe(app: gr.Blocks) -> None:
    choose = next(f.fn for f in app.fns.values() if f.name == "choose")
    names = [file.stem for file in example_recipes(EXAMPLES)]
    for name in names:
        event = gr.EventData(None, {"act": "example", "name": name})
        text, shown, cards = choose(event).values()
        assert text and "Made earlier" in shown
        assert cards.count('aria-pressed="true"') == 1
    assert len(names) == 10
    with pytest.raises(gr.Error, match="no such example"):
        choose(gr.EventData(None, {"act": "example", "name": "../secret"}))


def test_the_estimate_follows_the_text(context: AppContext) -> None:
    assert estimate(context, " ", "auto", RunOptions()) == ""
    clips = estimate(context, "Egg\n1. Fry the egg.\n2. Serve it.", "auto", RunOptions())
    assert clips.startswith("2 clips")
    assert "This is a link" in estimate(context, "https://a.example/b", "auto", RunOptions())
    refused = estimate(context, "Egg\n1. Fry the egg.", "auto", RunOptions(width=64, height=64))
    assert "cannot make clips of 64x64" in refused
    for profile in (PHANTOM_1_3B, PHANTOM_14B):
        for width, height in run_options.size_choices(profile):
            for count in run_options.frame_choices(profile):
                RunOptions(width=width, height=height, num_frames=count).sampling(profile)
    assert [rounded(s) for s in (0.2, 8.4, 26, 200)] == ["1 s", "8 s", "25 s", "3 min"]


def test_a_view_counts_what_is_done(tmp_path: Path) -> None:
    view = RunView("0" * 16, tmp_path)
    assert (view.fraction, view.sentence) == (0.0, "Waiting to start…")
