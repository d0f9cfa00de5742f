"""The suite: runs in, events out; every clip is read once for all metrics."""

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
from procvid.evaluate.gather import Gatherer, Looks
from procvid.evaluate.inputs import RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.metric import Metric
from procvid.evaluate.metrics.copy_paste import CopyPaste
from procvid.evaluate.metrics.dino_l2 import DinoL2
from procvid.evaluate.metrics.gap_decay import GapDecay
from procvid.evaluate.metrics.goal_consistency import GoalConsistency
from procvid.evaluate.metrics.goal_retrieval import GoalRetrieval
from procvid.evaluate.metrics.joint_ratio import JointRatio
from procvid.evaluate.metrics.object_fidelity import ObjectFidelity
from procvid.evaluate.metrics.object_state import ObjectState
from procvid.evaluate.metrics.object_state_strict import ObjectStateStrict
from procvid.evaluate.metrics.shot_boundary import ShotBoundary
from procvid.evaluate.metrics.step_consistency import StepConsistency
from procvid.evaluate.metrics.step_retrieval import StepRetrieval
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result
from procvid.evaluate.scores import scores_of

METRICS: dict[str, type[Metric]] = {
    metric.id: metric
    for metric in (
        DinoL2,
        ShotBoundary,
        StepConsistency,
        GoalConsistency,
        ObjectState,
        JointRatio,
        StepRetrieval,
        GoalRetrieval,
        ObjectFidelity,
        ObjectStateStrict,
        GapDecay,
        CopyPaste,
    )
}
"""By id; the paper's five first, in the order of its Table 1."""


def choose_metrics(wanted: str | Sequence[str] | None) -> tuple[str, ...]:
    """Metric ids from "a,b" or a list; all of them for None or "all".

    Raises:
        InputError: An id is unknown, or none is named.
    """
    if wanted is None or wanted == "all":
        return tuple(METRICS)
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    chosen = tuple(dict.fromkeys(name.strip() for name in names if str(name).strip()))
    for name in chosen:
        if name not in METRICS:
            raise InputError(
                f"There is no metric {name[:40]!r}.", f"Choose of {', '.join(METRICS)}."
            )
    if not chosen:
        raise InputError("No metric is named.", f"Choose of {', '.join(METRICS)}.")
    return chosen


def evaluate(
    runs: Sequence[RunInput],
    parts: EvaluationParts,
    metrics: Sequence[str] | None = None,
    judgements: Judgements | None = None,
    cache: Looks | None = None,
) -> Iterator[EvaluationEvent]:
    """Evaluate runs, one after the other.

    Args:
        runs: With different names.
        parts: The backbones; a metric whose backbone is missing is unavailable, the others run.
        metrics: Ids; all by default.
        judgements: The judge with its memory; by default a fresh one.
        cache: Embeddings by content, shared between evaluations.

    Yields:
        `EvaluationStarted`, `ClipRead` for each clip, `EvaluationWarned` where the judge needed
        somebody to stand in, `MetricDone` for each metric of each run, `EvaluationFinished` last.

    Raises:
        InputError: No run, two runs of one name, an unknown metric, or a clip that cannot be read.
        ServiceError: The judge was asked for by name, and its key or quota is no good.
    """
    chosen = choose_metrics(metrics)
    _check(runs)
    cache = cache or Looks()
    if judgements is None:
        judgements = Judgements.of(parts)
    if parts.restart is not None:
        parts.restart()
    total = sum(len(run.clips) for run in runs)
    notes = tuple(f"{run.name}: {note}" for run in runs for note in run.notes)
    yield EvaluationStarted(tuple(run.name for run in runs), chosen, total, notes)

    merged = {name: METRICS[name]() for name in chosen}
    results: list[tuple[RunInput, RunEvidence, dict[str, Result]]] = []
    started_s, done = time.monotonic(), 0
    needs = {need for name in chosen for need in METRICS[name].needs}
    for run in runs:
        gatherer = Gatherer(run, parts, needs, judgements, cache)
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
    yield EvaluationFinished(scores_of(results, summary, parts))


def _check(runs: Sequence[RunInput]) -> None:
    if not runs:
        raise InputError("There is nothing to evaluate.", "Give a run folder or video files.")
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two runs are called {name!r}.", "Give each run once.")
