"""The answers of the endpoints."""

from __future__ import annotations

from typing import Any, TypedDict

import gradio as gr


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


class TakesAnswer(TypedDict):
    """The takes of a step; each has its number, seed, prompt, score with reason, and files.

    `current` marks the clip of the step. `stale` steps show an old take of another step.
    """

    run_id: str
    step: int
    takes: list[dict[str, Any]]
    stale: list[int]


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


class LibraryCard(TypedDict):
    """A run in a list: `made_at` is in UTC; `memory` is False without reference images.

    `state` and `progress` are as in RunState. `deleted` runs can be restored for a day. `twin` is the
    run that it is compared with, or "". `poster` is a FileData, or None without a clip.
    """

    run_id: str
    title: str
    made_at: str
    memory: bool
    seed: int
    state: str
    done: int
    num_steps: int
    progress: float
    duration_s: float
    deleted: bool
    twin: str
    poster: gr.FileData | None


class LibraryAnswer(TypedDict):
    """Runs, newest first."""

    cards: list[LibraryCard]
