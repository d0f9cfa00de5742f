"""The panel under a card: redo a step, and choose among its takes.

The panel is HTML. What is typed in it is sent when “Redo” is pressed; its files are uploaded then.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Literal

from procvid.errors import InputError, ProcvidError
from procvid.run.preferences import may_train
from procvid.run.takes import Take, score_words
from procvid.types import Slot
from procvid.ui.differences import take_words
from procvid.ui.pages.create.references_step import without
from procvid.ui.pages.create.run_markup import clip_player, reference_url
from procvid.ui.pages.create.run_options import MAX_RANDOM_SEED
from procvid.ui.pages.picture import SUFFIXES
from procvid.ui.pressed import Press, button
from procvid.ui.server.context import AppContext
from procvid.ui.server.differences import differences_of_takes
from procvid.ui.server.guard import for_the_page
from procvid.ui.server.jobs import whole_number
from procvid.ui.server.redo import MAX_PROMPT_CHARS, changes_of_take, read_changes, redo
from procvid.ui.server.stream import RunView, StepView
from procvid.ui.server.takes import (
    keep_current_take,
    keep_take,
    let_train,
    list_takes,
    remove_take,
)
from procvid.ui.server.uploads import read_pictures
from procvid.ui.server.visitors import Visitor
from procvid.ui.stills import still_url

PAGE_SIZE = 12
"""Number of takes that a panel shows at once."""
AT_ONCE = (1, 2, 3, 4)
"""Numbers of takes that one press makes."""

SCRIPT = """
const send = async (form, asked) => {
  const data = {act: asked.dataset.send, step: asked.dataset.step};
  form.querySelectorAll('input[name], textarea[name], select[name]').forEach(field => {
    if (field.type !== 'file' && field.type !== 'checkbox') data[field.name] = field.value;
  });
  data.left_out = JSON.stringify(
    [...form.querySelectorAll('input[name=left_out]:checked')].map(field => field.value));
  asked.disabled = true;
  try {
    const files = [...form.querySelector('input[type=file]').files];
    data.files = JSON.stringify((await Promise.all(files.map(upload))).map(sent => sent.path));
    trigger('select', data);
  } finally { setTimeout(() => { asked.disabled = false; }, 1500); }
};
element.addEventListener('click', ({target}) => {
  const asked = target.closest('button[data-send]');
  if (asked) send(asked.closest('.pv-panel'), asked);
  if (target.closest('button[data-dice]'))
    target.closest('.pv-panel').querySelector('input[name=seed]').value =
      crypto.getRandomValues(new Uint32Array(1))[0];
});
let panel = '';
watch('value', () => {
  const now = element.querySelector('.pv-panel')?.dataset.step ?? '';
  if (now && now !== panel) {
    const heading = element.querySelector('.pv-panel h3');
    heading.focus({preventScroll: true});
    heading.scrollIntoView({block: 'nearest'});
  }
  panel = now;
});
"""
"""Script of the panel: dice, uploads, and the focus when it opens."""


@dataclass(frozen=True)
class Opened:
    """The step whose panel is open.

    Attributes:
        step: Number of the step; 0 for none.
        page: Page of its takes, from 0.
        other: The take beside the current one; 0 for none.
        why: Why it is shown: the step was redone, a take was chosen, or a person looks at it.
    """

    step: int = 0
    page: int = 0
    other: int = 0
    why: Literal["redone", "chosen", "looking"] = "looking"


CLOSED = Opened()
"""No panel is open."""


def do(
    context: AppContext, run_id: str, opened: Opened, pressed: Press, visitor: Visitor
) -> Opened:
    """Do what was pressed in a card or its panel, and return what is open then.

    Raises:
        ProcvidError: The button is out of date, or the run refuses it.
    """
    if pressed.act == "close":
        return CLOSED
    step = pressed.number("step")
    same = opened if opened.step == step else Opened(step)
    match pressed.act:
        case "open":
            return Opened(step)
        case "redo":
            before = _current(list_takes(context, run_id, step))
            _redo(context, run_id, step, pressed, visitor)
            return Opened(step, other=before, why="redone")
        case "page":
            return replace(same, page=pressed.number("page"))
        case "look":
            return replace(same, other=pressed.number("take"), why="looking")
        case "settle":
            keep_current_take(context, run_id, step)
            return replace(same, other=0)
        case "share":
            let_train(context, run_id, pressed.data.get("allowed") == "true")
            return same
        case "keep":
            before = _current(list_takes(context, run_id, step))
            keep_take(context, run_id, step, pressed.number("take"))
            return replace(same, other=before, why="chosen")
        case "delete":
            remove_take(context, run_id, step, pressed.number("take"))
            return replace(same, other=0)
    raise InputError("This button is out of date.", "Reload the page.")


def _current(takes: Sequence[Take]) -> int:
    return next((take.number for take in takes if take.current), 0)


def _redo(context: AppContext, run_id: str, step: int, pressed: Press, visitor: Visitor) -> None:
    """Redo a step with what its panel shows: the present take's prompt and references, and the edits."""
    view = context.view_of(run_id)
    chosen = view.steps.get(step)
    shown = chosen.conditioning.prompt if chosen and chosen.conditioning else ""
    prompt = pressed.data.get("prompt", "")
    files = _strings(pressed, "files")
    typed = read_changes(
        seed=_seed(pressed.data.get("seed", "")),
        prompt=None if prompt.split() in ([], shown.split()) else prompt,
        uploads=read_pictures(files, context.profile.max_references),
        left_out=_strings(pressed, "left_out"),
    )
    before = changes_of_take(context, run_id, step, with_uploads=not files)
    for name in typed.left_out:
        before = without(before, name)
    if prompt.split():
        typed = replace(typed, prompt=typed.prompt or before.prompt)
    if not files:
        typed = replace(typed, uploads=before.uploads, shows=before.shows)
    changes = replace(typed, banned=before.banned, chosen=before.chosen)
    if changes.seed is None and not changes.empty:
        # The same changes with the same seed would give the same clip.
        changes = replace(changes, seed=random.randint(0, MAX_RANDOM_SEED))
    takes = whole_number("number of takes", _seed(pressed.data.get("takes", "1")))
    redo(context, run_id, step, changes, visitor, takes=takes)


def _strings(pressed: Press, name: str) -> list[str]:
    """Return a list of texts that the panel has sent as JSON."""
    try:
        sent = json.loads(pressed.data.get(name, "[]"))
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, list) or not all(isinstance(text, str) for text in sent):
        raise InputError("This button is out of date.", "Reload the page.")
    return sent


def _seed(text: str) -> int | str | None:
    """Return the typed seed, or None if empty. Text that is not a number is returned unchanged."""
    typed = text.strip()
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 20 else typed or None


def panel(context: AppContext, view: RunView, opened: Opened) -> str:
    """Return the panel of the open step, or "" if there is none."""
    step = view.steps.get(opened.step)
    if step is None or step.clip is None or step.locked:
        return ""
    try:
        takes = list_takes(context, view.run_id, step.number)
    except ProcvidError:
        takes = []
    pair = _pair(takes, opened)
    if pair and opened.why != "chosen":
        pair += _words(context, view.run_id, takes, opened)
    form = _form(context, step, next((take for take in takes if take.current), None))
    if pair:
        form = f'<details data-keep="again-{step.number}"><summary>Redo again</summary>{form}</details>'
    return (
        f'<section class="pv-panel" data-step="{step.number}" aria-label="Takes of step {step.name}">'
        f'<h3 tabindex="-1">{"Takes of" if pair else "Redo"} step {step.name}</h3>'
        f"{pair}{form}{_strip(takes, opened)}{_sharing(context, view, opened, takes)}</section>"
    )


def _pair(takes: Sequence[Take], opened: Opened) -> str:
    """Return the current take and another one side by side."""
    other = next((take for take in takes if take.number == opened.other), None)
    current = next((take for take in takes if take.current), None)
    if other is None or current is None or other.current:
        return ""
    step = opened.step
    if opened.why == "chosen":
        undo = button(
            "keep",
            "Undo",
            hint=f"Undo: use take {other.number} again",
            step=step,
            take=other.number,
        )
        done = button("settle", "OK", kind="quiet", step=step)
        return f'<p role="status">Take {current.number} is in the video now. {undo} {done}</p>'
    redone = opened.why == "redone"
    use = "Keep old" if redone else "Use this take"
    stay = "Keep new" if redone else "Keep"
    keep_other = button(
        "keep", use, hint=f"{use}: take {other.number}", step=step, take=other.number
    )
    keep_current = button(
        "settle",
        stay,
        kind="primary" if redone else "",
        hint=f"{stay}: take {current.number}",
        step=step,
    )
    lead = "Which take do you want to keep?" if redone else "Compare with the take in the video."
    figures = _big(other, "Old" if redone else "", keep_other)
    figures += _big(current, "New" if redone else "In the video", keep_current)
    return f'<p role="status">{lead}</p><div class="pv-takepair">{figures}</div>'


def _words(context: AppContext, run_id: str, takes: Sequence[Take], opened: Opened) -> str:
    """Return what the take in the video does differently from the other one, in words."""
    current = _current(takes)
    try:
        found = differences_of_takes(context, run_id, opened.step, opened.other, current)
    except ProcvidError as error:
        return f'<p class="pv-small">{escape(for_the_page(error))}</p>'
    return take_words(found)


def _big(take: Take, label: str, buttons: str) -> str:
    return (
        f'<figure><div class="pv-screen">{clip_player(take.clip, f"take {take.number}", playing=True)}</div>'
        f"<figcaption><b>{label}</b> <span>Take {take.number}</span>{buttons}</figcaption></figure>"
    )


def _strip(takes: Sequence[Take], opened: Opened) -> str:
    """Return one page of the takes as thumbnails, the latest first."""
    if len(takes) < 2:
        return ""
    last = (len(takes) - 1) // PAGE_SIZE
    page = min(opened.page, last)
    shown = sorted(takes, key=lambda take: -take.number)[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    items = "".join(_thumbnail(take, opened) for take in shown)
    return (
        f'<h4>All takes ({len(takes)})</h4><ul class="pv-takes">{items}</ul>'
        f"{_pages(opened.step, page, last)}"
    )


def _sharing(context: AppContext, view: RunView, opened: Opened, takes: Sequence[Take]) -> str:
    """Return the question whether the takes may be used for training, with the answer so far."""
    allowed = may_train(context.existing_folder_of(view.run_id))
    if len(takes) < 2 and not allowed:
        return ""
    text, label, value = (
        (
            "The clips, pictures and prompts of this video and your choices may be used for training.",
            "Withdraw",
            "false",
        )
        if allowed
        else (
            "May the clips, pictures and prompts of this video and your choices be used for training?",
            "Allow",
            "true",
        )
    )
    press = button("share", label, kind="quiet", id="pv-share", step=opened.step, allowed=value)
    return f'<p class="pv-actions"><span>{text}</span>{press}</p>'


def _thumbnail(take: Take, opened: Opened) -> str:
    step, number = opened.step, take.number
    words = score_words(take)
    facts = f"Seed {take.seed}" + (f". Score {words}" if words else "")
    picture = f'<img alt="" loading="lazy" src="{still_url(take.clip)}">'
    if take.current:
        return (
            f'<li class="current" title="{escape(facts)}">{picture}'
            f"<span>Take {number}</span><b>in the video</b></li>"
        )
    delete = button(
        "delete", "Delete", kind="quiet", hint=f"Delete take {number}", step=step, take=number
    )
    return (
        f'<li title="{escape(facts)}"><button type="button" class="pv-thumb" data-act="look" '
        f'data-step="{step}" data-take="{number}" aria-label="View take {number}"'
        f"{' aria-current=true' if number == opened.other else ''}>{picture}</button>"
        f"<span>Take {number}</span>{delete}</li>"
    )


def _pages(step: int, page: int, last: int) -> str:
    if not last:
        return ""
    newer = button("page", "Newer", step=step, page=page - 1) if page else ""
    older = button("page", "Older", step=step, page=page + 1) if page < last else ""
    return f'<div class="pv-actions">{newer}<span>Page {page + 1} of {last + 1}</span>{older}</div>'


def _form(context: AppContext, step: StepView, current: Take | None) -> str:
    """Return the fields of a redo, with the values of the present take."""
    conditioning = step.conditioning
    prompt = conditioning.prompt if conditioning else ""
    slots = conditioning.slots if conditioning else ()
    tiles = "".join(_reference(step, slot) for slot in slots)
    away = current.record.overrides.get("left_out", ()) if current else ()
    tiles += "".join(_left_out(name) for name in away if name not in [s.object_name for s in slots])
    references = (
        f"<fieldset><legend>Reference pictures</legend><ul>{tiles}</ul></fieldset>" if tiles else ""
    )
    counts = "".join(
        f'<option value="{n}">{n if n == 1 else f"{n}, keep the best"}</option>' for n in AT_ONCE
    )
    limit = context.profile.max_references
    return (
        f'<div class="pv-redo"><label class="pv-wide">Prompt<textarea class="pv-field" name="prompt" '
        f'rows="3" maxlength="{MAX_PROMPT_CHARS}">{escape(prompt)}</textarea></label>{references}'
        f'<label class="pv-wide">Your own pictures (up to {limit})<input type="file" multiple '
        f'accept="{",".join(SUFFIXES)}"></label>'
        '<div class="pv-line"><label>Seed<input class="pv-field" name="seed" inputmode="numeric" '
        'maxlength="19" placeholder="random" autocomplete="off"></label>'
        '<button type="button" class="pv-button" data-dice title="Fill in a random seed">Random</button>'
        f'<label>Takes<select class="pv-field" name="takes">{counts}</select></label>'
        f'<button type="button" class="pv-button primary" data-send="redo" data-step="{step.number}" '
        f'aria-label="Redo step {step.name}">Redo</button></div>'
        f'<details data-keep="seed-{step.number}"><summary>Seed of this take</summary>{step.seed}'
        "</details></div>"
    )


def _reference(step: StepView, slot: Slot) -> str:
    picture = f'<img alt="" src="{reference_url(step, slot)}">'
    return _tile(slot.object_name, slot.words or slot.object_name, picture)


def _left_out(name: str) -> str:
    """Return the tile of an object that the present take has no reference of, as a person decided."""
    return _tile(name, name, checked=" checked")


def _tile(name: str, words: str, picture: str = "", checked: str = "") -> str:
    return (
        f"<li>{picture}<span>{escape(words)}</span>"
        f'<label><input type="checkbox" name="left_out" value="{escape(name)}"{checked}> '
        f'Leave out<span class="pv-unseen"> {escape(words)}</span></label></li>'
    )
