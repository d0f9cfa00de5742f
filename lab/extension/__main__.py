"""Measure whether a LoRA teaches what the base model never saw: `python -m lab.extension COMMAND`.

data      write clips, crops and texts of the extended toy kitchen for `procvid train lora`
oracle    extend the shipped oracle by the new foods and the new counter
recipes   write held-out recipes with new foods for `procvid ablate`
measure   generate and classify held-out clips of both kitchens, with and without the LoRA
ablation  classify the clips of an ablation on those recipes
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from lab.command import ASSETS, count, new_parser
from lab.extension.data import write_data
from lab.pretrain.oracle import CLASSES, Oracle, accuracy, soften, truth_of
from lab.pretrain.vae import to_video
from lab.quality.clips import GeneratedClip, first_seeds, held_out_clips
from lab.quality.sheet import SHEET_CLIPS, write_sheet
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.evaluate.compare import paired_difference
from procvid.media.video import read_clip
from procvid.phantom.layout import parameter_shapes
from procvid.phantom.loading import read_config
from procvid.phantom.lora import find_lora, merge_loras, read_lora
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import TINY
from procvid.storage.atomic import output_errors, write_text
from procvid.storage.files import sha256_of, write_json
from procvid.toykitchen.dataset import random_clip
from procvid.toykitchen.extension import EXTRA_FOODS, extended_clip, extended_recipe
from procvid.toykitchen.identity import EXTRA_COUNTERS
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe

WIDENED = {
    **CLASSES,
    "food": (*CLASSES["food"], *EXTRA_FOODS),
    "counter": (*CLASSES["counter"], *EXTRA_COUNTERS),
}
ORACLE = "extension_oracle.safetensors"
ORACLE_CLIPS = 1800
MEASURED_STEPS = 6
"""Denoising steps of the measured clips (docs/lora.md)."""
QUESTIONS = tuple(CLASSES)
NEW_QUESTIONS = ("food", "counter")


def widened_oracle() -> Oracle:
    """Return the shipped oracle with more answers; weights of new answers are zero."""
    shipped, wider = load_oracle(ASSETS / "oracle").state_dict(), Oracle(classes=WIDENED)
    state = wider.state_dict()
    for name, value in state.items():
        value.zero_()
        value[: len(shipped[name])] = shipped[name]
    wider.load_state_dict(state)
    return wider


def fit_heads(oracle: Oracle, clips: int, seed: int = 0) -> None:
    """Fit the two linear heads with new answers; the body and the other heads stay fixed.

    Uses new clips of both kitchens, softened as in the oracle's own training.
    """
    rng = np.random.default_rng([seed, 31])
    torch.manual_seed(seed)
    features, truths = [], []
    for k in range(0, clips, 30):
        drawn = [(random_clip if (k // 30) % 3 == 2 else extended_clip)(rng) for _ in range(30)]
        video = to_video(np.stack([rendered.frames for _, _, rendered in drawn]))
        with torch.no_grad():
            softness = float(rng.uniform(0.45, 0.9)) if rng.random() < 0.7 else 1.0
            features.append(oracle.hidden(soften(softness, video)))
        truths += [truth_of(scene, kitchen) for kitchen, scene, _ in drawn]
    x = torch.cat(features)
    for question in NEW_QUESTIONS:
        head, words = oracle.heads[question], oracle.classes[question]
        # Counters of any colour have no name.
        known = [row for row, truth in enumerate(truths) if truth[question] in words]
        seen = x[known]
        y = torch.tensor([words.index(truths[row][question]) for row in known])
        solver = torch.optim.LBFGS(head.parameters(), max_iter=300, line_search_fn="strong_wolfe")

        def loss(
            head: Any = head,
            seen: torch.Tensor = seen,
            y: torch.Tensor = y,
            solver: Any = solver,
        ) -> torch.Tensor:
            solver.zero_grad()
            value = F.cross_entropy(head(seen), y) + 1e-5 * head.weight.square().sum()
            value.backward()
            return value

        solver.step(loss)


def make_oracle(work: Path, clips: int) -> None:
    """Fit the extended oracle, save it and print its accuracy on rendered clips."""
    oracle = widened_oracle()
    fit_heads(oracle, clips)
    save_file(
        {key: value.contiguous() for key, value in oracle.state_dict().items()}, work / ORACLE
    )
    report = {
        "new kitchen": accuracy(oracle, draw_clip=extended_clip),
        "old kitchen": accuracy(oracle),
        "old kitchen, shipped oracle": accuracy(load_oracle(ASSETS / "oracle")),
    }
    write_json(work / "extension_oracle.json", report)
    print(json.dumps(report, indent=1))


def load_widened(work: Path) -> Oracle:
    """Load the extended oracle."""
    oracle = Oracle(classes=WIDENED)
    oracle.load_state_dict({k: v.float() for k, v in load_file(work / ORACLE).items()})
    return oracle.eval()


def write_recipes(folder: Path, count: int) -> None:
    """Write held-out recipes of the new kitchen as text; file names contain the seed number."""
    for k in range(count):
        recipe = extended_recipe(HELD_OUT + k)
        steps = [f"{n}. {step.text}" for n, step in enumerate(recipe.steps, start=1)]
        write_text(folder / f"new-{k:03d}.txt", "\n".join([recipe.title, "", *steps]) + "\n")


def with_lora(lora: Path | None, weight: float = 1.0) -> PhantomWanPipeline:
    """Load the shipped pipeline, with a LoRA merged if given."""
    folder = ASSETS / TINY.models["generator"]
    pipeline = load_pipeline(folder)
    if lora is not None:
        config = read_config(folder / "transformer" / "config.json")
        file = read_lora(find_lora(lora), parameter_shapes(config), config["num_layers"], weight)
        merge_loras(pipeline.transformer, [file])
    return pipeline


WORLDS: Mapping[str, Callable[[int], ToyRecipe]] = {
    "new kitchen": extended_recipe,
    "old kitchen": random_recipe,
}


def measure(work: Path, lora: Path, out: Path, recipes: int, weight: float = 1.0) -> None:
    """Generate held-out recipes of both kitchens with and without the LoRA and compare answers.

    Both use the same seeds. Answers are cached by the LoRA's hash, so the base is measured once.
    """
    oracle = load_widened(work)
    answers = {
        "base": _answers(oracle, None, out, recipes),
        "lora": _answers(oracle, lora, out, recipes, weight),
    }
    report: dict[str, Any] = {
        "recipes_each": recipes,
        "references": 3,
        "steps": MEASURED_STEPS,
        "weight": weight,
    }
    for world in WORLDS:
        report[world] = _compare({name: each[world] for name, each in answers.items()})
    write_json(out / "extension.json", report)
    print(json.dumps(report, indent=1))


def _answers(
    oracle: Oracle, lora: Path | None, out: Path, recipes: int, weight: float = 1.0
) -> dict[str, Any]:
    """Return (truth, answer) of every clip by kitchen."""
    label = sha256_of(find_lora(lora))[:16] if lora else "shipped"
    label += "" if weight == 1 else f"x{weight:g}"
    cached = out / f"answers-{label}-{recipes}.json"
    if cached.is_file():
        return dict(json.loads(cached.read_text("utf-8")))
    pipeline, named = with_lora(lora, weight), {}
    sampling = replace(TINY.sampling, num_inference_steps=MEASURED_STEPS)
    for world, draw in WORLDS.items():
        first: list[GeneratedClip] = []
        answers = []
        for clip in held_out_clips(pipeline, first_seeds(recipes), 3, sampling, draw=draw):
            answers.append((truth_of(clip.scene, clip.kitchen), oracle.name([clip.frames])[0]))
            first += [clip] if len(first) < SHEET_CLIPS else []
        named[world] = answers
        write_sheet(first, out / f"{world.replace(' ', '_')}_{label}.png")
        print(world, label, len(answers), "clips", flush=True)
    write_json(cached, named)
    return named


def _compare(
    per_clip: Mapping[str, Sequence[tuple[Mapping[str, str], Mapping[str, str]]]],
) -> dict[str, Any]:
    """Return shares of right answers with and without the LoRA, over all clips and by novelty."""
    shares: dict[str, Any] = {"clips": len(per_clip["base"])}
    parts: Mapping[str, Callable[[Mapping[str, str]], bool]] = {
        "all clips": lambda _: True,
        "new foods": lambda truth: truth["food"] in EXTRA_FOODS,
        "new counter": lambda truth: truth["counter"] in EXTRA_COUNTERS,
        "nothing new": lambda truth: (
            truth["food"] not in EXTRA_FOODS and truth["counter"] not in EXTRA_COUNTERS
        ),
    }
    for part, belongs in parts.items():
        chosen = [k for k, (truth, _) in enumerate(per_clip["base"]) if belongs(truth)]
        if not chosen:
            continue
        shares[part] = {"clips": len(chosen)}
        for question in QUESTIONS:
            right = {
                name: [float(named[k][0][question] == named[k][1][question]) for k in chosen]
                for name, named in per_clip.items()
            }
            shares[part][question] = _difference(right["base"], right["lora"])
    return shares


def _difference(before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    found = paired_difference(list(before), list(after))
    row = {"base": round(float(np.mean(before)), 4), "lora": round(float(np.mean(after)), 4)}
    if found.low is not None and found.high is not None:
        row |= {"low": round(found.low, 4), "high": round(found.high, 4)}
    return row


def name_ablation(work: Path, folder: Path) -> None:
    """Classify every clip of an ablation on `recipes`; intervals are over recipes."""
    oracle = load_widened(work)
    shares: dict[str, dict[str, dict[str, float]]] = {}
    for setting in sorted((folder / "runs").iterdir()):
        shares[setting.name] = {}
        for folder_of_run in sorted(setting.glob("new-*-seed*")):
            recipe = extended_recipe(HELD_OUT + int(folder_of_run.name.split("-")[1]))
            right: dict[str, list[bool]] = defaultdict(list)
            for number, step in enumerate(recipe.steps, start=1):
                file = folder_of_run / "steps" / f"{number:02d}" / "clip.mp4"
                if not file.is_file():
                    continue
                clip = read_clip(file, downscale=TINY.display_scale)
                truth, answer = truth_of(step.scene, recipe.kitchen), oracle.name([clip.frames])[0]
                new = "new food" if step.scene.food_name in EXTRA_FOODS else "old food"
                right[new].append(truth["food"] == answer["food"])
                for question in ("action", "food", "state"):
                    right[question].append(truth[question] == answer[question])
            shares[setting.name][folder_of_run.name] = {
                k: float(np.mean(v)) for k, v in right.items()
            }
    base = shares["base"]
    report: dict[str, Any] = {"recipes": len(base)}
    for setting_name, runs in shares.items():
        names = [name for name in base if name in runs]
        report[setting_name] = {"recipes": len(names)}
        for question in ("action", "food", "new food", "old food", "state"):
            before = [base[name].get(question) for name in names]
            after = [runs[name].get(question) for name in names]
            known = [value for value in after if value is not None]
            row: dict[str, Any] = {"mean": round(float(np.mean(known)), 4)}
            found = paired_difference(before, after)
            if setting_name != "base" and found.low is not None and found.high is not None:
                row |= {"low": round(found.low, 4), "high": round(found.high, 4)}
            report[setting_name][question] = row
    write_json(folder / "oracle.json", report)
    print(json.dumps(report, indent=1))


def parser() -> Parser:
    """Return the parser of `python -m lab.extension`."""
    made = new_parser("extension", "Measure whether a LoRA teaches what the base model never saw.")
    commands = made.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )

    def add(name: str, summary: str) -> Parser:
        command: Parser = commands.add_parser(name, help=summary, description=summary)
        command.add_argument("--work", type=Path, required=True, help="folder of the oracle")
        command.add_argument("--out", type=Path, help="output folder; by default --work")
        return command

    data = add("data", "Write training data of the extended kitchen.")
    data.add_argument("--recipes", type=count, default=12)
    oracle = add("oracle", "Extend the shipped oracle.")
    oracle.add_argument("--clips", type=count, default=ORACLE_CLIPS, help="clips to fit it on")
    recipes = add("recipes", "Write held-out recipes with new foods.")
    recipes.add_argument("--recipes", type=count, default=12)
    measured = add("measure", "Compare held-out clips with and without the LoRA.")
    measured.add_argument("--lora", type=Path, required=True, help="folder or file of the LoRA")
    measured.add_argument("--weight", type=float, default=1.0, help="weight of the LoRA")
    measured.add_argument("--recipes", type=count, default=12)
    add("ablation", "Classify the clips of an ablation in --out.")
    made.set_defaults(run=extension)
    return made


def extension(arguments: argparse.Namespace) -> None:
    """Run one command."""
    torch.set_num_threads(1)
    work: Path = arguments.work
    out: Path = arguments.out or work
    for folder in (work, out):
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    match arguments.command:
        case "data":
            print(write_data(out, arguments.recipes), "clips")
        case "oracle":
            make_oracle(work, arguments.clips)
        case "recipes":
            write_recipes(out, arguments.recipes)
        case "measure":
            measure(work, arguments.lora, out, arguments.recipes, arguments.weight)
        case _:
            name_ablation(work, out)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
