"""The HTTP endpoints; `gr.api` derives their schema from the signatures below.

gradio_client and any HTTP client call them by name. Nothing enforces the annotations, so
`procvid.ui.server.jobs` and the core check the values. Only FileData may have a key `path`: the client
downloads every value under such a key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypedDict, cast

import gradio as gr

from procvid.errors import InputError
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import (
    answer_json,
    inputs_of,
    read_backbones,
    read_metrics,
    stream_evaluation,
)
from procvid.ui.server.feed import Feed
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import (
    make_draft,
    preview_references,
    read_options,
    resume_run,
    start_run,
    undrawable,
    versions,
)
from procvid.ui.server.memory_answers import answer, read_asked
from procvid.ui.server.redo import read_changes, redo
from procvid.ui.server.stream import conditioning_json, event_json, run_json
from procvid.ui.server.uploads import read_pictures
from procvid.ui.server.visitors import visitor_of

LISTENERS = 24
"""Maximum number of clients that follow runs at once; each holds one of Gradio's forty threads."""


class Version(TypedDict):
    """Version, profile and models of the server."""

    procvid: str
    profile: str
    profile_reason: str
    models: dict[str, str]
    libraries: dict[str, str]


class PlanAnswer(TypedDict):
    """A plan with its warnings."""

    plan: dict[str, Any]
    warnings: list[str]


class RetrieveAnswer(TypedDict):
    """The references of each step, and the objects without one."""

    steps: list[dict[str, Any]]
    warnings: list[str]


class RunState(TypedDict):
    """A run: `state` is waiting, running, stopped, failed, stale or done; files are FileData.

    `ahead` counts the runs before it in the queue. `step`, `progress` (0 to 1) and `eta_s` describe
    a run in progress. `stale` steps show an old take of another step.
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
    """`stopping` is False if the run was neither in the queue nor in progress."""

    run_id: str
    stopping: bool


class Memories(TypedDict):
    """All memories; for the requested one also its facts, its objects and a page of its crops.

    `total` counts the matching crops of all pages.
    """

    memories: list[dict[str, Any]]
    memory: dict[str, Any] | None
    objects: list[dict[str, Any]]
    crops: list[dict[str, Any]]
    total: int


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""
    _mount_reading(context)
    _mount_memories(context)
    _mount_running(context)
    _mount_evaluating(context)


def _mount_reading(context: AppContext) -> None:
    def version() -> Version:
        """Return the version, the profile with the reason for it, the models and the libraries."""
        return cast(Version, versions(context))

    def plan(recipe: str, shots: str = "auto", request: gr.Request | None = None) -> PlanAnswer:
        """Plan a recipe: the objects of each step, their states before and after, and the prompt.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            shots: "auto" for one clip per action, "one" for one clip per step
        """
        context.allowance.spend(visitor_of(request), "plans")
        draft = make_draft(context, recipe, shots=shots)
        return PlanAnswer(
            plan=dataclasses.asdict(draft.plan),
            warnings=[*undrawable(context, draft.plan), *draft.plan.notes],
        )

    def retrieve(
        recipe: str,
        memory: str = "default",
        seed: int = 0,
        shots: str = "auto",
        request: gr.Request | None = None,
    ) -> RetrieveAnswer:
        """Find the references of each step, as the memory offers them before the first clip.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            memory: "default" or "none"
            seed: breaks ties, 0 to 2**63 - 1
            shots: "auto" for one clip per action, "one" for one clip per step
        """
        context.allowance.spend(visitor_of(request), "searches")
        options = read_options(seed, memory, None)
        draft = make_draft(context, recipe, shots=shots)
        found = preview_references(context, draft.plan, options)
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
        """List the memories; for one of them its objects, states and crops, with their sources.

        Parameters:
            memory: "default" or the id of your own; omit it to get the list only
            object_name: only crops of this object, such as "carrot"
            state: only crops in this state, such as "sliced"
            query: words to search for; crops then come best first, with a score and its parts
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
        shots: str = "auto",
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Make a video; streams events, the last one is the whole run.

        A client that disconnects does not stop the run: /run returns its state, /stop ends it.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD; "" to resume a run
            seed: the same seed gives the same video, 0 to 2**63 - 1
            memory: "default" or "none"
            steps: denoising steps of a clip; omit it for the default of the profile
            fast: at most half the model calls, for slightly different clips
            run_id: a run to resume; the other parameters are then ignored
            shots: "auto" for one clip per action, "one" for one clip per step
        """
        visitor = visitor_of(request)
        if run_id:
            feed = resume_run(context, run_id, visitor)
        else:
            options = read_options(seed, memory, steps, fast)
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
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Redo one step; streams like /generate. `stale` lists the steps that it made stale.

        Parameters:
            run_id: as in the events of /generate
            step: its number in the plan, from 1; each shot of a step has its own
            seed: the step's own seed; random if no other parameter is given
            prompt: replaces the step's prompt
            references: up to four images, placed before those of the memory
            shows: the object that each of them shows; omit it to detect them automatically
            banned: ids of crops that must not guide the step
            chosen: crop ids by the name of the object that they stand for
        """
        pictures = read_pictures(references, context.profile.max_references)
        changes = read_changes(seed, prompt, pictures, shows, banned, chosen)
        yield from _stream(redo(context, run_id, step, changes, visitor_of(request)))

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

    for streamed, name in ((generate, "generate"), (regenerate_step, "regenerate_step")):
        stream = guarded(streamed)
        # Gradio reads the schema of the result here; an iterator would become "any".
        stream.__annotations__["return"] = RunState
        gr.api(stream, api_name=name, concurrency_id="listen", concurrency_limit=LISTENERS)
    gr.api(guarded(run), api_name="run", concurrency_limit=4)
    gr.api(guarded(stop), api_name="stop", concurrency_limit=4)


def _stream(feed: Feed) -> Iterator[dict[str, Any]]:
    """Yield the events of a run as JSON."""
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
        backbones: str = "auto",
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Measure runs or uploaded clips; streams events, the last one has all scores.

        Parameters:
            run_ids: runs of this server, at most four
            clips: or uploaded clips of one recipe, in order
            texts: the recipe of the clips, or one line per clip
            metrics: metric ids; omit it for all
            backbones: tiny knows the toy kitchen only, published (1.4 GB) any clip; auto is the server's
        """
        given = run_ids or []
        if not isinstance(given, list) or not isinstance(clips or [], list):
            raise InputError("The runs or clips are not a list.", "Send [] for none.")
        models = read_backbones(backbones)
        context.allowance.spend(visitor_of(request), "evaluations")
        runs = inputs_of(context, given, clips or [], texts)
        chosen = read_metrics(metrics)
        for view, event in stream_evaluation(context, runs, chosen, models):
            yield answer_json(view, event)

    stream = guarded(evaluate)
    stream.__annotations__["return"] = Evaluation
    gr.api(stream, api_name="evaluate", concurrency_id="gpu", concurrency_limit=1)
