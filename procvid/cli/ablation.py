"""`procvid ablate` and `procvid proof`: many runs compared, and the metrics themselves proved."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.metrics_proof.generated import Made, make_runs
from lab.metrics_proof.table import Progress, prove, table_markdown
from procvid.cli.runs import absolute_lora, absolute_memory
from procvid.cli.screen import Bar, duration
from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.evaluate.ablation import (
    MAX_RUNS,
    Ablation,
    AblationFinished,
    Scored,
    Setting,
    settings_of,
)
from procvid.evaluate.ablation_report import TABLE_HTML, write_table
from procvid.plan.parse import read_recipe
from procvid.run.parts import Parts
from procvid.settings import MAX_SEED, TINY, choose_sampling
from procvid.storage.atomic import write_text
from procvid.storage.files import write_json
from procvid.storage.lock import output_folder
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Recipe
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring

TOY = "toykitchen"
SUFFIXES = (".txt", ".md", ".json")
FAULTS_MD, FAULTS_JSON = "planted_faults.md", "planted_faults.json"


def ablate(arguments: argparse.Namespace) -> None:
    """Make, score and compare; cut off, the same command goes on."""
    loras = [absolute_lora(text) for text in arguments.lora]
    settings = settings_of(arguments.settings, loras, absolute_memory(arguments.memory))
    seeds = _seeds(arguments.seeds)
    recipes = _recipes(arguments.recipes, arguments.limit)
    profile, reason = wiring.select_profile(arguments.profile)
    sampling = choose_sampling(profile, num_inference_steps=arguments.steps, fast=arguments.fast)

    def build(setting: Setting) -> Parts:
        parts = wiring.build(
            profile.name, memory=setting.memory, lora=setting.lora, profile_reason=reason
        )
        rules = dataclasses.replace(
            parts.rules, state_aware=setting.state_aware, write_back=setting.write_back
        )
        return dataclasses.replace(parts, rules=rules)

    out, bar = Path(arguments.out), Bar()
    with output_folder(out):
        evaluation = wiring_evaluation.build_evaluation(profile, arguments.judge)
        ablation = Ablation(recipes, settings, seeds, sampling, build, evaluation)
        try:
            for event in ablation.run(out):
                if arguments.json:
                    print(json.dumps(_json(event), ensure_ascii=False), flush=True)
                if isinstance(event, AblationFinished):
                    write_table(out, event.table)
                    continue
                if not arguments.json:
                    bar.clear()
                    print(_line(event), flush=True)
                    for note in event.notes:
                        print(f"Note: {note}", flush=True)
                    share, told = event.done / event.total, f"{event.done} of {event.total}"
                    bar.show(share, told, event.eta_s)
        finally:
            bar.clear()
    if not arguments.json:
        print(f"Done: {out / TABLE_HTML}")


def proof(arguments: argparse.Namespace) -> None:
    """Plant faults in toy-kitchen video and tell whether every metric answers to its own.

    Raises:
        ProcvidError: A claim does not hold; the table is there all the same.
    """
    bar, out = Bar(), Path(arguments.out)
    table: dict[str, Any] = {}
    with output_folder(out):
        parts = wiring_evaluation.build_evaluation(TINY)
        if parts.missing:
            kind, why = next(iter(parts.missing.items()))
            raise UnavailableError(f"The {kind} is missing: {why}", "`procvid doctor` tells more.")
        detector = parts.detector
        assert detector is not None
        planner = wiring.build_planner("rules")

        def make(seeds: Sequence[int]) -> Iterator[Made]:
            yield from make_runs(wiring.build(TINY.name, planner="rules"), detector, seeds)

        try:
            for event in prove(parts, planner, recipes=arguments.recipes, make=make):
                if isinstance(event, Progress):
                    bar.show(event.done / event.total, event.fault, None)
                else:
                    table = event
        finally:
            bar.clear()
        write_json(out / FAULTS_JSON, table)
        write_text(out / FAULTS_MD, table_markdown(table))
    print(table_markdown(table), end="")
    broken = [row for row in table["rows"] if not row["holds"]]
    total, recipes = len(table["rows"]), table["recipes"]
    print(f"{total - len(broken)} of {total} claims hold on {recipes} recipes.")
    if broken:
        told = ", ".join(f"{row['figure']} under {row['fault']!r}" for row in broken)
        raise ProcvidError(
            f"{len(broken)} of {total} claims do not hold on {recipes} recipes: {told}.",
            "More recipes (--recipes) give steadier figures; what fails then is a fault.",
        )


def _json(event: Scored | AblationFinished) -> dict[str, Any]:
    if isinstance(event, AblationFinished):
        return {"event": "ablation_finished", "table": event.table}
    return {"event": "scored", **dataclasses.asdict(event)}


def _line(event: Scored) -> str:
    left = "" if event.eta_s is None else f", {duration(event.eta_s)} left"
    there = " was there already" if event.reused else ""
    return f"{event.setting}: {event.recipe}, seed {event.seed}{there} ({event.done} of {event.total}{left})"


def _recipes(given: str, limit: int | None) -> dict[str, Recipe]:
    """By a name that is safe in a path: files of a folder, one file, or held-out toy recipes."""
    if limit is not None and limit < 1:
        raise InputError(f"A limit of {limit} leaves no recipe.", "Choose 1 or more.")
    if limit is not None and limit > MAX_RUNS:
        raise InputError(f"{limit} recipes cannot be made.", f"Choose 1 to {MAX_RUNS} runs in all.")
    if given == TOY:
        toys = [random_recipe(HELD_OUT + k) for k in range(limit or 20)]
        return {
            f"toy-{k:03d}": Recipe(toy.title, tuple(step.text for step in toy.steps))
            for k, toy in enumerate(toys)
        }
    path = Path(given).expanduser()
    files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise InputError(f"The folder {given!r} holds no recipe.", f"Give {', '.join(SUFFIXES)}.")
    found: dict[str, Recipe] = {}
    for file in files[:limit]:
        name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "recipe"
        while name in found:
            name += "-2"
        found[name] = read_recipe(file)
    return found


def _seeds(given: str) -> tuple[int, ...]:
    seeds = []
    for word in given.split(","):
        if not (word.strip().isascii() and word.strip().isdigit() and int(word) <= MAX_SEED):
            raise InputError(f"The seeds {given!r} are no whole numbers.", "Write --seeds 0,1,2.")
        seeds.append(int(word))
    return tuple(dict.fromkeys(seeds))
