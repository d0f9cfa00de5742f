"""Events for people: lines on stdout, and on a terminal a progress bar below them on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

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
from procvid.hub.names import size
from procvid.hub.publish import Uploading
from procvid.hub.pull import Pulling

WIDTH = 24
"""Of the bar, in characters."""


class Bar:
    """One line that is written over and over, on a terminal only."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = False

    def show(self, fraction: float, told: str, eta_s: float | None) -> None:
        """Draw the bar at `fraction` (0 to 1), with the time that is left."""
        if not self._on:
            return
        filled = round(WIDTH * min(1.0, fraction))
        left = "" if eta_s is None else f", {duration(eta_s)} left"
        print(
            f"\r\033[K[{'#' * filled}{'.' * (WIDTH - filled)}] {told}{left}",
            end="",
            file=sys.stderr,
            flush=True,
        )
        self._shown = True

    def clear(self) -> None:
        """Remove the bar, before a line is printed."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False


class RunScreen:
    """Shows the events of a run.

    Args:
        as_json: One event a line as JSON, and nothing else.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._bar = Bar()
        self._num_steps = 0
        self._eta_s: float | None = None

    def show(self, event: Event) -> None:
        """Show one event."""
        if self._as_json:
            print(json.dumps(to_json(event), ensure_ascii=False), flush=True)
            return
        if isinstance(event, Progress):
            told = f"step {event.step}{self._of()}: {event.done}/{event.total} denoising steps"
            self._bar.show(event.done / event.total, told, event.eta_s)
            self._eta_s = event.eta_s
            return
        line = self._line(event)
        if line:
            self._bar.clear()
            print(line, flush=True)

    def clear(self) -> None:
        """Leave the terminal tidy, whatever happened."""
        self._bar.clear()

    def _line(self, event: Event) -> str:
        match event:
            case RunStarted():
                self._num_steps = event.num_steps
                return (
                    f"{event.folder}: {event.num_steps} steps, {len(event.finished_steps)} of them "
                    f"there. Profile {event.profile} ({event.profile_reason})."
                )
            case Planned(plan=plan):
                return f"Planned by {plan.planner}: {plan.title}"
            case Conditioned(step=step, conditioning=conditioning):
                shown = ", ".join(f"{s.number} {s.words}" for s in conditioning.slots) or "none"
                return f"Step {step}{self._of()}: references: {shown}"
            case ClipReady(reused=True):
                return f"Step {event.step}{self._of()}: {event.file} was there already"
            case ClipReady():
                eta_s = None if event.step == self._num_steps else self._eta_s
                left = "" if eta_s is None else f", {duration(eta_s)} left"
                return f"Step {event.step}{self._of()}: {event.file} in {event.seconds:.1f} s{left}"
            case Warned(message=message, step=step):
                return f"Note{f' on step {step}' if step else ''}: {message}"
            case RunFinished(nothing_to_do=True):
                return f"Nothing to do: {Path(event.folder) / event.video} is finished."
            case RunFinished():
                video = Path(event.folder) / event.video
                return f"Done: {video}, {event.duration_s:.1f} s, {len(event.clips)} clips."
        return ""

    def _of(self) -> str:
        return f" of {self._num_steps}" if self._num_steps else ""


def duration(seconds: float) -> str:
    """ "about 9 s", "about 3 min", "about 1 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if minutes < 90:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"


class PullScreen:
    """Shows a release on its way to or from the Hub: a bar for bytes, a line for what to know."""

    def __init__(self, as_json: bool = False) -> None:
        self._as_json = as_json
        self._bar = Bar()

    def show(self, event: Pulling | Uploading) -> None:
        """Show one event."""
        note = getattr(event, "note", "")
        if self._as_json:
            kind = "pulling" if isinstance(event, Pulling) else "uploading"
            print(json.dumps({"event": kind, **asdict(event)}, ensure_ascii=False), flush=True)
            return
        if note:
            self._bar.clear()
            print(f"Note: {note}", file=sys.stderr, flush=True)
        if event.total_bytes:
            share = event.done_bytes / event.total_bytes
            self._bar.show(share, f"{event.what}, {size(event.total_bytes)} in all", None)

    def clear(self) -> None:
        """Leave the terminal tidy, whatever happened."""
        self._bar.clear()
