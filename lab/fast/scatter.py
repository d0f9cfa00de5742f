"""Draw a scatter plot of named points as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go


@dataclass(frozen=True)
class Mark:
    """A named point; chosen points are highlighted."""

    x: float
    y: float
    name: str
    chosen: bool = False


def write_scatter(
    marks: Sequence[Mark], file: Path, *, title: str, x_label: str, y_label: str
) -> None:
    """Write the points with their names; axes start at zero."""
    figure = go.Figure()
    for chosen, name, size in ((False, "measured", 9), (True, "chosen", 14)):
        part = [mark for mark in marks if mark.chosen == chosen]
        figure.add_scatter(
            x=[mark.x for mark in part],
            y=[mark.y for mark in part],
            text=[mark.name for mark in part],
            name=name,
            mode="markers+text",
            textposition="middle right",
            marker={"size": size},
        )
    figure.update_layout(title=title, xaxis_title=x_label, yaxis_title=y_label)
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    figure.write_html(file)
