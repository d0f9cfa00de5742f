"""Draw the graph of a recipe as an SVG picture, and as a page of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from procvid.plan.graph.graph import Edge, TaskGraph

BOX_WIDTH, LINE_HEIGHT, GAP_X, GAP_Y, MARGIN = 230, 17, 26, 44, 8
LINE_CHARS, MAX_LINES = 30, 3
STYLE = """
.pv-graph text{font:13px system-ui,sans-serif;fill:currentColor}
.pv-graph rect{fill:#8881;stroke:#8888;stroke-width:1.2}
.pv-graph path{fill:none;stroke:#888;stroke-width:1.4}
.pv-graph .critical rect{stroke:#0a8457;stroke-width:2.2}
.pv-graph path.critical{stroke:#0a8457;stroke-width:2.4}
.pv-graph .name{font-weight:700}
.pv-graph .time{font-size:11px;opacity:.75}
"""


def svg_of(graph: TaskGraph) -> str:
    """Return the picture: steps below what they need, the critical path in green."""
    lines = {name: _lines(text) for name, text in graph.steps.items()}
    rows = graph.rows
    columns = _columns(graph, rows)
    width = (max(columns.values()) + 1) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    places: dict[str, tuple[float, float, float]] = {}
    top = float(MARGIN)
    for row in rows:
        heights = {name: (len(lines[name]) + 1) * LINE_HEIGHT + 10 for name in row}
        for name in row:
            left = MARGIN + columns[name] * (BOX_WIDTH + GAP_X)
            places[name] = left, top, heights[name]
        top += max(heights.values()) + GAP_Y
    critical = set(pairwise(graph.critical_path))
    arrows = "".join(
        _arrow(edge, places, (edge.before, edge.after) in critical) for edge in graph.edges
    )
    boxes = "".join(_box(graph, name, lines[name], places[name]) for name in graph.steps)
    height = top - GAP_Y + MARGIN
    return (
        f'<svg class="pv-graph" role="img" aria-label="{escape(described(graph))}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>'
        '<defs><marker id="pv-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#888;stroke:none"/></marker></defs>'
        f"{arrows}{boxes}</svg>"
    )


def page_of(graph: TaskGraph, title: str) -> str:
    """Return a page with the picture and what it says in words."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in graph.notes)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        "<style>body{font:16px system-ui,sans-serif;margin:2rem}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(described(graph))}</p>"
        f"{f'<ul>{notes}</ul>' if notes else ''}{svg_of(graph)}</html>\n"
    )


def described(graph: TaskGraph) -> str:
    """Return the critical path, and what can be done beside it, in words."""
    way = ", ".join(graph.critical_path)
    words = f"The longest way is {way}, about {duration(graph.total_min)}."
    if graph.beside:
        words += f" Beside it, ahead or meanwhile: {', '.join(graph.beside)}."
    return words


def duration(minutes: float) -> str:
    """Return minutes in words, such as "12 min" or "2 h 5 min"."""
    whole = max(1, round(minutes))
    if whole < 60:
        return f"{whole} min"
    return f"{whole // 60} h" + (f" {whole % 60} min" if whole % 60 else "")


def _columns(graph: TaskGraph, rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return the column of each step: 0 for the critical path, others beside what needs them."""
    columns = dict.fromkeys(graph.critical_path, 0)
    for row in reversed(rows):
        free = set(range(1, len(graph.steps) + 1))
        for name in row:
            if name not in columns:
                wanted = min((columns[e.after] for e in graph.edges if e.before == name), default=1)
                columns[name] = wanted if wanted in free else min(free)
                free.discard(columns[name])
    return columns


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, LINE_CHARS, max_lines=MAX_LINES, placeholder=" ...") or [""]


def _arrow(edge: Edge, places: dict[str, tuple[float, float, float]], critical: bool) -> str:
    x0, y0, height = places[edge.before]
    x1, y1, _ = places[edge.after]
    x0, x1, y0, middle = x0 + BOX_WIDTH / 2, x1 + BOX_WIDTH / 2, y0 + height, GAP_Y * 0.6
    kind = ' class="critical"' if critical else ""
    things = escape(f"{edge.before} to {edge.after}: {', '.join(edge.things)}")
    return (
        f'<path{kind} marker-end="url(#pv-tip)" d="M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + middle:.0f} '
        f'{x1:.0f} {y1 - middle:.0f} {x1:.0f} {y1:.0f}"><title>{things}</title></path>'
    )


def _box(graph: TaskGraph, name: str, lines: list[str], place: tuple[float, float, float]) -> str:
    x, y, height = place
    kind = ' class="critical"' if name in graph.critical_path else ""
    text = "".join(
        f'<text x="{x + 10:.0f}" y="{y + (at + 2) * LINE_HEIGHT + 2:.0f}">{escape(line)}</text>'
        for at, line in enumerate(lines)
    )
    time = duration(graph.minutes[name])
    return (
        f'<g{kind}><title>{escape(graph.steps[name])}</title><rect x="{x:.0f}" y="{y:.0f}" rx="8" '
        f'width="{BOX_WIDTH}" height="{height:.0f}"/><text class="name" x="{x + 10:.0f}" '
        f'y="{y + LINE_HEIGHT + 1:.0f}">{escape(name)}</text><text class="time" text-anchor="end" '
        f'x="{x + BOX_WIDTH - 10:.0f}" y="{y + LINE_HEIGHT + 1:.0f}">{time}</text>{text}</g>'
    )
