"""Render the difference of a changed recipe as cards. All text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

from procvid.plan.detour.detour import Detour
from procvid.plan.detour.diff import Kind, StepDiff
from procvid.ui import markup

MARKS: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        "kept": ("✓", "Kept"),
        "changed": ("↻", "Changed"),
        "new": ("+", "New"),
        "dropped": ("✕", "Dropped"),
    }
)
"""Sign and word of each kind of step."""


def difference(detour: Detour, lead: str = "") -> str:
    """Return the summary, a card per step, the ingredients that change, and the notes.

    Args:
        detour: The changed recipe.
        lead: A sentence below the summary.
    """
    cards = "".join(map(_card, detour.steps))
    below = f'<p class="pv-small">{escape(lead)}</p>' if lead else ""
    return (
        f'<section class="pv-diff" aria-label="Changes"><h3 class="pv-title">'
        f'{escape(detour.recipe.title)}</h3><p role="status">{escape(detour.summary)}</p>{below}'
        f'<ol class="pv-diffsteps">{cards}</ol>{_ingredients(detour)}'
        f"{markup.notes('Notes:', detour.notes)}</section>"
    )


def _card(step: StepDiff) -> str:
    sign, word = MARKS[step.kind]
    which = "Old step" if step.kind == "dropped" else "Step"
    return (
        f'<li class="pv-diffstep {step.kind}"><p class="pv-diffhead"><b class="pv-kind">'
        f'<span aria-hidden="true">{sign}</span> {word}</b> <span>{which} {escape(step.name)}</span></p>'
        f"{_words(step)}{_objects(step)}</li>"
    )


def _words(step: StepDiff) -> str:
    text = escape(step.text)
    if step.before:
        return (
            f'<dl class="pv-beforenow"><div><dt>Before</dt><dd>{escape(step.before)}</dd></div>'
            f"<div><dt>Now</dt><dd>{text}</dd></div></dl>"
        )
    return f"<p><s>{text}</s></p>" if step.kind == "dropped" else f"<p>{text}</p>"


def _objects(step: StepDiff) -> str:
    if not step.objects:
        return ""
    sentences = " ".join(f"{text[:1].upper()}{text[1:]}." for text in step.objects)
    return f'<p class="pv-small">{escape(sentences)}</p>'


def _ingredients(detour: Detour) -> str:
    if not detour.lines:
        return ""
    rows = "".join(f"<li>{_line(old, now)}</li>" for old, now in detour.lines)
    return f'<div class="pv-difflines"><h4>Ingredients</h4><ul>{rows}</ul></div>'


def _line(old: str, now: str) -> str:
    if not now:
        return f"<s>{escape(old)}</s> <b>left out</b>"
    return f'<s>{escape(old)}</s> <span aria-hidden="true">→</span> <b>{escape(now)}</b>'
