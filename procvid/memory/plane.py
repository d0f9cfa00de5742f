"""Plot the crops on a plane: similar crops are close, and colour and symbol encode the name."""

from __future__ import annotations

from typing import Any

import numpy as np

from procvid.memory.store import CropStore
from procvid.types import Vectors

MAX_POINTS = 20_000
SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "star")
"""After ten names the colours repeat with the next symbol."""

COLOURS = 10


def on_a_plane(vectors: Vectors) -> Vectors:
    """Project float32 (N, dim) on its two principal axes: float32 (N, 2), -1 to 1, with fixed signs."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32)
    centred = np.asarray(vectors, np.float64) - vectors.mean(axis=0, dtype=np.float64)
    # The (dim, dim) covariance keeps a million crops cheap.
    values, axes = np.linalg.eigh(centred.T @ centred)
    two = axes[:, np.argsort(values)[::-1][:2]]
    two *= np.where(two[np.abs(two).argmax(axis=0), range(two.shape[1])] < 0, -1, 1)
    places = centred @ two
    return np.asarray(places / max(float(np.abs(places).max()), 1e-12), dtype=np.float32)


def plane_figure(store: CropStore) -> Any:
    """Return a plotly figure with one point per crop, at most `MAX_POINTS` of them."""
    import plotly.graph_objects as go

    step = -(-len(store) // MAX_POINTS) or 1
    places = on_a_plane(store.image_vectors)
    names = sorted({crop.name for crop in store.crops.facts})
    figure = go.Figure()
    for number, name in enumerate(names):
        rows = [row for row in range(0, len(store), step) if store.crops.facts[row].name == name]
        facts = [store.crops.facts[row] for row in rows]
        figure.add_scatter(
            x=places[rows, 0].tolist(),
            y=places[rows, 1].tolist(),
            mode="markers",
            name=_plain(name),
            text=[_plain(f"{fact.name} {fact.state} {fact.id} {fact.source_id}") for fact in facts],
            hoverinfo="text",
            marker={
                "size": 7,
                "opacity": 0.75,
                "symbol": SYMBOLS[number // COLOURS % len(SYMBOLS)],
            },
        )
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#78716c"},
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        modebar={
            "bgcolor": "rgba(0,0,0,0)",
            "color": "#78716c",
            "activecolor": "#059669",
            "remove": ["select", "lasso"],
        },
        height=460,
        xaxis={"visible": False},
        yaxis={"visible": False},
        legend={"orientation": "h"},
    )
    return figure


def plane_page(store: CropStore) -> str:
    """Return the plot as a self-contained HTML page."""
    return str(plane_figure(store).to_html(include_plotlyjs=True, full_html=True))


def _plain(text: str) -> str:
    """Return the text without plotly markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
