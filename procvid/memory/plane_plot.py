"""The crops on a plane as a plot: what lies near is alike, colour and shape are the name."""

from __future__ import annotations

from typing import Any

from procvid.memory.plane import on_a_plane
from procvid.memory.store import CropStore

MAX_POINTS = 20_000
SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "star")
"""After the ten colours are used up they come again with the next symbol."""

COLOURS = 10


def plane_figure(store: CropStore) -> Any:
    """A plotly figure with a point a crop; of many crops every so-manieth."""
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
    """The plot as an HTML page that needs nothing else."""
    return str(plane_figure(store).to_html(include_plotlyjs=True, full_html=True))


def _plain(text: str) -> str:
    """Without what plotly would read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
