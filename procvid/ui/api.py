"""The endpoints for programs; `gr.api` derives their schema from the signatures below.

gradio_client, and any HTTP client, calls them by name. Nothing enforces the annotations, so the
values are checked in `procvid.ui.server.jobs` and in the core. Results hold no key named `path` but those
of FileData, for the client would try to download it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypedDict, cast

import gradio as gr

from procvid.errors import InputError
from procvid.ui.pages.create.redo import read_changes, redo
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import answer_json, inputs_of, read_metrics, stream_evaluation
from procvid.ui.server.feed import Feed
from procvid.ui.server.guard import guarded
from procvid.ui.server.guests import guest_of
from procvid.ui.server.jobs import (
    begin,
    draft_of,
    go_on,
    preview_references,
    read_wishes,
    undrawable,
    versions,
)
from procvid.ui.server.memory_answers import answer, read_asked
from procvid.ui.server.stream import conditioning_json, event_json, run_json
from procvid.ui.server.uploads import read_pictures

LISTENERS = 24
"""Programs that follow a run at once; each holds one of Gradio's forty threads."""


class Version(TypedDict):
    """What runs here."""

    procvid: str
    profile: str
    profile_reason: str
    models: dict[str, str]
    libraries: dict[str, str]


class PlanAnswer(TypedDict):
    """The plan, and what the caller should know about it."""

    plan: dict[str, Any]
    warnings: list[str]


class RetrieveAnswer(TypedDict):
    """Per step the references that would guide its clip, and the objects without one."""

    steps: list[dict[str, Any]]
    warnings: list[str]


class RunState(TypedDict):
    """A run: `state` is waiting, running, stopped, failed, stale or done; files are FileData.

    `ahead` counts the runs before it in the queue; `step`, `progress` (0 to 1) and `eta_s` tell of
    the one in work; `stale` steps show what another step showed before it was made again.
    """

    event: str
    run_id: str
    state: str
    done: int
    num_steps: int
    ahead: int
    step: int
    progress: float
    eta_s: float | None
    stale: list[int]
    locked: list[int]
    duration_s: float
    plan: dict[str, Any] | None
    clips: list[gr.FileData]
    video: gr.FileData | None
    captions: gr.FileData | None
    warnings: list[str]


class Evaluation(TypedDict):
    """The last event of /evaluate: `scores` as in scores.json; `files` are FileData."""

    event: str
    scores: dict[str, Any]
    files: dict[str, gr.FileData]


class StopAnswer(TypedDict):
    """`stopping` is False when the run was not in work."""

    run_id: str
    stopping: bool


class Memories(TypedDict):
    """The memories; of the one asked for also what it is, its objects, and a page of its crops.

    `total` is how many crops fit, on all pages.
    """

    memories: list[dict[str, Any]]
    memory: dict[str, Any] | None
    objects: list[dict[str, Any]]
    crops: list[dict[str, Any]]
    total: int


def mount(context: AppContext) -> None:
    """Add the endpoints to the Blocks in whose context this is called."""
    _mount_reading(context)
    _mount_memories(context)
    _mount_running(context)
    _mount_evaluating(context)


def _mount_reading(context: AppContext) -> None:
    def version() -> Version:
        """Version of procvid, the profile that runs with the reason, models and libraries."""
        return cast(Version, versions(context))

    def plan(recipe: str, request: gr.Request | None = None) -> PlanAnswer:
        """Which objects each step shows, their states before and after, and the enhanced prompt.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
        """
        context.allowance.spend(guest_of(request), "plans")
        draft = draft_of(context, recipe)
        return PlanAnswer(
            plan=dataclasses.asdict(draft.plan),
            warnings=[*undrawable(context, draft.plan), *draft.plan.notes],
        )

    def retrieve(
        recipe: str,
        memory: str = "default",
        seed: int = 0,
        request: gr.Request | None = None,
    ) -> RetrieveAnswer:
        """The references that the memory offers for each step before the first clip is made.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            memory: "default" or "none"
            seed: chooses among equals, 0 to 2**63 - 1
        """
        context.allowance.spend(guest_of(request), "searches")
        wishes = read_wishes(seed, memory, None)
        draft = draft_of(context, recipe)
        found = preview_references(context, draft.plan, wishes)
        return RetrieveAnswer(
            steps=[conditioning_json(c) for c in found],
            warnings=[*undrawable(context, draft.plan), *draft.plan.notes],
        )

    gr.api(guarded(version), api_name="version")
    gr.api(guarded(plan), api_name="plan")
    gr.api(guarded(retrieve), api_name="retrieve", concurrency_limit=2)


def _mount_memories(context: AppContext) -> None:
    def memories(
        memory: str = "",
        object_name: str = "",
        state: str = "",
        query: str = "",
        limit: int = 20,
        page: int = 1,
    ) -> Memories:
        """Which memories there are; and of one its objects, states and crops, with their sources.

        Parameters:
            memory: "default" or the id of your own; leave it out for the list alone
            object_name: only crops of this object, such as "carrot"
            state: only crops in this state, such as "sliced"
            query: words to search by; each crop then has a score and its parts, best first
            limit: crops on a page, 1 to 100
            page: from 1
        """
        asked = read_asked(memory, object_name, state, query, limit, page)
        return cast(Memories, answer(context, asked))

    gr.api(guarded(memories), api_name="memories", concurrency_limit=4)


def _mount_running(context: AppContext) -> None:
    def generate(
        recipe: str,
        seed: int = 0,
        memory: str = "default",
        steps: int | None = None,
        fast: bool = False,
        run_id: str = "",
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Make the video; streams one event after another, the last one is the whole run.

        Whoever stops listening stops nothing: /run tells how it goes, /stop ends it.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD; "" to go on with a run
            seed: the same seed gives the same video, 0 to 2**63 - 1
            memory: "default" or "none"
            steps: denoising steps of a clip; leave it out for the profile's own number
            fast: half the model calls or fewer, a little further from the exact one
            run_id: a run to go on with, as it was begun; the other parameters then do not count
        """
        guest = guest_of(request)
        if run_id:
            feed = go_on(context, run_id, guest)
        else:
            wishes = read_wishes(seed, memory, steps, fast)
            feed = begin(context, draft_of(context, recipe), wishes, guest)
        yield from _told(feed)

    def regenerate_step(
        run_id: str,
        step: int,
        seed: int | None = None,
        prompt: str | None = None,
        references: list[gr.FileData] | None = None,
        shows: list[str] | None = None,
        banned: list[str] | None = None,
        chosen: dict[str, str] | None = None,
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Make one step again; streams like /generate. `stale` then lists the steps it made stale.

        Parameters:
            run_id: as in the events of /generate
            step: its number, from 1
            seed: the step's own seed; with nothing else given a new one is taken
            prompt: given to the model word for word
            references: up to four pictures, shown to the model before all that the memory has
            shows: the object that each of them shows; leave it out to have them recognised
            banned: ids of crops that are not to guide the step
            chosen: ids of crops by the name of the object that they are to stand for
        """
        pictures = read_pictures(references, context.profile.max_references)
        changes = read_changes(seed, prompt, pictures, shows, banned, chosen)
        yield from _told(redo(context, run_id, step, changes, guest_of(request)))

    def run(run_id: str) -> RunState:
        """Where a run stands, with its files.

        Parameters:
            run_id: as in the events of /generate
        """
        return cast(RunState, run_json(context.view_of(run_id), "run"))

    def stop(run_id: str) -> StopAnswer:
        """Stop a run after the denoising step in work; its finished clips stay.

        Parameters:
            run_id: as in the events of /generate
        """
        context.view_of(run_id)
        return StopAnswer(run_id=run_id, stopping=context.worker.stop(run_id))

    for streamed, name in ((generate, "generate"), (regenerate_step, "regenerate_step")):
        stream = guarded(streamed)
        # Gradio reads the answer's schema here, and would show an iterator as "any".
        stream.__annotations__["return"] = RunState
        gr.api(stream, api_name=name, concurrency_id="listen", concurrency_limit=LISTENERS)
    gr.api(guarded(run), api_name="run", concurrency_limit=4)
    gr.api(guarded(stop), api_name="stop", concurrency_limit=4)


def _told(feed: Feed) -> Iterator[dict[str, Any]]:
    """What the worker tells of a run, for programs."""
    for view, event in feed.follow():
        if event is not None:
            yield event_json(view, event)
        elif view.state != "failed":
            ended = "stopped" if view.state == "stopped" else "finished"
            yield run_json(view, f"run_{ended}")


def _mount_evaluating(context: AppContext) -> None:
    def evaluate(
        run_ids: list[str] | None = None,
        clips: list[gr.FileData] | None = None,
        texts: str = "",
        metrics: list[str] | None = None,
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Measure runs or uploaded clips; streams one event after another, the last has all scores.

        Parameters:
            run_ids: runs of this server, at most four
            clips: or uploaded clips of one recipe, in order
            texts: the recipe of the clips, or one text a line and clip
            metrics: ids; leave it out for all
        """
        given = run_ids or []
        if not isinstance(given, list) or not isinstance(clips or [], list):
            raise InputError("Runs and clips are lists.", "Send [] for none.")
        context.allowance.spend(guest_of(request), "evaluations")
        runs = inputs_of(context, given, clips or [], texts)
        for view, event in stream_evaluation(context, runs, read_metrics(metrics)):
            yield answer_json(view, event)

    stream = guarded(evaluate)
    stream.__annotations__["return"] = Evaluation
    gr.api(stream, api_name="evaluate", concurrency_id="gpu", concurrency_limit=1)
