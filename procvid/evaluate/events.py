"""What an evaluation tells while it goes on: the page, the command line and the API translate these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from procvid.evaluate.result import Result


@dataclass(frozen=True)
class EvaluationStarted:
    """What will be measured on what."""

    runs: tuple[str, ...]
    metrics: tuple[str, ...]
    num_clips: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClipRead:
    """`done` of `total` clips of all runs are read; `eta_s` covers those still to come."""

    run: str
    number: int
    done: int
    total: int
    eta_s: float


@dataclass(frozen=True)
class MetricDone:
    """One metric of one run, whatever its state."""

    run: str
    result: Result


@dataclass(frozen=True, eq=False)
class EvaluationFinished:
    """The last event; `scores` is the whole of `scores.json`."""

    scores: dict[str, Any]


EvaluationEvent = EvaluationStarted | ClipRead | MetricDone | EvaluationFinished
