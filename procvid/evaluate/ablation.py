"""Ablation: the same recipes and seeds under several settings, scored and compared (Table 1).

Runs and scores are stored in the output folder. After an interruption, the same command makes only
what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from procvid.errors import InputError
from procvid.evaluate.compare import Difference, paired_difference, why_not_comparable
from procvid.evaluate.events import EvaluationFinished
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import run_input
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result, finite, mean_of
from procvid.evaluate.scores import check_replaceable, read_scores
from procvid.evaluate.shared_clips import SharedClips
from procvid.evaluate.suite import evaluate
from procvid.run.folder import VIDEO
from procvid.run.parts import Parts
from procvid.run.story import make_video
from procvid.storage.files import sha256_of, write_json
from procvid.types import GenerateRequest, Recipe, Sampling

TABLE_SCHEMA = 1
MAX_RUNS = 2000
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
    """

    name: str
    memory: str
    lora: tuple[str, ...] = ()
    state_aware: bool = True
    write_back: bool = True

    @property
    def memory_label(self) -> str:
        """The store and the parts of the memory that are left out, as in the record of a run."""
        left_out = "" if self.state_aware else ", any state"
        return self.memory + left_out + ("" if self.write_back else ", no write-back")


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


@dataclass(frozen=True)
class RunScored:
    """One run is made and scored: `done` of `total`.

    `eta_s` is None until the first new run is made; `reused` marks a run that was finished before.
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
        build: Builds the models of a setting.
        evaluation: The backbones of the metrics.
    """

    recipes: Mapping[str, Recipe]
    settings: tuple[AblationSetting, ...]
    seeds: tuple[int, ...]
    sampling: Sampling
    build: Callable[[AblationSetting], Parts]
    evaluation: EvaluationParts

    def run(self, folder: Path) -> Iterator[RunScored | AblationFinished]:
        """Make the missing runs and scores in `folder`, then the table.

        Raises:
            InputError: There are too many runs, or a run folder belongs to another request.
            UnavailableError: A model of a setting is not available.
            OutputError: The folder cannot be written.
        """
        total = len(self.recipes) * len(self.settings) * len(self.seeds)
        if not 1 <= total <= MAX_RUNS:
            raise InputError(f"{total} runs are not possible.", f"Choose 1 to {MAX_RUNS} in all.")
        clips = SharedClips()
        judgements = Judgements.of(self.evaluation, folder / JUDGED)
        cache, started_s, made, done = EvidenceCache(), time.monotonic(), 0, 0
        scores: dict[tuple[str, str, int], dict[str, Any]] = {}
        for setting in self.settings:
            parts: Parts | None = None
            for name, recipe in self.recipes.items():
                for seed in self.seeds:
                    place = folder / "runs" / setting.name / f"{name}-seed{seed}"
                    file = folder / "scores" / setting.name / f"{name}-seed{seed}.json"
                    known = _still_good(file, place, self.evaluation.backbones())
                    if known is None:
                        parts = parts or _sharing(self.build(setting), clips)
                        self._make(parts, setting, recipe, seed, place)
                        known = self._score(place, file, judgements, cache)
                        made += 1
                        if judgements is not None:
                            judgements.save(folder / JUDGED)
                        reused = False
                    else:
                        reused = True
                    scores[setting.name, name, seed] = known
                    done += 1
                    each_s = (time.monotonic() - started_s) / made if made else None
                    eta_s = None if each_s is None else each_s * (total - done)
                    notes = tuple(known["runs"][0]["notes"])
                    yield RunScored(setting.name, name, seed, done, total, eta_s, reused, notes)
        yield AblationFinished(table_of(scores, self.settings, self.evaluation))

    def _make(
        self, parts: Parts, setting: AblationSetting, recipe: Recipe, seed: int, place: Path
    ) -> None:
        request = GenerateRequest(
            recipe=recipe,
            sampling=replace(self.sampling, seed=seed),
            profile=parts.profile.name,
            memory=setting.memory_label,
            planner=parts.planner.info.id,
            lora=setting.lora,
            seed=seed,
        )
        with closing(make_video(request, parts, place)) as events:
            for _ in events:
                pass

    def _score(
        self, place: Path, file: Path, judgements: Judgements | None, cache: EvidenceCache
    ) -> dict[str, Any]:
        scores: dict[str, Any] = {}
        run = run_input(place)
        for event in evaluate([run], self.evaluation, None, judgements, cache):
            if isinstance(event, EvaluationFinished):
                scores = event.scores
        for clip in scores["runs"][0]["clips"]:
            del clip["first_frame"], clip["last_frame"]
        scores["video_sha256"] = sha256_of(place / VIDEO)
        write_json(file, scores)
        return scores


def _sharing(parts: Parts, clips: SharedClips) -> Parts:
    return replace(parts, generator=clips.around(parts.generator))


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
    difference: Difference | None = None
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
