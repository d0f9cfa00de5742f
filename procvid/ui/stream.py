"""One stream of events, two translations: what the page shows, and what the API answers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradio import FileData

from procvid.events import (
    ClipReady,
    Conditioned,
    Event,
    Planned,
    Progress,
    RunFinished,
    RunStarted,
    Warned,
    to_json,
)
from procvid.types import Conditioning, Plan


@dataclass
class StepView:
    """One step as far as it is known."""

    number: int
    text: str
    conditioning: Conditioning | None = None
    clip: Path | None = None


@dataclass
class RunView:
    """A run as far as its events have told; width and height of its clips are in pixels.

    `state` is waiting, running, stopped, failed or done.
    """

    run_id: str
    folder: Path
    width: int = 1
    height: int = 1
    state: str = "waiting"
    plan: Plan | None = None
    steps: dict[int, StepView] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    current: int = 0
    denoised: int = 0
    denoising_steps: int = 0
    eta_s: float | None = None
    video: Path | None = None
    captions: Path | None = None
    duration_s: float = 0.0

    def apply(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case RunStarted():
                self.state = "running"
            case Planned(plan=plan):
                self.show_plan(plan)
            case Conditioned(step=step, conditioning=conditioning):
                self.current, self.denoised = step, 0
                self.steps[step].conditioning = conditioning
            case Progress(step=step, done=done, total=total, eta_s=eta_s):
                self.current, self.denoised, self.denoising_steps = step, done, total
                self.eta_s = eta_s
            case ClipReady(step=step, file=file):
                self.steps[step].clip = self.folder / file
                self.denoised = 0
            case Warned(message=message, step=step):
                self.warnings.append(f"Step {step}: {message}" if step else message)
            case RunFinished():
                self.state = "done"
                self.video = self.folder / event.video
                self.captions = self.folder / event.captions
                self.duration_s = event.duration_s

    def show_plan(self, plan: Plan) -> None:
        """Lay out one step each; clips that are known stay."""
        self.plan = plan
        known = self.steps
        self.steps = {s.number: known.get(s.number, StepView(s.number, s.text)) for s in plan.steps}

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("stopped", "failed", "done")

    @property
    def clips(self) -> list[Path]:
        """The clips on disk, in the order of the steps."""
        return [step.clip for step in self.steps.values() if step.clip is not None]

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        within_step = self.denoised / max(1, self.denoising_steps)
        return min(1.0, (len(self.clips) + within_step) / max(1, len(self.steps)))

    @property
    def sentence(self) -> str:
        """Where the run stands, in words."""
        done = f"{len(self.clips)} of {len(self.steps)} clips done"
        match self.state:
            case "waiting":
                return "Waiting for its turn…"
            case "done":
                return f"The video is ready: {done}, {self.duration_s:.1f}\u00a0s."
            case "stopped":
                return f"Stopped: {done}. They stay playable; “Go on” makes the rest."
            case "failed":
                return f"This run broke off: {done}. “Go on” makes the rest."
        if not self.steps:
            return "Getting ready…"
        if not self.current:
            return f"Getting ready: {len(self.steps)} clips to make."
        if not self.denoised:
            return f"Drawing step {self.current}; {done}."
        within = f"{self.denoised} of {self.denoising_steps} passes"
        return f"Drawing step {self.current}, {within}; {done}."


def conditioning_json(conditioning: Conditioning) -> dict[str, Any]:
    """The references of one step for the API, their pictures as data URLs left out."""
    body = to_json(Conditioned(conditioning.step, conditioning))
    del body["event"]
    return body


def event_json(view: RunView, event: Event) -> dict[str, Any]:
    """One event for the API, after the view took it in: files as FileData, no server folders."""
    body = to_json(event)
    body["run_id"] = view.run_id
    body.pop("folder", None)
    if isinstance(event, ClipReady):
        body.pop("file", None)
        body["clip"] = FileData(path=str(view.folder / event.file)).model_dump()
    if isinstance(event, RunFinished):
        return run_json(view)
    return body


def run_json(view: RunView, event: str = "run_finished") -> dict[str, Any]:
    """A whole run for the API; the last event of `/generate` and the answer of `/run`."""
    return {
        "event": event,
        "run_id": view.run_id,
        "state": view.state,
        "done": len(view.clips),
        "num_steps": len(view.steps),
        "duration_s": round(view.duration_s, 3),
        "plan": None if view.plan is None else dataclasses.asdict(view.plan),
        "clips": [FileData(path=str(clip)).model_dump() for clip in view.clips],
        "video": _file(view.video),
        "captions": _file(view.captions),
        "warnings": list(view.warnings),
    }


def _file(file: Path | None) -> dict[str, Any] | None:
    return None if file is None else FileData(path=str(file)).model_dump()
