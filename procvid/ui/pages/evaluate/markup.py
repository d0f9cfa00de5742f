"""Render scores as HTML, with all text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from procvid.evaluate.metrics import METRICS
from procvid.evaluate.report_tables import number
from procvid.evaluate.result import Result
from procvid.evaluate.verdict import Contest, contests, verdict, why_not_compared
from procvid.ui.markup import notes
from procvid.ui.server.evaluating import EvaluationView

PLACES = ("The first video", "The second video")
BY_MEMORY = ("Without memory", "With memory")


def score_rows(view: EvaluationView) -> str:
    """Return a table with one row per metric: waiting, running, its value, or why it has none.

    At the end two runs get a sentence above it and a mark at each better value.
    """
    runs = view.runs or ("",)
    found = _contests(view)
    heads = "".join(f'<th scope="col"><bdi>{escape(run or "Value")}</bdi></th>' for run in runs)
    if found:
        heads += '<th scope="col" class="pv-wide">Difference</th>'
    rows = "".join(_row(view, name, runs, found) for name in view.metrics)
    percent = round(100 * view.fraction)
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Clips read" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    done = view.scores is not None
    return (
        f'{_sentence(view, found)}<div class="pv-status"><p role="status">'
        f"<b>{escape(view.sentence)}</b></p>{'' if done else bar}"
        f"{notes('Please note:', view.notes, 'warn')}</div>"
        f'<div class="pv-scores"><table><thead><tr><th scope="col">Metric</th>'
        f'<th scope="col">Better</th><th scope="col" class="pv-wide">Chance</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _contests(view: EvaluationView) -> dict[str, Contest]:
    if view.scores is None or len(view.runs) != 2:
        return {}
    return {contest.metric: contest for contest in contests(view.scores["runs"])}


def _sentence(view: EvaluationView, found: Mapping[str, Contest]) -> str:
    """Return the verdict about two runs, or "" before the end and for one run."""
    if view.scores is None or len(view.runs) != 2:
        return ""
    text = why_not_compared(view.scores["runs"])
    text = text or verdict(list(found.values()), _subjects(view))
    return f'<p class="pv-verdict">{escape(text)}</p>'


def _subjects(view: EvaluationView) -> Sequence[str]:
    """Return the two runs as subjects of a sentence."""
    assert view.scores is not None
    flags = [run["settings"].get("memory", "none") != "none" for run in view.scores["runs"]]
    return PLACES if flags[0] == flags[1] else [BY_MEMORY[flag] for flag in flags]


def _row(
    view: EvaluationView, name: str, runs: tuple[str, ...], found: Mapping[str, Contest]
) -> str:
    known = [view.results.get((run, name)) for run in runs]
    chance = next((r.chance for r in known if r is not None and r.chance is not None), None)
    metric, contest = METRICS[name], found.get(name)
    better = "lower ↓" if metric.direction == "lower" else "higher ↑"
    cells = "".join(
        _cell(result, view.fraction, better=contest is not None and contest.better == place)
        for place, result in enumerate(known)
    )
    if found:
        cells += f'<td class="pv-wide">{_difference(contest)}</td>'
    return (
        f'<tr><th scope="row">{escape(metric.title)}<small>{metric.group}</small></th>'
        f'<td>{better}</td><td class="pv-wide">{number(chance)}</td>{cells}</tr>'
    )


def _cell(result: Result | None, fraction: float, *, better: bool) -> str:
    if result is None:
        return f"<td><i>{'running…' if fraction else 'waiting'}</i></td>"
    if result.value is None:
        return f"<td><small>{escape(result.state)}</small></td>"
    value, small = number(result.value), f"<small>n {result.n}</small>"
    if not better:
        return f"<td>{value}{small}</td>"
    return f'<td class="pv-won"><b>{value}</b> <span>better</span>{small}</td>'


def _difference(contest: Contest | None) -> str:
    """Return the mean difference with its interval, or why it has none."""
    if contest is None:
        return ""
    d = contest.difference
    if d.mean is None:
        return "<small>not paired</small>"
    if d.low is None or d.high is None:
        return f"<small>{d.n} {'pair' if d.n == 1 else 'pairs'}: too few</small>"
    if d.low == d.high == 0:
        return "<small>none</small>"
    return f"{d.mean:+.3f}<small>{d.low:+.3f} to {d.high:+.3f}</small>"
