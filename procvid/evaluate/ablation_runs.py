"""Make and score the runs of an ablation: what each of its workers does."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from procvid.errors import UnavailableError
from procvid.evaluate.events import EvaluationFinished
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import run_input
from procvid.evaluate.judgements import Judgement, Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.shared_clips import SharedClips
from procvid.evaluate.suite import evaluate
from procvid.run.folder import VIDEO
from procvid.run.parts import Parts
from procvid.run.story import make_video
from procvid.storage.files import sha256_of
from procvid.types import Coherence, GenerateRequest, ModelInfo, Plan, Recipe, Sampling

JUDGED = "judgements.json"


@dataclass(frozen=True)
class AblationSetting:
    """One of the compared settings; the first of an ablation is the base.

    Attributes:
        name: Name in tables and folders.
        memory: The store, or "none".
        lora: LoRA files.
        state_aware: False ignores the state of objects when crops are retrieved.
        write_back: False adds no crops of generated clips to the memory.
        coherence: What a clip sees of the one before it.
        references: Maximum number of references; 0 for the profile's.
    """

    name: str
    memory: str
    lora: tuple[str, ...] = ()
    state_aware: bool = True
    write_back: bool = True
    coherence: Coherence = "none"
    references: int = 0

    @property
    def memory_label(self) -> str:
        """The store and the parts of the memory that are left out, as in the record of a run."""
        left_out = "" if self.state_aware else ", any state"
        left_out += "" if self.write_back else ", no write-back"
        return self.memory + left_out + (f", {self.references} slots" if self.references else "")


BuildParts = Callable[[AblationSetting], Parts]
"""Builds the models for the memory and the LoRA of a setting. Its planner is not used."""


@dataclass(frozen=True)
class RunsJob:
    """The missing runs of a recipe with one seed, for settings with the same LoRA.

    Attributes:
        folder: The absolute folder of the ablation.
        name: Name of the recipe.
        recipe: The recipe.
        seed: The seed.
        settings: The settings whose runs are missing.
        sampling: Sampling with this seed.
        planner: The model that made the plan.
        plan: The plan.
    """

    folder: Path
    name: str
    recipe: Recipe
    seed: int
    settings: tuple[AblationSetting, ...]
    sampling: Sampling
    planner: ModelInfo
    plan: Plan


@dataclass(frozen=True, eq=False)
class RunScores:
    """The scores of a run, and the answers of the judge that were new to its worker."""

    setting: str
    scores: dict[str, Any]
    answers: Mapping[str, Judgement]


class AblationTools:
    """The models of a worker, of one LoRA at a time.

    Args:
        build: Builds the models of a setting.
        evaluation: The backbones of the metrics.
    """

    def __init__(self, build: BuildParts, evaluation: EvaluationParts) -> None:
        self._build, self.evaluation = build, evaluation
        self._clips, self.cache = SharedClips(), EvidenceCache()
        self._parts: dict[tuple[str, tuple[str, ...]], Parts] = {}
        self._judgements: Judgements | None = None

    def parts(self, setting: AblationSetting) -> Parts:
        """Return the models of a setting. Settings with the same LoRA share their generator."""
        if any(lora != setting.lora for _, lora in self._parts):
            self._parts.clear()
        parts = self._parts.get((setting.memory, setting.lora))
        if parts is None:
            parts = self._build(setting)
            shared = next((known.generator for known in self._parts.values()), None)
            parts = replace(parts, generator=shared or self._clips.around(parts.generator))
            self._parts[setting.memory, setting.lora] = parts
        rules = replace(parts.rules, state_aware=setting.state_aware, write_back=setting.write_back)
        most = setting.references or parts.profile.max_references
        return replace(parts, rules=rules, profile=replace(parts.profile, max_references=most))

    def judgements(self, folder: Path) -> Judgements | None:
        """Return the judge, which knows the stored answers of the ablation; None without a judge."""
        if self._judgements is None:
            self._judgements = Judgements.of(self.evaluation, folder / JUDGED)
        return self._judgements


def run_place(folder: Path, setting: str, name: str, seed: int) -> tuple[Path, Path]:
    """Return the run folder and the file of scores of a run."""
    run = f"{name}-seed{seed}"
    return folder / "runs" / setting / run, folder / "scores" / setting / f"{run}.json"


def make_and_score(tools: AblationTools, job: RunsJob) -> Iterator[RunScores]:
    """Make and score the runs of a job, one after the other.

    Raises:
        RunError: A run folder belongs to another request.
        OutputError: The folder cannot be written.
        UnavailableError: A model is not available, or this machine does not see the folder.
    """
    if not job.folder.is_dir():
        raise UnavailableError(
            f"The worker on {platform.node()} does not see the folder {str(job.folder)!r}.",
            "Choose a folder that all machines share at the same path.",
        )
    for setting in job.settings:
        judgements = tools.judgements(job.folder)
        known = dict(judgements.answers) if judgements else {}
        place, _ = run_place(job.folder, setting.name, job.name, job.seed)
        _make(tools.parts(setting), setting, job, place)
        scores = _score(tools, judgements, place)
        answers = dict(judgements.answers) if judgements else {}
        new = {key: answer for key, answer in answers.items() if known.get(key) != answer}
        yield RunScores(setting.name, scores, new)


class _PlannedBefore:
    """A planner that returns the plan of the main process, so that all settings share it."""

    def __init__(self, info: ModelInfo, plan: Plan) -> None:
        self.info, self._plan = info, plan

    def plan(self, recipe: Recipe) -> Plan:
        return self._plan


def _make(parts: Parts, setting: AblationSetting, job: RunsJob, place: Path) -> None:
    request = GenerateRequest(
        recipe=job.recipe,
        sampling=replace(job.sampling, coherence=setting.coherence),
        profile=parts.profile.name,
        memory=setting.memory_label,
        planner=job.planner.id,
        lora=setting.lora,
        seed=job.seed,
    )
    planned = replace(parts, planner=_PlannedBefore(job.planner, job.plan))
    with closing(make_video(request, planned, place)) as events:
        for _ in events:
            pass


def _score(tools: AblationTools, judgements: Judgements | None, place: Path) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    run = run_input(place)
    for event in evaluate([run], tools.evaluation, None, judgements, tools.cache):
        if isinstance(event, EvaluationFinished):
            scores = event.scores
    for clip in scores["runs"][0]["clips"]:
        del clip["first_frame"], clip["last_frame"]
    scores["video_sha256"] = sha256_of(place / VIDEO)
    return scores
