"""Scores as HTML tables and film strips; all text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

Json = Mapping[str, Any]

TITLES = {
    "dino_l2": "DINO L2 at joints",
    "shot_boundary": "Shot boundary at joints",
    "step_consistency": "Step consistency",
    "goal_consistency": "Goal consistency",
    "object_state": "Object-state consistency",
    "joint_ratio": "Joint jump in units of motion",
    "step_retrieval": "Step retrieval (top-1)",
    "goal_retrieval": "Goal retrieval (1 / rank)",
    "object_fidelity": "Object fidelity",
    "object_state_strict": "Object state, strict",
    "gap_decay": "Fidelity per step out of sight",
    "copy_paste": "Pasted references",
    "clip_score": "CLIPScore",
    "lpips": "LPIPS at joints",
    "fid": "FID",
    "fvd": "FVD",
}
USUAL = ("clip_score", "lpips", "fid", "fvd")
PAPER = ("dino_l2", "shot_boundary", "step_consistency", "goal_consistency", "object_state")
PAPER_ROWS = {
    "paper: Phantom": ("0.172", "0.68", "0.1675", "0.2490", "0.825 ± 0.143"),
    "paper: fine-tuned + memory": ("0.110", "0.44", "0.1679", "0.2415", "0.846 ± 0.106"),
}
"""Table 1 of the paper: another data set and other videos, for orientation only."""

OTHER_DATA = (
    "The paper's rows are of another data set, other videos and other backbones: "
    "for orientation only."
)


def number(value: float | None, digits: int = 3) -> str:
    """The value, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def score_table(scores: Json) -> str:
    """Metrics as rows, runs as columns; the paper's metrics and the corrected ones apart."""
    runs = scores["runs"]
    names = list(scores["summary"])
    several = len(runs) > 1
    heads = "".join(f'<th scope="col">{escape(run["name"])}</th>' for run in runs)
    if several:
        heads += '<th scope="col">mean ± std</th>'
    body = ""
    for label, chosen in (
        ("As the paper publishes them", [n for n in names if n in PAPER]),
        ("Corrected forms", [n for n in names if n not in (*PAPER, *USUAL)]),
        ("The field's usual figures", [n for n in names if n in USUAL]),
    ):
        if not chosen:
            continue
        body += f'<tr class="part"><th colspan="{len(runs) + 3 + several}">{label}</th></tr>'
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
        f'<tr><th scope="row">{escape(TITLES.get(name, name))} <code>{escape(name)}</code></th>'
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
    """Our rows in the columns of the paper's Table 1, and the paper's own, labelled as what they are."""
    heads = "".join(f'<th scope="col">{escape(TITLES[name])}</th>' for name in PAPER)
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


def film_strip(run: Json) -> str:
    """At each joint the last frame before it and the first after it, with what the metrics say."""
    clips = run["clips"]
    joints = [(a, b) for a, b in pairwise(clips) if b["step"] == a["step"] + 1]
    if not joints:
        return '<p class="none">There is no joint: the run has one clip.</p>'
    told = {
        name: {item["key"]: item["value"] for item in run["metrics"][name]["items"]}
        for name in ("dino_l2", "joint_ratio", "shot_boundary")
        if name in run["metrics"]
    }
    figures = ""
    for before, after in joints:
        key = f"joint {before['step']}-{after['step']}"
        values = " · ".join(f"{name} {number(by.get(key))}" for name, by in told.items())
        figures += (
            f"<figure><div>{_frame(before, 'last')}{_frame(after, 'first')}</div>"
            f"<figcaption><b>{key}</b> {escape(values)}</figcaption></figure>"
        )
    return f'<div class="strip">{figures}</div>'


def _frame(clip: Json, which: str) -> str:
    told = f"{which} frame of step {clip['step']}: {clip['text']}"
    return f'<img alt="{escape(told)}" title="{escape(told)}" src="{clip[f"{which}_frame"]}">'


def sentences(run: Json) -> str:
    """What the judge found inconsistent, and the metrics that have no value with their reasons."""
    told = [
        f"<li><b>{escape(item['key'])}</b>: {escape(item['note'])}</li>"
        for name in ("object_state_strict", "object_state")
        if name in run["metrics"]
        for item in run["metrics"][name]["items"]
        if item["value"] == 0 and item["note"]
    ]
    told = list(dict.fromkeys(told))
    if not told:
        return "<p>The judge found nothing that the recipe does not explain.</p>"
    return f"<ul>{''.join(told)}</ul>"


def item_table(run: Json, names: Sequence[str]) -> str:
    """Every step, joint and object of some metrics."""
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
