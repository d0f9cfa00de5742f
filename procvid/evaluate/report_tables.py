"""Scores as HTML tables and film strips. All text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from procvid.evaluate.metric import GROUP_TITLES
from procvid.evaluate.metrics import METRICS, metrics_in, title_of

Json = Mapping[str, Any]

PAPER = metrics_in("paper")
PAPER_ROWS = {
    setting: tuple(METRICS[name].published[place] for name in PAPER)
    for place, setting in enumerate(("paper: Phantom", "paper: fine-tuned + memory"))
}
"""Table 1 of the paper."""

OTHER_DATA = (
    "The paper's rows come from another data set, other videos and other backbones: do not compare them "
    "directly."
)


def number(value: float | None, digits: int = 3) -> str:
    """Return the value with this number of decimals, or a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}"


def score_table(scores: Json) -> str:
    """Return a table with a row for each metric, by group, and a column for each run."""
    runs = scores["runs"]
    names = list(scores["summary"])
    several = len(runs) > 1
    heads = "".join(f'<th scope="col">{escape(run["name"])}</th>' for run in runs)
    if several:
        heads += '<th scope="col">mean ± std</th>'
    body = ""
    groups = [(title, metrics_in(group)) for group, title in GROUP_TITLES.items()]
    groups.append(("Other metrics", tuple(name for name in names if name not in METRICS)))
    for title, members in groups:
        chosen = [name for name in names if name in members]
        if not chosen:
            continue
        body += f'<tr class="part"><th colspan="{len(runs) + 3 + several}">{title}</th></tr>'
        body += "".join(_row(name, scores, several) for name in chosen)
    return (
        '<div class="wide"><table><thead><tr><th scope="col">Metric</th><th scope="col">Better</th>'
        f'<th scope="col">Chance</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(name: str, scores: Json, several: bool) -> str:
    summary = scores["summary"][name]
    cells = "".join(_cell(run["metrics"][name]) for run in scores["runs"])
    if several:
        cells += _cell(summary)
    arrow = "lower ↓" if summary["direction"] == "lower" else "higher ↑"
    return (
        f'<tr><th scope="row">{escape(title_of(name))} <code>{escape(name)}</code></th>'
        f"<td>{arrow}</td><td>{number(summary['chance'])}</td>{cells}</tr>"
    )


def _cell(metric: Json) -> str:
    if metric["value"] is None:
        return f'<td class="none">{escape(metric["state"])}</td>'
    parts = ", ".join(
        f"{key.replace('_', ' ')} {number(value)}" for key, value in metric["parts"].items()
    )
    small = f"<small>n {metric['n']}{', ' + escape(parts) if parts else ''}</small>"
    std = "" if metric["std"] is None else f" ± {metric['std']:.3f}"
    return f"<td>{number(metric['value'])}{std}{small}</td>"


def table_1(ours: Mapping[str, Sequence[str]]) -> str:
    """Return our rows in the columns of the paper's Table 1, followed by the paper's labelled rows."""
    heads = "".join(f'<th scope="col">{escape(title_of(name))}</th>' for name in PAPER)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(value)}</td>" for value in values)
        + "</tr>"
        for name, values in {**ours, **PAPER_ROWS}.items()
    )
    return (
        f"<p>{OTHER_DATA}</p>"
        '<div class="wide"><table><thead><tr><th scope="col">Setting</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def clip_table(run: Json) -> str:
    """Return a table of the clips: their size, and whether they move and are known to the models."""
    known = {
        True: "yes",
        False: "no: metrics of the small models are unavailable",
        None: "not asked",
    }
    rows = "".join(
        f"<tr><td>step {clip['step']}</td><td>{clip['width']}x{clip['height']} px, "
        f"{clip['num_frames']} frames</td><td>{'no: frozen' if clip['frozen'] else 'yes'}</td>"
        f"<td>{known[clip['known']]}</td></tr>"
        for clip in run["clips"]
    )
    return (
        '<div class="wide"><table><thead><tr><th>Clip</th><th>Size</th><th>Moves</th>'
        f"<th>Known to the models</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def film_strip(run: Json) -> str:
    """Return the last frame before and the first frame after each joint, with the values there."""
    clips = run["clips"]
    joints = [(a, b) for a, b in pairwise(clips) if b["step"] == a["step"] + 1]
    if not joints:
        return '<p class="none">The run has no two consecutive clips, so it has no joint.</p>'
    by_metric = {
        name: {item["key"]: item["value"] for item in run["metrics"][name]["items"]}
        for name, metric in METRICS.items()
        if metric.plot == "joints" and name in run["metrics"]
    }
    figures = ""
    for before, after in joints:
        key = f"joint {before['step']}-{after['step']}"
        values = " · ".join(f"{name} {number(by.get(key))}" for name, by in by_metric.items())
        figures += (
            f"<figure><div>{_frame(before, 'last')}{_frame(after, 'first')}</div>"
            f"<figcaption><b>{key}</b> {escape(values)}</figcaption></figure>"
        )
    return f'<div class="strip">{figures}</div>'


def _frame(clip: Json, which: str) -> str:
    text = f"{which} frame of step {clip['step']}: {clip['text']}"
    return f'<img alt="{escape(text)}" title="{escape(text)}" src="{clip[f"{which}_frame"]}">'


def objections(run: Json) -> str:
    """Return a list of what the judge found inconsistent."""
    rows = dict.fromkeys(
        f"<li><b>{escape(item['key'])}</b>: {escape(item['note'])}</li>"
        for name, metric in METRICS.items()
        if metric.has_objections and name in run["metrics"]
        for item in run["metrics"][name]["items"]
        if item["value"] == 0 and item["note"]
    )
    if not rows:
        return "<p>The judge has no objection: the recipe explains every change.</p>"
    return f"<ul>{''.join(rows)}</ul>"


def item_table(run: Json, names: Sequence[str]) -> str:
    """Return a table of every step, joint and object of some metrics."""
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(item['key'])}</td>"
        f"<td>{number(item['value'], 4)}</td><td>{escape(item['note'])}</td></tr>"
        for name in names
        for item in run["metrics"][name]["items"]
    )
    return (
        '<div class="wide"><table><thead><tr><th>Metric</th><th>Item</th><th>Value</th><th>Note</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )
