"""Render a plan as HTML: its steps, their objects, and the states. All text is escaped here."""

from __future__ import annotations

from html import escape

from procvid.types import Plan, PlannedObject, StepPlan
from procvid.ui.markup import step_list

LIKELIHOOD_WORDS = {
    "highly_likely": "must stay the same",
    "likely": "likely the same",
    "unlikely": "may change",
}


def plan_list(plan: Plan) -> str:
    """Return the title, each step with its objects, and the table of states."""
    steps = step_list(plan, {step.number: _objects_and_prompt(step) for step in plan.steps})
    return (
        f'<h2 class="pv-title">{escape(plan.title)}</h2>'
        '<p class="pv-small pv-legend"><span aria-hidden="true">⚓</span> must stay the same</p>'
        f"{steps}{state_table(plan)}"
    )


def _objects_and_prompt(step: StepPlan) -> str:
    chips = "".join(_chip(o) for o in sorted(step.objects, key=lambda o: -o.importance))
    return (
        f'<ul class="pv-chips">{chips}</ul>'
        f"<details><summary>Prompt</summary><p>{escape(step.prompt)}</p></details>"
    )


def _chip(item: PlannedObject) -> str:
    must = " must" if item.likelihood == "highly_likely" else ""
    kept = LIKELIHOOD_WORDS[item.likelihood]
    sign = '<span aria-hidden="true"> ⚓</span>' if must else ""
    return (
        f'<li class="pv-chip{must}" title="{kept}"><b>{escape(item.name)}</b> '
        f'<span class="pv-turn">{_turn(item)}</span>{sign}'
        f'<span class="pv-unseen">, {kept}</span></li>'
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
