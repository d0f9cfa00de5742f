"""Render a plan as HTML: its steps, their objects, and the states. All text is escaped here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from html import escape

from procvid.plan.edit import known_states
from procvid.plan.graph.graph import task_graph
from procvid.plan.graph.picture import described, svg_of
from procvid.types import Plan, PlannedObject, StepPlan
from procvid.ui.markup import note, step_list
from procvid.ui.pressed import button

LIKELIHOOD_WORDS = {
    "highly_likely": "must stay the same",
    "likely": "likely the same",
    "unlikely": "may change",
}
ROLE_WORDS = {"vessel": "vessel", "surface": "surface", "tool": "tool", "food": "food"}
NOT_DRAWN = "This model cannot draw it."


@dataclass(frozen=True)
class PlanView:
    """How a plan is shown.

    Attributes:
        open: The step that is being edited; 0 for none.
        adding: The step after which a new one is being written; 0 for none.
        problem: Why the last edit was refused, or "".
        carried: What else the last edit changed, or "".
        undo: True if an edit can be taken back.
        focus: Id of the element to focus, or "" to keep the focus.
        undrawable: Objects that the model cannot draw.
    """

    open: int = 0
    adding: int = 0
    problem: str = ""
    carried: str = ""
    undo: bool = False
    focus: str = ""
    undrawable: Collection[str] = ()


CLOSED = PlanView()


def element_id(number: int, *parts: str) -> str:
    """Return the id of an element of a step's card."""
    return "-".join(["plan", str(number), *(part.replace(" ", "_") for part in parts)])


def plan_list(plan: Plan, view: PlanView = CLOSED) -> str:
    """Return the title, each step with its objects, and the table of states."""
    bodies, heads = {}, {}
    for step in plan.steps:
        if step.number == view.open:
            bodies[step.number] = _edited(plan, step, view)
            heads[step.number] = ""
        else:
            bodies[step.number] = _shown(plan, step, view)
        if step.number == view.adding:
            bodies[step.number] += _new_step(plan, step, view)
    focus = f'<span data-focus="{escape(view.focus)}"></span>' if view.focus else ""
    undo = button("undo", "Undo", kind="quiet", id="plan-undo", disabled=not view.undo)
    again = button("again", "Plan again", kind="quiet", id="plan-again")
    loose = view.problem if not (view.open or view.adding) else ""
    return (
        f'<div class="pv-planbar"><h2 class="pv-title">{escape(plan.title)}</h2>'
        f"<span>{again}{undo}</span></div>"
        '<p class="pv-small pv-legend"><span aria-hidden="true">⚓</span> must stay the same</p>'
        f"{_problem(loose)}{step_list(plan, bodies, heads)}{state_table(plan)}{graph_of(plan)}{focus}"
    )


def graph_of(plan: Plan) -> str:
    """Return the graph of the steps, folded: its picture, the longest way, and what looks wrong."""
    graph = task_graph(plan)
    if not graph.edges:
        return ""
    notes = "".join(f"<li>{escape(text)}</li>" for text in graph.notes)
    listed = f"<ul>{notes}</ul>" if notes else ""
    return (
        '<details class="pv-states" data-keep="plan-graph"><summary>What each step needs</summary>'
        f'<p class="pv-small">{escape(described(graph))}</p>{listed}'
        '<div class="pv-scroll" tabindex="0" role="region" aria-label="Graph of the steps">'
        f"{svg_of(graph)}</div></details>"
    )


def notes_list(notes: Collection[str], undrawable: Collection[str], stand_ins: str = "") -> str:
    """Return what the model draws in another form or not at all, and the notes folded.

    Args:
        notes: The plan's notes.
        undrawable: Objects that the model cannot draw.
        stand_ins: A sentence on the objects that it draws as something similar.
    """
    shown = note(stand_ins) if stand_ins else ""
    if undrawable:
        names = ", ".join(undrawable)
        shown += note(
            f"This model cannot draw {names}. The video shows a plain shape instead.", "warn"
        )
    if notes:
        items = "".join(f"<li>{escape(text)}</li>" for text in dict.fromkeys(notes))
        what = "1 note" if len(notes) == 1 else f"{len(notes)} notes"
        shown += (
            f'<details class="pv-note"><summary>{what} on this plan</summary>'
            f"<ul>{items}</ul></details>"
        )
    return shown


def _problem(text: str) -> str:
    return f'<p class="pv-problem" role="alert">{escape(text)}</p>' if text else ""


def _shown(plan: Plan, step: StepPlan, view: PlanView) -> str:
    chips = "".join(
        _chip(step.number, o, view.undrawable)
        for o in sorted(step.objects, key=lambda o: -o.importance)
    )
    name = plan.names[step.number]
    edit = button(
        "edit",
        "Edit",
        hint=f"Edit step {name}",
        id=element_id(step.number, "edit"),
        step=step.number,
    )
    prompt = element_id(step.number, "details")
    return (
        f'<ul class="pv-chips">{chips}</ul><div class="pv-under"><details id="{prompt}">'
        f"<summary>Prompt</summary><p>{escape(step.prompt)}</p></details>{edit}</div>"
    )


def _chip(number: int, item: PlannedObject, undrawable: Collection[str]) -> str:
    must = " must" if item.likelihood == "highly_likely" else ""
    kept = LIKELIHOOD_WORDS[item.likelihood]
    sign = '<span aria-hidden="true"> ⚓</span>' if must else ""
    absent = f' <em title="{NOT_DRAWN}">not drawn</em>' if item.name in undrawable else ""
    return (
        f'<li><button type="button" class="pv-chip{must}" title="{kept}" data-act="edit" '
        f'data-step="{number}" data-name="{escape(item.name)}"><b>{escape(item.name)}</b> '
        f'<span class="pv-turn">{_turn(item)}</span>{absent}{sign}'
        f'<span class="pv-unseen">, {kept}. Edit.</span></button></li>'
    )


def _edited(plan: Plan, step: StepPlan, view: PlanView) -> str:
    number, name = step.number, plan.names[step.number]
    rows = "".join(_object_row(plan, number, item) for item in step.objects)
    add = element_id(number, "add")
    words = element_id(number, "words")
    return (
        f'<div class="pv-edit" role="group" aria-label="Edit step {name}">{_problem(view.problem)}'
        f"{_text(words, 'What happens', 'words', number, step.text)}"
        f'<div class="pv-objects">{rows}</div>'
        f'<label class="pv-labelled pv-short"><span>Add an object</span><input id="{add}" class="pv-field" '
        f'data-act="add_object" data-step="{number}" maxlength="60" placeholder="e.g. spoon"></label>'
        f"{_text(element_id(number, 'prompt'), 'Prompt', 'prompt', number, step.prompt)}"
        f'<p class="pv-small" role="status">{escape(view.carried)}</p>'
        f'<div class="pv-actions">{_actions(plan, step, view)}</div></div>'
    )


def _actions(plan: Plan, step: StepPlan, view: PlanView) -> str:
    number, last = step.number, len(plan.steps)
    name = plan.names[number]
    rows = (
        ("done", "Done", "primary", f"Done with step {name}", False),
        ("new", "Add a step after", "", f"Add a step after step {name}", False),
        ("up", "Move up", "", f"Move up step {name}", number == 1),
        ("down", "Move down", "", f"Move down step {name}", number == last),
        ("delete", "Delete", "", f"Delete step {name}", last == 1),
        (
            "anew",
            "Rewrite prompt",
            "quiet",
            f"Rewrite prompt of step {name} from its objects",
            False,
        ),
    )
    return "".join(
        button(
            act, label, kind=kind, hint=hint, id=element_id(number, act), disabled=off, step=number
        )
        for act, label, kind, hint, off in rows
    )


def _text(id: str, label: str, act: str, number: int, value: str) -> str:
    lines = min(6, 2 + len(value) // 110)
    return (
        f'<label class="pv-labelled"><span>{label}</span><textarea id="{id}" class="pv-field" '
        f'rows="{lines}" data-act="{act}" data-step="{number}">{escape(value)}</textarea></label>'
    )


def _object_row(plan: Plan, number: int, item: PlannedObject) -> str:
    def field(what: str, label: str, value: str, more: str = "") -> str:
        return (
            f'<label class="pv-labelled"><span>{label}</span>'
            f'<input id="{element_id(number, escape(item.name), what)}" class="pv-field" maxlength="60" '
            f'value="{escape(value)}" aria-label="{label} of {escape(item.name)}" {more}{facts(what)}>'
            "</label>"
        )

    def facts(what: str) -> str:
        return (
            f'data-act="object" data-step="{number}" data-name="{escape(item.name)}" '
            f'data-field="{what}"'
        )

    def choice(what: str, label: str, value: str, words: dict[str, str]) -> str:
        options = "".join(
            f'<option value="{key}"{" selected" if key == value else ""}>{shown}</option>'
            for key, shown in words.items()
        )
        return (
            f'<label class="pv-labelled"><span>{label}</span>'
            f'<select id="{element_id(number, escape(item.name), what)}" class="pv-field" '
            f'aria-label="{label} of {escape(item.name)}" {facts(what)}>{options}</select></label>'
        )

    listed = element_id(number, escape(item.name), "states")
    states = "".join(f'<option value="{escape(s)}">' for s in known_states(plan, item))
    remove = button(
        "remove",
        "Remove",
        kind="quiet",
        hint=f"Remove {item.name}",
        step=number,
        name=item.name,
        id=element_id(number, item.name, "remove"),
    )
    return (
        f'<div class="pv-object">{field("name", "Object", item.name)}'
        f"{choice('role', 'Kind', item.role, ROLE_WORDS)}"
        f"{field('state_before', 'Before', item.state_before, f'list={chr(34)}{listed}{chr(34)} ')}"
        f"{field('state_after', 'After', item.state_after, f'list={chr(34)}{listed}{chr(34)} ')}"
        f"{choice('likelihood', 'Looks', item.likelihood, LIKELIHOOD_WORDS)}"
        f'{remove}<datalist id="{listed}">{states}</datalist></div>'
    )


def _new_step(plan: Plan, step: StepPlan, view: PlanView) -> str:
    number = step.number
    label = f"New step after step {plan.names[number]}"
    problem = "" if view.open else view.problem
    return (
        f'<div class="pv-edit" role="group" aria-label="{label}">{_problem(problem)}'
        f"{_text(element_id(number, 'insert'), label, 'insert', number, '')}"
        f'<div class="pv-actions">{button("add", "Add step", kind="primary", step=number)}'
        f"{button('done', 'Cancel', kind='quiet', step=number)}</div></div>"
    )


def _turn(item: PlannedObject) -> str:
    if item.state_before == item.state_after:
        return escape(item.state_after)
    return f"{escape(item.state_before)} → {escape(item.state_after)}"


def state_table(plan: Plan) -> str:
    """Return a table of each object's state in each step; "" for a plan without objects."""
    names = dict.fromkeys(item.name for step in plan.steps for item in step.objects)
    if not names:
        return ""
    found = {(s.number, o.name): o for s in plan.steps for o in s.objects}
    head = "".join(f'<th scope="col">{name}</th>' for name in plan.names.values())
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{_cell(found.get((s.number, name)))}</td>" for s in plan.steps)
        + "</tr>"
        for name in names
    )
    return (
        '<details class="pv-states"><summary>States of all objects</summary>'
        '<div class="pv-scroll" tabindex="0" role="region" aria-label="States of the objects">'
        f'<table><thead><tr><th scope="col">Step</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _cell(item: PlannedObject | None) -> str:
    if item is None:
        return '<span class="pv-unseen">not shown</span>'
    return _turn(item)
