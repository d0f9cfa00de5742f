"""The report of an evaluation: `report.html`, a single file that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from procvid.evaluate import report_tables
from procvid.evaluate.events import EvaluationEvent, EvaluationFinished
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.scores import JUDGEMENTS, REPORT, SCORES, TABLE, scores_csv
from procvid.evaluate.suite import evaluate
from procvid.storage.atomic import write_text
from procvid.storage.files import write_json

STYLE = """
:root { color-scheme: light; --line: #d6d3d1; --soft: #57534e; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 24px 16px 64px;
  color: #1c1917; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 4px; } h2 { font-size: 1.2rem; margin: 40px 0 8px; }
h3 { font-size: 1rem; margin: 24px 0 8px; } p { margin: 8px 0; } .lead, small { color: var(--soft); }
small { display: block; font-size: .75rem; } code { font-size: .8em; color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; }
table { overflow-wrap: normal; }
th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
.part th { background: #f5f5f4; font-weight: 600; } .none { color: #9a3412; max-width: 24ch; }
.plots { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); }
.plots > div { min-width: 0; border: 1px solid var(--line); border-radius: 8px; padding: 4px;
  overflow: hidden; }
.strip { display: flex; flex-wrap: wrap; gap: 14px; } figure { margin: 0; width: 250px; }
figure div { display: flex; gap: 2px; } figure img { width: 50%; border-radius: 6px; }
figcaption { font-size: .75rem; color: var(--soft); } figcaption b { color: #1c1917; }
"""


def report_html(scores: Mapping[str, Any]) -> str:
    """Return the whole page."""
    # Plotly takes half a second to import, so it is not imported when the app starts.
    from procvid.evaluate import plots

    names = ", ".join(run["name"] for run in scores["runs"])
    backbones = "".join(
        f"<li>{escape(kind)}: <code>{escape(name)}</code></li>"
        for kind, name in scores["backbones"].items()
    )
    missing = "".join(
        f"<li>{escape(kind)}: unavailable, {escape(why)}</li>"
        for kind, why in scores["missing"].items()
    )
    figures = plots.all_plots(scores)
    shown = plots.plots_html(figures) if figures else "<p>No metric has values to plot.</p>"
    runs = "".join(_run(run) for run in scores["runs"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,
initial-scale=1"><title>Scores: {escape(names)}</title><style>{STYLE}</style></head><body>
<h1>Scores of {escape(names)}</h1>
<p class="lead">procvid {escape(scores["procvid"])}, backbones of the {escape(scores["profile"])} profile.
A metric without a value shows a dash or the reason, never 0.</p>
{report_tables.score_table(scores)}
<h2>Compared with the paper's Table 1</h2>{report_tables.table_1(_published(scores))}
<h2>Plots</h2><div class="plots">{shown}</div>
{runs}
<h2>Backbones</h2><ul>{backbones}{missing}</ul>
</body></html>
"""


def _published(scores: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return each run's values of the paper's five metrics."""
    return {
        run["name"]: [
            report_tables.number((run["metrics"].get(name) or {}).get("value"))
            for name in report_tables.PAPER
        ]
        for run in scores["runs"]
    }


def _run(run: Mapping[str, Any]) -> str:
    title = f": {run['title']}" if run["title"] else ""
    settings = ", ".join(f"{key} {value}" for key, value in run["settings"].items())
    notes = "".join(f"<p>Note: {escape(note)}.</p>" for note in run["notes"])
    return (
        f"<h2>{escape(run['name'] + title)}</h2><p class='lead'>{escape(settings)}</p>{notes}"
        f"<h3>Clips</h3>{report_tables.clip_table(run)}"
        f"<h3>Frames at the joints</h3>{report_tables.film_strip(run)}"
        f"<h3>Objections of the judge</h3>{report_tables.objections(run)}"
        f"<details><summary>Every step, joint and object</summary>"
        f"{report_tables.item_table(run, list(run['metrics']))}</details>"
    )


def evaluate_into(
    folder: Path,
    runs: Sequence[RunInput],
    parts: EvaluationParts,
    metrics: Sequence[str],
    judgements: Judgements | None,
    cache: EvidenceCache | None = None,
    real: Sequence[ClipInput] = (),
) -> Generator[EvaluationEvent, None, None]:
    """Run `evaluate` and write its files before the last event is yielded.

    Raises:
        ProcvidError: As `evaluate` and `write_scores`.
    """
    for event in evaluate(runs, parts, metrics, judgements, cache, real):
        if isinstance(event, EvaluationFinished):
            write_scores(folder, event.scores, judgements)
        yield event


def write_scores(
    folder: Path, scores: Mapping[str, Any], judgements: Judgements | None = None
) -> None:
    """Write `scores.json`, `scores.csv`, `report.html` and the judge's answers.

    Raises:
        OutputError: The folder cannot be written.
    """
    write_text(folder / REPORT, report_html(scores))
    write_text(folder / TABLE, scores_csv(scores))
    if judgements is not None:
        judgements.save(folder / JUDGEMENTS)
    write_json(folder / SCORES, dict(scores))
