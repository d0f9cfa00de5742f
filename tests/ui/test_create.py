"""The events of the Create tab, called as the page calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from procvid.ui.context import AppContext
from procvid.ui.jobs import read_text
from procvid.ui.stream import RunView


@pytest.fixture(scope="module")
def on(app: Any) -> dict[str, Callable[..., Any]]:
    return {f.name: f.fn for f in app.fns.values()}


@pytest.fixture(scope="module")
def planned(on: dict[str, Callable[..., Any]], recipe: str) -> tuple[Any, ...]:
    return tuple(on["plan_recipe"](recipe))


def test_a_recipe_opens_the_plan(planned: tuple[Any, ...]) -> None:
    draft, _, shown, rows, walk = planned
    assert [step.number for step in draft.plan.steps] == [1, 2, 3]
    assert "whole → sliced" in shown
    assert len(rows) == sum(len(step.objects) for step in draft.plan.steps)
    assert walk.selected == 2


def test_what_cannot_be_drawn_is_said_before_anything_is_made(
    on: dict[str, Callable[..., Any]],
) -> None:
    told = on["plan_recipe"](
        "Soup\n\n1. Boil the pasta in the pot.\n2. Serve the pasta on the plate."
    )[1]
    assert "never taught pasta" in told


def test_an_edited_table_changes_plan_and_list(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    draft, _, _, rows, _ = planned
    edited_rows = [["diced" if cell == "sliced" else cell for cell in row] for row in rows]
    edited, shown = on["edit_plan"](draft, edited_rows)
    assert "whole → diced" in shown
    assert edited.recipe == draft.recipe
    with pytest.raises(gr.Error, match="Row"):
        on["edit_plan"](draft, [["x"] * 6])


def test_references_are_shown_with_reasons_for_those_missing(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    draft, _, _, rows, _ = planned
    _, _, shown, walk = on["find_references"](draft, rows, "default", 0)
    assert 'alt="Reference 1:' in shown
    assert walk.selected == 3
    _, _, shown, _ = on["find_references"](draft, rows, "none", 0)
    assert "<img" not in shown


@pytest.mark.parametrize("event", ["find_references", "begin"])
def test_without_a_plan_the_page_says_what_to_do(
    on: dict[str, Callable[..., Any]], event: str
) -> None:
    arguments = {
        "find_references": (None, [], "default", 0),
        "begin": (None, "default", 0, 0, False),
    }
    with pytest.raises(gr.Error, match="Paste a recipe"):
        on[event](*arguments[event])


def test_clips_appear_one_by_one_then_stop_then_go_on(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...], context: AppContext
) -> None:
    job, last_run, walk, status, board, *_ = on["begin"](planned[0], "default", 0, 2, False)
    assert (walk.selected, last_run) == (4, job.run_id)
    assert "Waiting" in status
    assert board.count("<video") == 0

    counts = []
    for _, board, *_ in on["make"](job):
        if isinstance(board, str):
            counts.append(board.count("<video"))
        if counts[-1] == 1:
            on["stop"](job)
    assert counts == sorted(counts)
    assert counts[-1] == 1

    on["go_on"](job)
    status, board, stop, resume, video, _ = list(on["make"](job))[-1]
    assert "3 of 3 clips done" in status
    assert board.count("<video") == 3
    assert "<track" in video
    assert not stop.visible
    assert not resume.visible
    assert (context.runs_folder / job.run_id / "video.mp4").exists()


def test_a_closed_page_finds_its_run_again(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...]
) -> None:
    job = on["begin"](planned[0], "none", 3, 2, True)[0]
    for shown in on["make"](job):
        if isinstance(shown[1], str) and shown[1].count("<video") == 1:
            on["stop"](job)

    row, told = on["offer"](job.run_id)
    assert row.visible
    assert "Carrot omelette, 1 of 3 clips" in told
    _, found, _, _, _, walk, _, board, _, resume, *_ = on["show_last"](job.run_id)
    assert found == job
    assert walk.selected == 4
    assert resume.visible
    assert board.count("<video") == 1
    assert "3 of 3 clips" in list(on["make"](found))[-1][0]


@pytest.mark.parametrize("run_id", ["", "0" * 16, "../..", None])
def test_a_run_that_is_gone_is_not_offered(
    on: dict[str, Callable[..., Any]], run_id: str | None
) -> None:
    assert not on["offer"](run_id)[0].visible


def test_a_run_that_breaks_off_offers_to_go_on(
    on: dict[str, Callable[..., Any]], planned: tuple[Any, ...], context: AppContext
) -> None:
    job = on["begin"](planned[0], "default", 0, 2, False)[0]
    context.folder_of(job.run_id).write_text("a file in the way")
    shown = []
    with pytest.raises(gr.Error):
        shown.extend(on["make"](job))
    shown = []
    with pytest.raises(gr.Error):
        for each in on["make"](job):
            shown.append(each)
    status, _, stop, resume, *_ = shown[-1]
    assert "broke off" in status
    assert resume.visible
    assert not stop.visible


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
