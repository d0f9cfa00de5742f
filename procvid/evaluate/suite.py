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
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.metric import Metric
from procvid.evaluate.metrics.clip_score import ClipScore
from procvid.evaluate.metrics.copy_paste import CopyPaste
from procvid.evaluate.metrics.dino_l2 import DinoL2
from procvid.evaluate.metrics.fid import Fid
from procvid.evaluate.metrics.fvd import Fvd
from procvid.evaluate.metrics.gap_decay import GapDecay
from procvid.evaluate.metrics.goal_consistency import GoalConsistency
from procvid.evaluate.metrics.goal_retrieval import GoalRetrieval
from procvid.evaluate.metrics.joint_ratio import JointRatio
from procvid.evaluate.metrics.lpips import Lpips
from procvid.evaluate.metrics.object_fidelity import ObjectFidelity
from procvid.evaluate.metrics.object_state import ObjectState
from procvid.evaluate.metrics.object_state_strict import ObjectStateStrict
from procvid.evaluate.metrics.shot_boundary import ShotBoundary
from procvid.evaluate.metrics.step_consistency import StepConsistency
from procvid.evaluate.metrics.step_retrieval import StepRetrieval
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result
from procvid.evaluate.scores import scores_of
from procvid.evaluate.standard import RealClips

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
        ClipScore,
        Lpips,
        Fid,
        Fvd,
    )
}
"""By id; the paper's five first, in the order of its Table 1, and the standard figures last."""

DEFAULT = tuple(name for name, metric in METRICS.items() if not metric.standard)
STANDARD = tuple(name for name, metric in METRICS.items() if metric.standard)
GROUPS = {"all": DEFAULT, "standard": STANDARD}


def choose_metrics(wanted: str | Sequence[str] | None) -> tuple[str, ...]:
    """Metric ids from "a,b" or a list; "all" (or None) and "standard" stand for the groups.

    Raises:
        InputError: An id is unknown, or none is named.
    """
    if wanted is None:
        return DEFAULT
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    words = (name.strip() for name in names if str(name).strip())
    chosen = tuple(dict.fromkeys(name for word in words for name in GROUPS.get(word, (word,))))
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
    real: Sequence[ClipInput] = (),
) -> Iterator[EvaluationEvent]:
    """Evaluate runs, one after the other.

    Args:
        runs: With different names.
        parts: The backbones; a metric whose backbone is missing is unavailable, the others run.
        metrics: Ids; all by default.
        judgements: The judge with its memory; by default a fresh one.
        cache: Embeddings by content, shared between evaluations.
        real: Real clips to compare with, for FID and FVD.

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
    needs = {n for name in chosen for n in (*METRICS[name].needs, *METRICS[name].heeds)}
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
        raise InputError("There is nothing to evaluate.", "Give a run folder or video files.")
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two runs are called {name!r}.", "Give each run once.")
