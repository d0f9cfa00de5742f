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
from procvid.types import Conditioning, Image, Plan


@dataclass(frozen=True)
class Queued:
    """A run waits for its turn; so many are before it, the one in work among them."""

    ahead: int


@dataclass
class StepView:
    """One step as far as it is known.

    `stale` is the earlier step whose old clip it still shows, 0 for none; `seed` is its own.
    """

    number: int
    text: str
    conditioning: Conditioning | None = None
    clip: Path | None = None
    stale: int = 0
    locked: bool = False
    seed: int = 0


@dataclass
class RunView:
    """A run as far as its events have told; width and height of its clips are in pixels.

    `state` is waiting, running, stopped, failed, stale or done: a stale run has its video, and steps
    that still show what another step showed before it was made again. `ahead` counts the runs before
    it in the queue; `trouble` is why it failed; `preview` shows the clip in work.
    """

    run_id: str
    folder: Path
    width: int = 1
    height: int = 1
    state: str = "waiting"
    plan: Plan | None = None
    steps: dict[int, StepView] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    warned_steps: dict[str, int] = field(default_factory=dict)
    current: int = 0
    denoised: int = 0
    denoising_steps: int = 0
    eta_s: float | None = None
    video: Path | None = None
    captions: Path | None = None
    duration_s: float = 0.0
    ahead: int = 0
    trouble: str = ""
    preview: Image | None = None

    def apply(self, event: Event | Queued) -> None:
        """Take in one event."""
        match event:
            case Queued(ahead=ahead):
                self.ahead = ahead
            case RunStarted():
                self.state = "running"
                self.forget_warnings(0)
            case Planned(plan=plan):
                self.show_plan(plan)
            case Conditioned(step=step, conditioning=conditioning):
                self.state, self.current, self.denoised = "running", step, 0
                self.steps[step].conditioning, self.steps[step].clip = conditioning, None
                self.forget_warnings(step)
            case Progress(step=step, done=done, total=total, eta_s=eta_s, preview=preview):
                self.current, self.denoised, self.denoising_steps = step, done, total
                self.eta_s = eta_s
                self.preview = self.preview if preview is None else preview
            case ClipReady(step=step, file=file):
                self.steps[step].clip = self.folder / file
                self.denoised, self.preview = 0, None
            case Warned(message=message, step=step, kind=kind):
                told = f"Step {step}: {message}" if step else message
                # The page marks the stale steps themselves.
                if told not in self.warnings and kind != "stale":
                    self.warnings.append(told)
                    self.warned_steps[told] = step
            case RunFinished():
                self.state = "done"
                self.video = self.folder / event.video
                self.captions = self.folder / event.captions
                self.duration_s = event.duration_s

    def forget_warnings(self, step: int) -> None:
        """A step that is made again, or with 0 the whole run, is warned of anew."""
        self.warnings = [it for it in self.warnings if self.warned_steps.get(it, 0) != step]

    def show_plan(self, plan: Plan) -> None:
        """Lay out one step each; clips that are known stay."""
        self.plan = plan
        known = self.steps
        self.steps = {s.number: known.get(s.number, StepView(s.number, s.text)) for s in plan.steps}

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("stopped", "failed", "stale", "done")

    @property
    def stale(self) -> list[int]:
        """The steps that have to be made again."""
        return [step.number for step in self.steps.values() if step.stale]

    @property
    def clips(self) -> list[Path]:
        """The clips on disk, in the order of the steps."""
        return [step.clip for step in self.steps.values() if step.clip is not None]

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        if self.state in ("done", "stale"):
            return 1.0
        within_step = self.denoised / max(1, self.denoising_steps)
        return min(1.0, (len(self.clips) + within_step) / max(1, len(self.steps)))

    @property
    def sentence(self) -> str:
        """Where the run stands, in words."""
        done = f"{len(self.clips)} of {len(self.steps)} clips done"
        match self.state:
            case "waiting" if self.ahead:
                others = "1 other run is" if self.ahead == 1 else f"{self.ahead} other runs are"
                return f"Waiting for its turn: {others} before it. You may close this page."
            case "waiting":
                return "Waiting for its turn…"
            case "done":
                return f"The video is ready: {done}, {self.duration_s:.1f}\u00a0s."
            case "stopped":
                return f"Stopped: {done}. They stay playable; “Go on” makes the rest."
            case "stale":
                steps = ", ".join(map(str, self.stale))
                which = (
                    f"step {steps} still shows"
                    if len(self.stale) == 1
                    else f"steps {steps} still show"
                )
                return f"The video is there, but {which} things as they were before."
            case "failed":
                return f"This run broke off: {done}. “Go on” makes the rest."
        if not self.steps:
            return "Getting ready…"
        if not self.current:
            return f"Getting ready: {len(self.steps)} clips to make."
        if not self.denoised:
            return f"Drawing step {self.current}; {done}."
        if self.denoised == self.denoising_steps:
            return f"Finishing step {self.current}; {done}."
        within = f"{self.denoised} of {self.denoising_steps} passes"
        return f"Drawing step {self.current}, {within}; {done}."


def conditioning_json(conditioning: Conditioning) -> dict[str, Any]:
    """The references of one step for the API, their pictures as data URLs left out."""
    body = to_json(Conditioned(conditioning.step, conditioning))
    del body["event"]
    return body


def event_json(view: RunView, event: Event | Queued) -> dict[str, Any]:
    """One event for the API, after the view took it in: files as FileData, no server folders."""
    if isinstance(event, Queued):
        return {"event": "queued", "run_id": view.run_id, "ahead": event.ahead}
    body = to_json(event)
    body["run_id"] = view.run_id
    body.pop("folder", None)
    if isinstance(event, ClipReady):
        body.pop("file", None)
        body["clip"] = FileData(path=str(view.folder / event.file)).model_dump()
    return body


def run_json(view: RunView, event: str = "run_finished") -> dict[str, Any]:
    """A whole run for the API; the last event of a stream and the answer of `/run`."""
    return {
        "event": event,
        "run_id": view.run_id,
        "state": view.state,
        "done": len(view.clips),
        "num_steps": len(view.steps),
        "ahead": view.ahead,
        "step": view.current,
        "progress": round(view.fraction, 3),
        "eta_s": None if view.eta_s is None else round(view.eta_s, 1),
        "stale": view.stale,
        "locked": [step.number for step in view.steps.values() if step.locked],
        "duration_s": round(view.duration_s, 3),
        "plan": None if view.plan is None else dataclasses.asdict(view.plan),
        "clips": [FileData(path=str(clip)).model_dump() for clip in view.clips],
        "video": _file(view.video),
        "captions": _file(view.captions),
        "warnings": list(view.warnings),
    }


def _file(file: Path | None) -> dict[str, Any] | None:
    return None if file is None else FileData(path=str(file)).model_dump()
