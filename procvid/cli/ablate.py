"""`procvid ablate`: compare settings on the same recipes and seeds."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from procvid.cli.arguments import (
    add_fast,
    add_json,
    add_judge,
    add_lora,
    add_profile,
    add_steps,
    whole_number,
)
from procvid.cli.screen import Bar, time_left
from procvid.cli.sources import absolute_lora, absolute_memory
from procvid.cli.workers import add_workers, spread_of
from procvid.errors import InputError
from procvid.evaluate.ablation import (
    MAX_RUNS,
    Ablation,
    AblationFinished,
    RunScored,
    settings_of,
)
from procvid.evaluate.ablation_report import TABLE_HTML, write_table
from procvid.evaluate.ablation_runs import AblationSetting, AblationTools, BuildParts
from procvid.evaluate.parts import EvaluationParts
from procvid.machine import use_one_thread
from procvid.plan.recipe.parse import read_recipe
from procvid.run.parts import Parts
from procvid.settings import MAX_SEED, choose_sampling
from procvid.settings.environment import user_path
from procvid.storage.lock import output_folder
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Recipe
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring

TOY = "toykitchen"
SUFFIXES = (".txt", ".md", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "recipes",
        metavar="RECIPES",
        help="folder of recipes, one recipe file, or toykitchen for held-out toy recipes",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder of runs, scores and the table"
    )
    parser.add_argument(
        "--settings",
        metavar="A,B",
        help="settings to compare, base first: base, memory, memory-any-state, "
        "memory-no-write-back, memory-rolling, memory[-rolling] with 2 or 3 references such as "
        "memory-2-references-rolling, tuned, tuned+memory (default: base, memory and, with --lora, the "
        "tuned ones)",
    )
    add_lora(parser, "LoRA of the tuned settings")
    parser.add_argument(
        "--memory",
        metavar="STORE|default",
        default="default",
        help="crop store of the settings with memory (default: default)",
    )
    parser.add_argument(
        "--seeds", metavar="N,M", default="0", help="seeds, one run for each (default: 0)"
    )
    parser.add_argument("--limit", metavar="N", type=whole_number, help="only the first N recipes")
    add_steps(parser)
    add_fast(parser)
    add_profile(parser)
    add_judge(parser)
    add_workers(parser)
    add_json(parser, "print one event per line as JSON")
    parser.set_defaults(run=ablate)


def ablate(arguments: argparse.Namespace) -> None:
    """Generate, score and compare the runs, or continue an ablation that was interrupted."""
    loras = [absolute_lora(text) for text in arguments.lora]
    settings = settings_of(arguments.settings, loras, absolute_memory(arguments.memory))
    seeds = _seeds(arguments.seeds)
    recipes = _recipes(arguments.recipes, arguments.limit)
    profile, reason = wiring.select_profile(arguments.profile)
    sampling = choose_sampling(profile, num_inference_steps=arguments.steps, fast=arguments.fast)

    build = partial(build_setting, profile.name, reason)
    evaluate = partial(wiring_evaluation.build_evaluation, profile, arguments.judge)
    spread = spread_of(arguments, partial(make_tools, build, evaluate), needs_gpu=profile.needs_gpu)
    # Every worker computes on one thread, so this process does so too.
    use_one_thread()
    out, bar = Path(arguments.out), Bar()
    with output_folder(out):
        planner = wiring.build_planner("auto", profile)
        ablation = Ablation(recipes, settings, seeds, sampling, planner, build, evaluate(), spread)
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
                    fraction, text = event.done / event.total, f"{event.done} of {event.total}"
                    bar.show(fraction, text, event.eta_s)
        finally:
            bar.clear()
    if not arguments.json:
        print(f"Done: {out / TABLE_HTML}")


def build_setting(profile: str, reason: str, setting: AblationSetting) -> Parts:
    """Build the models of a setting. The plans come from the main process."""
    return wiring.build(
        profile,
        memory=setting.memory,
        planner="rules",
        lora=setting.lora,
        profile_reason=reason,
    )


def make_tools(build: BuildParts, build_evaluation: Callable[[], EvaluationParts]) -> AblationTools:
    """Build the models of a worker."""
    use_one_thread()
    return AblationTools(build, build_evaluation())


def _json(event: RunScored | AblationFinished) -> dict[str, Any]:
    if isinstance(event, AblationFinished):
        return {"event": "ablation_finished", "table": event.table}
    return {"event": "scored", **dataclasses.asdict(event)}


def _line(event: RunScored) -> str:
    exists = " already exists" if event.reused else ""
    count = f"{event.done} of {event.total}{time_left(event.eta_s)}"
    return f"{event.setting}: {event.recipe}, seed {event.seed}{exists} ({count})"


def _recipes(source: str, limit: int | None) -> dict[str, Recipe]:
    """Return recipes by a name that is safe in a path.

    Args:
        source: A folder, a file, or "toykitchen" for held-out toy recipes.
        limit: Number of recipes to take; None takes all files, or 20 toy recipes.
    """
    if limit is not None and not 1 <= limit <= MAX_RUNS:
        raise InputError(f"--limit {limit} is out of range.", f"Choose 1 to {MAX_RUNS}.")
    if source == TOY:
        toys = [random_recipe(HELD_OUT + k) for k in range(limit or 20)]
        return {
            f"toy-{k:03d}": Recipe(toy.title, tuple(step.text for step in toy.steps))
            for k, toy in enumerate(toys)
        }
    path = user_path(source)
    files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise InputError(f"The folder {source!r} holds no recipe.", f"Add {', '.join(SUFFIXES)}.")
    recipes: dict[str, Recipe] = {}
    for file in files[:limit]:
        name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "recipe"
        while name in recipes:
            name += "-2"
        recipes[name] = read_recipe(file)
    return recipes


def _seeds(text: str) -> tuple[int, ...]:
    seeds = []
    for word in text.split(","):
        if not (word.strip().isascii() and word.strip().isdigit() and int(word) <= MAX_SEED):
            raise InputError(
                f"The seeds {text!r} are not whole numbers from 0 to {MAX_SEED}.",
                "Write --seeds 0,1,2.",
            )
        seeds.append(int(word))
    return tuple(dict.fromkeys(seeds))
