"""Ablation: the same recipes and seeds under several settings, scored and compared (Table 1).

Runs and scores are stored in the output folder. After an interruption, the same command makes only
what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.evaluate.ablation_runs import (
    JUDGED,
    AblationSetting,
    AblationTools,
    BuildParts,
    RunScores,
    RunsJob,
    make_and_score,
    run_place,
)
from procvid.evaluate.compare import PairedDifference, paired_difference, why_not_comparable
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result, finite, mean_of
from procvid.evaluate.scores import check_replaceable, read_scores
from procvid.machine.spread import Spread
from procvid.plan.shots import cut_into_shots
from procvid.protocols import Planner
from procvid.run.folder import VIDEO
from procvid.storage.files import sha256_of, write_json
from procvid.types import Recipe, Sampling, ShotMode

TABLE_SCHEMA = 1
MAX_RUNS = 2000
SHOTS: ShotMode = "auto"


def settings_of(
    wanted: str | None, lora: Sequence[str] = (), memory: str = "default"
) -> tuple[AblationSetting, ...]:
    """Return the settings by name. Default: base and memory, and the tuned ones if a LoRA is given.

    Args:
        wanted: Names separated by commas, base first; None for the default.
        lora: LoRA files of the tuned settings.
        memory: Store of every setting that uses the memory.

    Raises:
        InputError: A name is unknown, the base is not first, or a tuned setting has no LoRA.
    """
    known = {
        "base": AblationSetting("base", "none"),
        "memory": AblationSetting("memory", memory),
        "memory-any-state": AblationSetting("memory-any-state", memory, state_aware=False),
        "memory-no-write-back": AblationSetting("memory-no-write-back", memory, write_back=False),
        **_with_clips_before(memory),
        "tuned": AblationSetting("tuned", "none", tuple(lora)),
        "tuned+memory": AblationSetting("tuned+memory", memory, tuple(lora)),
    }
    default = ("base", "memory", "tuned", "tuned+memory") if lora else ("base", "memory")
    names = default if wanted is None else tuple(name.strip() for name in wanted.split(","))
    for name in names:
        if name not in known:
            raise InputError(f"Unknown setting {name!r}.", f"Choose from {', '.join(known)}.")
        if name.startswith("tuned") and not lora:
            raise InputError(f"The setting {name!r} needs a LoRA.", "Give one with --lora.")
    if len(set(names)) < 2 or names[0] != "base":
        raise InputError(
            f"The settings {','.join(names)} cannot be compared.",
            "Give base first, then at least one other.",
        )
    return tuple(known[name] for name in dict.fromkeys(names))


def _with_clips_before(memory: str) -> dict[str, AblationSetting]:
    """Return the settings with 2, 3 and all references, without and with the clip before."""
    found = {}
    for references in (2, 3, 0):
        name = f"memory-{references}-references" if references else "memory"
        if references:
            found[name] = AblationSetting(name, memory, references=references)
        rolling = f"{name}-rolling"
        found[rolling] = AblationSetting(
            rolling, memory, coherence="rolling", references=references
        )
    return found


@dataclass(frozen=True)
class RunScored:
    """One run is made and scored: `done` of `total`.

    `eta_s` is None until the first new run is made; `reused` marks a run that was finished before.
    Finished runs come first; with several workers the others come in any order.
    `notes` are for the user: missing steps, answers of a stand-in for the judge.
    """

    setting: str
    recipe: str
    seed: int
    done: int
    total: int
    eta_s: float | None
    reused: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AblationFinished:
    """The last event; `table` is the content of `table.json`."""

    table: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Ablation:
    """The recipes, settings and seeds of an ablation.

    Attributes:
        recipes: Recipes by a name that is safe in a path.
        settings: The compared settings, the base first.
        seeds: Seeds with which each recipe is generated.
        sampling: Sampling of all runs; its seed is replaced.
        planner: Plans each recipe, in this process.
        build: Builds the models of a setting.
        evaluation: The backbones of the metrics.
        spread: The workers, which build the same models.
    """

    recipes: Mapping[str, Recipe]
    settings: tuple[AblationSetting, ...]
    seeds: tuple[int, ...]
    sampling: Sampling
    planner: Planner
    build: BuildParts
    evaluation: EvaluationParts
    spread: Spread[AblationTools]

    def run(self, folder: Path) -> Iterator[RunScored | AblationFinished]:
        """Make the missing runs and scores in `folder`, then the table.

        Raises:
            InputError: There are too many runs, a run folder belongs to another request, or a
                language model would judge in several processes.
            UnavailableError: A model of a setting is not available, or a worker was lost.
            OutputError: The folder cannot be written.
        """
        total = len(self.recipes) * len(self.settings) * len(self.seeds)
        if not 1 <= total <= MAX_RUNS:
            raise InputError(f"{total} runs are not possible.", f"Choose 1 to {MAX_RUNS} in all.")
        if self.evaluation.stand_in is not None and not self.spread.is_here:
            raise InputError(
                "A language model judges in one process only, which keeps its answers.",
                "Use --judge rules, or omit --workers and --ray.",
            )
        # Workers may have another working directory.
        folder, started_s = folder.resolve(), time.monotonic()
        scores = dict(self._finished(folder))
        for done, ((setting, name, seed), known) in enumerate(scores.items(), start=1):
            yield _scored(setting, name, seed, known, done, total, None, reused=True)
        num_reused = len(scores)
        for job, made in self._made(folder, self._jobs(folder, set(scores))):
            scores[made.setting, job.name, job.seed] = made.scores
            each_s = (time.monotonic() - started_s) / (len(scores) - num_reused)
            eta_s = each_s * (total - len(scores))
            yield _scored(made.setting, job.name, job.seed, made.scores, len(scores), total, eta_s)
        ordered = {
            (setting.name, name, seed): scores[setting.name, name, seed]
            for setting in self.settings
            for name in self.recipes
            for seed in self.seeds
        }
        yield AblationFinished(table_of(ordered, self.settings, self.evaluation))

    def _finished(self, folder: Path) -> Iterator[tuple[tuple[str, str, int], dict[str, Any]]]:
        """Yield the runs that are made and scored, with their scores."""
        for setting in self.settings:
            for name in self.recipes:
                for seed in self.seeds:
                    place, file = run_place(folder, setting.name, name, seed)
                    known = _still_good(file, place, self.evaluation.backbones())
                    if known is not None:
                        yield (setting.name, name, seed), known

    def _jobs(self, folder: Path, finished: Set[tuple[str, str, int]]) -> Iterator[RunsJob]:
        for lora in dict.fromkeys(setting.lora for setting in self.settings):
            alike = [setting for setting in self.settings if setting.lora == lora]
            for name, recipe in self.recipes.items():
                cut = cut_into_shots(recipe, SHOTS)
                for seed in self.seeds:
                    missing = [s for s in alike if (s.name, name, seed) not in finished]
                    if missing:
                        yield RunsJob(
                            folder=folder,
                            name=name,
                            recipe=recipe,
                            seed=seed,
                            settings=tuple(missing),
                            sampling=replace(self.sampling, seed=seed),
                            planner=self.planner.info,
                            plan=self.planner.plan(cut),
                        )

    def _made(self, folder: Path, jobs: Iterator[RunsJob]) -> Iterator[tuple[RunsJob, RunScores]]:
        """Yield each new run, when its files and the answers of the judge are on disk."""
        tools = AblationTools(self.build, self.evaluation) if self.spread.is_here else None
        judgements = Judgements.of(self.evaluation, folder / JUDGED)
        for job, made in self.spread.run(make_and_score, jobs, tools):
            if isinstance(made, ProcvidError):
                raise made
            place, file = run_place(folder, made.setting, job.name, job.seed)
            if not (place / VIDEO).is_file():
                raise UnavailableError(
                    f"A worker wrote {str(place)!r}, which this machine does not see.",
                    "Choose a folder that all machines share at the same path.",
                )
            if judgements is not None:
                judgements.add(made.answers)
                judgements.save(folder / JUDGED)
            # After the answers: a run that is scored has all of its answers on disk.
            write_json(file, made.scores)
            yield job, made


def _scored(
    setting: str,
    name: str,
    seed: int,
    scores: Mapping[str, Any],
    done: int,
    total: int,
    eta_s: float | None,
    *,
    reused: bool = False,
) -> RunScored:
    notes = tuple(scores["runs"][0]["notes"])
    return RunScored(setting, name, seed, done, total, eta_s, reused, notes)


def _still_good(file: Path, place: Path, backbones: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the stored scores if they are of this video and these backbones, else None."""
    if not file.is_file() or not (place / VIDEO).is_file():
        return None
    check_replaceable(file)
    try:
        scores = read_scores(file)
    except InputError:
        return None
    same_video = scores.get("video_sha256") == sha256_of(place / VIDEO)
    return scores if same_video and scores["backbones"] == dict(backbones) else None


def table_of(
    scores: Mapping[tuple[str, str, int], Mapping[str, Any]],
    settings: Sequence[AblationSetting],
    evaluation: EvaluationParts,
) -> dict[str, Any]:
    """Return the content of `table.json`: means, deviations and paired differences to the base.

    The unit is the recipe. Its seeds are averaged first, because they are not independent.
    """
    pairs = list(dict.fromkeys((name, seed) for _, name, seed in scores))
    base = settings[0].name
    rows = []
    for setting in settings:
        runs = [scores[setting.name, name, seed]["runs"][0] for name, seed in pairs]
        bases = [scores[base, name, seed]["runs"][0] for name, seed in pairs]
        reasons = [
            why_not_comparable(b["settings"], r["settings"])
            for b, r in zip(bases, runs, strict=True)
        ]
        reason = next((why for why in reasons if why), "")
        rows.append(
            {
                "setting": setting.name,
                "memory": setting.memory_label,
                "lora": ", ".join(setting.lora) or "none",
                "comparable": reason or "ok",
                "metrics": {
                    name: _column(
                        name,
                        [n for n, _ in pairs],
                        runs,
                        bases,
                        setting.name == base or bool(reason),
                    )
                    for name in runs[0]["metrics"]
                },
            }
        )
    return {
        "schema_version": TABLE_SCHEMA,
        "profile": evaluation.profile,
        "backbones": evaluation.backbones(),
        "recipes": list(dict.fromkeys(name for name, _ in pairs)),
        "seeds": list(dict.fromkeys(seed for _, seed in pairs)),
        "n": len({name for name, _ in pairs}),
        "rows": rows,
    }


def _column(
    name: str,
    recipes: Sequence[str],
    runs: Sequence[Mapping[str, Any]],
    bases: Sequence[Mapping[str, Any]],
    alone: bool,
) -> dict[str, Any]:
    """Return one metric of one setting; `recipes` names the recipe of each run."""
    results = [Result.from_json(run["metrics"][name]) for run in runs]
    values = [result.value for result in results]
    known = [value for value in by_recipe(recipes, values) if value is not None]
    mean = mean_of(known)
    deviation = None if mean is None else (sum((v - mean) ** 2 for v in known) / len(known)) ** 0.5
    difference: PairedDifference | None = None
    if not alone:
        before = [base["metrics"][name]["value"] for base in bases]
        both = [a is not None and b is not None for a, b in zip(before, values, strict=True)]
        difference = paired_difference(
            *(
                by_recipe(recipes, [v if ok else None for v, ok in zip(each, both, strict=True)])
                for each in (before, values)
            )
        )
    states = [result.state for result in results if result.value is None]
    return {
        "direction": results[0].direction,
        "mean": finite(mean),
        "std": finite(deviation),
        "n": len(known),
        "null_share": round(sum(value is None for value in values) / len(values), 4),
        "state": "ok" if known else states[0],
        "chance": finite(mean_of([result.chance for result in results])),
        "parts": {
            part: finite(mean_of([result.parts.get(part) for result in results]))
            for part in dict.fromkeys(part for result in results for part in result.parts)
        },
        "difference": None
        if difference is None
        else {
            "mean": finite(difference.mean),
            "low": finite(difference.low),
            "high": finite(difference.high),
            "n": difference.n,
            "null_share": round(difference.null_share, 4),
        },
    }


def by_recipe(recipes: Sequence[str], values: Sequence[float | None]) -> list[float | None]:
    """Return the mean over the seeds of each recipe; None for a recipe without a value."""
    return [
        mean_of([value for own, value in zip(recipes, values, strict=True) if own == recipe])
        for recipe in dict.fromkeys(recipes)
    ]
