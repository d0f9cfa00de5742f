"""Render the references of each step as pictures to press. All text is escaped here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from procvid.types import Conditioning, Hit, Plan, Slot
from procvid.ui.markup import picture_url, step_list
from procvid.ui.pages.picture import SUFFIXES
from procvid.ui.pressed import button

WEAKER = "The clip takes over less of the look of this picture"
ORIGINS = {"memory": "", "run": "from this video", "upload": "your picture"}


@dataclass(frozen=True, eq=False)
class Alternatives:
    """The open strip of a reference.

    Attributes:
        step: Number of the step.
        name: The object.
        hits: The crops on this page.
        first: Position of the first of them among all.
        total: Number of all.
        current: Id of the crop in use, or "".
        hidden: Ids of hidden crops.
        about: Which other steps show the same picture, or "".
        everywhere: Label of the button for all steps; "" without one.
        left_out: True if the slot is left empty.
        strength: How far the clip takes over the look of the picture, 0 to 1.
        problem: Why the last press was refused, or "".
    """

    step: int
    name: str
    hits: Sequence[Hit]
    first: int
    total: int
    current: str
    hidden: Collection[str]
    about: str
    everywhere: str
    left_out: bool
    strength: float
    problem: str = ""


def element_id(number: int, name: str, *parts: str) -> str:
    """Return the id of an element of an object's reference."""
    return "-".join(["ref", str(number), name.replace(" ", "_"), *parts])


def reference_list(
    plan: Plan,
    found: Sequence[Conditioning],
    hint: str,
    opened: Alternatives | None = None,
    *,
    undo: bool = False,
    focus: str = "",
    left_out: Mapping[int, Collection[str]] | None = None,
) -> str:
    """Return the references of each step, and the strip of alternatives of the open one.

    Args:
        plan: The plan.
        found: The conditioning of each step.
        hint: The sentence above.
        opened: The strip that is open.
        undo: True if a change can be taken back.
        focus: Id of the element to focus, or "".
        left_out: By step, the objects that a person left out.
    """
    bodies = {
        one.step: _references(plan, one, opened, (left_out or {}).get(one.step, ()))
        for one in found
    }
    back = button("undo", "Undo", kind="quiet", id="ref-undo", disabled=not undo)
    mark = f'<span data-focus="{escape(focus)}"></span>' if focus else ""
    return (
        f'<div class="pv-planbar"><p class="pv-hint">{escape(hint)} Press a picture to change it.</p>'
        f"{back}</div>{step_list(plan, bodies)}{mark}"
    )


def _references(
    plan: Plan, one: Conditioning, opened: Alternatives | None, left_out: Collection[str]
) -> str:
    open_name = opened.name if opened and opened.step == one.step else ""
    used = {slot.object_name for slot in one.slots}
    items = "".join(
        _tile(plan, one.step, slot, slot.object_name == open_name) for slot in one.slots
    )
    reasons = {r.object_name: r.reason for r in one.retrievals if r.hit is None}
    step = plan.steps[one.step - 1]
    empty = "".join(
        _empty(one.step, item.name, item.name in left_out, reasons.get(item.name, ""), open_name)
        for item in step.objects
        if item.name not in used
    )
    tiles = f'<ul class="pv-refs">{items}</ul>' if items else ""
    rest = f'<ul class="pv-chips" aria-label="Without a picture">{empty}</ul>' if empty else ""
    return tiles + rest + (_strip(opened) if opened and open_name else "")


def _tile(plan: Plan, number: int, slot: Slot, is_open: bool) -> str:
    known = slot.object_name in {item.name for item in plan.steps[number - 1].objects}
    words = slot.words or "your picture"
    details = f"{slot.source_id} · {slot.crop_id}"
    if slot.origin != "upload" and not slot.chosen:
        details += f" · score {slot.score:.2f}"
    origin = ORIGINS[slot.origin]
    if slot.anchor_step:
        origin = f"same as in step {plan.names.get(slot.anchor_step, slot.anchor_step)}"
    elif slot.chosen:
        origin = "chosen by you"
    says = ", ".join(filter(None, (slot.state, origin)))
    inside = (
        f'<span class="pv-shot"><img alt="" src="{picture_url(slot.image)}"></span>'
        f"<b>{escape(words)}</b><i>{escape(says)}</i>"
    )
    off = "" if known else " disabled"
    return (
        f'<li><button type="button" class="pv-ref" id="{_id(number, slot.object_name)}" '
        f'data-act="open" data-step="{number}" data-name="{escape(slot.object_name)}" '
        f'aria-expanded="{str(is_open).lower()}" title="{escape(details)}"{off}>{inside}'
        '<span class="pv-unseen">. Change this picture.</span></button></li>'
    )


def _empty(number: int, name: str, left_out: bool, reason: str, open_name: str) -> str:
    why = "left out" if left_out else "no picture" if reason else "not used"
    title = reason or ("You left it out." if left_out else "A clip takes a few pictures only.")
    return (
        f'<li><button type="button" class="pv-chip" id="{_id(number, name)}" data-act="open" '
        f'data-step="{number}" data-name="{escape(name)}" title="{escape(title)}" '
        f'aria-expanded="{str(name == open_name).lower()}">'
        f'<b>{escape(name)}</b> <span class="pv-turn">{why}</span>'
        '<span class="pv-unseen">. Choose a picture.</span></button></li>'
    )


def _id(number: int, name: str, *parts: str) -> str:
    return escape(element_id(number, name, *parts))


def _strip(opened: Alternatives) -> str:
    number, name = opened.step, opened.name
    tiles = "".join(
        _choice(opened, opened.first + place, hit) for place, hit in enumerate(opened.hits)
    )
    shown = f'<ul class="pv-refs small">{tiles}</ul>' if tiles else ""
    if not opened.total:
        shown = '<p class="pv-small">The library has no other picture. Upload one.</p>'
    problem = f'<p class="pv-problem" role="alert">{escape(opened.problem)}</p>'
    return (
        f'<div class="pv-edit" role="group" aria-label="Pictures of the {escape(name)}">'
        f"{problem if opened.problem else ''}{shown}{_pages(opened)}"
        f'<p class="pv-small" role="status">{escape(opened.about)}</p>'
        f'<div class="pv-actions">{_actions(opened)}{_upload(number, name)}</div></div>'
    )


def _choice(opened: Alternatives, place: int, hit: Hit) -> str:
    crop = hit.crop
    image = f'<img alt="" src="{picture_url(crop.image)}">' if crop.image is not None else ""
    hidden = crop.id in opened.hidden
    state = f"{crop.state}, hidden" if hidden else crop.state
    return (
        f'<li><button type="button" class="pv-ref{" hidden-crop" if hidden else ""}" '
        f'id="{_id(opened.step, opened.name, "pick", str(place))}" data-act="pick" '
        f'data-step="{opened.step}" data-name="{escape(opened.name)}" data-place="{place}" '
        f'aria-pressed="{str(crop.id == opened.current).lower()}" '
        f'title="{escape(f"{crop.source_id} · {crop.id} · score {hit.score:.2f}")}">'
        f'<span class="pv-shot">{image}</span><i>{escape(state)}</i>'
        f'<span class="pv-unseen">: use picture {place + 1} of {opened.total}</span></button></li>'
    )


def _pages(opened: Alternatives) -> str:
    if opened.total <= len(opened.hits):
        return ""
    number, name, first, last = (
        opened.step,
        opened.name,
        opened.first,
        opened.first + len(opened.hits),
    )
    before = button(
        "page", "Previous", kind="quiet", id=element_id(number, name, "previous"),
        disabled=first == 0, step=number, name=name, to="previous",
    )  # fmt: skip
    after = button(
        "page", "Next", kind="quiet", id=element_id(number, name, "next"),
        disabled=last >= opened.total, step=number, name=name, to="next",
    )  # fmt: skip
    return (
        f'<div class="pv-actions">{before}<span class="pv-small">{first + 1} to {last} of '
        f"{opened.total}</span>{after}</div>"
    )


def _upload(number: int, name: str) -> str:
    return (
        '<label class="pv-button pv-file">Upload a picture'
        f'<input type="file" class="pv-unseen" accept="{",".join(SUFFIXES)}" data-act="upload" '
        f'id="{_id(number, name, "upload")}" data-step="{number}" data-name="{escape(name)}"></label>'
    )


def _actions(opened: Alternatives) -> str:
    rows = [
        (
            "leave_out",
            "Leave out",
            f"Leave out the {opened.name}",
            not opened.left_out,
        ),
        ("hide", "Hide this picture", "", bool(opened.current)),
        ("weaker", "Weaker look", WEAKER, bool(opened.current) and opened.strength > 0),
        ("stronger", "Stronger look", "", bool(opened.current) and opened.strength < 1),
        ("everywhere", opened.everywhere, "", bool(opened.everywhere)),
        ("reset", "Reset", "", True),
    ]
    buttons = [
        button(
            act, label, hint=hint, id=element_id(opened.step, opened.name, act),
            step=opened.step, name=opened.name,
        )
        for act, label, hint, shown in rows
        if shown
    ]  # fmt: skip
    done = button(
        "close", "Done", kind="primary", id=element_id(opened.step, opened.name, "close"),
        step=opened.step, name=opened.name,
    )  # fmt: skip
    return "".join([done, *buttons])
