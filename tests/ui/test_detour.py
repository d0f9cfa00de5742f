"""A changed recipe: the endpoint, the new run that takes clips over, and the panels of the page."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from pydantic import TypeAdapter

from procvid.errors import BusyError, RunError
from procvid.plan.detour.wishes import Wishes, wishes_of
from procvid.plan.recipe.parse import parse_recipe
from procvid.run.folder import CLIP, RunFolder, read_run
from procvid.storage.atomic import remove
from procvid.types import StepChanges
from procvid.ui.api.detour import DetourAnswer
from procvid.ui.pages.create.change_markup import difference
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.pages.create.plan_step import PlanEdits
from procvid.ui.server.context import AppContext, open_context
from procvid.ui.server.detours import detour_of, start_detour
from procvid.ui.server.library import delete, restore
from procvid.ui.server.queue import Draft
from procvid.ui.server.visitors import Visitor
from tests.ui.conftest import EXAMPLES
from tests.ui.running import Events, finished, pressed

HOME = Visitor()
SERVE = "Serve the carrot on the plate."
ONE_MORE = wishes_of(add=[SERVE])


@pytest.fixture(scope="module")
def source(client: Client, recipe: str) -> str:
    """A finished run of two steps."""
    return str(client.predict(recipe, steps=2, api_name="/generate")["run_id"])


def clip(context: AppContext, run_id: str, step: int) -> bytes:
    return (context.folder_of(run_id) / "steps" / f"{step:02d}" / CLIP).read_bytes()


def test_the_difference_is_shown_and_nothing_is_made(client: Client, source: str) -> None:
    given = client.predict(run_id=source, swap=["carrot=potato"], api_name="/detour")
    assert [step["kind"] for step in given["steps"]] == ["changed", "changed"]
    assert given["steps"][1]["before"] == "Fry the carrot in the frying pan."
    assert given["steps"][1]["text"] == "Fry the potato in the frying pan."
    assert given["steps"][1]["objects"] == ["shows no carrot", "shows potato"]
    assert given["swaps"] == [{"old": "carrot", "new": "potato"}]
    assert (given["title"], given["run_id"]) == ("Potato omelette", "")
    assert parse_recipe(given["recipe"]).steps[0].startswith("Slice the potato")
    assert [step["number"] for step in given["plan"]["steps"]] == [1, 2]
    kind = TypeAdapter(DetourAnswer)
    assert kind.dump_python(kind.validate_python(given), mode="json") == given


def test_a_recipe_without_a_run_can_be_changed(client: Client, recipe: str) -> None:
    given = client.predict(recipe=recipe, skip=[2], api_name="/detour")
    assert [step["kind"] for step in given["steps"]] == ["kept", "dropped"]
    assert given["summary"] == "1 step kept, 1 dropped."


def test_the_new_run_takes_over_what_did_not_change(
    client: Client, source: str, context: AppContext
) -> None:
    given = client.predict(run_id=source, add=[SERVE], make=True, api_name="/detour")
    run_id = given["run_id"]
    assert run_id not in ("", source)
    *_, last = client.submit("", run_id=run_id, api_name="/generate")
    assert (last["state"], last["done"], last["num_steps"]) == ("done", 3, 3)
    assert [clip(context, run_id, n) for n in (1, 2)] == [clip(context, source, n) for n in (1, 2)]
    folder = context.folder_of(run_id)
    run = RunFolder(folder, read_run(folder))
    records = [run.read_record(number) for number in (1, 2, 3)]
    assert [bool(record and record.taken_from) for record in records] == [True, True, False]
    assert not context.worker.tickets.file(run_id).exists()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no run and no recipe": ({"swap": ["carrot=potato"]}, "No run and no recipe"),
    "both": ({"run_id": "0" * 16, "recipe": "x", "skip": ["1"]}, "Both a run and a recipe"),
    "unknown run": ({"run_id": "0" * 16, "skip": ["1"]}, "There is no run"),
    "no run id": ({"run_id": "../../etc", "skip": ["1"]}, "There is no run"),
    "a list as run id": ({"run_id": ["a"], "skip": ["1"]}, "There is no run"),
    "nothing": ({}, "nothing to change"),
    "empty lists": ({"swap": [], "skip": [], "servings": " "}, "nothing to change"),
    "an empty wish": ({"without": [""]}, "empty or too long"),
    "21 wishes": ({"without": [f"food {n}" for n in range(21)]}, "at most 20"),
    "a circle": ({"swap": ["carrot=potato", "potato=carrot"]}, "circle"),
    "itself": ({"swap": ["carrot=carrot"]}, "with itself"),
    "no swap": ({"swap": ["carrot"]}, "is not a swap"),
    "not there": ({"swap": ["beef=tofu"]}, "The recipe has no beef"),
    "all skipped": ({"skip": ["1", "2"]}, "All steps are skipped"),
    "no such step": ({"skip": ["99"]}, "does not exist"),
    "no servings": ({"servings": "0"}, "is no number of servings"),
    "a million servings": ({"servings": 1_000_000}, "is no number of servings"),
    "no number of servings": ({"servings": [2]}, "not a number"),
    "servings unknown": ({"servings": "2"}, "does not say how many"),
    "a long text": ({"add": ["x" * 100_000]}, "empty or too long"),
    "many long texts": ({"without": ["x" * 100_000] * 3}, "empty or too long"),
    "a text for a list": ({"swap": "carrot=potato"}, "not a list of texts"),
    "numbers": ({"swap": [1.5]}, "not a list of texts"),
    "null": ({"add": [None]}, "not a list of texts"),
    "HTML": ({"swap": ["<img src=x>=<b>egg</b>"]}, "is not a swap"),
    "half a character": ({"add": ["\ud83c"]}, ""),
    "make what": ({"skip": ["1"], "make": "yes"}, "not true or false"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_wish_is_refused_in_a_sentence(client: Client, source: str, name: str) -> None:
    given, message = BAD[name]
    its_own = "run_id" in given or name == "no run and no recipe"
    with pytest.raises((AppError, UnicodeEncodeError)) as error:
        client.predict(**({} if its_own else {"run_id": source}), **given, api_name="/detour")
    if isinstance(error.value, AppError):
        text = str(error.value)
        assert message in text and text.rstrip("'\"")[-1] == "."
        assert "\n" not in text and len(text) <= 400 and "--" not in text


def test_only_a_run_can_be_made(client: Client, recipe: str) -> None:
    with pytest.raises(AppError, match="Send the new recipe to /generate"):
        client.predict(recipe=recipe, skip=["1"], make=True, api_name="/detour")


def test_a_deleted_run_is_not_changed(client: Client, source: str, context: AppContext) -> None:
    delete(context, source)
    try:
        for make in (False, True):
            with pytest.raises(AppError, match="This video was deleted"):
                client.predict(run_id=source, skip=["1"], make=make, api_name="/detour")
    finally:
        restore(context, source)


def test_a_full_queue_leaves_no_folder(
    source: str, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise BusyError("The queue is full.", "Try again in a few minutes.")

    monkeypatch.setattr(context.worker, "submit", full)
    before = set(context.runs_folder.iterdir())
    with pytest.raises(BusyError):
        start_detour(context, source, ONE_MORE, HOME)
    assert set(context.runs_folder.iterdir()) == before


def test_a_run_in_progress_is_not_changed(
    source: str, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.worker, "if_idle", lambda *_: False)
    before = set(context.runs_folder.iterdir())
    with pytest.raises(RunError, match="in progress"):
        start_detour(context, source, ONE_MORE, HOME)
    assert set(context.runs_folder.iterdir()) == before


def test_a_restarted_server_takes_over_the_clips_of_a_run_that_is_gone(
    source: str, context: AppContext, tmp_path: Path
) -> None:
    shutil.copytree(context.folder_of(source), tmp_path / source)
    kept = clip(context, source, 1)
    first = open_context(EXAMPLES, profile="tiny", runs_folder=tmp_path)
    with first.device.hold():
        # The server dies while the run waits; then the earlier run is removed.
        run_id = start_detour(first, source, wishes_of(skip=["2"]), HOME).snapshot().run_id
        assert first.view_of(run_id).state == "waiting"
        ticket = first.worker.tickets.file(run_id)
        content = ticket.read_bytes()
        assert first.worker.stop(run_id)
    ticket.write_bytes(content)
    remove(tmp_path / source)
    second = open_context(EXAMPLES, profile="tiny", runs_folder=tmp_path)
    assert second.worker.adopt() == [run_id]
    view = finished(second, run_id)
    assert (view.state, len(view.clips)) == ("done", 1)
    assert view.clips[0].read_bytes() == kept


def visitor_request() -> Any:
    return SimpleNamespace(query_params={}, headers={}, client=None)


NONE = ("", "", "", "", "", [])
"""The fields of the panel, all empty."""


def test_the_review_shows_the_changes_and_makes_the_video(
    page: CreatePage, on: Events, source: str, context: AppContext
) -> None:
    panel = page.review.change
    assert on["follow_video"](source)[panel.panel].visible
    assert not on["follow_video"]("")[panel.panel].visible
    shown = on["show_changes"](source, *NONE[:3], f"2: {SERVE}", "", [])
    html = shown[panel.result]
    assert html.count('class="pv-diffstep kept"') == 2 and "> New</b>" in html
    assert shown[panel.apply].visible
    wanted = shown[panel.shown]
    made = on["make_changed"](source, wanted, "", visitor_request())
    run_id = made[page.state.run_id]
    assert run_id == made[page.state.last_run] != source
    assert made[page.state.walk].selected == 4 and SERVE in made[page.recipe.recipe]
    assert made[panel.result] == "" and not made[panel.apply].visible
    assert finished(context, run_id).state == "done"
    assert clip(context, run_id, 2) == clip(context, source, 2)
    for other, wishes in (("0" * 16, wanted), (source, None)):
        with pytest.raises(gr.Error, match="Show changes"):
            on["make_changed"](other, wishes, "", visitor_request())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (NONE, "nothing to change"),
        (("", "carrot", *NONE[2:]), "is not a swap"),
        (("", 5, *NONE[2:]), "not text"),
        ((*NONE[:5], "vegan"), "not a list"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    on: Events, source: str, fields: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(gr.Error, match=message):
        on["show_changes"](source, *fields)


def test_a_plan_is_changed_and_the_change_undone(
    page: CreatePage, on: Events, draft: Draft, planned: dict[Any, Any]
) -> None:
    panel, state = page.plan.change, page.state
    assert planned[panel.panel].visible
    shown = on["show_plan_changes"](draft, "", "carrot = potato", *NONE[2:])
    assert shown[panel.result].count('class="pv-diffstep changed"') == 2
    changes = {2: StepChanges(left_out=("carrot", "frying pan"))}
    after = on["apply_to_plan"](draft, changes, PlanEdits(), shown[panel.shown])
    assert after[state.draft].plan.steps[0].text.startswith("Slice the potato")
    assert after[state.changes][2].left_out == ("frying pan",)
    assert "Potato omelette" in after[page.recipe.recipe]
    assert not after[panel.apply].visible
    assert [after[field] for field in panel.fields] == list(NONE)
    edits = after[page.plan.edits]
    back = on["edit_plan"](after[state.draft], after[state.changes], edits, pressed("undo"))
    assert (back[state.draft], back[state.changes]) == (draft, changes)
    with pytest.raises(gr.Error, match="Show changes"):
        on["apply_to_plan"](draft, {}, PlanEdits(), None)
    with pytest.raises(gr.Error, match="Paste a recipe"):
        on["show_plan_changes"](None, *NONE)


def test_every_text_of_the_cards_is_escaped(draft: Draft) -> None:
    evil = "<img src=x onerror=alert(1)>"
    wishes = wishes_of(swap=["carrot=potato"], add=[f"Chop the leek {evil}."])
    found = detour_of(draft, wishes)
    found = replace(
        found,
        lines=((evil, evil), (evil, "")),
        notes=(evil,),
        recipe=replace(found.recipe, title=evil),
        steps=tuple(
            replace(step, kind=kind, text=evil, before=evil, name=evil, objects=(evil,))
            for kind in ("kept", "changed", "new", "dropped")
            for step in found.steps[:1]
        ),
    )
    html = difference(found, evil)
    assert "<img" not in html and html.count("&lt;img") >= 16


def test_the_visitors_limit_counts(source: str, context: AppContext) -> None:
    far = Visitor("far", is_local=False)
    spent: list[str] = []
    allowance, spend = context.allowance, type(context.allowance).spend

    def count(visitor: Visitor, kind: str) -> None:
        spent.append(kind)
        spend(allowance, visitor, kind)

    context.allowance.spend = count  # type: ignore[method-assign]
    try:
        run_id = start_detour(context, source, Wishes(skip=("1",)), far).snapshot().run_id
    finally:
        del context.allowance.spend  # type: ignore[method-assign]
    assert spent == ["runs"]
    finished(context, run_id)
