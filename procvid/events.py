"""Events of long work, which the page, the command line and the API translate.

Each event is a frozen dataclass; `to_json` gives one flat JSON object with its `event` name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from procvid.types import Conditioning, Image, Plan

WarningKind = Literal["note", "stale"]

_OLD_STALE = "stale now, because"
"""How the message of a stale warning began before warnings had a kind."""


@dataclass(frozen=True)
class RunStarted:
    """A run begins or resumes; `finished_steps` are already on disk."""

    run_id: str
    folder: str
    profile: str
    profile_reason: str
    num_steps: int
    finished_steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Planned:
    """The plan is made and on disk."""

    plan: Plan


@dataclass(frozen=True, eq=False)
class Conditioned:
    """The references of one step are chosen; they are on disk together with its clip."""

    step: int
    conditioning: Conditioning


@dataclass(frozen=True)
class Progress:
    """`done` of `total` denoising steps of one clip; `eta_s` covers the rest of the whole run.

    `preview`: see `procvid.types.Denoised`.
    """

    step: int
    done: int
    total: int
    eta_s: float | None
    preview: Image | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ClipReady:
    """A clip is on disk; `reused` if an earlier attempt made it.

    `file` is named from the run folder; `seconds` is the wall time that the clip took, 0 when reused.
    """

    step: int
    file: str
    seconds: float
    reused: bool = False


@dataclass(frozen=True)
class TakeReady:
    """One of several takes of a step is on disk; the best of them becomes the clip of the step.

    `done` of `total` takes are made. `take` is its number among all takes of the step, and `file` its
    clip, named from the run folder. `score` is 0 to 1 or None, and `reason` says why.
    """

    step: int
    take: int
    file: str
    seconds: float
    score: float | None
    reason: str
    done: int
    total: int


@dataclass(frozen=True)
class Warned:
    """Something the user should know; the run goes on.

    `step` 0 is the whole run. `kind` "stale" lists steps that still show an old clip's objects.
    """

    message: str
    step: int = 0
    kind: WarningKind = "note"


@dataclass(frozen=True)
class RunFinished:
    """The video is on disk; the last event, with the whole result.

    The files are named from `folder`; `duration_s` is the length of the video.
    """

    run_id: str
    folder: str
    video: str
    captions: str
    clips: tuple[str, ...]
    duration_s: float
    nothing_to_do: bool = False
    warnings: tuple[str, ...] = field(default=())


Event = RunStarted | Planned | Conditioned | Progress | TakeReady | ClipReady | Warned | RunFinished


def event_name(event: Event) -> str:
    """Return the event's name in JSON, e.g. `clip_ready`."""
    name = type(event).__name__
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def to_json(event: Event) -> dict[str, Any]:
    """Return the event as a JSON-ready dict, without images (they lie in the run folder)."""
    if isinstance(event, Conditioned):
        slots = [
            {
                "number": slot.number,
                "object": slot.object_name,
                "words": slot.words,
                "crop_id": slot.crop_id,
                "source_id": slot.source_id,
                "state": slot.state,
                "score": round(slot.score, 4),
                "origin": slot.origin,
                "anchor_step": slot.anchor_step,
            }
            for slot in event.conditioning.slots
        ]
        missing = [
            {"object": r.object_name, "state": r.wanted_state, "reason": r.reason}
            for r in event.conditioning.retrievals
            if r.hit is None
        ]
        body: dict[str, Any] = {
            "step": event.step,
            "prompt": event.conditioning.prompt,
            "references": slots,
            "missing": missing,
            "warnings": list(event.conditioning.warnings),
        }
    else:
        body = dataclasses.asdict(event)
        body.pop("preview", None)
    return {"event": event_name(event), **body}


def warning_from_json(value: Mapping[str, Any]) -> Warned:
    """Read a warning of `events.jsonl` back.

    Raises:
        KeyError: It is not a warning.
        TypeError: The step is not a number.
        ValueError: The step is not a number.
    """
    message = str(value["message"])
    stale = value["kind"] == "stale" if "kind" in value else message.startswith(_OLD_STALE)
    return Warned(message, int(value.get("step", 0)), "stale" if stale else "note")
