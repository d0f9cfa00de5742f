"""Plots of scores with plotly, for the page and for reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from procvid.evaluate.metrics import METRICS, title_of

Json = Mapping[str, Any]

COLOURS = ("#b45309", "#1d4ed8", "#047857", "#7e22ce", "#be123c", "#0e7490", "#4d7c0f", "#525252")
HEIGHT = 300
MAX_OBJECT_PLOTS = 4
"""Runs that get a plot of their objects."""

MIDDLE_GREY, GRID = "#857f7a", "rgba(120, 113, 108, 0.3)"
"""Readable on white and on black."""


def joint_plot(scores: Json, name: str) -> go.Figure | None:
    """Plot a metric at each joint, one line per run; return None if no run has a value."""
    return _lines(scores, name, "joint ", "joint")


def step_plot(scores: Json, name: str) -> go.Figure | None:
    """Plot a metric at each step, one line per run, with the line of chance."""
    return _lines(scores, name, "step ", "step")


def gap_plot(scores: Json) -> go.Figure | None:
    """Plot object fidelity against the steps since the object was last seen, one line per run."""
    figure = _figure("Object fidelity by steps out of sight", "steps since last seen", "fidelity")
    shown = False
    for number, run in enumerate(scores["runs"]):
        items = run["metrics"].get("gap_decay", {}).get("items", [])
        points = [(item["facts"]["gap"], item["value"]) for item in items]
        if _is_line(points):
            shown = True
            x, y = zip(*points, strict=True)
            figure.add_trace(_trace(run["name"], x, y, number))
    figure.update_xaxes(dtick=1)
    return figure if shown else None


def object_plot(run: Json) -> go.Figure | None:
    """Plot object fidelity by step, one line per object, with gaps where it was not found."""
    items = run["metrics"].get("object_fidelity", {}).get("items", [])
    by_object: dict[str, list[tuple[int, float | None]]] = {}
    for item in items:
        step, _, name = item["key"].removeprefix("step ").partition(", ")
        by_object.setdefault(name, []).append((int(step), item["value"]))
    if not any(map(_is_line, by_object.values())):
        return None
    figure = _figure(f"Object fidelity: {run['name']}", "step", "fidelity")
    for number, (name, points) in enumerate(sorted(by_object.items())):
        x, y = zip(*points, strict=True)
        figure.add_trace(_trace(name, x, y, number))
    figure.update_xaxes(dtick=1)
    return figure


def difference_plot(row: Json) -> go.Figure | None:
    """Plot the paired differences between a setting and the base with their 95 % intervals."""
    found = [
        (name, column["difference"])
        for name, column in row["metrics"].items()
        if column["difference"] is not None and column["difference"]["mean"] is not None
    ]
    if not found:
        return None
    figure = _figure(f"{row['setting']} minus base, each metric on its own scale", "", "")
    for name, d in found:
        reach = max(abs(d["low"]), abs(d["high"])) or 1.0
        text = f"{d['mean']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]"
        figure.add_trace(
            go.Scatter(
                x=[d["mean"] / reach],
                y=[name],
                mode="markers",
                marker={"color": _verdict_colour(row["metrics"][name]["direction"], d), "size": 9},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [(d["high"] - d["mean"]) / reach],
                    "arrayminus": [(d["mean"] - d["low"]) / reach],
                },
                hovertext=text,
                hoverinfo="y+text",
            )
        )
        figure.add_annotation(x=1.1, y=name, text=text, xanchor="left", showarrow=False)
    figure.add_vline(x=0, line_dash="dash", line_color="#737373")
    figure.update_xaxes(range=[-1.1, 3.0], tickvals=[0], ticktext=["no difference"])
    figure.update_layout(
        height=120 + 30 * len(found), margin={"l": 150}, font={"size": 11}, showlegend=False
    )
    return figure


def _verdict_colour(direction: str, difference: Json) -> str:
    """Return green for better, red for worse, grey if the interval spans 0."""
    if difference["low"] <= 0 <= difference["high"]:
        return "#78716c"
    return "#047857" if (difference["mean"] > 0) == (direction == "higher") else "#be123c"


def all_plots(scores: Json) -> list[go.Figure]:
    """Return every plot that these scores allow, in the order of `METRICS`."""
    found: list[go.Figure | None] = []
    for name, metric in METRICS.items():
        match metric.plot:
            case "joints":
                found.append(joint_plot(scores, name))
            case "steps":
                found.append(step_plot(scores, name))
            case "gaps":
                found.append(gap_plot(scores))
            case "objects":
                found += [object_plot(run) for run in scores["runs"][:MAX_OBJECT_PLOTS]]
            case None:
                pass
    return [figure for figure in found if figure is not None]


def on_page(figure: go.Figure) -> go.Figure:
    """Style a figure for a light or dark page, with its title below plotly's buttons."""
    grid = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID}
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": MIDDLE_GREY},
        title={"y": 0.86, "yanchor": "top"},
        height=HEIGHT + 40,
        margin={"t": 84},
        xaxis=grid,
        yaxis=grid,
    )
    return figure


def plots_html(figures: Sequence[go.Figure]) -> str:
    """Return the figures as HTML that loads nothing; the first includes plotly's script."""
    config = {"displaylogo": False, "responsive": True, "displayModeBar": False}
    return "".join(
        figure.to_html(
            full_html=False,
            include_plotlyjs=number == 0,
            config=config,
            div_id=f"plot-{number}",
        )
        for number, figure in enumerate(figures)
    )


def _lines(scores: Json, name: str, prefix: str, axis: str) -> go.Figure | None:
    fact = METRICS[name].plotted_fact
    title = title_of(name) + (f" ({fact})" if fact else "")
    figure = _figure(title, axis, fact or "value")
    shown = False
    for number, run in enumerate(scores["runs"]):
        metric = run["metrics"].get(name)
        items = metric["items"] if metric else []
        points = [
            (item["key"].removeprefix(prefix), item["facts"].get(fact) if fact else item["value"])
            for item in items
            if item["key"].startswith(prefix)
        ]
        if _is_line(points):
            shown = True
            x, y = zip(*points, strict=True)
            figure.add_trace(_trace(run["name"], x, y, number))
    chance = (scores["summary"].get(name) or {}).get("chance")
    if shown and chance is not None:
        figure.add_hline(y=chance, line_dash="dash", line_color="#737373", annotation_text="chance")
    figure.update_xaxes(type="category")
    return figure if shown else None


def _is_line(points: Sequence[tuple[Any, float | None]]) -> bool:
    """Return True for two values or more; a single point adds nothing to the table."""
    return sum(value is not None for _, value in points) > 1


def _trace(name: str, x: Sequence[Any], y: Sequence[Any], number: int) -> go.Scatter:
    colour = COLOURS[number % len(COLOURS)]
    return go.Scatter(x=list(x), y=list(y), name=name, mode="lines+markers", line={"color": colour})


def _figure(title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        height=HEIGHT,
        margin={"l": 56, "r": 16, "t": 44, "b": 44},
        template="plotly_white",
        showlegend=True,
        legend={"orientation": "h", "y": -0.25},
        xaxis_title=x,
        yaxis_title=y,
    )
    return figure
