"""The table of an ablation as Markdown, HTML and model-index entries."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from procvid.evaluate import plots
from procvid.evaluate.metrics import title_of
from procvid.evaluate.report import STYLE
from procvid.evaluate.report_tables import (
    OTHER_DATA,
    PAPER,
    PAPER_ROWS,
    number,
    table_1,
)
from procvid.storage.atomic import write_text
from procvid.storage.files import write_json

Json = Mapping[str, Any]

COLUMNS = (
    "Metric", "Better", "Setting", "Mean ± std", "Difference to base", "n", "Nulls", "Chance",
)  # fmt: skip

TABLE_JSON, TABLE_MD, TABLE_HTML, MODEL_INDEX = (
    "table.json",
    "table.md",
    "table.html",
    "model_index.json",
)


def table_markdown(table: Json) -> str:
    """Return a line for each metric and setting, and below it the paper's Table 1 with our rows."""
    lines = [
        f"{table['n']} recipes, seeds {', '.join(map(str, table['seeds']))} (averaged for each "
        f"recipe first); backbones of the {table['profile']} profile. Differences to base are paired, "
        "with a bootstrap 95 % interval over the recipes (10,000 resamples). n counts recipes; nulls "
        "are a share of the runs.",
        "",
        "| metric | better | setting | mean ± std | difference to base | n | nulls | chance |",
        "| --- | --- | --- | --- | --- | ---: | ---: | ---: |",
    ]
    for name in table["rows"][0]["metrics"]:
        for row in table["rows"]:
            column = row["metrics"][name]
            lines.append(
                f"| `{name}` | {column['direction']} | {row['setting']} | {_mean(column)} "
                f"| {_difference(row, column)} | {column['n']} | {100 * column['null_share']:.0f} % "
                f"| {number(column['chance'])} |"
            )
    heads = " | ".join(f"`{name}`" for name in PAPER)
    lines += [
        "",
        OTHER_DATA,
        "",
        f"| setting | {heads} |",
        f"| --- |{' ---: |' * len(PAPER)}",
        *(
            f"| {name} | {' | '.join(values)} |"
            for name, values in {**_published(table), **PAPER_ROWS}.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def table_html(table: Json) -> str:
    """Return a page that loads nothing: the table, plots of the differences, the paper's rows."""
    body = ""
    for name in table["rows"][0]["metrics"]:
        for place, row in enumerate(table["rows"]):
            column = row["metrics"][name]
            head = f"{escape(title_of(name))} <code>{escape(name)}</code>" if not place else ""
            body += (
                f'<tr><th scope="row">{head}</th><td>{column["direction"] if not place else ""}</td>'
                f"<td>{escape(row['setting'])}</td><td>{_mean(column)}{_parts(column)}</td>"
                f"<td>{escape(_difference(row, column))}</td><td>{column['n']}</td>"
                f"<td>{100 * column['null_share']:.0f} %</td><td>{number(column['chance'])}</td></tr>"
            )
    found = (plots.difference_plot(row) for row in table["rows"][1:])
    figures = [figure for figure in found if figure is not None]
    shown = plots.plots_html(figures) if figures else "<p>There are no differences to plot.</p>"
    heads = "".join(f'<th scope="col">{head}</th>' for head in COLUMNS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,
initial-scale=1"><title>Ablation</title><style>{STYLE}</style></head><body>
<h1>Ablation on {table["n"]} recipes</h1>
<p class="lead">Seeds {", ".join(map(str, table["seeds"]))} in each setting, averaged for each recipe first;
backbones of the {escape(table["profile"])} profile. Differences are paired, with a bootstrap 95 %
interval over the recipes.</p>
<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>
<h2>Differences</h2><div class="plots">{shown}</div>
<h2>Compared with the paper's Table 1</h2>{table_1(_published(table))}
</body></html>
"""


def model_index(table: Json, name: str) -> list[dict[str, Any]]:
    """Return `model-index` entries for a model card: the means of the last setting."""
    row = table["rows"][-1]
    metrics = [
        {"type": metric, "name": title_of(metric), "value": column["mean"]}
        for metric, column in row["metrics"].items()
        if column["mean"] is not None
    ]
    data = f"{len(table['recipes'])} recipes, {table['profile']} profile"
    return [
        {
            "name": name,
            "results": [
                {
                    "task": {"type": "text-to-video"},
                    "dataset": {"type": "procvid", "name": data},
                    "metrics": metrics,
                }
            ],
        }
    ]


def write_table(folder: Path, table: Json, name: str = "procvid") -> None:
    """Write the table in all formats. Raises OutputError."""
    write_text(folder / TABLE_MD, table_markdown(table))
    write_text(folder / TABLE_HTML, table_html(table))
    write_json(folder / MODEL_INDEX, model_index(table, name))
    write_json(folder / TABLE_JSON, dict(table))


def _published(table: Json) -> dict[str, list[str]]:
    """Return each setting's means of the paper's five metrics."""
    return {
        row["setting"]: [_mean(row["metrics"][name]) for name in PAPER] for row in table["rows"]
    }


def _mean(column: Json) -> str:
    if column["mean"] is None:
        return str(column["state"])
    return f"{number(column['mean'])} ± {number(column['std'])}"


def _parts(column: Json) -> str:
    text = ", ".join(
        f"{part.replace('_', ' ')} {number(value)}" for part, value in column["parts"].items()
    )
    return f"<small>{escape(text)}</small>" if text and column["mean"] is not None else ""


def _difference(row: Json, column: Json) -> str:
    if row["comparable"] != "ok":
        return str(row["comparable"])
    difference = column["difference"]
    if difference is None:
        return "–"
    if difference["mean"] is None:
        return "no recipe has a value in both"
    return f"{difference['mean']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"
