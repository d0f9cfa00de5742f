"""Translate the events of a run for the page and the API."""

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
    TakeReady,
    Warned,
    to_json,
)
from procvid.types import Conditioning, Image, Plan


@dataclass(frozen=True)
class Queued:
    """A run waits in the queue; `ahead` counts the runs before it, those in progress included."""

    ahead: int


@dataclass
class StepView:
    """One step of a run as the page shows it.

    Attributes:
        number: From 1.
        name: What people call it: "3", or "3b" for a shot of step 3.
        text: The step's text.
        conditioning: Its prompt and references; None before they are chosen.
        clip: The clip's file; None before it is made.
        stale: The earlier step whose old take it still shows; 0 for none.
        locked: True if it must not be redone.
        seed: The step's own seed.
        num_takes: Number of kept takes; 1 for a clip that was never redone.
        remaking: True while another take is made; `clip` is then the old one.
    """

    number: int
    name: str
    text: str
    conditioning: Conditioning | None = None
    clip: Path | None = None
    stale: int = 0
    locked: bool = False
    seed: int = 0
    num_takes: int = 0
    remaking: bool = False


@dataclass
class RunView:
    """A run as the page shows it, built from its events.

    Attributes:
        run_id: Id of the run.
        folder: Folder of the run.
        width: Of its clips, in pixels.
        height: Of its clips, in pixels.
        state: waiting, running, stopped, failed, stale or done. A stale run has a video in which some
            steps still show an old take of another step.
        plan: The plan; None before it is made.
        steps: By number.
        warnings: Each once, with its step.
        warned_steps: The step of each warning; 0 for the whole run.
        current: The step in progress; 0 for none.
        denoised: Finished denoising steps of that step's clip.
        denoising_steps: All denoising steps of that clip.
        eta_s: Seconds until the run is done; None if unknown.
        video: The whole video; None before it is made.
        captions: Its captions.
        duration_s: Length of the video.
        ahead: Runs before it, in the queue and in progress.
        trouble: Why it failed, or "".
        preview: Low-resolution view of the clip in progress.
        redoing: The step that this job redoes; 0 if it makes all missing and stale steps.
        takes_wanted: Number of takes of the step in progress.
        takes_made: How many of them are finished.
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
    redoing: int = 0
    takes_wanted: int = 1
    takes_made: int = 0

    def apply(self, event: Event | Queued) -> None:
        """Update the view with one event."""
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
                self.steps[step].conditioning = conditioning
                self.steps[step].remaking = self.steps[step].clip is not None
                self.forget_warnings(step)
            case Progress(step=step, done=done, total=total, eta_s=eta_s, preview=preview):
                self.current, self.denoised, self.denoising_steps = step, done, total
                self.eta_s = eta_s
                self.preview = self.preview if preview is None else preview
            case TakeReady(step=step, take=take, done=done, total=total):
                self.steps[step].num_takes = max(take, self.steps[step].num_takes)
                self.takes_made, self.denoised, self.preview = done, 0, None
                self.takes_wanted = total
            case ClipReady(step=step, file=file, reused=reused):
                self._show_clip(self.steps[step], self.folder / file, reused)
            case Warned(message=message, step=step, kind=kind):
                text = f"Step {self.name_of(step)}: {message}" if step else message
                # Stale steps have their own mark.
                if text not in self.warnings and kind != "stale":
                    self.warnings.append(text)
                    self.warned_steps[text] = step
            case RunFinished():
                self.state = "done"
                self.video = self.folder / event.video
                self.captions = self.folder / event.captions
                self.duration_s = event.duration_s

    def _show_clip(self, step: StepView, clip: Path, reused: bool) -> None:
        if not reused and self.takes_made == 0:
            step.num_takes += 1
        step.clip, step.remaking, step.stale = clip, False, 0 if not reused else step.stale
        self.denoised, self.preview = 0, None
        if not self.redoing:
            # The next step of a whole run begins with its own first take.
            self.takes_made = 0
        elif step.number == self.redoing:
            self.takes_made = self.takes_wanted

    def forget_warnings(self, step: int) -> None:
        """Drop the warnings of a step, or with 0 those of the whole run."""
        self.warnings = [text for text in self.warnings if self.warned_steps.get(text, 0) != step]

    def show_plan(self, plan: Plan) -> None:
        """Take the steps from a plan; keep the clips of steps that exist already."""
        self.plan = plan
        known = self.steps
        names = plan.names
        self.steps = {
            s.number: known.get(s.number, StepView(s.number, names[s.number], s.text))
            for s in plan.steps
        }

    def name_of(self, number: int) -> str:
        """Return what people call a step."""
        return self.steps[number].name if number in self.steps else str(number)

    @property
    def ended(self) -> bool:
        """True if no more events will come."""
        return self.state in ("stopped", "failed", "stale", "done")

    @property
    def stale(self) -> list[int]:
        """Numbers of the steps that show an old take."""
        return [step.number for step in self.steps.values() if step.stale]

    @property
    def clips(self) -> list[Path]:
        """Clips on disk, in the order of the steps."""
        return [step.clip for step in self.steps.values() if step.clip is not None]

    @property
    def fraction(self) -> float:
        """Finished share of the run, or of the redo of one step, 0 to 1."""
        if self.state in ("done", "stale"):
            return 1.0
        within_take = self.denoised / max(1, self.denoising_steps)
        within_step = min(1.0, (self.takes_made + within_take) / max(1, self.takes_wanted))
        if self.redoing and not self.ended:
            return within_step
        right = [s for s in self.steps.values() if s.clip and not s.stale and not s.remaking]
        num_right = len(self.clips) if self.ended else len(right)
        return min(1.0, (num_right + within_step) / max(1, len(self.steps)))

    @property
    def sentence(self) -> str:
        """State of the run as one sentence."""
        done = f"{len(self.clips)} of {len(self.steps)} clips done"
        match self.state:
            case "waiting" if self.ahead:
                others = "1 other run is" if self.ahead == 1 else f"{self.ahead} other runs are"
                return f"Waiting: {others} ahead. You can close this page."
            case "waiting":
                return "Waiting to start…"
            case "done":
                return f"Done. The video is {self.duration_s:.1f}\u00a0s long."
            case "stopped":
                return f"Stopped: {done}. Press “Resume” to make the rest."
            case "stale":
                steps = ", ".join(map(self.name_of, self.stale))
                which = (
                    f"Step {steps} still shows an old take. Redo it?"
                    if len(self.stale) == 1
                    else f"Steps {steps} still show an old take. Redo them?"
                )
                return f"The video is ready. {which}"
            case "failed":
                return f"Failed: {done}. Press “Resume” to make the rest."
        if self.redoing:
            return self._sentence_of_redo
        if not self.steps:
            return "Preparing…"
        if not self.current:
            return f"Preparing {len(self.steps)} clips."
        verb = "Generating"
        if self.denoised and self.denoised == self.denoising_steps:
            verb = "Finishing"
        return f"{verb} step {self.name_of(self.current)}{self._take}. {done}."

    @property
    def detail(self) -> str:
        """Position within the clip in progress, or ""."""
        if self.ended or not 0 < self.denoised < self.denoising_steps:
            return ""
        return f"denoising step {self.denoised} of {self.denoising_steps}"

    @property
    def _take(self) -> str:
        """The take in progress, such as ", take 2 of 3"; "" for a single one."""
        wanted = self.takes_wanted
        return f", take {min(self.takes_made + 1, wanted)} of {wanted}" if wanted > 1 else ""

    @property
    def _sentence_of_redo(self) -> str:
        name = self.name_of(self.redoing)
        which = f"Redoing step {name}{self._take}"
        if not self.current:
            return f"Preparing to redo step {name}."
        return f"{which}."


def conditioning_json(conditioning: Conditioning) -> dict[str, Any]:
    """Return the references of one step for the API, without their images."""
    body = to_json(Conditioned(conditioning.step, conditioning))
    del body["event"]
    return body


def event_json(view: RunView, event: Event | Queued) -> dict[str, Any]:
    """Return one event for the API: files as FileData, no server folders.

    Call `view.apply(event)` first.
    """
    if isinstance(event, Queued):
        return {"event": "queued", "run_id": view.run_id, "ahead": event.ahead}
    body = to_json(event)
    body["run_id"] = view.run_id
    body.pop("folder", None)
    if isinstance(event, ClipReady | TakeReady):
        body.pop("file", None)
        body["clip"] = FileData(path=str(view.folder / event.file)).model_dump()
    return body


def run_json(view: RunView, event: str = "run_finished") -> dict[str, Any]:
    """Return a whole run for the API: the last event of a stream, and the answer of `/run`."""
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
