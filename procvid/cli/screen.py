"""Events as lines on stdout and, on a terminal, a progress bar below them on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

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
from procvid.settings import PROFILES
from procvid.types import Plan

WIDTH = 24
"""Width of the bar, characters."""


class Bar:
    """A progress bar on one line of stderr; shows nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = False

    def show(self, fraction: float, text: str, eta_s: float | None) -> None:
        """Draw the bar at `fraction` (0 to 1) with a text and the time left."""
        if not self._on:
            return
        filled = round(WIDTH * min(1.0, fraction))
        bar = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {text}{time_left(eta_s)}"
        print(f"\r\033[K{bar}", end="", file=sys.stderr, flush=True)
        self._shown = True

    def clear(self) -> None:
        """Remove the bar, before a line is printed."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False


def duration(seconds: float) -> str:
    """Return a rounded duration: "about 9 s", "about 3 min", "about 1 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if minutes < 90:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"


def time_left(eta_s: float | None) -> str:
    """Return ", about 9 s left", or nothing if the time is not known."""
    return "" if eta_s is None else f", {duration(eta_s)} left"


def show_run(events: Iterator[Event], as_json: bool, plan: Plan | None = None) -> None:
    """Show the events of a run, and close their generator after an interruption.

    Args:
        events: The events.
        as_json: Print one event per line as JSON and nothing else.
        plan: The plan of a run that is already planned.
    """
    screen = RunScreen(as_json)
    if plan is not None:
        screen.name_shots(plan)
    try:
        with closing(events):  # type: ignore[type-var]  # all makers of events are generators
            for event in events:
                screen.show(event)
    finally:
        screen.clear()


class RunScreen:
    """Shows the events of a run.

    Args:
        as_json: Print one event per line as JSON and nothing else.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._bar = Bar()
        self._num_steps = 0
        self._names: Mapping[int, str] = {}
        self._eta_s: float | None = None

    def show(self, event: Event) -> None:
        """Show one event."""
        if self._as_json:
            print(json.dumps(to_json(event), ensure_ascii=False), flush=True)
            return
        if isinstance(event, Progress):
            text = f"step {self._step(event.step)}: {event.done}/{event.total} denoising steps"
            self._bar.show(event.done / event.total, text, event.eta_s)
            self._eta_s = event.eta_s
            return
        line = self._line(event)
        if line:
            self._bar.clear()
            print(line, flush=True)

    def name_shots(self, plan: Plan) -> None:
        """Call the clips of a plan with shots 3a, 3b, ..."""
        self._names = plan.names if len(plan.groups) < len(plan.steps) else {}

    def clear(self) -> None:
        """Remove the bar."""
        self._bar.clear()

    def _line(self, event: Event) -> str:
        match event:
            case RunStarted():
                self._num_steps = event.num_steps
                finished = len(event.finished_steps)
                reason = PROFILES[event.profile].describe(event.profile_reason)
                return f"{event.folder}: {event.num_steps} clips, {finished} finished.\n{reason}"
            case Planned(plan=plan):
                self.name_shots(plan)
                return f"Plan: {plan.title} (planner {plan.planner})"
            case Conditioned(step=step, conditioning=conditioning):
                slots = ", ".join(f"{s.number} {s.words}" for s in conditioning.slots) or "none"
                return f"Step {self._step(step)}: references: {slots}"
            case TakeReady():
                score = "no score" if event.score is None else f"score {event.score:.2f}"
                which = f"take {event.done} of {event.total}"
                return f"Step {self._step(event.step)}: {which}, {score}. {event.reason}"
            case ClipReady(reused=True):
                return f"Step {self._step(event.step)}: {event.file} is kept"
            case ClipReady():
                left = time_left(None if event.step == self._num_steps else self._eta_s)
                return f"Step {self._step(event.step)}: {event.file} in {event.seconds:.1f} s{left}"
            case Warned(message=message, step=step):
                named = f" on step {self._names.get(step, step)}" if step else ""
                return f"Note{named}: {message}"
            case RunFinished(nothing_to_do=True):
                return f"Nothing to do: {Path(event.folder) / event.video} is finished."
            case RunFinished():
                video = Path(event.folder) / event.video
                return f"Done: {video}, {event.duration_s:.1f} s, {len(event.clips)} clips."
        return ""

    def _step(self, number: int) -> str:
        """Return "2 of 5"; in a video with shots "2b (clip 3 of 9)"."""
        of = f" of {self._num_steps}" if self._num_steps else ""
        name = self._names.get(number)
        return f"{number}{of}" if name is None else f"{name} (clip {number}{of})"
