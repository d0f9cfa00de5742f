"""The endpoints for programs; `gr.api` derives their schema from the signatures below.

gradio_client, and any HTTP client, calls them by name. Nothing enforces the annotations, so the
values are checked in `procvid.ui.jobs` and in the core. Results hold no key named `path` but those
of FileData, for the client would try to download it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypedDict, cast

import gradio as gr

from procvid.errors import InputError
from procvid.ui.context import AppContext, new_run_id
from procvid.ui.evaluating import answer_json, inputs_of, read_metrics, stream_evaluation
from procvid.ui.guard import guarded
from procvid.ui.jobs import (
    Job,
    draft_of,
    preview_references,
    read_wishes,
    stream_run,
    undrawable,
    versions,
    view_of,
)
from procvid.ui.memory_answers import answer, read_asked
from procvid.ui.stream import conditioning_json, event_json, run_json


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
    """A run: `state` is running, stopped, failed or done; files are FileData."""

    event: str
    run_id: str
    state: str
    done: int
    num_steps: int
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

    def plan(recipe: str) -> PlanAnswer:
        """Which objects each step shows, their states before and after, and the enhanced prompt.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
        """
        draft = draft_of(context, recipe)
        return PlanAnswer(
            plan=dataclasses.asdict(draft.plan),
            warnings=[*undrawable(context, draft.plan), *draft.plan.notes],
        )

    def retrieve(recipe: str, memory: str = "default", seed: int = 0) -> RetrieveAnswer:
        """The references that the memory offers for each step before the first clip is made.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            memory: "default" or "none"
            seed: chooses among equals, 0 to 2**63 - 1
        """
        wishes = read_wishes(seed, memory, None)
        draft = draft_of(context, recipe)
        found = preview_references(context, draft.plan, wishes)
        return RetrieveAnswer(
            steps=[conditioning_json(c) for c in found],
            warnings=[*undrawable(context, draft.plan), *draft.plan.notes],
        )

    gr.api(guarded(version), api_name="version")
    gr.api(guarded(plan), api_name="plan")
    gr.api(guarded(retrieve), api_name="retrieve", concurrency_id="gpu", concurrency_limit=1)


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
    ) -> Iterator[dict[str, Any]]:
        """Make the video; streams one event after another, the last one is the whole run.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            seed: the same seed gives the same video, 0 to 2**63 - 1
            memory: "default" or "none"
            steps: denoising steps of a clip; leave it out for the profile's own number
            fast: less than half the time a clip, a little further from the exact one
        """
        wishes = read_wishes(seed, memory, steps, fast)
        job = Job(new_run_id(), draft_of(context, recipe), wishes)
        for view, event in stream_run(context, job):
            yield run_json(view, f"run_{view.state}") if event is None else event_json(view, event)

    def run(run_id: str) -> RunState:
        """Where a run stands, with its files.

        Parameters:
            run_id: as in the events of /generate
        """
        return cast(RunState, run_json(view_of(context, run_id), "run"))

    def stop(run_id: str) -> StopAnswer:
        """Stop a run after the denoising step in work; its finished clips stay.

        Parameters:
            run_id: as in the events of /generate
        """
        if not context.in_work(context.folder_of(run_id).name):
            context.existing_folder_of(run_id)
        return StopAnswer(run_id=run_id, stopping=context.stop(run_id))

    stream = guarded(generate)
    # Gradio reads the answer's schema here, and would show an iterator as "any".
    stream.__annotations__["return"] = RunState
    gr.api(stream, api_name="generate", concurrency_id="gpu", concurrency_limit=1)
    gr.api(guarded(run), api_name="run", concurrency_limit=4)
    gr.api(guarded(stop), api_name="stop", concurrency_limit=4)


def _mount_evaluating(context: AppContext) -> None:
    def evaluate(
        run_ids: list[str] | None = None,
        clips: list[gr.FileData] | None = None,
        texts: str = "",
        metrics: list[str] | None = None,
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
        runs = inputs_of(context, given, clips or [], texts)
        for view, event in stream_evaluation(context, runs, read_metrics(metrics)):
            yield answer_json(view, event)

    stream = guarded(evaluate)
    stream.__annotations__["return"] = Evaluation
    gr.api(stream, api_name="evaluate", concurrency_id="gpu", concurrency_limit=1)
