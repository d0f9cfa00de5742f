"""Endpoints of runs: /generate, /regenerate_step, /run and /stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import gradio as gr

from procvid.ui.api.answers import RunState, StopAnswer
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.feed import Feed
from procvid.ui.server.jobs import (
    make_draft,
    read_options,
    resume_run,
    start_run,
)
from procvid.ui.server.redo import read_changes, redo
from procvid.ui.server.stream import event_json, run_json
from procvid.ui.server.uploads import read_pictures
from procvid.ui.server.visitors import visitor_of

LISTENERS = 24
"""Maximum number of clients that follow runs at once; each holds one of Gradio's forty threads."""


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""

    def generate(
        recipe: str,
        seed: int = 0,
        memory: str = "default",
        steps: int | None = None,
        fast: bool = False,
        run_id: str = "",
        shots: str = "auto",
        size: str = "",
        frames: int | None = None,
        takes: int = 1,
        verify: bool = False,
        coherence: str = "none",
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Make a video; streams events, the last one is the whole run.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD; "" to resume a run
            seed: the same seed gives the same video, 0 to 2**63 - 1
            memory: "default" or "none"
            steps: denoising steps of a clip; omit it for the default of the profile
            fast: at most half the model calls, for slightly different clips; not for the tiny profile
            run_id: a run to resume; the other parameters are then ignored
            shots: "auto" for one clip per action, "one" for one clip per step
            size: width and height of the clips in pixels, such as "96x96"; omit it for the default
            frames: frames of a clip, 4n+1; omit it for the default of the profile
            takes: number of takes of each step, 1 to 8; the best one is kept, see /takes
            verify: true for further takes while the best one contradicts the plan
            coherence: "rolling" shows each clip the last frames of the one before, "none" nothing
        """
        visitor = visitor_of(request)
        if run_id:
            feed = resume_run(context, run_id, visitor)
        else:
            options = read_options(
                seed,
                memory,
                steps,
                fast,
                size=size,
                frames=frames,
                takes=takes,
                verify=verify,
                coherence=coherence,
            )
            draft = make_draft(context, recipe, shots=shots)
            feed = start_run(context, draft, options, visitor)
        yield from _stream(feed)

    def regenerate_step(
        run_id: str,
        step: int,
        seed: int | None = None,
        prompt: str | None = None,
        references: list[gr.FileData] | None = None,
        shows: list[str] | None = None,
        banned: list[str] | None = None,
        chosen: dict[str, str] | None = None,
        takes: int = 1,
        left_out: list[str] | None = None,
        strengths: dict[str, float] | None = None,
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Redo one step; streams like /generate, with the steps that it made stale.

        Parameters:
            run_id: as in the events of /generate
            step: its number in the plan, from 1; each shot of a step has its own
            seed: the step's own seed; random if no other parameter is given
            prompt: replaces the step's prompt
            references: up to four images, placed before those of the memory
            shows: the object that each of them shows; omit it to detect them automatically
            banned: ids of crops that must not guide the step
            chosen: crop ids by the name of the object that they stand for
            takes: number of takes to make, 1 to 8; the best one becomes the clip, see /takes
            left_out: names of objects that get no reference
            strengths: how far the clip takes over the look of a reference, 0 to 1, by object name
        """
        pictures = read_pictures(references, context.profile.max_references)
        changes = read_changes(seed, prompt, pictures, shows, banned, chosen, left_out, strengths)
        yield from _stream(redo(context, run_id, step, changes, visitor_of(request), takes))

    def run(run_id: str) -> RunState:
        """Return the state of a run and its files.

        Parameters:
            run_id: as in the events of /generate
        """
        return cast(RunState, run_json(context.view_of(run_id), "run"))

    def stop(run_id: str) -> StopAnswer:
        """Stop a run after the current denoising step; finished clips are kept.

        Parameters:
            run_id: as in the events of /generate
        """
        context.view_of(run_id)
        return StopAnswer(run_id=run_id, stopping=context.worker.stop(run_id))

    listening = {"concurrency_id": "listen", "concurrency_limit": LISTENERS}
    endpoint(generate, RunState, **listening)
    endpoint(regenerate_step, RunState, **listening)
    endpoint(run, RunState, concurrency_limit=4)
    endpoint(stop, StopAnswer, concurrency_limit=4)


def _stream(feed: Feed) -> Iterator[dict[str, Any]]:
    """Yield the events of a run as JSON."""
    for view, event in feed.follow():
        if event is not None:
            yield event_json(view, event)
        elif view.state != "failed":
            ended = "stopped" if view.state == "stopped" else "finished"
            yield run_json(view, f"run_{ended}")
