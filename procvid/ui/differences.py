"""Render differences in words as HTML, with all text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from procvid.evaluate.differences.coach import Coached
from procvid.evaluate.differences.runs import StepDifferences
from procvid.types import Plan
from procvid.types.difference import CATEGORIES, TITLES, ClipDifferences, Difference
from procvid.ui.markup import note, notes

SCALE = "1 is nearly the same, 5 very different"


def in_words(found: ClipDifferences) -> str:
    """Return what differs between two clips as a list."""
    items = "".join(
        _item(category_title, each)
        for category in CATEGORIES
        for category_title in (TITLES[category],)
        for each in found.of(category)
    )
    text = f"<ul>{items}</ul>" if items else "<p>No difference is seen.</p>"
    alike = f"<p><small>Alike: {escape(', '.join(found.alike))}</small></p>" if found.alike else ""
    unseen = f"<p><small>Not seen: {escape('; '.join(found.unseen))}</small></p>"
    return f"{text}{alike}{unseen if found.unseen else ''}{notes('Please note:', found.notes)}"


def _item(title: str, each: Difference) -> str:
    moment = "" if each.b_s is None else f" <small>at {each.b_s:.1f}\u00a0s</small>"
    return (
        f"<li><small>{escape(title)}</small> {escape(each.text)}{moment} "
        f'<span class="pv-severity" title="Severity: {SCALE}">{each.severity}</span></li>'
    )


def take_words(found: ClipDifferences) -> str:
    """Return what the take in the video does differently from another one."""
    return (
        '<details class="pv-differences" open><summary>What differs, in words: severity '
        f"{found.severity:.1f} of 5</summary>{in_words(found)}</details>"
    )


def run_words(steps: Sequence[StepDifferences], *, done: bool) -> str:
    """Return what the second of two runs does differently, a line for each step."""
    compared = [step.found for step in steps if step.found is not None]
    mean = sum(found.severity for found in compared) / max(1, len(compared))
    state = f"mean severity {mean:.1f} ({SCALE})" if compared else "no step could be compared"
    lead = f"What the second video does differently: {state}." if done else "Comparing…"
    items = "".join(_step(step) for step in steps)
    return (
        f'<section class="pv-differences" aria-label="What differs, in words">'
        f'<p role="status">{lead}</p>{items}</section>'
    )


def _step(step: StepDifferences) -> str:
    name = f"Step {step.name}: {escape(step.text)}"
    if step.found is None:
        return f"<details><summary>{name} <small>{escape(step.why)}</small></summary></details>"
    count = len(step.found.found)
    said = f"{count} {'difference' if count == 1 else 'differences'}"
    return (
        f"<details><summary>{name} <small>{said}, severity {step.found.severity:.1f}</small>"
        f"</summary>{in_words(step.found)}</details>"
    )


def coached_words(coached: Coached, plan: Plan) -> str:
    """Return what the coach says about a clip."""
    guesses = "".join(
        f"<li{' aria-current=true' if guess.number == coached.step else ''}>"
        f"{guess.fit:.2f} step {guess.name}: {escape(plan.steps[guess.number - 1].text)}</li>"
        for guess in coached.guesses
    )
    found = f"<p>Fits best, from 0 to 1:</p><ol>{guesses}</ol>"
    if coached.step:
        found += f"<p><b>Compared with step {plan.names[coached.step]}:</b></p>"
        remarks = "".join(
            f"<li><b>{each.meaning.capitalize()}</b>: {escape(each.difference.text)}"
            f"{_at(each.difference)} <small>({escape(each.why)})</small></li>"
            for each in coached.remarks
        )
        found += f"<ul>{remarks}</ul>" if remarks else "<p>Nothing differs from the recipe.</p>"
        if coached.found.unseen:
            found += f"<p><small>Not seen: {escape('; '.join(coached.found.unseen))}</small></p>"
    said = "".join(note(each) for each in coached.notes)
    return f'<section class="pv-differences" role="status">{found}{said}</section>'


def _at(each: Difference) -> str:
    return "" if each.b_s is None else f" at {each.b_s:.1f}\u00a0s"
