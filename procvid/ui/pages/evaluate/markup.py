"""Render scores and a pair of videos as HTML, with all text escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from procvid.evaluate.metrics import METRICS
from procvid.evaluate.report_tables import number
from procvid.evaluate.result import Result
from procvid.ui.markup import file_url, notes
from procvid.ui.server.evaluating import EvaluationView

IN_STEP = """() => {
  const videos = [...document.querySelectorAll('.pv-pair video')];
  if (videos.length < 2) return;
  const [lead, other] = videos;
  if (!lead.dataset.step) {
    lead.dataset.step = '1';
    lead.addEventListener('timeupdate', () => {
      if (Math.abs(other.currentTime - lead.currentTime) > 0.12) other.currentTime = lead.currentTime;
    });
    lead.addEventListener('play', () => other.play());
    lead.addEventListener('pause', () => other.pause());
    lead.addEventListener('seeked', () => { other.currentTime = lead.currentTime; });
  }
  if (lead.paused) { other.currentTime = lead.currentTime; lead.play(); } else lead.pause();
}"""
"""Script that plays or pauses the first video of the pair and keeps the second in sync."""


def score_rows(view: EvaluationView) -> str:
    """Return a table with one row per metric: waiting, running, its value, or why it has none."""
    runs = view.runs or ("",)
    heads = "".join(f'<th scope="col">{escape(run or "Value")}</th>' for run in runs)
    rows = "".join(_row(view, name, runs) for name in view.metrics)
    percent = round(100 * view.fraction)
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Clips read" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    return (
        f'<div class="pv-status"><p role="status"><b>{escape(view.sentence)}</b></p>{bar}'
        f"{notes('Please note:', view.notes, 'warn')}</div>"
        f'<div class="pv-scores"><table><thead><tr><th scope="col">Metric</th>'
        f'<th scope="col">Better</th><th scope="col">Chance</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(view: EvaluationView, name: str, runs: tuple[str, ...]) -> str:
    known = [view.results.get((run, name)) for run in runs]
    chance = next((r.chance for r in known if r is not None and r.chance is not None), None)
    metric = METRICS[name]
    better = "lower ↓" if metric.direction == "lower" else "higher ↑"
    cells = "".join(_cell(result, view.fraction) for result in known)
    return (
        f'<tr><th scope="row">{escape(metric.title)}<small>{escape(name)}, {metric.group}</small></th>'
        f"<td>{better}</td><td>{number(chance)}</td>{cells}</tr>"
    )


def _cell(result: Result | None, fraction: float) -> str:
    if result is None:
        return f"<td><i>{'running…' if fraction else 'waiting'}</i></td>"
    if result.value is None:
        return f"<td><small>{escape(result.state)}</small></td>"
    return f"<td><b>{number(result.value)}</b><small>n {result.n}</small></td>"


def pair(videos: list[tuple[str, Path]]) -> str:
    """Return two videos side by side, to be played in sync; "" unless there are two."""
    if len(videos) != 2:
        return ""
    figures = "".join(
        f'<figure><video muted playsinline preload="auto" {"controls" if not place else ""} '
        f'aria-label="Video of {escape(name)}" src="{file_url(file)}"></video>'
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for place, (name, file) in enumerate(videos)
    )
    return f'<div class="pv-pair">{figures}</div>'
