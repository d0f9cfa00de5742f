"""The events of the Create tab, called as the page calls them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder

from procvid.errors import OutputError
from procvid.media.image import save_png
from procvid.plan.parse import parse_recipe
from procvid.types import StepChanges
from procvid.ui.pages.create import run_markup
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.jobs import read_text
from procvid.ui.server.queue import Job, Wishes
from procvid.ui.server.stream import RunView
from tests.ui.running import finished


@pytest.fixture(scope="module")
def on(app: Any) -> dict[str, Callable[..., Any]]:
    return {f.name: f.fn for f in app.fns.values()}


@pytest.fixture(scope="module")
def planned(on: dict[str, Callable[..., Any]], recipe: str) -> tuple[Any, ...]:
    return tuple(on["plan_recipe"](recipe))


def test_a_recipe_opens_the_plan(planned: tuple[Any, ...]) -> None:
    draft, _, _, shown, rows, which, walk = planned
    assert [step.number for step in draft.plan.steps] == [1, 2, 3]
    assert "whole → sliced" in shown and "Carrot omelette" in shown
    assert len(rows) == sum(len(step.objects) for step in draft.plan.steps)
    assert [number for _, number in which.choices] == [1, 2, 3]
    assert walk.selected == 2


def test_what_cannot_be_drawn_is_said_before_anything_is_made_and_after_an_edit(
    on: dict[str, Callable[..., Any]],
) -> None:
    draft, _, told, _, rows, *_ = on["plan_recipe"](
        "Soup\n\n1. Boil the pasta in the pot.\n2. Serve the pasta on the plate."
    )
    assert "never taught pasta" in told
    edited = [["carrot" if cell == "pasta" else cell for cell in row] for row in rows]
    assert "never taught" not in on["edit_plan"](draft, edited)[1]


def test_an_edited_table_changes_plan_and_list(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    draft, rows = planned[0], planned[4]
    edited_rows = [["diced" if cell == "sliced" else cell for cell in row] for row in rows]
    edited, _, shown, _ = on["edit_plan"](draft, edited_rows)
    assert "whole → diced" in shown
    assert edited.recipe == draft.recipe
    kept, told, *_ = on["edit_plan"](draft, [["x"] * 6])
    assert kept == gr.skip() and "Row 1 is for step" in told
    with pytest.raises(gr.Error, match="Row"):
        on["find_references"](draft, [["x"] * 6], {}, "default", 0)


def test_the_words_for_the_model_can_be_edited(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    draft = planned[0]
    assert on["choose_step"](draft, 2) == draft.plan.steps[1].prompt
    edited, shown = on["edit_prompt"](draft, 2, "A pan\nfrom above.")
    assert edited.plan.steps[1].prompt == "A pan from above."
    assert "A pan from above." in shown
    with pytest.raises(gr.Error, match="characters"):
        on["edit_prompt"](draft, 2, " ")
    # Whoever goes on at once may be faster than the event of the words.
    found = on["find_references"](draft, planned[4], {}, "none", 0, "", 2, "A pan from above.")
    assert found[0] == edited


def test_references_are_shown_with_reasons_for_those_missing(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    draft, rows = planned[0], planned[4]
    *_, shown, which, _, walk = on["find_references"](draft, rows, {}, "default", 0)
    assert 'alt="Reference 1:' in shown
    assert ("Step 1: carrot", "1 carrot") in which.choices
    assert walk.selected == 3
    *_, shown, _, _, _ = on["find_references"](draft, rows, {}, "none", 0)
    assert "<img" not in shown


def test_a_reference_can_be_swapped_pinned_banned_and_given(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    draft = planned[0]
    asked = (draft, {}, "1 cutting board", "default", 0)
    gallery, ids = on["offer"](None, *asked)
    assert len(gallery.value) == len(ids) > 1
    pressed = SimpleNamespace(index=len(ids) - 1)
    changed, shown = on["swap_reference"](None, pressed, ids, *asked)
    assert changed[1].chosen == {"cutting board": ids[-1]}
    assert "chosen by you" in shown and "score 1.00" not in shown
    kept, _ = on["pin_reference"](None, draft, changed, *asked[2:])
    assert kept[1].chosen == changed[1].chosen
    banned, after = on["ban_reference"](None, draft, changed, *asked[2:])
    assert (banned[1].chosen, banned[1].banned) == ({}, (ids[-1],))
    assert after != shown
    assert on["reset_reference"](None, draft, banned, *asked[2:])[0][1].banned == ()
    picture = Path(get_upload_folder()) / "board.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    save_png(picture, np.full((40, 50, 3), 200, np.uint8))
    given, shown = on["give_reference"](None, str(picture), *asked)
    assert given[1].shows == ("cutting board",)
    assert "yours: upload" in shown
    for which in (None, "9 pan", "1 nothing"):
        with pytest.raises(gr.Error, match="No object is chosen"):
            on["pin_reference"](None, draft, {}, which, "default", 0)


@pytest.mark.parametrize("event", ["find_references", "make"])
def test_without_a_plan_the_page_says_what_to_do(
    on: dict[str, Callable[..., Any]], event: str
) -> None:
    arguments = {
        "find_references": (None, [], {}, "default", 0),
        "make": (None, {}, "default", 0, 0, False),
    }
    with pytest.raises(gr.Error, match="Paste a recipe"):
        on[event](*arguments[event])


@pytest.fixture(scope="module")
def made(on: dict[str, Callable[..., Any]], planned: tuple[Any, ...], context: AppContext) -> str:
    """A run that was begun by the page, with one reference changed, and is done."""
    crop = on["offer"](None, planned[0], {}, "1 cutting board", "default", 0)[1][-1]
    changed = {1: StepChanges(chosen={"cutting board": crop})}
    run_id, last, listed, walk, status, *_ = on["make"](planned[0], changed, "default", 0, 2, False)
    assert (walk.selected, last, listed) == (4, run_id, [run_id])
    assert "Waiting" in status
    view = finished(context, run_id)
    assert view.state == "done"
    slots = view.steps[1].conditioning.slots  # type: ignore[union-attr]
    assert crop in [slot.crop_id for slot in slots]
    return str(run_id)


def test_the_page_looks_after_its_run_until_it_ends(
    on: dict[str, Callable[..., Any]], made: str
) -> None:
    status, board, stop, resume, review, timer, seen = on["poll"](made, None)
    assert "3 of 3 clips done" in status
    assert board.count("<video") == 3 and "seed" in board
    assert (stop.visible, resume.visible, review.visible) == (False, False, True)
    assert not timer.active
    assert on["poll"](made, seen)[1] == gr.skip()


def test_stop_then_come_back_then_go_on(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...], context: AppContext
) -> None:
    run_id = on["make"](planned[0], {}, "none", 3, 12, False)[0]
    previews = []
    for view, _ in context.worker.feed(run_id).follow():  # type: ignore[union-attr]
        if view.preview is not None:
            previews.append(run_markup.status(view))
        if len(view.clips) == 1:
            on["stop"](run_id)
    assert previews and "Step 1 as it looks so far" in previews[0]
    row, which, *_ = on["arrive"]([run_id, "0" * 16], "")
    assert row.visible
    assert which.choices == [("Carrot omelette: 1 of 3 clips, not finished", run_id)]
    draft, _, shown_id, walk, *_, status, board, _, resume, review, timer, _ = on["show_run"](
        run_id
    )
    assert (draft, shown_id, walk.selected) == (planned[0], run_id, 4)
    assert "Stopped: 1 of 3" in status
    assert (resume.visible, review.visible, timer.active) == (True, True, False)
    assert board.count("<video") == 1
    assert on["resume"](run_id)[5].active
    assert finished(context, run_id).state == "done"


def test_an_address_that_names_a_run_opens_it(on: dict[str, Callable[..., Any]], made: str) -> None:
    request = SimpleNamespace(query_params={"run": made})
    _, _, _, _, run_id, walk, *_ = on["arrive"]([], "", request)
    assert (run_id, walk.selected) == (made, 4)
    request = SimpleNamespace(query_params={"run": "../../etc"})
    with pytest.warns(UserWarning, match="There is no run"):
        assert on["arrive"]([], "", request)[4] == gr.skip()


@pytest.mark.parametrize("run_id", ["", "0" * 16, "../..", None])
def test_a_run_that_is_gone_is_not_offered(
    on: dict[str, Callable[..., Any]], run_id: str | None
) -> None:
    assert not on["arrive"]([run_id], run_id or "")[0].visible
    assert not on["poll"](run_id, None)[5].active


def test_a_step_is_mended_and_another_one_locked(
    on: dict[str, Callable[..., Any]], made: str, context: AppContext
) -> None:
    walk, _, video, download, _, _, _, which, *chosen = on["open_review"](made)
    assert (walk.selected, download.visible) == (5, True)
    assert "<track" in video
    assert [number for _, number in which.choices] == [1, 2, 3]
    # What was chosen of another run is not meant for this one.
    assert chosen[:3] == [None, "", ""] and which.value is None
    _, prompt, _, shows, lock = on["choose_to_mend"](made, 3)
    assert "plate" in dict(shows.choices)
    with pytest.raises(gr.Error, match="1 names for 0 pictures"):
        on["again"](made, 1, "7", prompt, [], None, ["plate"])
    assert prompt and lock.value == "Lock this step"
    button, *_, board, _ = on["toggle"](made, 3)
    assert button.value == "Unlock this step" and "locked" in board
    with pytest.raises(gr.Error, match="locked"):
        on["again"](made, 3, "7", prompt, [], None)

    shown = on["choose_to_mend"](made, 1)[2].choices[0][1]
    walk, _, _, _, _, _, _, timer, _ = on["again"](made, 1, "7", prompt + " Wide.", [shown], None)
    assert (walk.selected, timer.active) == (4, True)
    view = finished(context, made)
    assert view.steps[1].seed == 7
    conditioning = view.steps[1].conditioning
    assert conditioning is not None and conditioning.prompt.endswith("Wide.")
    assert shown not in [slot.crop_id for slot in conditioning.slots]
    assert view.steps[3].stale and view.steps[3].locked
    assert view.state == ("stale" if view.steps[2].stale else "done")
    on["toggle"](made, 3)
    assert context.view_of(made).state == "stale"
    assert "Make the stale" in on["poll"](made, None)[3].value
    on["refresh"](made)
    view = finished(context, made)
    assert (view.state, view.stale) == ("done", [])


def test_everything_comes_in_one_zip_with_a_manifest(
    on: dict[str, Callable[..., Any]], made: str
) -> None:
    button = on["pack_all"](made)
    with zipfile.ZipFile(button.value["path"]) as packed:
        names = set(packed.namelist())
        manifest = json.loads(packed.read("manifest.json"))
        clip = packed.read("steps/01/clip.mp4")
    assert {"video.mp4", "captions.vtt", "plan.json", "run.json"} < names
    assert set(manifest["files"]) == names - {"manifest.json"}
    told = manifest["files"]["steps/01/clip.mp4"]
    assert told == {"bytes": len(clip), "sha256": hashlib.sha256(clip).hexdigest()}


def test_the_same_is_made_without_memory_to_compare(
    on: dict[str, Callable[..., Any]], made: str, context: AppContext
) -> None:
    other, last, runs, pair, button, walk, *_ = on["make_other"](made, [made])
    assert (last, runs, pair, walk.selected) == (other, [other, made], [made, other], 4)
    assert button.visible
    view = finished(context, other)
    assert view.state == "done"
    assert not any(step.conditioning.slots for step in view.steps.values() if step.conditioning)
    one, two = (context.job_of(run).wishes for run in (made, other))
    assert (one.memory, two.memory, one.seed, one.steps) == ("default", "none", two.seed, two.steps)
    assert on["fill_in_both"](pair) == (made, other)
    assert on["fill_in_both"]([made, "x"]) == (made, "")


@pytest.mark.parametrize("seed", ["-1", "soup", "²", str(2**64)])
def test_a_bad_seed_for_a_step_is_told(
    on: dict[str, Callable[..., Any]], made: str, seed: str
) -> None:
    with pytest.raises(gr.Error, match="seed"):
        on["again"](made, 1, seed, "", [], None)


def test_a_video_restores_its_settings(
    on: dict[str, Callable[..., Any]], made: str, context: AppContext
) -> None:
    folder = context.existing_folder_of(made)
    text, seed, steps, fast, memory = on["restore"](str(folder / "video.mp4"))
    assert parse_recipe(text).steps == context.job_of(made).draft.recipe.steps
    assert (seed, steps, fast, memory) == (0, 2, False, "default")
    with pytest.raises(gr.Error, match="does not say"):
        on["restore"](str(folder / "steps/01/clip.mp4"))


def test_a_run_that_breaks_off_says_why_and_offers_to_go_on(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...], context: AppContext
) -> None:
    run_id = new_run_id()
    context.folder_of(run_id).write_text("a file in the way")
    feed = context.worker.submit(Job(run_id, planned[0], Wishes(steps=2)))
    with pytest.raises(OutputError):
        list(feed.follow())
    status, _, stop, resume, *_ = on["poll"](run_id, None)
    assert "broke off" in status and "is a file" in status
    assert (stop.visible, resume.visible) == (False, True)
    context.folder_of(run_id).unlink()
    on["resume"](run_id)
    assert finished(context, run_id).state == "done"
    assert context.worker.tickets.read(run_id) is None


@pytest.mark.parametrize(
    ("content", "told"), [(b"\xff\xfe\x00", "UTF-8"), (b"x" * 2_000_001, "bytes")]
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    from procvid.errors import RecipeError

    (tmp_path / "r.txt").write_bytes(content)
    with pytest.raises(RecipeError, match=told):
        read_text(str(tmp_path / "r.txt"))


def test_every_example_can_be_opened(app: Any) -> None:
    texts = [f.fn() for f in app.fns.values() if f.name == "example_text"]
    assert len(texts) == 10
    assert all(texts)


def test_a_view_counts_what_is_done(tmp_path: Path) -> None:
    view = RunView("0" * 16, tmp_path)
    assert (view.fraction, view.sentence) == (0.0, "Waiting for its turn…")
