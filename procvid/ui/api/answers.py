"""The answers of the endpoints. The schema of the API is made from these types."""

from __future__ import annotations

from typing import Any, Literal

import gradio as gr
from typing_extensions import TypedDict

from procvid.types import BoxXYXY, Likelihood, Plan, Role


class Version(TypedDict):
    """Version, profile and models of the server."""

    procvid: str
    profile: str
    profile_reason: str
    models: dict[str, str]
    libraries: dict[str, str]


class StepNeed(TypedDict):
    """A step, by its name, needs things that an earlier one made."""

    before: str
    after: str
    things: list[str]


class PlanGraph(TypedDict):
    """Which step needs what; `critical_path` are the steps that decide how long it takes."""

    edges: list[StepNeed]
    minutes: dict[str, float]
    critical_path: list[str]
    notes: list[str]


class PlanAnswer(TypedDict):
    """A plan with its warnings."""

    plan: Plan
    warnings: list[str]
    graph: PlanGraph


class StepReference(TypedDict):
    """A reference image of a step; `words` name it in the prompt.

    `anchor_step` is the earlier step that first used the image; 0 if none did.
    """

    number: int
    object: str
    words: str
    crop_id: str
    source_id: str
    state: str
    score: float
    origin: Literal["memory", "run", "upload"]
    anchor_step: int


class MissingReference(TypedDict):
    """An object without a reference image, and why."""

    object: str
    state: str
    reason: str


class StepReferences(TypedDict):
    """The references of one step, at most four, and the objects without one."""

    step: int
    prompt: str
    references: list[StepReference]
    missing: list[MissingReference]
    warnings: list[str]


class RetrieveAnswer(TypedDict):
    """The references of each step."""

    steps: list[StepReferences]
    warnings: list[str]


class RunState(TypedDict):
    """A run with its files; `state` is waiting, running, stopped, failed, stale or done.

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
    plan: Plan | None
    clips: list[gr.FileData]
    video: gr.FileData | None
    captions: gr.FileData | None
    warnings: list[str]


class MeasuredItem(TypedDict):
    """One step, joint or object of a metric; without a value, `note` has the reason."""

    key: str
    value: float | None
    note: str
    facts: dict[str, Any]


class MetricResult(TypedDict):
    """The result of a metric; `value` is null unless `state` is "ok"."""

    metric: str
    direction: Literal["lower", "higher"]
    value: float | None
    std: float | None
    state: str
    n: int
    null_share: float
    chance: float | None
    parts: dict[str, float | None]
    backbone: str
    items: list[MeasuredItem]


class MeasuredClip(TypedDict):
    """A measured clip; the frames are data URLs."""

    step: int
    text: str
    num_frames: int
    fps: float
    width: int
    height: int
    frozen: bool
    known: bool
    pixel_motion: float | None
    first_frame: str
    last_frame: str


class MeasuredRun(TypedDict):
    """A measured run: its clips, and its metrics by id."""

    name: str
    title: str
    settings: dict[str, Any]
    notes: list[str]
    clips: list[MeasuredClip]
    candidates: dict[str, list[str]]
    goals: list[str]
    metrics: dict[str, MetricResult]


class Scores(TypedDict):
    """The content of scores.json: each run, and the summary of all by metric."""

    schema_version: int
    procvid: str
    profile: str
    backbones: dict[str, str]
    missing: dict[str, str]
    runs: list[MeasuredRun]
    summary: dict[str, MetricResult]


class TakeReference(TypedDict):
    """A reference image of a take."""

    object: str
    words: str
    crop_id: str
    image: gr.FileData


class TakeFacts(TypedDict):
    """A take of a step; `current` marks the clip of the step.

    `parts` are those of the score; `contradictions` say how it contradicts the plan.
    """

    number: int
    current: bool
    seed: int
    prompt: str
    score: float | None
    reason: str
    parts: dict[str, float]
    contradictions: list[str]
    made_at: str
    sha256: str
    clip: gr.FileData
    references: list[TakeReference]


class TakesAnswer(TypedDict):
    """A page of the takes of a step; `stale` steps show an old take of another step."""

    run_id: str
    step: int
    num_takes: int
    takes: list[TakeFacts]
    stale: list[int]


class SharedAnswer(TypedDict):
    """The answer of a person: may the takes of a run be used for training?"""

    run_id: str
    allowed: bool


class Evaluation(TypedDict):
    """The last event: the scores, and the files "scores", "table" and "report"."""

    event: str
    scores: Scores
    files: dict[str, gr.FileData]


class StopAnswer(TypedDict):
    """`stopping` is False if the run was neither in the queue nor in progress."""

    run_id: str
    stopping: bool


class MemoryEntry(TypedDict):
    """A memory that everyone may read; `why_not` says why it cannot be read, or is ""."""

    name: str
    crops: int
    why_not: str


class MemoryFacts(TypedDict):
    """Facts of a memory; `name` is "default", or "own" for the caller's own."""

    name: str
    crops: int
    with_pictures: int
    banned: int
    embedder: str
    calibrated: bool
    licence: str
    rights: str
    edits: int


class MemoryObject(TypedDict):
    """An object of a memory, with its number of crops by state."""

    name: str
    role: Role
    states: dict[str, int]


class MemoryCrop(TypedDict):
    """A crop without its image; `score` and `parts` are the cosines of a search."""

    id: str
    name: str
    role: Role
    description: str
    state: str
    likelihood: Likelihood
    source_id: str
    time_s: float
    box_xyxy: BoxXYXY
    detector_score: float
    quality: float
    licence: str
    url: str
    shows: list[str]
    banned: bool
    with_picture: bool
    score: float | None
    parts: dict[str, float]


class Memories(TypedDict):
    """All memories; for the requested one also its facts, its objects and a page of its crops.

    `total` counts the matching crops of all pages. `reason` says why a search found none.
    """

    memories: list[MemoryEntry]
    memory: MemoryFacts | None
    objects: list[MemoryObject]
    crops: list[MemoryCrop]
    total: int
    reason: str


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
