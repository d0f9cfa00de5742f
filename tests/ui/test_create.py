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
import pytest

from procvid.errors import OutputError, RecipeError
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.examples import example_recipes
from procvid.settings import PHANTOM_1_3B, PHANTOM_14B
from procvid.types import StepChanges
from procvid.ui.pages.create import run_markup, run_options
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.pages.create.references_step import ReferenceLook
from procvid.ui.pages.create.takes_panel import Opened
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.estimate import estimate, rounded
from procvid.ui.server.library import twin_of
from procvid.ui.server.queue import Draft, Job, RunOptions
from procvid.ui.server.stream import RunView
from procvid.ui.server.twins import LOST, AskedRuns, asked_runs
from procvid.ui.server.uploads import read_recipe_file
from tests.ui.running import Events, events_of, finished, pressed


@pytest.mark.parametrize("event", ["find_references", "make"])
def test_without_a_plan_the_page_says_what_to_do(on: Events, event: str) -> None:
    arguments = {
        "find_references": (None, {}, ReferenceLook(), "default", 0),
        "make": (None, {}, "default", 0, 0, False),
    }
    with pytest.raises(gr.Error, match="Paste a recipe"):
        on[event](*arguments[event])


@pytest.fixture(scope="module")
def made(page: CreatePage, on: Events, draft: Draft, context: AppContext) -> str:
    """A run that was started by the page, with one reference changed, and is done."""
    event = pressed("open", step=1, name="cutting board")
    opened = on["press_reference"](draft, {}, ReferenceLook(), "default", 0, "", event)
    crop = opened[page.references.look].ids[-1]
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
    answer = on["poll"](made, None, (), Opened())
    video = page.video
    assert "Done. The video is" in answer[video.status]
    assert answer[video.board].count("<video") == 2
    shown = [answer[button].visible for button in (video.stop, video.resume, video.review)]
    assert shown == [False, False, True]
    assert not answer[page.state.timer].active
    # The visitor did not watch this run, so the page stays where it is.
    assert page.state.walk not in answer
    # Nothing has changed, so nothing is sent again.
    again = on["poll"](made, answer[page.state.seen], answer[page.review.shown], Opened())
    assert set(again) == {page.state.timer, page.state.seen, page.review.shown}


def test_the_whole_video_is_opened_when_a_watched_run_ends(
    page: CreatePage, on: Events, made: str
) -> None:
    seen = ("running", "", "", "")
    watched = on["poll"](made, seen, (), Opened(), True)
    assert watched[page.state.walk].selected == 5
    assert "pv-film" in watched[page.review.video] and "<track" in watched[page.review.video]
    assert watched[page.review.video].count("data-seek") == 2
    elsewhere = on["poll"](made, seen, (), Opened(), False)
    assert page.state.walk not in elsewhere


def test_stop_then_come_back_then_resume(
    page: CreatePage, on: Events, draft: Draft, context: AppContext
) -> None:
    run_id = on["make"](draft, {}, "none", 3, 60, False)[page.state.run_id]
    previews = []
    for view, _ in context.worker.feed(run_id).follow():  # type: ignore[union-attr]
        if view.preview is not None:
            previews.append(run_markup.storyboard(view))
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


def test_a_video_brings_its_edited_plan_back(
    page: CreatePage, on: Events, made: str, draft: Draft, context: AppContext, tmp_path: Path
) -> None:
    video = context.existing_folder_of(made) / "video.mp4"
    answer = on["open_plan"](str(video))
    assert answer[page.state.draft] == draft and answer[page.state.walk].selected == 2
    assert "with its edits" in answer[page.plan.notes]
    for other in (tmp_path / "recipe.txt", video.parent / "steps/01/clip.mp4", tmp_path / "no.mp4"):
        assert list(on["open_plan"](str(other))) == [page.plan.notes]


def test_an_old_fast_run_opens_without_a_speed_that_is_no_longer_there(
    page: CreatePage, on: Events, made: str, context: AppContext
) -> None:
    file = context.existing_folder_of(made) / "run.json"
    before = file.read_text("utf-8")
    record = json.loads(before)
    record["request"]["sampling"]["shortcuts"] = {"batched": True}
    file.write_text(json.dumps(record), "utf-8")
    try:
        assert context.job_of(made).options.fast
        assert on["arrive"]("", at_address(made))[page.recipe.fast] is False
    finally:
        file.write_text(before, "utf-8")


def test_an_address_that_names_a_run_opens_it(page: CreatePage, on: Events, made: str) -> None:
    answer = on["arrive"]("", at_address(made))
    assert (answer[page.state.run_id], answer[page.state.walk].selected) == (made, 5)
    options = [answer[field] for field in (page.recipe.seed, page.recipe.steps, page.recipe.fast)]
    assert options == [0, 2, False] and answer[page.recipe.memory].value == "default"
    assert answer[page.plan.shown] and "<track" in answer[page.review.video]
    # What was changed of its references is there too.
    assert list(answer[page.state.changes][1].chosen) == ["cutting board"]
    with pytest.warns(UserWarning, match="There is no video at this address"):
        assert on["arrive"]("", at_address("../../etc")) == {page.state.run_id: ""}


def at_address(run_id: str) -> SimpleNamespace:
    """Return the request of a page whose address names a run."""
    return SimpleNamespace(query_params={"run": run_id}, headers={}, client=None)


@pytest.mark.parametrize("run_id", ["", "0" * 16, "../..", None])
def test_a_run_that_is_gone_is_not_followed(
    page: CreatePage, on: Events, run_id: str | None
) -> None:
    assert not on["poll"](run_id, None, (), Opened())[page.state.timer].active


def press(on: Events, run_id: str, opened: Opened, act: str, **data: object) -> dict[Any, Any]:
    """Press a button of the Review step."""
    sent = {"act": act, **{name: str(value) for name, value in data.items()}}
    return dict(on["press"](SimpleNamespace(_data=sent), run_id, (), opened))


def test_the_review_shows_the_current_run_whoever_chose_it(
    page: CreatePage, on: Events, made: str
) -> None:
    review = page.review
    opened = on["open_review"](made, (), Opened())
    assert opened[page.state.walk].selected == 5
    assert on["change_run"](made)[review.board] == opened[review.board]
    assert "Make a video first" in on["change_run"]("")[review.status]
    gone = on["change_run"]("0" * 16)
    assert "was deleted" in gone[review.status] and not gone[review.film.panel].visible
    assert "0" * 16 not in gone[review.status]


def test_a_step_is_redone_and_its_takes_are_chosen(
    page: CreatePage, on: Events, made: str, context: AppContext
) -> None:
    review = page.review
    for act, step in (("open", ""), ("lock", "None"), ("sing", "1")):
        with pytest.raises(gr.Error, match="out of date"):
            press(on, made, Opened(), act, step=step)
    opened = press(on, made, Opened(), "open", step=1)
    assert opened[review.opened] == Opened(1)
    assert "Redo step 1" in opened[review.board] and 'name="left_out"' in opened[review.board]
    locked = press(on, made, Opened(), "lock", step=2)
    assert "Locked" in locked[review.board] and "Unlock step 2" in locked[review.board]
    with pytest.raises(gr.Error, match="locked"):
        press(on, made, Opened(2), "redo", step=2, prompt="")

    slots = context.view_of(made).steps[1].conditioning.slots  # type: ignore[union-attr]
    counter = next(slot.object_name for slot in slots if "counter" in slot.object_name)
    prompt = context.view_of(made).steps[1].conditioning.prompt + " Wide."  # type: ignore[union-attr]
    started = press(
        on, made, Opened(1), "redo",
        step=1, seed=7, prompt=prompt, left_out=json.dumps([counter]), files="[]", takes=1,
    )  # fmt: skip
    assert started[page.state.timer].active and started[review.opened].why == "redone"
    view = finished(context, made)
    step = view.steps[1]
    assert (step.seed, step.num_takes) == (7, 2)
    assert step.conditioning is not None and step.conditioning.prompt.endswith("Wide.")
    assert counter not in [slot.object_name for slot in step.conditioning.slots]

    both = on["refresh"](made, (), started[review.opened])[review.board]
    assert "Keep old" in both and "Keep new" in both
    kept = press(on, made, started[review.opened], "keep", step=1, take=1)
    assert "Take 1 is in the video now" in kept[review.board]
    assert context.view_of(made).steps[1].seed != 7
    undone = press(on, made, kept[review.opened], "keep", step=1, take=2)
    assert context.view_of(made).steps[1].seed == 7
    looked = press(on, made, undone[review.opened], "look", step=1, take=1)
    assert "Use this take" in looked[review.board]
    deleted = press(on, made, looked[review.opened], "delete", step=1, take=1)
    assert "Take 1" not in deleted[review.board] and context.view_of(made).steps[1].num_takes == 1

    press(on, made, Opened(), "unlock", step=2)
    if context.view_of(made).state == "stale":
        assert "Redo step 2" in on["refresh"](made, (), Opened())[review.status]
        press(on, made, Opened(), "resume")
    view = finished(context, made)
    assert (view.state, view.stale) == ("done", [])


def test_downloads_are_named_after_the_title(on: Events, made: str, context: AppContext) -> None:
    video = on["prepare"](SimpleNamespace(_data={"act": "video"}), made)
    assert video["name"] == "carrot-omelette.mp4"
    parcel = on["prepare"](SimpleNamespace(_data={"act": "zip"}), made)
    assert parcel["name"] == "carrot-omelette.zip"
    with zipfile.ZipFile(context.runs_folder / "packed" / made / parcel["name"]) as packed:
        names = set(packed.namelist())
        manifest = json.loads(packed.read("manifest.json"))
        clip = packed.read("steps/01/clip.mp4")
    assert {"video.mp4", "captions.vtt", "plan.json", "run.json"} < names
    assert set(manifest["files"]) == names - {"manifest.json"}
    entry = manifest["files"]["steps/01/clip.mp4"]
    assert entry == {"bytes": len(clip), "sha256": hashlib.sha256(clip).hexdigest()}


def test_a_file_to_take_away_is_made_while_the_page_goes_on(
    page: CreatePage, on: Events, made: str
) -> None:
    film = page.review.film
    steps = list(on["make_file"](made, "gif", 1, "espeak", True, True, False))
    assert "Exporting" in steps[0][film.result] and not steps[0][film.make].interactive
    assert steps[-1][film.parcel]["name"] == "carrot-omelette-1.gif"
    assert steps[-1][film.make].interactive
    answers = on["make_file"](made, "html", 1, "no such voice", False, False, True)
    assert list(answers)[-1][film.parcel]["name"] == "carrot-omelette.html"
    refused = on["make_file"](made, "mp4", 1, "no such voice", False, False, True)
    assert "Exporting" in next(refused)[film.result]
    assert next(refused)[film.make].interactive
    with pytest.raises(gr.Error, match="voice"):
        next(refused)


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
        press(on, made, Opened(1), "redo", step=1, seed=seed)


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
    answer = on["poll"](run_id, None, (), Opened())
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


EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_fills_the_recipe(app: gr.Blocks) -> None:
    choose = next(f.fn for f in app.fns.values() if f.name == "choose")
    names = [file.stem for file in example_recipes(EXAMPLES)]
    for name in names:
        event = gr.EventData(None, {"act": "example", "name": name})
        text, shown, cards = choose(event).values()
        assert text and not text.startswith("{") and "Made earlier" in shown
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
