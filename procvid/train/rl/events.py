"""What a reinforcement reports while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from procvid.train.rl.waiting import Waiting
from procvid.train.rl.watch import HeldOutJudged


@dataclass(frozen=True)
class RolledOut:
    """Clips of an iteration: `done` of `total` shots are made and judged."""

    iteration: int
    done: int
    total: int


@dataclass(frozen=True)
class Reinforced:
    """An iteration is finished. `reason` is "" or why it taught nothing."""

    iteration: int
    total: int
    reward: float
    loss: float
    eta_s: float
    reason: str = ""


@dataclass(frozen=True)
class ReinforcementFinished:
    """The training is finished; `folder` holds the LoRA, `stopped` says why it ended early, or ""."""

    folder: Path
    iterations: int
    reward: float
    stopped: str = ""


RlEvent = RolledOut | Reinforced | Waiting | HeldOutJudged | ReinforcementFinished
