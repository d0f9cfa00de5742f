from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from procvid.types import Conditioning, Plan, PlannedObject, Retrieval, Slot, StepPlan
from procvid.ui import markup, style
from procvid.ui.pages.create import plan_markup, player, references_markup, run_markup
from procvid.ui.server.stream import RunView

EVIL = "<img src=x onerror=alert(1)>\"'&"
ITEM = PlannedObject(EVIL, "food", EVIL, EVIL, EVIL, "likely", 0.5)
PLAN = Plan(EVIL, (StepPlan(1, EVIL, EVIL, (ITEM,), EVIL),), EVIL)
SLOT = Slot(
    1, EVIL, EVIL, np.zeros((300, 200, 3), np.uint8), EVIL, EVIL, EVIL, (0, 0, 1, 1), 0.5, "memory"
)
CONDITIONING = Conditioning(1, EVIL, (SLOT,), (Retrieval(EVIL, EVIL, None, EVIL),), (EVIL,))


def test_text_of_people_and_models_is_never_markup() -> None:
    view = RunView("0" * 16, Path(f"/runs/{EVIL}"))
    view.show_plan(PLAN)
    view.steps[1].conditioning = CONDITIONING
    view.warnings.append(EVIL)
    view.trouble = EVIL
    before = run_markup.storyboard(view)
    view.steps[1].clip = view.folder / "clip.mp4"
    view.video = view.captions = view.folder / "video.mp4"
    shown = [
        markup.note(EVIL),
        markup.notes(EVIL, [EVIL]),
        markup.empty(EVIL),
        plan_markup.plan_list(PLAN),
        plan_markup.plan_list(PLAN, plan_markup.PlanView(1, 1, EVIL, EVIL, undrawable=[EVIL])),
        plan_markup.notes_list([EVIL], [EVIL]),
        references_markup.reference_list(PLAN, [CONDITIONING], EVIL),
        before,
        run_markup.storyboard(view),
        run_markup.status(view),
        run_markup.warnings(view),
        player.player(view, EVIL),
    ]
    assert all("<img src=x" not in html and "onerror=alert(1)>" not in html for html in shown)


def test_shots_are_shown_inside_their_step() -> None:
    shots = [StepPlan(n, f"Do {n}.", "stir", (), "P.", recipe_step=1 + n // 3) for n in (1, 2, 3)]
    plan = Plan("T", tuple(shots), "rules 1")
    html = plan_markup.plan_list(plan)
    assert html.count('class="pv-step"') == 2 and html.count('class="pv-take"') == 2
    assert 'aria-label="Shot 1b"' in html and '<span class="pv-num">2</span>' in html
    view = RunView("0" * 16, Path("/runs/r"))
    view.show_plan(plan)
    view.state, view.current = "running", 2
    board = run_markup.storyboard(view)
    assert 'aria-label="Step 1"' in board and "1b. Do 2." in board and "2. Do 3." in board
    assert view.sentence.startswith("Generating step 1b.")
    slot = replace(SLOT, anchor_step=2)
    shown = references_markup.reference_list(plan, [Conditioning(3, "", (slot,), ())], "")
    assert "same as in step 1b" in shown and shown.count('class="pv-step"') == 1


def test_tiles_are_numbered_and_name_their_words_without_ids() -> None:
    slot = Slot(
        2,
        "frying pan",
        "blue pan",
        SLOT.image,
        "c",
        "kitchen-3/02",
        "clean",
        (0, 0, 1, 1),
        0.75,
        "run",
    )
    view = RunView("0" * 16, Path("/runs/r"))
    view.show_plan(PLAN)
    view.steps[1].conditioning = conditioning = Conditioning(1, "", (slot,), ())
    board = run_markup.storyboard(view)
    assert 'alt="Reference 2: blue pan, clean"' in board and ">2<" in board
    assert "0.75" not in board and "kitchen-3/02" not in board
    tiles = references_markup.reference_list(PLAN, [conditioning], "")
    assert "blue pan" in tiles and "from this video" in tiles
    # The source and the score are details, in the title of the picture alone.
    seen = re.sub(r' title="[^"]*"', "", tiles)
    assert "0.75" not in seen and "kitchen-3/02" not in seen


def test_file_urls_are_relative_to_the_page_and_quoted() -> None:
    url = markup.file_url(Path('/runs/a b"<>/clip.mp4'))
    assert url == "gradio_api/file=/runs/a%20b%22%3C%3E/clip.mp4"


def test_durations_in_words() -> None:
    assert run_markup.duration_words(0.2) == "1 s"
    assert run_markup.duration_words(95.4) == "1 min 35 s"


def test_progress_can_be_read_without_seeing_it() -> None:
    view = RunView("0" * 16, Path("/runs"), state="running")
    view.show_plan(PLAN)
    view.current, view.denoised, view.denoising_steps, view.eta_s = 1, 3, 12, 61.0
    html = run_markup.status(view)
    assert 'role="progressbar"' in html
    assert 'aria-valuenow="25"' in html
    assert "about 1 min 1 s left" in html
    assert "denoising step 3 of 12" in html


def test_a_plan_shows_its_title_and_the_states_step_by_step() -> None:
    html = plan_markup.plan_list(PLAN)
    assert '<h2 class="pv-title">' in html
    assert '<th scope="col">1</th>' in html and "&lt;img src=x" in html


def test_marks_of_a_step_are_words() -> None:
    view = RunView("0" * 16, Path("/runs"), state="stale")
    view.show_plan(PLAN)
    view.steps[1].clip, view.steps[1].stale, view.steps[1].locked = Path("/x.mp4"), 3, True
    html = run_markup.storyboard(view)
    assert "shows an old take of step 3" in html and "Locked" in html
    assert "Step 1 still shows" in run_markup.status(view)


def test_no_card_stands_alone_in_the_last_row_if_that_can_be_helped() -> None:
    numbers = {cards: run_markup.columns(cards, 4) for cards in (1, 2, 4, 5, 6, 7, 9, 13)}
    assert numbers == {1: 1, 2: 2, 4: 4, 5: 3, 6: 4, 7: 4, 9: 3, 13: 4}


def test_our_part_of_the_first_page_is_small(app: Any) -> None:
    values = [component["props"].get("value") for component in app.config["components"]]
    ours = "".join([style.CSS, style.NAMES, *(json.dumps(each, default=str) for each in values)])
    assert len(ours.encode()) < 50_000, "style sheet, script and contents of all tabs, in bytes"
    assert "data:image" not in ours, "pictures are files, loaded when they are seen"
