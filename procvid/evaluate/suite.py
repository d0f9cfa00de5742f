"""The evaluation of runs: every clip is read once for all metrics, and progress is yielded as events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from procvid.errors import InputError
from procvid.evaluate.events import (
    ClipRead,
    EvaluationEvent,
    EvaluationFinished,
    EvaluationStarted,
    EvaluationWarned,
    MetricDone,
)
from procvid.evaluate.evidence import RunEvidence
from procvid.evaluate.gather import EvidenceCache, Gatherer
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.metrics import METRICS, choose_metrics
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result
from procvid.evaluate.scores import scores_of
from procvid.evaluate.standard import RealClips


def evaluate(
    runs: Sequence[RunInput],
    parts: EvaluationParts,
    metrics: Sequence[str] | None = None,
    judgements: Judgements | None = None,
    cache: EvidenceCache | None = None,
    real: Sequence[ClipInput] = (),
) -> Iterator[EvaluationEvent]:
    """Evaluate runs, one after the other.

    Args:
        runs: Runs with different names.
        parts: The backbones. A metric whose backbone is missing is unavailable; the others run.
        metrics: Ids of metrics. Default: `DEFAULT`.
        judgements: The judge with its stored answers. Default: a new one.
        cache: Evidence by content, shared between evaluations.
        real: Real clips to compare with, for FID, FVD and the divergences of `caption_alignment`.

    Yields:
        `EvaluationStarted`, `ClipRead` for each clip, `EvaluationWarned` when the stand-in answered for
        the judge, `MetricDone` for each metric of each run, `EvaluationFinished` last.

    Raises:
        InputError: No run, two runs with the same name, an unknown metric, or an unreadable clip.
        ServiceError: The judge was chosen by name, and its key or quota is not valid.
    """
    chosen = choose_metrics(metrics)
    _check(runs)
    cache = cache or EvidenceCache()
    if judgements is None:
        judgements = Judgements.of(parts)
    if parts.restart is not None:
        parts.restart()
    total = sum(len(run.clips) for run in runs)
    notes = tuple(f"{run.name}: {note}" for run in runs for note in run.notes)
    notes = (*parts.notes, *notes)
    yield EvaluationStarted(tuple(run.name for run in runs), chosen, total, notes)

    merged = {name: METRICS[name]() for name in chosen}
    results: list[tuple[RunInput, RunEvidence, dict[str, Result]]] = []
    started_s, done = time.monotonic(), 0
    needs = {n for name in chosen for n in (*METRICS[name].needs, *METRICS[name].optional_needs)}
    compared = RealClips(real, parts, needs)
    for run in runs:
        gatherer = Gatherer(run, parts, needs, judgements, cache, compared)
        for clip in run.clips:
            gatherer.add(clip)
            done += 1
            eta_s = (time.monotonic() - started_s) / done * (total - done)
            yield ClipRead(run.name, clip.number, done, total, eta_s)
        evidence = gatherer.finish()
        for note in evidence.notes:
            yield EvaluationWarned(run.name, note)
        own: dict[str, Result] = {}
        for name in chosen:
            own[name] = METRICS[name]().update(evidence).compute()
            merged[name].update(evidence)
            yield MetricDone(run.name, own[name])
        results.append((run, evidence, own))
    summary = {name: metric.compute() for name, metric in merged.items()}
    yield EvaluationFinished(scores_of(results, summary, parts, needs))


def _check(runs: Sequence[RunInput]) -> None:
    if not runs:
        raise InputError("No run was given to evaluate.", "Give a run folder or video files.")
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two runs are named {name!r}.", "Give each run once.")
