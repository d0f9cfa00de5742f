"""The Plan and References steps, called as the page calls them; answers are keyed by component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder

from procvid.media.image import save_png
from procvid.types import StepChanges
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.pages.create.plan_step import PlanEdits, same_recipe
from procvid.ui.pages.create.references_step import ReferenceLook
from procvid.ui.server.queue import Draft
from tests.ui.running import Events, pressed


def test_a_recipe_opens_the_plan(
    page: CreatePage, planned: dict[Any, Any], draft: Draft, on: Events, recipe: str
) -> None:
    assert [step.number for step in draft.plan.steps] == [1, 2]
    shown = planned[page.plan.shown]
    assert "whole → sliced" in shown and "Carrot omelette" in shown
    assert planned[page.state.walk].selected == 2
    # The same recipe keeps its plan, which may be edited.
    again = on["plan_recipe"](recipe, "", None, "auto", draft)
    assert list(again) == [page.state.walk]


def test_what_cannot_be_drawn_is_said_before_anything_is_made_and_after_an_edit(
    page: CreatePage, on: Events
) -> None:
    planned = on["plan_recipe"](
        "Soup\n\n1. Boil the pasta in the pot.\n2. Serve the pasta on the plate."
    )
    assert "cannot draw pasta" in planned[page.plan.notes]
    assert "not drawn" in planned[page.plan.shown]
    draft, edits = planned[page.state.draft], planned[page.plan.edits]
    for number in (1, 2):
        press = pressed("object", step=number, name="pasta", field="name", value="carrot")
        answer = on["edit_plan"](draft, {}, edits, press)
        draft, edits = answer[page.state.draft], answer[page.plan.edits]
    assert "cannot draw" not in answer[page.plan.notes]


TWO_ACTIONS = "Leeks\n\n1. Slice the leek, then fry it in the frying pan.\n2. Serve it."


def test_a_step_becomes_a_clip_per_action_or_one(page: CreatePage, on: Events) -> None:
    planned = on["plan_recipe"](TWO_ACTIONS)
    assert "Edit step 1b" in planned[page.plan.shown]
    assert page.recipe.shots.label == "Shots"
    assert [value for _, value in page.recipe.shots.choices] == ["auto", "one"]
    one = on["plan_recipe"](TWO_ACTIONS, "", None, "one")
    assert len(one[page.state.draft].plan.steps) == 2
    draft = planned[page.state.draft]
    assert draft.recipe.whole_steps == one[page.state.draft].recipe.steps
    with pytest.raises(gr.Error, match="Shots is 'three'"):
        on["plan_recipe"](TWO_ACTIONS, "", None, "three")


def test_a_card_is_opened_edited_moved_and_undone(
    page: CreatePage, on: Events, draft: Draft
) -> None:
    state, plan = page.state, page.plan
    start = {1: StepChanges(chosen={"cutting board": "x"})}

    def press(draft: Draft, changes: Any, edits: PlanEdits, act: str, **data: Any) -> Any:
        return on["edit_plan"](draft, changes, edits, pressed(act, **data))

    opened = press(draft, start, PlanEdits(), "edit", step=1)
    assert state.draft not in opened and 'id="plan-1-words"' in opened[plan.shown]
    # Only the open card has fields.
    assert 'id="plan-2-words"' not in opened[plan.shown]
    field = {"name": "carrot", "field": "state_after", "value": "diced"}
    diced = press(draft, start, opened[plan.edits], "object", step=1, **field)
    assert "Also changed: step 2" in diced[plan.shown] and "diced → fried" in diced[plan.shown]
    refused = press(draft, start, opened[plan.edits], "object", step=1, **{**field, "value": ""})
    assert list(refused) == [plan.shown] and 'role="alert"' in refused[plan.shown]
    moved = press(diced[state.draft], start, diced[plan.edits], "down", step=1)
    # Changes of references follow their step, and the recipe follows the plan.
    assert list(moved[state.changes]) == [2]
    assert "1. Fry" in moved[page.recipe.recipe]
    assert moved[state.draft].recipe.steps[0].startswith("Fry")
    gone = press(moved[state.draft], moved[state.changes], moved[plan.edits], "delete", step=2)
    assert gone[state.changes] == {}
    back = press(gone[state.draft], gone[state.changes], gone[plan.edits], "undo")
    assert (back[state.draft], back[state.changes]) == (moved[state.draft], moved[state.changes])
    anew = press(gone[state.draft], {}, gone[plan.edits], "again")
    assert len(anew[state.draft].plan.steps) == 1 and len(anew[plan.edits].past) == 4
    for act, data in (("up", {"step": "x"}), ("object", {"step": 1, "field": "since_step"})):
        answer = press(draft, start, PlanEdits(1), act, **data)
        assert 'role="alert"' in answer[plan.shown]


def test_references_are_shown_with_reasons_for_those_missing(
    page: CreatePage, on: Events, draft: Draft
) -> None:
    look = ReferenceLook()
    answer = on["find_references"](draft, {}, look, "default", 0)
    shown = answer[page.references.shown]
    assert 'id="ref-1-carrot"' in shown and "Press a picture" in shown
    assert answer[page.state.walk].selected == 3
    bare = on["find_references"](draft, {}, look, "none", 0)
    assert "<img" not in bare[page.references.shown]
    # Opening the step again shows the same without a search; after a change it searches again.
    look = answer[page.references.look]
    again = on["open_references"](draft, {}, look, "default", 0)
    assert list(again) == [page.references.shown]
    assert page.references.look in on["open_references"](draft, {}, look, "default", 1)
    assert (
        "Make a plan" in on["open_references"](None, {}, look, "default", 0)[page.references.shown]
    )


def test_a_picture_is_pressed_to_change_it(page: CreatePage, on: Events, draft: Draft) -> None:
    changes, step = page.state.changes, page.references
    values: dict[str, Any] = {"changed": {}, "look": ReferenceLook()}

    def press(act: str, name: str = "counter", number: int = 1, **data: Any) -> Any:
        event = pressed(act, step=number, name=name, **data)
        answer = on["press_reference"](
            draft, values["changed"], values["look"], "default", 0, "", event
        )
        values["changed"] = answer.get(changes, values["changed"])
        values["look"] = answer[step.look]
        return answer

    assert 'data-act="pick"' in press("open")[step.shown]
    ids = values["look"].ids
    assert len(ids) > 1
    chosen = press("pick", place=len(ids) - 1)
    assert chosen[changes][1].chosen == {"counter": ids[-1]}
    assert "chosen by you" in chosen[step.shown] and "score 1.00" not in chosen[step.shown]
    # The anchor keeps it for the later clips.
    assert "Step 2 uses the same picture" in chosen[step.shown]
    everywhere = press("everywhere")
    assert {n: c.chosen for n, c in everywhere[changes].items()} == {
        n: {"counter": ids[-1]} for n in (1, 2)
    }
    left = press("leave_out")
    assert left[changes][1].left_out == ("counter",) and "left out" in left[step.shown]
    hidden = press("open", "cutting board") and press("hide", "cutting board")
    assert len(hidden[changes][1].banned) == 1
    assert press("reset", "cutting board")[changes][1].banned == ()
    picture = Path(get_upload_folder()) / "board.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    save_png(picture, np.full((40, 50, 3), 200, np.uint8))
    given = press("upload", "cutting board", value=str(picture))
    assert given[changes][1].shows == ("cutting board",)
    assert "your picture" in given[step.shown]
    for value in ("/etc/passwd", ""):
        assert 'role="alert"' in press("upload", "cutting board", value=value)[step.shown]
    undone = press("undo")
    assert undone[changes][1].shows == ()
    press("close")
    for data in ({"number": 9}, {"name": "nothing"}):
        with pytest.raises(gr.Error, match="out of date"):
            press("open", **data)
    with pytest.raises(gr.Error, match="no longer offered"):
        press("pick", place=99)


@pytest.mark.parametrize(
    "words", ["Notes:", "Fry the 🍳 egg.", "<b>Fry</b> the egg.", "Salt &amp; fry."]
)
def test_an_edited_plan_is_kept_whatever_its_words_are(
    page: CreatePage, on: Events, draft: Draft, words: str
) -> None:
    event = pressed("words", step=1, value=words)
    answer = on["edit_plan"](draft, {}, PlanEdits(), event)
    edited = answer[page.state.draft]
    text = answer[page.recipe.recipe]
    assert edited.plan.steps[0].text == words
    assert same_recipe(edited, text, "auto")
    assert not same_recipe(edited, f"{text} More.", "auto")


def test_clips_are_sketched_before_they_are_made(
    page: CreatePage, on: Events, draft: Draft
) -> None:
    *_, last = on["sketch"](draft, {}, "default", 3)
    (strip,) = last.values()
    assert strip.count("<img") == strip.count("<article") == 2
    assert "Sketch of step 2" in strip and " left." not in strip
    waiting = next(on["sketch"](draft, {}, "none", 3))
    assert "Waiting for the model" in next(iter(waiting.values())).value
    with pytest.raises(gr.Error, match="Paste a recipe in step 1"):
        list(on["sketch"](None, {}, "default", 3))
