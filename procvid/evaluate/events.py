"""Events of an evaluation, which the page, the command line and the API translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from procvid.evaluate.result import Result


@dataclass(frozen=True)
class EvaluationStarted:
    """The evaluation begins: its runs, its metrics and the number of clips."""

    runs: tuple[str, ...]
    metrics: tuple[str, ...]
    num_clips: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClipRead:
    """One clip was read: `done` of `total` clips of all runs; `eta_s` is for the remaining ones."""

    run: str
    number: int
    done: int
    total: int
    eta_s: float


@dataclass(frozen=True)
class MetricDone:
    """One metric of one run is done, with or without a value."""

    run: str
    result: Result


@dataclass(frozen=True)
class EvaluationWarned:
    """The evaluation deviated from the request; `message` is for the user."""

    run: str
    message: str


@dataclass(frozen=True, eq=False)
class EvaluationFinished:
    """The last event; `scores` is the content of `scores.json`."""

    scores: dict[str, Any]


EvaluationEvent = EvaluationStarted | ClipRead | EvaluationWarned | MetricDone | EvaluationFinished


def event_json(event: EvaluationEvent) -> dict[str, Any]:
    """Return an event as a flat JSON object with its name."""
    match event:
        case EvaluationStarted():
            return {
                "event": "evaluation_started",
                "runs": list(event.runs),
                "metrics": list(event.metrics),
                "num_clips": event.num_clips,
                "notes": list(event.notes),
            }
        case ClipRead():
            return {
                "event": "clip_read",
                "run": event.run,
                "step": event.number,
                "done": event.done,
                "total": event.total,
                "eta_s": round(event.eta_s, 1),
            }
        case EvaluationWarned():
            return {"event": "evaluation_warned", "run": event.run, "message": event.message}
        case MetricDone():
            return {"event": "metric_done", "run": event.run, **event.result.to_json()}
        case EvaluationFinished():
            return {"event": "evaluation_finished", "scores": event.scores}
